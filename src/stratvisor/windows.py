"""When a strategy is wanted: schedules as half-open intervals of UTC, looked at by level, never by edge.

Knows how the windows of all dates become one picture; what those of one date are is the business of
`spans`. Must not know what time it is, and nothing of processes. Whoever asks about an instant gets the
truth about it, however late he comes.

Rule: starts and ends are mapped to UTC alike (see `wallclock`), and because that mapping never runs
backwards, windows that touch or overlap by the wall clock do so in UTC too, and one that DST squeezes to
nothing vanishes.

Windows that touch or overlap are one. Where such a chain is unbroken for CHAIN_BOUND beyond what was
asked about, it is taken to go on for ever on that side: it has the start or the end of ALWAYS.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, assert_never
from zoneinfo import ZoneInfo

from stratvisor import spans
from stratvisor.spans import merged
from stratvisor.spec import Always, Manual, SessionTime, Windows
from stratvisor.wallclock import instant
from stratvisor.wording import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratvisor.spans import Interval

DAY = timedelta(days=1)

LOOK_BACK = 10 * DAY
"""How far before the UTC day of an instant the last end is looked for."""

HORIZON = 400 * DAY
"""How far after the UTC day of an instant the next window is looked for."""

CHAIN_BOUND = 40 * DAY
"""Longer than a month, so that a chain with a gap in every month is seen whole."""

_SPANS = (2 * DAY, 8 * DAY, 32 * DAY, 128 * DAY, HORIZON)
_SPANS_BACK = (DAY, LOOK_BACK)
_MARGINS = (2 * DAY, 8 * DAY, CHAIN_BOUND)

_DAYS_KEPT = 4
"""Of each schedule: today, the day of a hold, and another count of each."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` until before `end`, both aware and in UTC.

    A side on which no gap is in sight is that of ALWAYS, and fits into no local time.
    """

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    @property
    def endless(self) -> bool:
        """Whether no end is in sight."""
        return self.end == ALWAYS.end


ALWAYS = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Position:
    """How an instant lies to a schedule's windows."""

    inside: Window | None
    """The window that contains it."""
    next: Window | None
    """The first that starts after it, within HORIZON."""
    last_end: datetime | None
    """The latest end at or before it, within LOOK_BACK."""


def position(schedule: Always | Manual | Windows, at: datetime) -> Position:
    """Where an aware instant lies. Cheap enough to ask every time: a UTC day's answer is kept."""
    match schedule:
        case Always():
            return Position(inside=ALWAYS, next=None, last_end=None)
        case Manual():
            return Position(inside=None, next=None, last_end=None)
        case Windows():
            return _position(_days_of(schedule)(at.astimezone(UTC).date(), 1), at)
    assert_never(schedule)


def _position(windows: tuple[Window, ...], at: datetime) -> Position:
    begun = _begun(windows, at)
    inside = windows[begun - 1] if begun and at in windows[begun - 1] else None
    ended = begun - 1 if inside else begun
    return Position(
        inside=inside,
        next=windows[begun] if begun < len(windows) else None,
        last_end=windows[ended - 1].end if ended else None,
    )


def upcoming(schedule: Always | Manual | Windows, at: datetime, count: int) -> tuple[Window, ...]:
    """The first `count` windows that start after an aware instant, fewer where HORIZON holds fewer."""
    if not isinstance(schedule, Windows):
        return ()
    windows = _days_of(schedule)(at.astimezone(UTC).date(), count)
    begun = _begun(windows, at)
    return windows[begun : begun + count]


def _begun(windows: tuple[Window, ...], at: datetime) -> int:
    """How many of them start at an instant or before."""
    return bisect_right(windows, at, key=lambda window: window.start)


@lru_cache(maxsize=2048)
def _days_of(schedule: Windows) -> Callable[[date, int], tuple[Window, ...]]:
    """`_around` with a memory of its own for each schedule.

    A daemon that lives long would fill a common one with days past, each with a window every minute.
    """
    return lru_cache(maxsize=_DAYS_KEPT)(partial(_around, schedule))


def _around(schedule: Windows, day: date, count: int) -> tuple[Window, ...]:
    """The windows of a UTC day, the last that ended before it, and the first `count` that start after it."""
    midnight = datetime.combine(day, time(), UTC)
    tomorrow = midnight + DAY
    past: tuple[Window, ...] = ()
    for span in _SPANS_BACK:
        past = tuple(
            one for one in compile_windows(schedule, midnight - span, midnight) if one.end <= midnight
        )
        if past:
            break
    coming: tuple[Window, ...] = ()
    for span in _SPANS:
        coming = compile_windows(schedule, midnight, tomorrow + span)
        later = len(coming) - bisect_left(coming, tomorrow, key=lambda window: window.start)
        if later >= count or (coming and coming[-1].endless):
            break
    return past[-1:] + coming[: len(coming) - later + count]


def compile_windows(schedule: Windows, start: datetime, end: datetime) -> tuple[Window, ...]:
    """The merged windows that share an instant with [start, end), whole, in order.

    Whole: also the parts outside [start, end), as far as CHAIN_BOUND lets one see.
    """
    zone = ZoneInfo(schedule.timezone)
    reach = max(map(spans.reach, schedule.forms), default=timedelta())
    lead = max(map(spans.lead, schedule.forms), default=timedelta())
    for margin in _MARGINS:
        first = (start - reach - margin).astimezone(zone).date()
        after = (end + margin + lead).astimezone(zone).date() + DAY
        # What was not looked at ended by `sure_from` or starts at `sure_until` or later.
        sure_from = instant(datetime.combine(first, time()), zone) + reach
        sure_until = instant(datetime.combine(after, time()), zone) - lead
        pieces = _intervals(schedule, first, after)
        found = [(begin, finish) for begin, finish in merged(pieces) if begin < end and start < finish]
        if not found or (sure_from < found[0][0] and found[-1][1] < sure_until):
            break
    return tuple(
        Window(
            begin if sure_from < begin else ALWAYS.start,
            finish if finish < sure_until else ALWAYS.end,
        )
        for begin, finish in found
    )


def _intervals(schedule: Windows, first: date, after: date) -> Iterator[Interval]:
    """The UTC intervals of the windows that belong to the dates in [first, after)."""
    for day in map(date.fromordinal, range(first.toordinal(), after.toordinal())):
        for form in schedule.forms:
            yield from spans.intervals(schedule, form, day)


def edge_text(at: SessionTime) -> str:
    """As it is written: `open`, `close+5m`."""
    if at.offset_ns == 0:
        return at.edge.value
    return f"{at.edge.value}{'+' if at.offset_ns > 0 else '-'}{duration_text(abs(at.offset_ns))}"
