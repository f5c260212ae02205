"""What a calendar takes away: windows that would have begun on days that do not count, jobs too, and why.

Knows schedules and calendars; nothing of what time it is, nor of who is started.

Rule: a window that is not there is found by the same reading of its form as one that is, by a calendar
that opens on its day and on no other.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor.calendar import FOR_EVER, Calendar, Day, Hours
from stratvisor.spec import (
    Schedule,
    SessionWindow,
    SpecialSessions,
    Windows,
)
from stratvisor.timetable import windows_of
from stratvisor.wallclock import instant
from stratvisor.windows import compile_windows
from stratvisor.wording import day_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratvisor.windows import Window

_REACH = 2
"""Days between the start of a session's window, offsets and zones included, and the session's own date."""

_WHOLE_DAY = (Hours(time(), time()),)


@dataclass(frozen=True, slots=True)
class Skip:
    """A window that does not begin."""

    at: datetime
    """UTC: when it would have begun."""
    why: str


@lru_cache(maxsize=2048)
def skips(schedule: Schedule, start: datetime, end: datetime) -> tuple[Skip, ...]:
    """What the schedule's calendar takes away in [start, end), both aware, in order.

    Windows of one day that touch are one. What would have begun inside a window that counts is not missed.
    """
    windows = windows_of(schedule)
    return (
        () if windows is None or windows.calendar is None else _missed(windows, windows.calendar, start, end)
    )


def _missed(schedule: Windows, calendar: Calendar, start: datetime, end: datetime) -> tuple[Skip, ...]:
    zone = ZoneInfo(calendar.timezone)
    first = start.astimezone(zone).date().toordinal() - _REACH
    last = end.astimezone(zone).date().toordinal() + _REACH
    found = [
        Skip(at, why)
        for day in map(date.fromordinal, range(first, last + 1))
        if (why := reason(schedule, calendar, day))
        for at in _starts(schedule, calendar, day)
        if start <= at < end
    ]
    wanted = compile_windows(schedule, start, end) if found else ()
    missed = (skip for skip in found if not _is_in(wanted, skip.at))
    return tuple(sorted(missed, key=lambda skip: skip.at))


def reason(schedule: Windows, calendar: Calendar, day: date) -> str | None:
    """Why no window begins on a date of the schedule's calendar; None: one may."""
    sessions = calendar.sessions(day)
    if any(not one.special or schedule.special_sessions is SpecialSessions.RUN for one in sessions):
        return None
    if day > calendar.known_until:
        return known(calendar)
    name = calendar.name_of(day)
    if sessions:
        return f"{name}: a special session of {calendar.name}, and special_sessions is skip"
    if name:
        return f"{name}: {calendar.name} is closed"
    return f"{calendar.name} has no session on {day_text(day)}"


def known(calendar: Calendar) -> str:
    """How far a calendar reaches, in words."""
    if calendar.known_until == date.min:
        return f"the calendar {calendar.name} is not known"
    return f"{calendar.name} is known until {day_text(calendar.known_until)} {calendar.known_until.year}"


def _starts(schedule: Windows, calendar: Calendar, day: date) -> Iterator[datetime]:
    """When windows would have begun on a date, had it counted; those of sessions by its usual hours."""
    by_session = tuple(form for form in schedule.forms if isinstance(form, SessionWindow))
    others = tuple(form for form in schedule.forms if not isinstance(form, SessionWindow))
    special = tuple(Hours(one.start.time(), one.end.time()) for one in calendar.sessions(day))
    for forms, hours in ((by_session, special or calendar.ordinary(day)), (others, _WHOLE_DAY)):
        if not forms or not hours:
            continue
        open_then = replace(
            calendar, regular=(), days=(Day(day, "", hours, special=False),), known_until=FOR_EVER
        )
        noon = instant(datetime.combine(day, time(12)), ZoneInfo(calendar.timezone))
        around = (noon - timedelta(days=_REACH), noon + timedelta(days=_REACH))
        for window in compile_windows(replace(schedule, forms=forms, calendar=open_then), *around):
            yield window.start


def _is_in(windows: tuple[Window, ...], at: datetime) -> bool:
    begun = bisect_right(windows, at, key=lambda window: window.start)
    return begun > 0 and at in windows[begun - 1]
