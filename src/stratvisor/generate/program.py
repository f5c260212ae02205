"""What exchange_calendars knows of one exchange, as JSON: a program, which no module imports.

    python -P program.py CODE FIRST LAST

Knows the library, and nothing of stratvisor. Dates are those on which a session opens, which may be the
day before the one that the library files it under; instants are seconds since the epoch.

Rule: it judges nothing, and asks for no day outside the bounds that the library states. What it says
without stated bounds is for `record` to doubt.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import exchange_calendars
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

YEARS_BEFORE = 10
"""For how many years before the first one asked for the closed days are counted."""

LASTING = pd.Timedelta(days=28)
"""Other days of the week for so long are a rule; for less, they are a day or two that differ."""


def facts(code: str, first: str, last: str) -> dict[str, Any]:
    """All that is known of the sessions that open between two dates, both included."""
    begin, end = pd.Timestamp(first), pd.Timestamp(last)
    calendar = exchange_calendars.get_calendar(code)
    offset = pd.Timedelta(days=calendar.open_offset)
    bounds = calendar.bound_min(), calendar.bound_max()
    return {
        "code": calendar.name,
        "timezone": calendar.tz.key,
        "library": f"exchange_calendars {exchange_calendars.__version__} (pandas {pd.__version__})",
        "known_from": bounds[0] and _date(bounds[0]),
        "known_until": bounds[1] and _date(bounds[1] + offset),
        "stretches": _stretches(code, begin - offset, end - offset, bounds),
        "changes": sorted({_date(day + offset) for day in _changes(calendar)}),
        "closures": _closures(calendar, begin.year - YEARS_BEFORE, end.year),
        "names": {_date(day + offset): name for day, name in _names(calendar, begin, end - offset)},
    }


def _stretches(code: str, begin: Any, end: Any, bounds: tuple[Any, Any]) -> list[tuple[int, int]]:
    """When it trades, a lunch break left out."""
    begin, end = max(begin, bounds[0] or begin), min(end, bounds[1] or end)
    if begin >= end:
        return []
    try:
        schedule = exchange_calendars.get_calendar(code, start=begin, end=end).schedule
    except exchange_calendars.errors.NoSessionsError:
        return []
    found = []
    for row in schedule.itertuples():
        if pd.isna(row.break_start):
            found.append((row.open, row.close))
        else:
            found += [(row.open, row.break_start), (row.break_end, row.close)]
    return [(int(start.timestamp()), int(stop.timestamp())) for start, stop in found]


def _changes(calendar: Any) -> Iterator[Any]:
    """The first days of other regular hours, or of other days of the week."""
    times = ("open_times", "close_times", "break_start_times", "break_end_times")
    for kind in times:
        yield from (day for day, _ in getattr(calendar, kind) or () if day is not None)
    for begin, end, _ in getattr(calendar, "special_weekmasks", None) or ():
        if begin is None or end is None or end - begin >= LASTING:
            yield from (() if begin is None else (begin,))
            yield from (() if end is None else (end + pd.Timedelta(days=1),))


def _closures(calendar: Any, first: int, last: int) -> dict[int, int]:
    """How many closed days the library lists for each year, by rule or one by one, weekends included."""
    days = {day.date() for day in pd.DatetimeIndex(calendar.adhoc_holidays)}
    if calendar.regular_holidays is not None:
        span = pd.Timestamp(first, 1, 1), pd.Timestamp(last, 12, 31)
        days |= {day.date() for day in calendar.regular_holidays.holidays(*span)}
    counts = Counter(day.year for day in days)
    return {year: counts[year] for year in range(first, last + 1)}


def _names(calendar: Any, begin: Any, end: Any) -> Iterator[tuple[Any, str]]:
    """Why days are closed or differ, as far as a rule with a name is the reason; the closed ones last."""
    for _, rules in (*calendar.special_opens, *calendar.special_closes):
        yield from _named(rules, begin, end)
    yield from _named(calendar.regular_holidays, begin, end)


def _named(rules: Any, begin: Any, end: Any) -> Iterable[tuple[Any, str]]:
    if rules is None or isinstance(rules, int):  # an int is a day of the week
        return ()
    found = rules.holidays(begin, end, return_name=True)
    return list(found.items()) if isinstance(found, pd.Series) else ()  # some rules have no names


def _date(day: Any) -> str:
    return str(day.date())


def main(code: str, first: str, last: str) -> None:
    """Print the facts, or the codes that there are."""
    if code in exchange_calendars.get_calendar_names():
        answer = facts(code, first, last)
    else:
        answer = {"unknown": exchange_calendars.get_calendar_names()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
