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

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, assert_never
from zoneinfo import ZoneInfo

from stratvisor import spans
from stratvisor.spans import merged
from stratvisor.spec import (
    DAY_NAMES,
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    Always,
    CronFor,
    CronPair,
    DaysWindow,
    Manual,
    SessionTime,
    SessionWindow,
    WindowForm,
    Windows,
)
from stratvisor.wallclock import instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratvisor.spans import Interval

DAY = timedelta(days=1)

LOOK_BACK = 10 * DAY
"""How far before the UTC day of an instant the last end is looked for."""

HORIZON = 400 * DAY
"""How far after the UTC day of an instant the next window is looked for."""

CHAIN_BOUND = 40 * DAY
"""Longer than a month, so that a chain with a gap in every month is seen whole."""

_SPANS = (2 * DAY, 8 * DAY, 32 * DAY, 128 * DAY, HORIZON)
_MARGINS = (2 * DAY, 8 * DAY, CHAIN_BOUND)


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
            return _position(_around(schedule, at.astimezone(UTC).date(), 1), at)
    assert_never(schedule)


def _position(windows: tuple[Window, ...], at: datetime) -> Position:
    begun = bisect_right(windows, at, key=lambda window: window.start)
    past = windows[:begun]
    inside = past[-1] if past and at in past[-1] else None
    ended = past[:-1] if inside else past
    return Position(
        inside=inside,
        next=windows[begun] if begun < len(windows) else None,
        last_end=ended[-1].end if ended else None,
    )


def upcoming(schedule: Always | Manual | Windows, at: datetime, count: int) -> tuple[Window, ...]:
    """The first `count` windows that start after an aware instant, fewer where HORIZON holds fewer."""
    if not isinstance(schedule, Windows):
        return ()
    windows = _around(schedule, at.astimezone(UTC).date(), count)
    return tuple(window for window in windows if window.start > at)[:count]


@lru_cache(maxsize=2048)
def _around(schedule: Windows, day: date, count: int) -> tuple[Window, ...]:
    """The windows from LOOK_BACK before a UTC day on, until `count` start after it or HORIZON is reached."""
    midnight = datetime.combine(day, time(), UTC)
    tomorrow = midnight + DAY
    windows: tuple[Window, ...] = ()
    for span in _SPANS:
        windows = compile_windows(schedule, midnight - LOOK_BACK, tomorrow + span)
        later = sum(window.start >= tomorrow for window in windows)
        if later >= count or (windows and windows[-1].endless):
            break
    return windows


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


def describe(schedule: Always | Manual | Windows) -> str:
    """A schedule in one line for people, such as `mon-fri 09:15-15:30 Asia/Kolkata`."""
    match schedule:
        case Always():
            return "always"
        case Manual():
            return "manual"
        case Windows():
            days = f", on days of {schedule.calendar.name}" if schedule.calendar else ""
            return f"{', '.join(map(_form_text, schedule.forms))} {schedule.timezone}{days}"
    assert_never(schedule)


def _form_text(form: WindowForm) -> str:
    match form:
        case DaysWindow():
            return f"{_days_text(form.days)} {_hours_text(form.start, form.end)}"
        case CronPair():
            return f"from cron '{form.start}' to cron '{form.stop}'"
        case CronFor():
            return f"from cron '{form.start}' for {_length_text(form.length_ns)}"
        case SessionWindow():
            return f"session {edge_text(form.start)} to {edge_text(form.end)}"
    assert_never(form)


def edge_text(at: SessionTime) -> str:
    """As it is written: `open`, `close+5m`."""
    if at.offset_ns == 0:
        return at.edge.value
    return f"{at.edge.value}{'+' if at.offset_ns > 0 else '-'}{_length_text(abs(at.offset_ns))}"


def _days_text(days: frozenset[int]) -> str:
    if len(days) == len(DAY_NAMES):
        return "daily"
    runs = groupby(enumerate(sorted(days)), key=lambda counted: counted[1] - counted[0])
    names = ([DAY_NAMES[day] for _, day in run] for _, run in runs)
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(run) for run in names)


def _hours_text(start: time, end: time) -> str:
    if end == time():
        return f"{_clock_text(start)}-24:00"
    return f"{_clock_text(start)}-{_clock_text(end)}{'' if start < end else ' (next day)'}"


def _clock_text(at: time) -> str:
    return at.isoformat("auto" if at.second or at.microsecond else "minutes")


def _length_text(length_ns: int) -> str:
    text = ""
    for unit, letter in ((HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (MILLISECOND, "ms")):
        count, length_ns = divmod(length_ns, unit)
        text += f"{count}{letter}" if count else ""
    return text
