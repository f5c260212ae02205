"""The windows of one date as their forms say them, and where they lie in UTC; not merged with one another.

Knows the four forms, calendars and time zones. Must not know what time it is, nor what touches what across
dates: that is the business of `windows`.

A date is one of the schedule's clock, or, for sessions, one of the calendar's. Where a calendar is named, a
window counts by the day on which it starts, on the calendar's own clock: a tail past midnight is kept.

Rule: on nearly every date the clock goes on as it does, and what touches by the wall clock is one in UTC
too, so that a date's plan is made once for all dates like it. Every other date goes span by span.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar, assert_never
from zoneinfo import ZoneInfo

from stratvisor import cron
from stratvisor.spec import (
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    SessionTime,
    SessionWindow,
    SpecialSessions,
    WindowForm,
    Windows,
    as_span,
)
from stratvisor.wallclock import instant, steady_midnight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stratvisor.calendar import Calendar

T = TypeVar("T", datetime, timedelta)

DAY = timedelta(days=1)
NONE = timedelta()

CRON_PAIR_CAP = DAY
"""By the wall clock: the longest that a start of a cron pair reaches where no stop comes sooner."""

Interval = tuple[datetime, datetime]


class Side(NamedTuple):
    """So much elapsed time after the wall clock shows that it is so long past the date's midnight."""

    wall: timedelta
    then: timedelta = NONE

    @property
    def reading(self) -> timedelta:
        """What the clock shows of it where nobody sets it, since the date's midnight."""
        return self.wall + self.then

    def on(self, day: date, zone: ZoneInfo) -> datetime:
        """The instant."""
        return instant(datetime.combine(day, time()) + self.wall, zone) + self.then


class Span(NamedTuple):
    """One window as it is written. Where its end is not after its start, nothing of it is left."""

    start: Side
    end: Side
    stopped: bool = True
    """Not: it is the start of a cron pair for which no stop comes within CRON_PAIR_CAP."""


@dataclass(frozen=True)
class Plan:
    """The windows of all dates that are alike."""

    spans: tuple[Span, ...] = ()

    @cached_property
    def united(self) -> tuple[tuple[timedelta, timedelta], ...]:
        """Since midnight, merged: for dates on which nobody sets the clock."""
        return tuple(merged((span.start.reading, span.end.reading) for span in self.spans))


_NOTHING = Plan()


def intervals(schedule: Windows, form: WindowForm, day: date) -> Iterator[Interval]:
    """The UTC intervals of the form's windows of one date that count. Some may be empty."""
    plan = plan_of(schedule, form, day)
    if not plan.spans:
        return iter(())
    timezone = zone_name(schedule, form)
    midnight = steady_midnight(day, timezone)
    if midnight is None or not _by_date(schedule, timezone):
        return (interval for _, interval in counted(schedule, form, day))
    if not _is_open(schedule, day):
        return iter(())
    return ((midnight + start, midnight + end) for start, end in plan.united)


def counted(schedule: Windows, form: WindowForm, day: date) -> Iterator[tuple[Span, Interval]]:
    """The windows of one date that count, as they are written and in UTC, one by one."""
    zone = ZoneInfo(zone_name(schedule, form))
    for span in plan_of(schedule, form, day).spans:
        start = span.start.on(day, zone)
        if isinstance(form, SessionWindow) or _counts(schedule, start):
            yield span, (start, span.end.on(day, zone))


def zone_name(schedule: Windows, form: WindowForm) -> str:
    """The zone on whose clock the form is read."""
    calendar = schedule.calendar
    return calendar.timezone if calendar and isinstance(form, SessionWindow) else schedule.timezone


def reach(form: WindowForm) -> timedelta:
    """No window of the form ends later than so long after the last midnight of its date."""
    match form:
        case CronFor():
            return as_span(form.length_ns)
        case DaysWindow() | CronPair():
            return 2 * DAY  # a day by the wall is at most two, where a zone repeats a date
        case SessionWindow():
            return 4 * DAY  # the calendar's date may be another than the schedule's; half a day of offset
    assert_never(form)


def lead(form: WindowForm) -> timedelta:
    """No window of the form starts sooner than so long before the first midnight of its date."""
    return 2 * DAY if isinstance(form, SessionWindow) else NONE


def merged(pieces: Iterable[tuple[T, T]]) -> Iterator[tuple[T, T]]:
    """The union of intervals, in order, without the empty ones."""
    start = end = None
    for begin, finish in sorted(pieces):
        if finish <= begin:
            continue
        if start is None or end is None:
            start, end = begin, finish
        elif begin <= end:
            end = max(end, finish)
        else:
            yield start, end
            start, end = begin, finish
    if start is not None and end is not None:
        yield start, end


def plan_of(schedule: Windows, form: WindowForm, day: date) -> Plan:
    """The windows of one date, as they are written."""
    match form:
        case DaysWindow():
            return _of_days(form) if day.weekday() in form.days else _NOTHING
        case CronPair():
            if not cron.rule(form.start).falls_on(day):
                return _NOTHING
            stop = cron.rule(form.stop)
            return _of_pair(form, stop.falls_on(day), stop.falls_on(day + DAY))
        case CronFor():
            return _of_length(form) if cron.rule(form.start).falls_on(day) else _NOTHING
        case SessionWindow():
            if schedule.calendar is None:
                return _NOTHING
            return _of_sessions(form, _sessions(schedule.calendar, schedule.special_sessions, day))
    assert_never(form)


@lru_cache(maxsize=4096)
def _of_days(form: DaysWindow) -> Plan:
    start, end = _since_midnight(form.start), _since_midnight(form.end)
    return Plan((Span(Side(start), Side(end if start < end else end + DAY)),))


@lru_cache(maxsize=4096)
def _of_pair(form: CronPair, stops_today: bool, stops_tomorrow: bool) -> Plan:  # noqa: FBT001  a kind of date
    times = list(map(_since_midnight, cron.rule(form.stop).times))
    stops = (times if stops_today else []) + [DAY + at for at in times if stops_tomorrow]
    return Plan(tuple(_pair(start, stops) for start in map(_since_midnight, cron.rule(form.start).times)))


def _pair(start: timedelta, stops: list[timedelta]) -> Span:
    cap = start + CRON_PAIR_CAP
    following = bisect_right(stops, start)
    stopped = following < len(stops) and stops[following] <= cap
    return Span(Side(start), Side(stops[following] if stopped else cap), stopped)


@lru_cache(maxsize=4096)
def _of_length(form: CronFor) -> Plan:
    starts = map(_since_midnight, cron.rule(form.start).times)
    return Plan(tuple(Span(Side(start), Side(start, as_span(form.length_ns))) for start in starts))


@lru_cache(maxsize=4096)
def _of_sessions(form: SessionWindow, sessions: tuple[tuple[timedelta, timedelta], ...]) -> Plan:
    return Plan(tuple(Span(_side(form.start, one), _side(form.end, one)) for one in sessions))


def _side(at: SessionTime, session: tuple[timedelta, timedelta]) -> Side:
    return Side(session[0] if at.edge is Edge.OPEN else session[1], as_span(at.offset_ns))


@lru_cache(maxsize=16_384)
def _sessions(
    calendar: Calendar, special: SpecialSessions, day: date
) -> tuple[tuple[timedelta, timedelta], ...]:
    """Those of a date that are wanted: open and close, since its midnight."""
    midnight = datetime.combine(day, time())
    return tuple(
        (session.start - midnight, session.end - midnight)
        for session in calendar.sessions(day)
        if not session.special or special is SpecialSessions.RUN
    )


def _by_date(schedule: Windows, timezone: str) -> bool:
    """Whether the windows of a date count or not all alike, because the calendar's date is the same."""
    return schedule.calendar is None or schedule.calendar.timezone == timezone


def _counts(schedule: Windows, start: datetime) -> bool:
    """Whether a window that starts at an instant does so on a day with a session."""
    calendar = schedule.calendar
    return calendar is None or _is_open(schedule, start.astimezone(ZoneInfo(calendar.timezone)).date())


def _is_open(schedule: Windows, day: date) -> bool:
    """Whether a date of the calendar has a session that is wanted."""
    calendar = schedule.calendar
    return calendar is None or bool(_sessions(calendar, schedule.special_sessions, day))


def _since_midnight(at: time) -> timedelta:
    return datetime.combine(date.min, at) - datetime.min  # noqa: DTZ901  by the wall clock
