"""A calendar that ends soon is spoken of once, each day, and when it changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from stratvisor import almanac
from stratvisor.calendar import Calendar, Day
from stratvisor.calendar_ends import CalendarEnds
from stratvisor.spec import Always, Manual, Schedule, SessionWindow, Windows

NSE, MCX, CRYPTO = (almanac.shipped()[name] for name in ("NSE", "MCX", "CRYPTO"))
CURE = "update stratvisor, or write calendars/NSE.yaml with a later known_until"
ENDS = f"NSE is known until Thu 31 Dec 2026, and nothing starts by it after that; {CURE}"


def by(calendar: Calendar | None) -> Schedule:
    return Windows("Asia/Kolkata", (SessionWindow(),), calendar)


def on(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_it_is_said_once_however_often_it_is_asked_and_however_many_use_it() -> None:
    ends = CalendarEnds()
    schedules = [by(NSE), by(NSE), by(CRYPTO), by(None), Always(), Manual()]
    assert ends.to_say(schedules, on("2026-12-10 06:00")) == [ENDS]
    assert ends.to_say(schedules, on("2026-12-10 06:30")) == []


def test_it_is_said_on_each_day_of_the_calendars_clock() -> None:
    ends = CalendarEnds()
    said = [
        ends.to_say([by(NSE)], on(f"2026-12-10 {clock}")) for clock in ("18:00", "18:29", "18:31", "23:59")
    ]
    assert said == [[ENDS], [], [ENDS], []]


def test_it_is_said_from_thirty_days_before_and_after_the_end() -> None:
    for text, expected in {"2026-11-30": [], "2026-12-01": [ENDS], "2027-03-01": [ENDS]}.items():
        assert CalendarEnds().to_say([by(NSE)], on(text)) == expected


def test_a_calendar_that_changes_is_spoken_of_again() -> None:
    ends = CalendarEnds()
    more = replace(NSE, days=(*NSE.days, Day(date(2026, 12, 11), "At short notice")))
    assert ends.to_say([by(NSE)], on("2026-12-10")) == [ENDS]
    assert ends.to_say([by(more)], on("2026-12-10")) == [ENDS]
    assert ends.to_say([by(replace(NSE, known_until=date(2027, 12, 31)))], on("2026-12-10")) == []


def test_each_calendar_has_its_sentence() -> None:
    assert [text[:3] for text in CalendarEnds().to_say([by(NSE), by(MCX)], on("2026-12-10"))] == [
        "MCX",
        "NSE",
    ]
