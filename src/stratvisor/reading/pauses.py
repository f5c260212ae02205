"""How long the shortest pause between two windows is, by the wall clock, for checking a stop timeout.

Looks at two weeks, in which whatever recurs weekly meets its successor; by a calendar also at those around
each day that differs and each new regular session, but at no special session, for those are rare. At no
time zone where there is but one, because a clock that is set moves two neighbours alike, but for the one
night in which it is. And never at what day it is today: no file becomes bad by the passing of time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise

from stratvisor.calendar import FOR_EVER, Calendar
from stratvisor.spec import Schedule, SpecialSessions, Windows, as_ns
from stratvisor.windows import compile_windows

DAY = timedelta(days=1)
ANY_DAY = date(2024, 1, 9)
LOOKED_AT = 14 * DAY


@lru_cache(maxsize=4096)
def shortest_ns(schedule: Schedule) -> int | None:
    """The shortest pause; None: there is none. Read anew each time, a file brings the same schedule again."""
    if not isinstance(schedule, Windows):
        return None
    regular = _by_the_wall(replace(schedule, special_sessions=SpecialSessions.SKIP))
    pauses = [pause for day in _begins(regular.calendar) for pause in _pauses(regular, day)]
    return as_ns(min(pauses)) if pauses else None


def _by_the_wall(schedule: Windows) -> Windows:
    """The schedule where nobody sets a clock, unless it has two of them; its calendar is known for ever."""
    calendar = schedule.calendar
    if calendar is None:
        return replace(schedule, timezone="UTC")
    calendar = replace(calendar, known_until=FOR_EVER)
    if calendar.timezone != schedule.timezone:
        return replace(schedule, calendar=calendar)
    return replace(schedule, timezone="UTC", calendar=replace(calendar, timezone="UTC"))


def _begins(calendar: Calendar | None) -> set[date]:
    """The days from which on two weeks are looked at."""
    differ = [day.date for day in calendar.days if day.hours] if calendar else []
    since = [rule.since for rule in calendar.regular if rule.since] if calendar else []
    return {ANY_DAY, *(day - DAY for day in [*differ, *since])}


def _pauses(schedule: Windows, day: date) -> list[timedelta]:
    begin = datetime.combine(day, time(), UTC)
    windows = compile_windows(schedule, begin, begin + LOOKED_AT)
    return [later.start - earlier.end for earlier, later in pairwise(windows)]
