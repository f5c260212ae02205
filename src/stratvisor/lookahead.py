"""What a schedule has in store for the coming 400 days that its author may not expect.

Pure: a schedule and an instant come in. Only `check` asks: what is in force must not become bad by the
passing of time, so none of this stands in the way of a file that is read.

Rule: told is what happens to windows as they are wanted, after merging; a joint that falls into an hour
that DST skips or repeats harms nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor import clock_changes, spans
from stratvisor.clock_changes import Reading, clock_text
from stratvisor.spec import At, CronPair, Jobs, Once, Schedule, SessionWindow, Windows, as_ns
from stratvisor.timetable import windows_of
from stratvisor.wallclock import instant
from stratvisor.why import duration, ends_soon
from stratvisor.windows import HORIZON, Window, compile_windows
from stratvisor.wording import day_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


DAY = timedelta(days=1)
SHORT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Unstopped:
    """A cron pair some of whose starts no stop follows within a day."""

    form: int
    """Which of the schedule's windows, from 0."""
    start: str
    """The first such start, by the schedule's clock."""
    more: int
    """How many follow."""


def unstopped(schedule: Schedule, at: datetime) -> tuple[Unstopped, ...]:
    """The cron pairs with starts without a stop from an aware instant on."""
    windows = windows_of(schedule)
    if windows is None:
        return ()
    zone = ZoneInfo(windows.timezone)
    found = []
    for index, form in enumerate(windows.forms):
        if isinstance(form, CronPair):
            starts = [
                start
                for day in _days(at, windows.timezone)
                for span, (start, _) in spans.counted(windows, form, day)
                if not span.stopped and start >= at
            ]
            if starts:
                found.append(Unstopped(index, _moment(starts[0], zone), len(starts) - 1))
    return tuple(found)


def _moment(at: datetime, zone: ZoneInfo) -> str:
    """`Mon 23 Nov 09:15`, by the zone's clock."""
    local = at.astimezone(zone)
    return f"{day_text(local)} {clock_text(local)}"


def notes(schedule: Schedule, at: datetime) -> tuple[str, ...]:
    """What else comes after an aware instant: of each kind the first, and how many follow."""
    if isinstance(schedule, Jobs) and isinstance(schedule.timing, Once):
        return tuple(_once(Reading(schedule.timing.at, schedule.timezone), at))
    wanted = windows_of(schedule)
    if wanted is None:
        return ()
    windows = compile_windows(wanted, at, at + HORIZON)
    changes = clock_changes.effects(wanted, windows, _days(at, wanted.timezone))
    what = "no job is due" if isinstance(schedule, Jobs) else "no window"
    kinds = [_never(what, wanted, windows, at), _unknown(wanted, at), changes.starts]
    if not _is_at(schedule):
        kinds += [
            _short(wanted, windows),
            _too_short_sessions(wanted, at),
            changes.vanished,
            changes.ends,
            changes.lengths,
        ]
    return tuple(text for kind in kinds for text in _collapsed(kind))


def _once(reading: Reading, at: datetime) -> Iterator[str]:
    """That its one time is past, or another than it looks."""
    due = instant(reading.local, ZoneInfo(reading.zone))
    if due <= at:
        when = f"{day_text(reading.local)} {reading.local.year} {clock_text(reading.local)}"
        yield f"its one time, {when}, is past, so that it never starts"
    elif differs := reading.differs(due):
        yield f"starts {differs}"


def _is_at(schedule: Schedule) -> bool:
    """Whether only the beginnings of its windows mean something."""
    return isinstance(schedule, Jobs) and isinstance(schedule.timing, At)


def _collapsed(told: Iterable[str]) -> Iterator[str]:
    first, *others = [*told] or [""]
    if first:
        yield first + (f"; {len(others)} more like it" if others else "")


def _never(what: str, schedule: Windows, windows: tuple[Window, ...], at: datetime) -> Iterator[str]:
    """That nothing is to come, where no end of a calendar says so already."""
    if not windows and not (schedule.calendar and ends_soon(schedule.calendar, at)):
        yield f"{what} in the next {HORIZON.days} days, so that it never starts"


def _unknown(schedule: Windows, at: datetime) -> Iterator[str]:
    """From which day on no calendar says anything; one that ends soon is warned of by itself."""
    calendar = schedule.calendar
    if calendar is None or ends_soon(calendar, at):
        return
    last = calendar.known_until
    if last < (at + HORIZON).astimezone(ZoneInfo(calendar.timezone)).date():
        yield (
            f"{calendar.name} is known until {day_text(last)} {last.year}: nothing starts from "
            f"{day_text(last + DAY)} {(last + DAY).year} on"
        )


def _short(schedule: Windows, windows: tuple[Window, ...]) -> Iterator[str]:
    zone = ZoneInfo(schedule.timezone)
    for window in windows:
        if window.end - window.start < SHORT:
            lasts = duration(as_ns(window.end - window.start))
            yield f"lasts only {lasts} from {_moment(window.start, zone)} on"


def _too_short_sessions(schedule: Windows, at: datetime) -> Iterator[str]:
    for form in schedule.forms:
        if isinstance(form, SessionWindow):
            for day in _days(at, spans.zone_name(schedule, form)):
                for span in spans.plan_of(schedule, form, day).spans:
                    if span.end.reading <= span.start.reading:
                        yield f"no window on {day_text(day)}: the session is too short for its offsets"


def _days(at: datetime, timezone: str) -> list[date]:
    """The dates from an instant to the horizon, as a zone counts them."""
    first = at.astimezone(ZoneInfo(timezone)).date().toordinal()
    return list(map(date.fromordinal, range(first, first + HORIZON.days + 1)))
