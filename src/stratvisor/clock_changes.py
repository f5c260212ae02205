"""What changes of the clock, as daylight saving has them, do to windows: for people, a sentence for each.

Pure: windows come in, merged as they are wanted, and what their forms say is laid beside them. So a joint
that falls into an hour that is skipped or comes twice is not spoken of, for it harms nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor import spans
from stratvisor.spec import as_ns
from stratvisor.wallclock import STEADY, comes_twice, instant, steady_midnight
from stratvisor.why import duration
from stratvisor.windows import ALWAYS
from stratvisor.wording import day_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stratvisor.spans import Interval
    from stratvisor.spec import Windows
    from stratvisor.windows import Window

DAY = timedelta(days=1)


@dataclass(slots=True)
class Effects:
    """A sentence for each time that something is other than it is written, in the order of time."""

    vanished: list[str] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    lengths: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, order=True)
class Reading:
    """What a wall clock was to show."""

    local: datetime
    zone: str = field(compare=False)

    def differs(self, at: datetime) -> str:
        """How that instant is another than the author may think; empty: it is not."""
        shown = at.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        if shown != self.local:
            return f"at {clock_text(shown)} instead of {clock_text(self.local)} on {day_text(self.local)}"
        if comes_twice(self.local, ZoneInfo(self.zone)):
            return (
                f"at {clock_text(shown)} on {day_text(shown)}, the first of two times that the clock shows it"
            )
        return ""


@dataclass(slots=True)
class _Written:
    """What the forms say of sides of windows, by their instants."""

    starts: dict[datetime, Reading] = field(default_factory=dict)
    ends: dict[datetime, Reading] = field(default_factory=dict)
    lost: list[tuple[Reading, Reading, datetime]] = field(default_factory=list)
    """Windows of which nothing is left, and where they would have been."""


def effects(schedule: Windows, windows: Sequence[Window], days: Iterable[date]) -> Effects:
    """What the changes of the clock on these dates do to the windows, which are all that there are then."""
    told = Effects()
    changed = list(_changed(schedule, days))
    if not changed:
        return told
    near = [one for one in windows if any(one.start < end and start < one.end for start, end in changed)]
    written = _written(schedule, _dates(schedule, near, changed))
    for start, end, at in sorted(written.lost, key=lambda lost: lost[2]):
        if not any(at in window for window in windows):
            hours = f"{clock_text(start.local)} to {clock_text(end.local)}"
            told.vanished.append(f"no window on {day_text(start.local)}: the clock skips {hours}")
    for window in near:
        _compare(window, written, told)
    return told


def _compare(window: Window, written: _Written, told: Effects) -> None:
    start, end = written.starts.get(window.start), written.ends.get(window.end)
    starts = start.differs(window.start) if start else ""
    ends = end.differs(window.end) if end else ""
    if starts:
        told.starts.append(f"starts {starts}")
    if ends:
        told.ends.append(f"ends {ends}")
    if start and end and not starts and not ends and window.end - window.start != end.local - start.local:
        lasts, instead = _text(window.end - window.start), _text(end.local - start.local)
        when = f"{day_text(start.local)} {clock_text(start.local)}"
        told.lengths.append(f"lasts {lasts} instead of {instead} from {when} on")


def _changed(schedule: Windows, days: Iterable[date]) -> Iterator[Interval]:
    """Stretches of time in each of which a clock that counts is changed."""
    zones = {spans.zone_name(schedule, form) for form in schedule.forms}
    for day in days:
        for name in sorted(zones):
            if steady_midnight(day, name) is None:
                midnight = datetime.combine(day, time())
                yield instant(midnight, ZoneInfo(name)), instant(midnight + STEADY, ZoneInfo(name))


def _dates(schedule: Windows, near: Iterable[Window], changed: Iterable[Interval]) -> list[date]:
    """All dates whose windows may begin or end as one of these does, or lie in one of the stretches."""
    sides = {side for window in near for side in (window.start, window.end)} - {ALWAYS.start, ALWAYS.end}
    before = max(map(spans.reach, schedule.forms)) + 2 * DAY
    ranges = {((side - before).date(), (side + 2 * DAY).date()) for side in sides}
    ranges |= {(start.date(), end.date()) for start, end in changed}
    ordinals = {number for first, last in ranges for number in range(first.toordinal(), last.toordinal() + 1)}
    return list(map(date.fromordinal, sorted(ordinals)))


def _written(schedule: Windows, days: Iterable[date]) -> _Written:
    """Where windows share a side, the earliest start and the latest end that were written for it."""
    written = _Written()
    for day in days:
        midnight = datetime.combine(day, time())
        for form in schedule.forms:
            zone = spans.zone_name(schedule, form)
            for span, (begin, finish) in spans.counted(schedule, form, day):
                start = Reading(midnight + span.start.reading, zone)
                end = Reading(midnight + span.end.reading, zone)
                if begin < finish:
                    written.starts[begin] = min(start, written.starts.get(begin, start))
                    written.ends[finish] = max(end, written.ends.get(finish, end))
                elif start < end:
                    written.lost.append((start, end, begin))
    return written


def clock_text(local: datetime) -> str:
    """`09:15`, and seconds where there are some."""
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def _text(length: timedelta) -> str:
    return duration(as_ns(length))
