"""The data of the picture of one day: a strategy's windows as bands, its runs as bars.

Knows windows and instants, nothing of SVG or of states. The day is a local one, 23, 24 or 25 hours long
or what its zone makes of it, and the axis is elapsed time: an hour is as wide as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import assert_never
from zoneinfo import ZoneInfo

from stratvisor import jobs
from stratvisor.spec import Always, Jobs, Manual, Schedule, Windows
from stratvisor.wallclock import instant
from stratvisor.windows import Window, compile_windows


@dataclass(frozen=True, slots=True)
class Bar:
    """One run of a strategy, in aware instants; it may have begun before the day."""

    start: datetime
    end: datetime | None
    """None: it still runs."""
    failed: bool
    run: int


def day_of(at: datetime, timezone: str) -> Window:
    """The local day, midnight to midnight in an IANA zone, that contains an aware instant."""
    zone = ZoneInfo(timezone)
    midnight = datetime.combine(at.astimezone(zone), time())
    return Window(instant(midnight, zone), instant(midnight + timedelta(days=1), zone))


def fraction(day: Window, at: datetime) -> float:
    """How far into the day an aware instant lies: 0 at its start and before, 1 at its end and after."""
    return min(max((at - day.start) / (day.end - day.start), 0.0), 1.0)


def ticks(day: Window, timezone: str, step: int = 3) -> tuple[tuple[str, float], ...]:
    """The labels of the axis, `00:00` and every `step` hours of the wall clock, with their fractions."""
    zone = ZoneInfo(timezone)
    date = day.start.astimezone(zone).date()
    hours = (datetime.combine(date, time(hour)) for hour in range(0, 24, step))
    return tuple((f"{hour:%H:%M}", fraction(day, instant(hour, zone))) for hour in hours)


@lru_cache(maxsize=2048)
def bands(schedule: Schedule, day_start: datetime, day_end: datetime) -> tuple[Window, ...]:
    """The parts of a schedule's windows that lie in a day given in aware instants, in order."""
    match schedule:
        case Always():
            return (Window(day_start, day_end),)
        case Manual():
            return ()
        case Jobs():
            bounds = jobs.within(schedule)
            return () if bounds is None else bands(bounds, day_start, day_end)
        case Windows():
            windows = compile_windows(schedule, day_start, day_end)
            return tuple(Window(max(window.start, day_start), min(window.end, day_end)) for window in windows)
    assert_never(schedule)
