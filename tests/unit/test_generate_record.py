"""Which years a library is believed, and whether a calendar says what it says."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import pytest
from records import TODAY, generated, record, stretch

from stratvisor.calendar import Day, Hours
from stratvisor.generate.record import CannotGenerateError, check_agrees, check_years, years_text

YEARS = range(2017, 2028)


def refusal(**facts: object) -> str:
    with pytest.raises(CannotGenerateError) as caught:
        check_years(record(**facts), TODAY)  # type: ignore[arg-type]
    return str(caught.value)


def test_years_without_bounds_are_believed() -> None:
    check_years(record(), TODAY)


def test_years_within_the_bounds_are_believed() -> None:
    check_years(record(known_from=date(2027, 1, 1), known_until=date(2027, 12, 31)), TODAY)


def test_years_beyond_the_bounds_are_not() -> None:
    assert refusal(known_until=date(2027, 12, 30)) == (
        "a library 1.0 knows it until 2027-12-30; ask for earlier years, or try a newer version of it"
    )
    assert (
        refusal(known_from=date(2027, 1, 2))
        == "a library 1.0 knows it from 2027-01-02 on; ask for later years"
    )


def test_years_that_no_exchange_has_published_are_not() -> None:
    check_years(record(first=date(2028, 1, 1), last=date(2028, 12, 31)), TODAY)
    assert "ask for 2028 at most" in refusal(first=date(2029, 1, 1), last=date(2029, 12, 31))


def test_a_year_with_far_fewer_closed_days_than_usual_is_one_whose_list_has_run_out() -> None:
    usual = dict.fromkeys(YEARS, 16)
    check_years(record(closures=usual | {2027: 10}), TODAY)
    assert "lists 7 closed days for 2027, and 16 in a usual year" in refusal(closures=usual | {2027: 7})
    assert "for 2027, and 16" in refusal(closures=usual | {2026: 7, 2025: 7, 2024: 7, 2027: 7})


def test_a_year_that_is_over_needs_no_list() -> None:
    over = record(
        closures=dict.fromkeys(range(2010, 2026), 16) | {2025: 7},
        first=date(2025, 1, 1),
        last=date(2025, 12, 31),
    )
    check_years(over, TODAY)


def test_an_exchange_that_never_closes_needs_none_either() -> None:
    check_years(record(closures=dict.fromkeys(YEARS, 0)), TODAY)


def test_a_calendar_agrees_that_has_the_same_sessions() -> None:
    one = record(differs={date(2027, 11, 26): "09:30-13:00"})
    check_agrees(generated(one), one)


@pytest.mark.parametrize(
    ("day", "says"),
    [
        (Day(date(2027, 3, 3), "closed"), "the library alone has the session 2027-03-03 14:30 to 2027-03-03 21:00"),
        (Day(date(2027, 3, 7), "a Sunday", (Hours(time(10), time(11)),)), "the file alone has the session 2027-03-07 15:00"),
        (Day(date(2027, 3, 3), "late", (Hours(time(9, 30, 1), time(16)),)), "the library alone has the session 2027-03-03 14:30"),
        (Day(date(2026, 12, 30), "before", (Hours(time(10), time(11)),)), "the file alone has the session 2026-12-30 15:00"),
    ],
)  # fmt: skip
def test_a_calendar_with_another_session_does_not(day: Day, says: str) -> None:
    one = record()
    with pytest.raises(CannotGenerateError, match=says):
        check_agrees(replace(generated(one), days=(day,)), one)


def test_a_calendar_that_tells_of_days_before_or_after_does_not() -> None:
    one = record()
    good = generated(one)
    before = replace(good, regular=tuple(replace(rule, since=None) for rule in good.regular))
    after = replace(good, known_until=date(2028, 12, 31))
    for wrong in (before, after):
        with pytest.raises(CannotGenerateError, match="the file alone has"):
            check_agrees(wrong, one)


def test_sessions_that_open_outside_its_dates_are_no_part_of_a_record() -> None:
    one = record()
    more = replace(one, stretches=(*one.stretches, stretch(date(2028, 1, 3), "09:30-16:00")))
    assert generated(more) == generated(one)


def test_years_text() -> None:
    assert years_text(record()) == "2027"
    assert years_text(record(last=date(2028, 12, 31))) == "2027-2028"
