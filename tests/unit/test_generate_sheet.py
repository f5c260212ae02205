"""What is regular in a record of sessions, and what differs."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import FIRST, generated, record, stretch

from stratvisor.calendar import Day, Hours, Regular
from stratvisor.generate.record import CannotGenerateError
from stratvisor.generate.sheet import drawn

MON_FRI = frozenset(range(5))
DAY = Hours(time(9, 30), time(16))


def test_a_year_of_equal_weekdays_is_one_rule_from_its_first_day() -> None:
    sheet = drawn(record(), "here")
    assert sheet.regular == (Regular(MON_FRI, DAY, since=FIRST),)
    assert (sheet.days, sheet.known_until, sheet.source) == ((), date(2027, 12, 31), "here")


def test_a_lunch_break_makes_two_sessions_a_day() -> None:
    sheet = drawn(record("09:30-12:00 13:00-16:00", timezone="Asia/Hong_Kong"), "")
    assert sheet.regular == (
        Regular(MON_FRI, Hours(time(9, 30), time(12)), since=FIRST),
        Regular(MON_FRI, Hours(time(13), time(16)), since=FIRST),
    )


def test_a_half_day_has_but_the_first_of_them() -> None:
    eve = date(2027, 12, 24)
    sheet = drawn(record("09:30-12:00 13:00-16:00", {eve: "09:30-12:00"}, names={eve: "Christmas Eve"}), "")
    assert sheet.days == (Day(eve, "Christmas Eve", (Hours(time(9, 30), time(12)),)),)


def test_closed_days_have_their_names_or_say_that_there_is_none() -> None:
    closed = {date(2027, 1, 1): "", date(2027, 3, 26): ""}
    sheet = drawn(record(differs=closed, names={date(2027, 3, 26): "Good Friday"}), "")
    assert sheet.days == (Day(date(2027, 1, 1), "reason not given"), Day(date(2027, 3, 26), "Good Friday"))


def test_a_session_on_a_sunday_is_a_special_one() -> None:
    sunday = date(2027, 10, 31)
    (session,) = generated(record(differs={sunday: "18:00-19:00"})).sessions(sunday)
    assert session.special


def test_a_weekday_that_is_often_closed_is_regular_all_the_same() -> None:
    mondays = [FIRST + timedelta(days=3 + 7 * week) for week in range(50)]
    often = generated(record(differs=dict.fromkeys(mondays[:30], "")))
    assert not often.sessions(mondays[40])[0].special


def test_a_session_of_the_evening_before_is_of_that_evening() -> None:
    sheet = drawn(record("20:00-18:00+"), "")
    assert sheet.regular == (Regular(MON_FRI, Hours(time(20), time(18)), since=FIRST),)


def test_other_hours_from_a_day_on_are_a_rule_of_their_own() -> None:
    changed = date(2027, 7, 1)
    later = {changed + timedelta(days=count): "09:00-16:00" for count in range(184)}
    weekdays = {day: hours for day, hours in later.items() if day.weekday() < 5}
    sheet = drawn(
        record(differs=weekdays, changes=frozenset({changed, date(2027, 9, 1), date(1990, 1, 1)})), ""
    )
    assert sheet.regular == (
        Regular(MON_FRI, DAY, since=FIRST, until=date(2027, 6, 30)),
        Regular(MON_FRI, Hours(time(9), time(16)), since=changed),
    )
    assert sheet.days == ()


def test_a_whole_day_from_midnight_can_be_said_and_another_one_cannot() -> None:
    everyday = generated(record("00:00-00:00+", timezone="UTC"))
    assert everyday.sessions(date(2027, 1, 4))[0].end.day == 5
    with pytest.raises(CannotGenerateError, match="2027-01-01 lasts from 17:00 to 17:00 of the next day"):
        drawn(record("17:00-17:00+"), "")


def test_a_year_without_regular_sessions_makes_no_calendar() -> None:
    for stretches in ((), (stretch(FIRST, "09:30-16:00"),)):
        with pytest.raises(CannotGenerateError, match="has no regular session in those years"):
            drawn(record(stretches=stretches), "")


KINDS = st.sampled_from(
    [
        "",
        "",
        "09:30-16:00",
        "09:30-16:00",
        "09:30-11:30 12:30-16:00",
        "20:00-02:30+",
        "00:00-00:00+",
        "01:30-02:30",
    ]
)
ZONES = st.sampled_from(["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata"])


@given(
    days=st.lists(KINDS, min_size=1, max_size=120),
    zone=ZONES,
    changes=st.sets(st.integers(0, 60), max_size=3),
)
def test_whatever_the_sessions_are_the_file_agrees(days: list[str], zone: str, changes: set[int]) -> None:
    sessions = {FIRST + timedelta(days=count): hours for count, hours in enumerate(days)}
    one = record(
        "",
        sessions,
        timezone=zone,
        first=FIRST,
        last=max(sessions),
        changes=frozenset(FIRST + timedelta(days=count) for count in changes),
    )
    try:
        generated(one)
    except CannotGenerateError as error:
        assert "no regular session" in str(error)  # noqa: PT017  it may, and then for this reason alone
