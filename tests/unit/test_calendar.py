"""What a calendar says of a date, and the shipped ones against the table of 2026."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from market_2026 import EXCHANGES, HOLIDAYS, MUHURAT, expected

from stratvisor import almanac
from stratvisor.calendar import FOR_EVER, Calendar, Day, Hours, Regular, Sheet, laid_over

WORKDAYS = frozenset(range(5))
A_DAY = timedelta(days=1)
MORNING = Hours(time(9), time(12))
AFTERNOON = Hours(time(13), time(16))
PLAIN = Calendar("X", "UTC", (Regular(WORKDAYS, MORNING),), known_until=date(2026, 12, 31))
MONDAY, SUNDAY = date(2026, 11, 9), date(2026, 11, 8)


def hours(calendar: Calendar, day: date) -> str:
    """`09:15-15:30`; a star where it is special; empty where it is closed."""
    return ", ".join(
        f"{session.start:%H:%M}-{session.end:%H:%M}{'*' if session.special else ''}"
        for session in calendar.sessions(day)
    )


# The shipped calendars.


@pytest.mark.parametrize("name", EXCHANGES)
def test_every_day_of_2026(name: str) -> None:
    calendar = almanac.shipped()[name]
    year = [date(2026, 1, 1) + count * A_DAY for count in range(365)]
    assert {day: hours(calendar, day) for day in year} == {day: expected(name, day) for day in year}


@pytest.mark.parametrize("name", ["NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX"])
def test_every_day_that_differs_has_its_name_and_the_file_its_source(name: str) -> None:
    calendar = almanac.shipped()[name]
    named = {day: calendar.name_of(date.fromisoformat(day)) for day in HOLIDAYS}
    assert named == {day: title for day, (title, _) in HOLIDAYS.items()}
    assert calendar.name_of(MUHURAT) == "Diwali Muhurat trading"
    assert "OpenAlgo" in calendar.source
    assert calendar.timezone == "Asia/Kolkata"


def test_there_are_eight_shipped_calendars() -> None:
    assert sorted(almanac.shipped()) == ["BCD", "BFO", "BSE", "CDS", "CRYPTO", "MCX", "NFO", "NSE"]


def test_past_what_is_known_nothing_opens() -> None:
    for name, calendar in almanac.shipped().items():
        opens = bool(calendar.sessions(date(2027, 1, 4)))
        assert opens == (name == "CRYPTO")
        assert calendar.known_until == (FOR_EVER if name == "CRYPTO" else date(2026, 12, 31))


def test_a_day_after_the_known_ones_has_no_name_either() -> None:
    calendar = replace(PLAIN, days=(Day(date(2027, 1, 26), "Republic Day"),))
    assert calendar.name_of(date(2027, 1, 26)) is None


# What makes a session special.


@pytest.mark.parametrize(
    ("day", "said", "special"),
    [
        (SUNDAY, None, True),
        (MONDAY, None, False),
        (MONDAY, True, True),
        (SUNDAY, False, False),
    ],
)
def test_a_session_is_special_where_its_weekday_has_none(
    day: date,
    *,
    said: bool | None,
    special: bool,
) -> None:
    calendar = replace(PLAIN, days=(Day(day, "Muhurat", (AFTERNOON,), said),))
    assert [session.special for session in calendar.sessions(day)] == [special]


def test_several_sessions_of_a_day_come_in_order_and_one_may_pass_midnight() -> None:
    night = Hours(time(22), time(2))
    calendar = replace(PLAIN, regular=tuple(Regular(WORKDAYS, each) for each in (night, MORNING)))
    assert [(session.start, session.end) for session in calendar.sessions(MONDAY)] == [
        (datetime(2026, 11, 9, 9), datetime(2026, 11, 9, 12)),  # noqa: DTZ001  local
        (datetime(2026, 11, 9, 22), datetime(2026, 11, 10, 2)),  # noqa: DTZ001
    ]


def test_regular_hours_hold_from_their_first_day_to_their_last() -> None:
    rule = Regular(WORKDAYS, MORNING, since=date(2026, 11, 10), until=date(2026, 11, 12))
    calendar = replace(PLAIN, regular=(rule,))
    week = [MONDAY + count * A_DAY for count in range(5)]
    assert [bool(calendar.sessions(day)) for day in week] == [False, True, True, True, False]


# Laid over one another.


def test_what_a_sheet_says_counts_and_the_rest_is_that_of_the_one_below() -> None:
    below = replace(PLAIN, days=(Day(MONDAY, "One"), Day(MONDAY + A_DAY, "Two")), source="there")
    sheet = Sheet(
        days=(Day(MONDAY + 2 * A_DAY, "Three"), Day(MONDAY, "Own")), ordinary=frozenset({MONDAY + A_DAY})
    )
    over = laid_over(sheet, below, "Y")
    assert [(day.date.day, day.name) for day in over.days] == [(9, "Own"), (11, "Three")]
    assert over == replace(below, name="Y", days=over.days)
    other = laid_over(Sheet("Asia/Tokyo", (), (), frozenset(), date(2027, 1, 1), "here"), below, "X")
    assert (other.timezone, other.regular, other.known_until, other.source) == (
        "Asia/Tokyo",
        (),
        date(2027, 1, 1),
        "here",
    )


def test_equal_calendars_are_one_key_and_a_holiday_makes_another() -> None:
    again = replace(PLAIN)
    assert (again, hash(again)) == (PLAIN, hash(PLAIN))
    assert replace(PLAIN, days=(Day(MONDAY, "One"),)) != PLAIN
    assert Calendar("X").sessions(MONDAY) == ()
