"""Records of exchanges, as a library might tell them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from stratvisor import almanac
from stratvisor.calendar import Calendar
from stratvisor.generate import text
from stratvisor.generate.record import Record, Stretch

TODAY = date(2026, 11, 23)
FIRST, LAST = date(2027, 1, 1), date(2027, 12, 31)
MON_FRI = range(5)


def stretch(day: date, hours: str, zone: str = "America/New_York") -> Stretch:
    """From HH:MM-HH:MM of a day; +: of the day after."""
    opens, closes = hours.split("-")
    days = timedelta(days=closes.endswith("+"))
    start = datetime.fromisoformat(f"{day} {opens}").replace(tzinfo=ZoneInfo(zone))
    end = datetime.fromisoformat(f"{day + days} {closes.removesuffix('+')}").replace(tzinfo=ZoneInfo(zone))
    return start.astimezone(UTC), end.astimezone(UTC)


def record(hours: str = "09:30-16:00", differs: Mapping[date, str] | None = None, **facts: Any) -> Record:
    """A year in which every weekday has the same sessions, with a space between two, but for a few days."""
    zone = facts.setdefault("timezone", "America/New_York")
    first, last = facts.setdefault("first", FIRST), facts.setdefault("last", LAST)
    days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    trading = {day: hours for day in days if day.weekday() in MON_FRI} | dict(differs or {})
    defaults: dict[str, Any] = {
        "code": "XTST",
        "library": "a library 1.0",
        "stretches": tuple(
            stretch(day, each, zone) for day, sessions in trading.items() for each in sessions.split()
        ),
        "names": {},
        "changes": frozenset(),
        "closures": dict.fromkeys(range(first.year - 10, last.year + 1), 10),
    }
    return Record(**(defaults | facts))


def generated(one: Record) -> Calendar:
    """The calendar whose file is made of it."""
    made = text.generated(one, "XTST", TODAY)
    found = almanac.parse("XTST", made.encode(), "calendars/XTST.yaml", {})
    assert isinstance(found, Calendar), found
    return found
