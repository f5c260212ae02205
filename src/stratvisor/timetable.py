"""How an instant lies to a schedule of any kind: windows, jobs, always, or the operator's word alone.

Knows which module to ask. Pure, and asked about by level: see `windows` and `jobs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor import jobs, windows
from stratvisor.spec import Jobs, Schedule
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


def upcoming(schedule: Schedule, at: datetime, count: int) -> tuple[Window, ...]:
    """The first `count` windows or due times after an aware instant, fewer where HORIZON holds fewer."""
    if isinstance(schedule, Jobs):
        return tuple(Window(due, due) for due in jobs.due_after(schedule, at, count))
    return windows.upcoming(schedule, at, count)
