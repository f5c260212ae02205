"""The data of the picture of some days: when a strategy is wanted, what is skipped, and its runs as bars.

Knows instants and what `simulation` foretells of a schedule; nothing of SVG, of states or of holds. A day
is a local one, 23, 24 or 25 hours long or what its zone makes of it, and the axis is elapsed time: an hour
is as wide as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor import jobs
from stratvisor.simulation import Happening, Kind, simulate
from stratvisor.skipped import Skip, skips
from stratvisor.spans import merged
from stratvisor.spec import At, Jobs, Manual, Process, Schedule, Spec
from stratvisor.wallclock import instant
from stratvisor.windows import ALWAYS, Window, compile_windows

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 2000
"""Happenings of one strategy that are foretold: what starts every minute must not hold up a page."""

LOOK_AHEAD = 7
"""Days beyond those asked about in which the ends of the last windows are looked for."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One run of a strategy, in aware instants; it may have begun before the day."""

    start: datetime
    end: datetime | None
    """None: it still runs."""
    failed: bool
    run: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """What its files have in store for a strategy, between two instants."""

    bands: tuple[Window, ...] = ()
    """When it is wanted, cut off at these instants."""
    skips: tuple[Skip, ...] = ()


@dataclass(frozen=True, slots=True)
class DayAhead:
    """One local day of a strategy."""

    date: date
    bands: tuple[Window, ...]
    """Those that begin on it, whole as far as one sees."""
    skips: tuple[Skip, ...]


def day_of(at: datetime, timezone: str, days: int = 1) -> Window:
    """The local day that contains an aware instant, midnight to midnight in an IANA zone; or several."""
    zone = ZoneInfo(timezone)
    midnight = datetime.combine(at.astimezone(zone), time())
    return Window(instant(midnight, zone), instant(midnight + timedelta(days=days), zone))


def fraction(day: Window, at: datetime) -> float:
    """How far into the day an aware instant lies: 0 at its start and before, 1 at its end and after."""
    return min(max((at - day.start) / (day.end - day.start), 0.0), 1.0)


def ticks(day: Window, timezone: str, step: int = 3) -> tuple[tuple[str, float], ...]:
    """The labels of the axis, `00:00` and every `step` hours of the wall clock, with their fractions."""
    zone = ZoneInfo(timezone)
    today = day.start.astimezone(zone).date()
    hours = (datetime.combine(today, time(hour)) for hour in range(0, 24, step))
    return tuple((f"{hour:%H:%M}", fraction(day, instant(hour, zone))) for hour in hours)


def midnights(period: Window, timezone: str) -> tuple[tuple[date, float], ...]:
    """The days that begin in a period, with the fractions at which they do."""
    zone = ZoneInfo(timezone)
    first, last = (edge.astimezone(zone).date() for edge in (period.start, period.end))
    days = (first + timedelta(days=count) for count in range((last - first).days + 1))
    begins = ((day, instant(datetime.combine(day, time()), zone)) for day in days)
    return tuple((day, fraction(period, at)) for day, at in begins if at in period)


def outlook(spec: Spec, start: datetime, end: datetime) -> Outlook:
    """When a strategy is wanted from one aware instant to another, and what is skipped there.

    Cheap enough to ask for a page: the answer is kept for each schedule.
    """
    if not spec.enabled or isinstance(spec.schedule, Manual):
        return Outlook()
    return _outlook(spec.schedule, start, end)


@lru_cache(maxsize=2048)
def _outlook(schedule: Schedule, start: datetime, end: datetime) -> Outlook:
    if isinstance(schedule, Jobs) and isinstance(schedule.timing, At):
        firings = jobs.firings(schedule, schedule.timing.line)
        due = [one.start for one in compile_windows(firings, start, end) if start <= one.start]
        return Outlook(_moments(due, (end - start) / MOST), skips(schedule, start, end))
    # Of jobs every so often, the windows: there may be more of them than anybody could see.
    bounds = jobs.within(schedule) if isinstance(schedule, Jobs) else None
    happened = simulate([Spec("any", Process(), schedule=bounds or schedule)], start, end)
    known = [one for one in islice(happened, MOST) if isinstance(one, Happening)]
    return Outlook(
        tuple(_bands(known, end)),
        tuple(Skip(one.at, one.why) for one in known if one.event is Kind.SKIP),
    )


def _moments(due: list[datetime], closest: timedelta) -> tuple[Window, ...]:
    """Each by itself; where they are too many, those that nobody could tell apart as one."""
    if len(due) <= MOST:
        return tuple(Window(at, at) for at in due)
    return tuple(Window(start, end - closest) for start, end in merged((at, at + closest) for at in due))


def _bands(known: list[Happening], end: datetime) -> Iterator[Window]:
    """From each start to its stop; a job, which ends by itself, has no length that anybody knows."""
    begun: datetime | None = None
    for one in known:
        match one.event:
            case Kind.START:
                begun = one.at
            case Kind.STOP if begun is not None:
                yield Window(begun, one.at)
                begun = None
            case Kind.JOB:
                yield Window(one.at, one.at)
            case Kind.SKIP | Kind.RESTART | Kind.STOP:
                pass
    if begun is not None and len(known) < MOST:
        yield Window(begun, end)


def days_ahead(spec: Spec, now: datetime, days: int) -> tuple[DayAhead, ...]:
    """The local days of a strategy from today on. A band without an end in sight has that of ALWAYS."""
    zone = ZoneInfo(spec.timezone)
    far = day_of(now, spec.timezone, days + LOOK_AHEAD)
    found = outlook(spec, far.start, far.end)
    bands = [Window(one.start, ALWAYS.end) if one.end == far.end else one for one in found.bands]
    dates = [day for day, _ in midnights(far, spec.timezone)][:days]
    return tuple(
        DayAhead(
            day,
            tuple(band for band in bands if band.start.astimezone(zone).date() == day),
            tuple(skip for skip in found.skips if skip.at.astimezone(zone).date() == day),
        )
        for day in dates
    )
