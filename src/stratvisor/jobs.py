"""When jobs are due: instants of UTC, each of which is a window that ends as it begins.

Knows the three ways to time a job; everything about zones and calendars it leaves to `windows`. Must
not know what time it is, nor what became of a job.

`at` and `once` are due where a window would begin: a time that DST skips when the clock jumps, one that
comes twice the first time. `every` counts elapsed time from the beginning of each window, and from local
midnight where no beginning is in sight; it is not due at the instant its window ends.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, assert_never
from zoneinfo import ZoneInfo

from stratvisor.spec import MICROSECOND, At, CronFor, Every, Jobs, Once, Windows, as_span
from stratvisor.wallclock import instant
from stratvisor.windows import ALWAYS, DAY, Position, Window, position, upcoming

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENT = timedelta(microseconds=1)


def within(schedule: Jobs) -> Windows | None:
    """The windows outside of which it is not due and does not run; None: nothing bounds it."""
    match schedule.timing:
        case Every(forms=forms):
            return Windows(schedule.timezone, forms, schedule.calendar, schedule.special_sessions)
        case At() | Once():
            return None
        case never:
            assert_never(never)


def due_around(schedule: Jobs, at: datetime) -> Position:
    """How an aware instant lies to what is due: the latest that is not to come, and the next.

    Of `every`, only within the window that contains the instant is there a latest.
    """
    coming = next(iter(due_after(schedule, at, 1)), None)
    return Position(
        inside=None,
        next=None if coming is None else Window(coming, coming),
        last_end=_latest(schedule, at),
    )


def due_after(schedule: Jobs, at: datetime, count: int) -> tuple[datetime, ...]:
    """The first `count` that are due after an aware instant, fewer where `windows` sees no more."""
    match schedule.timing:
        case At(line=line):
            return tuple(window.start for window in upcoming(firings(schedule, line), at, count))
        case Every() as every:
            beats = (
                beat for stretch in _stretches(schedule, at, count) for beat in _beats(every, stretch, at)
            )
            return tuple(islice(beats, count))
        case Once(at=local):
            due = instant(local, ZoneInfo(schedule.timezone))
            return (due,) if at < due else ()
        case never:
            assert_never(never)


def _latest(schedule: Jobs, at: datetime) -> datetime | None:
    match schedule.timing:
        case At(line=line):
            place = position(firings(schedule, line), at)
            if place.inside is not None:
                return place.inside.start
            return None if place.last_end is None else place.last_end - MOMENT
        case Every() as every:
            stretch = next(_stretches(schedule, at, 0), None)
            if stretch is None:
                return None
            step = as_span(every.interval_ns)
            return stretch.start + (at - stretch.start) // step * step
        case Once(at=local):
            due = instant(local, ZoneInfo(schedule.timezone))
            return due if due <= at else None
        case never:
            assert_never(never)


def firings(schedule: Jobs, line: str) -> Windows:
    """The firings of a cron line as windows, each as short as a window can be."""
    shortest = CronFor(line, MICROSECOND)
    return Windows(schedule.timezone, (shortest,), schedule.calendar, schedule.special_sessions)


def _stretches(schedule: Jobs, at: datetime, count: int) -> Iterator[Window]:
    """What `every` is counted from the beginning of: the one that contains `at`, if any, and `count` more."""
    windows = within(schedule)
    assert windows is not None  # noqa: S101  `every` has windows
    inside = position(windows, at).inside
    if inside is not None:
        whole = inside.start != ALWAYS.start
        yield from (inside,) if whole else _days(inside, at, ZoneInfo(schedule.timezone))
    yield from upcoming(windows, at, count)


def _days(window: Window, at: datetime, zone: ZoneInfo) -> Iterator[Window]:
    """The local days of a window, from the one that contains `at` on."""
    midnight = datetime.combine(at.astimezone(zone), time())
    start = instant(midnight, zone)
    while start < window.end:
        midnight += DAY
        end = min(instant(midnight, zone), window.end)
        yield Window(start, end)
        start = end


def _beats(every: Every, stretch: Window, after: datetime) -> Iterator[datetime]:
    """The due times of a stretch that come after an instant."""
    step = as_span(every.interval_ns)
    passed = (after - stretch.start) // step + 1
    beat = stretch.start + max(passed, 0) * step
    while beat < stretch.end:
        yield beat
        beat += step
