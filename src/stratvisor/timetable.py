"""How an instant lies to a schedule of any kind: windows, jobs, always, or the operator's word alone.

Knows which module to ask. Pure, and asked about by level: see `windows` and `jobs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from stratvisor import jobs, windows
from stratvisor.spec import Always, At, Jobs, Manual, Schedule, Windows
from stratvisor.windows import Position, Window

if TYPE_CHECKING:
    from datetime import datetime


def position(schedule: Schedule, at: datetime) -> Position:
    """Where an aware instant lies. What is due is a window that ends as it begins."""
    if isinstance(schedule, Jobs):
        return jobs.due_around(schedule, at)
    return windows.position(schedule, at)


def window_at(schedule: Schedule, at: datetime) -> Window | None:
    """The window that contains an aware instant, also the one in which jobs may run."""
    bounds = jobs.within(schedule) if isinstance(schedule, Jobs) else schedule
    return None if bounds is None else windows.position(bounds, at).inside


def windows_of(schedule: Schedule) -> Windows | None:
    """What calendars and clocks act upon: of jobs, what they are counted from, or each firing as one."""
    match schedule:
        case Windows():
            return schedule
        case Jobs(timing=At(line=line)):
            return jobs.firings(schedule, line)
        case Jobs():
            return jobs.within(schedule)
        case Always() | Manual():
            return None
        case never:
            assert_never(never)


def upcoming(schedule: Schedule, at: datetime, count: int) -> tuple[Window, ...]:
    """The first `count` windows or due times after an aware instant, fewer where HORIZON holds fewer."""
    if isinstance(schedule, Jobs):
        return tuple(Window(due, due) for due in jobs.due_after(schedule, at, count))
    return windows.upcoming(schedule, at, count)
