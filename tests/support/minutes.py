"""When a schedule is wanted, minute by minute: an oracle that shares nothing with the code under test.

It walks through UTC a minute at a time and keeps the latest time that a zone's clock has shown. A time is
reached in the first minute in which the clock shows it or a later one: a time that is skipped when the clock
jumps, and while the clock repeats itself nothing is reached again. croniter says when lines fire.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate, takewhile
from zoneinfo import ZoneInfo

from croniter import croniter  # type: ignore[import-untyped]
from hypothesis import strategies as st

from stratvisor.calendar import Calendar, Day, Hours
from stratvisor.spec import (
    MINUTE,
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    SessionTime,
    SessionWindow,
    SpecialSessions,
    WindowForm,
    Windows,
)

KOLKATA, NEW_YORK, LONDON = "Asia/Kolkata", "America/New_York", "Europe/London"
LORD_HOWE = "Australia/Lord_Howe"
"""Its summer time is half an hour."""

CHANGES = [
    (NEW_YORK, date(2026, 3, 8)),
    (NEW_YORK, date(2026, 11, 1)),
    (LONDON, date(2026, 3, 29)),
    (LONDON, date(2026, 10, 25)),
    (LORD_HOWE, date(2026, 4, 5)),
    (LORD_HOWE, date(2026, 10, 4)),
    (KOLKATA, date(2026, 11, 22)),
]
A_MINUTE = timedelta(minutes=1)
A_DAY = timedelta(days=1)
BEFORE, AFTER = 5, 4
"""Days around the Sunday that are walked through."""


@lru_cache
def _shown(zone: str, sunday: date) -> list[datetime]:
    """The latest local time shown by each minute of the walk."""
    first = _first(sunday)
    latest = datetime(1, 1, 1)  # noqa: DTZ001  a local time
    shown = []
    for minute in range((BEFORE + AFTER) * 24 * 60):
        local = (first + minute * A_MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        latest = max(latest, local)
        shown.append(latest)
    return shown


def _first(sunday: date) -> datetime:
    return datetime.combine(sunday, time(), UTC) - BEFORE * A_DAY


@lru_cache
def _fires(line: str, sunday: date) -> list[datetime]:
    source = croniter(line, datetime.combine(sunday, time()) - (BEFORE + 2) * A_DAY)
    last = datetime.combine(sunday, time()) + (AFTER + 2) * A_DAY
    return list(takewhile(lambda at: at < last, iter(lambda: source.get_next(datetime), None)))


def wanted_minutes(schedule: Windows, sunday: date) -> set[datetime]:
    """All minutes from Saturday to Monday, UTC, in which one of the forms wants it."""
    spans = (span for form in schedule.forms for span in _spans(schedule, form, sunday))
    return minutes_of(spans, sunday)


def minutes_of(spans: Iterable[tuple[datetime, datetime]], sunday: date) -> set[datetime]:
    """All minutes from Saturday to Monday, UTC, that begin in one of the spans."""
    first = datetime.combine(sunday, time(), UTC) - A_DAY
    steps = Counter[int]()
    for start, end in spans:
        if start < end:
            steps[max(0, -((first - start) // A_MINUTE))] += 1
            steps[max(0, -((first - end) // A_MINUTE))] -= 1
    deep = accumulate(steps[minute] for minute in range(3 * 24 * 60))
    return {first + minute * A_MINUTE for minute, depth in enumerate(deep) if depth}


def _spans(schedule: Windows, form: WindowForm, sunday: date) -> Iterator[tuple[datetime, datetime]]:
    calendar = schedule.calendar
    if isinstance(form, SessionWindow):
        assert calendar is not None
        for day in _days(sunday):
            for begin, close in _sessions(schedule, day):
                edges = {Edge.OPEN: begin, Edge.CLOSE: close}
                yield (
                    _after(edges[form.start.edge], form.start.offset_ns, calendar.timezone, sunday),
                    _after(edges[form.end.edge], form.end.offset_ns, calendar.timezone, sunday),
                )
        return
    for begin, finish, length_ns in _written(form, sunday):
        start = _after(begin, 0, schedule.timezone, sunday)
        if calendar is None or _sessions(schedule, start.astimezone(ZoneInfo(calendar.timezone)).date()):
            yield start, _after(finish, length_ns, schedule.timezone, sunday)


def _written(form: WindowForm, sunday: date) -> Iterator[tuple[datetime, datetime, int]]:
    """By the wall clock: start and end; and what elapses after that end, in nanoseconds."""
    if isinstance(form, DaysWindow):
        for day in _days(sunday):
            if day.weekday() in form.days:
                on = day if form.start < form.end else day + A_DAY
                yield datetime.combine(day, form.start), datetime.combine(on, form.end), 0
    elif isinstance(form, CronPair):
        stops = [*_fires(form.stop, sunday), datetime.max]  # noqa: DTZ901  a local time
        for start in _fires(form.start, sunday):
            yield start, min(stops[bisect_right(stops, start)], start + A_DAY), 0
    else:
        assert isinstance(form, CronFor)
        for start in _fires(form.start, sunday):
            yield start, start, form.length_ns


def _after(local: datetime, elapsed_ns: int, zone: str, sunday: date) -> datetime:
    """So long after the minute in which the zone's clock reaches a local time."""
    reached = bisect_left(_shown(zone, sunday), local)
    return _first(sunday) + (reached + elapsed_ns // MINUTE) * A_MINUTE


def _sessions(schedule: Windows, day: date) -> list[tuple[datetime, datetime]]:
    """Of a calendar that says everything day by day: what is wanted."""
    assert schedule.calendar is not None
    return [
        (
            datetime.combine(day, hours.start),
            datetime.combine(day if hours.start < hours.end else day + A_DAY, hours.end),
        )
        for known in schedule.calendar.days
        if known.date == day and (not known.special or schedule.special_sessions is SpecialSessions.RUN)
        for hours in known.hours
    ]


def _days(sunday: date) -> list[date]:
    return [sunday + count * A_DAY for count in range(-BEFORE - 1, AFTER + 1)]


# What to draw from.

NEAR_THE_CHANGE = st.builds(time, st.sampled_from([0, 0, 1, 1, 2, 2, 3, 4, 9, 23]), st.integers(0, 59))
LINES = st.builds(
    "{} {} * * {}".format,
    st.sampled_from(["0", "15", "30", "45", "59", "*/20", "*", "1-59/2"]),
    st.sampled_from(["0", "1", "2", "3", "1-2", "9", "23", "*"]),
    st.sampled_from(["*", "0", "fri-sun", "mon-fri"]),
)
FORMS = st.one_of(
    st.builds(DaysWindow, st.frozensets(st.integers(0, 6), min_size=1), NEAR_THE_CHANGE, NEAR_THE_CHANGE),
    st.builds(CronPair, LINES, LINES),
    st.builds(CronFor, LINES, st.integers(1, 30 * 60).map(lambda minutes: minutes * MINUTE)),
)
OFFSETS = st.sampled_from([0, 0, -10, 5]) | st.integers(-12 * 60, 12 * 60)
SESSIONS = st.builds(
    SessionWindow,
    st.builds(SessionTime, st.sampled_from(Edge), OFFSETS.map(lambda minutes: minutes * MINUTE)),
    st.builds(SessionTime, st.sampled_from(Edge), OFFSETS.map(lambda minutes: minutes * MINUTE)),
)
HOURS = st.builds(Hours, NEAR_THE_CHANGE, NEAR_THE_CHANGE)


@st.composite
def calendars(draw: st.DrawFn, sunday: date) -> Calendar:
    """One that has any hours, or none, on each day around a Sunday, on any clock."""
    zone = draw(st.sampled_from(sorted({zone for zone, _ in CHANGES})))
    days = [
        Day(day, "Any", tuple(draw(st.lists(HOURS, max_size=2))), draw(st.booleans()))
        for day in _days(sunday)
    ]
    return Calendar("X", zone, days=tuple(days), known_until=sunday + 30 * A_DAY)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[date, Windows]:
    """Any forms, by a calendar or without, and the Sunday on which their clock is changed."""
    zone, sunday = draw(st.sampled_from(CHANGES))
    calendar = draw(st.none() | calendars(sunday))
    forms = draw(st.lists(FORMS if calendar is None else FORMS | SESSIONS, min_size=1, max_size=3))
    special = draw(st.sampled_from(SpecialSessions))
    if calendar is not None and draw(st.booleans()):
        zone = calendar.timezone
    return sunday, Windows(zone, tuple(forms), calendar, special)
