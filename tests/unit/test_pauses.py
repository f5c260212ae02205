"""The shortest pause between windows, which a stop must fit into."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvisor import almanac
from stratvisor.calendar import Calendar, Day, Hours, Regular
from stratvisor.reading.pauses import shortest_ns
from stratvisor.spec import (
    DAY,
    DAY_NAMES,
    HOUR,
    MICROSECOND,
    MINUTE,
    SECOND,
    Always,
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    Manual,
    SessionTime,
    SessionWindow,
    SpecialSessions,
    WindowForm,
    Windows,
)
from stratvisor.windows import compile_windows


def days(text: str, start: str, end: str) -> DaysWindow:
    named = frozenset(DAY_NAMES.index(day) for day in text.split(","))
    return DaysWindow(named, time.fromisoformat(start), time.fromisoformat(end))


DAILY = ",".join(DAY_NAMES)


@pytest.mark.parametrize(
    ("forms", "pause_ns"),
    [
        ([days(DAILY, "09:15", "15:30")], 17 * HOUR + 45 * MINUTE),
        ([days(DAILY, "15:30", "15:29:30")], 30 * SECOND),
        ([days("mon", "09:00", "10:00")], 6 * DAY + 23 * HOUR),
        ([days("sun", "23:00", "23:59:50"), days("mon", "00:00", "01:00")], 10 * SECOND),
        ([days(DAILY, "09:00", "10:00"), days("tue", "10:00:05", "11:00")], 5 * SECOND),
        ([days(DAILY, "09:00", "12:00"), days(DAILY, "10:00", "11:00")], 21 * HOUR),
        ([days(DAILY, "00:00", "00:00")], None),
        ([days(DAILY, "09:00", "10:00"), days(DAILY, "10:00", "09:00")], None),
        ([days("mon", "00:00", "00:30"), days(DAILY, "01:00", "01:00")], None),
        ([CronPair("0 9 * * *", "30 15 * * *")], 17 * HOUR + 30 * MINUTE),
        ([CronPair("0 9 * * mon", "0 9 * * wed")], 6 * DAY),
        ([CronFor("0 0 * * sun", 7 * DAY - HOUR)], HOUR),
        ([CronFor("*/10 * * * *", 9 * MINUTE)], MINUTE),
        ([CronFor("* * * * *", 2 * MINUTE)], None),
        ([CronFor("0 0 1 1 *", HOUR)], None),
        ([], None),
    ],
)
def test_pauses(forms: list[WindowForm], pause_ns: int | None) -> None:
    assert shortest_ns(Windows("UTC", tuple(forms))) == pause_ns


def test_without_windows_there_is_no_pause() -> None:
    assert shortest_ns(Always()) is None
    assert shortest_ns(Manual()) is None


# By a calendar.

LUNCH = tuple(
    Regular(frozenset(range(5)), Hours(time.fromisoformat(start), time.fromisoformat(end)))
    for start, end in (("09:00", "12:00"), ("12:00:30", "15:30"))
)
SHANGHAI = Calendar("SSE", "Asia/Shanghai", LUNCH, known_until=date(2026, 12, 31))


def by(calendar: Calendar, *forms: WindowForm, zone: str = "Asia/Shanghai") -> int | None:
    return shortest_ns(Windows(zone, forms or (SessionWindow(),), calendar, SpecialSessions.RUN))


def test_the_pauses_between_sessions_are_those_of_the_calendar() -> None:
    shipped = almanac.shipped()
    assert by(SHANGHAI) == 30 * SECOND
    assert by(shipped["NSE"]) == 17 * HOUR + 45 * MINUTE
    assert by(shipped["MCX"]) == 9 * HOUR + 5 * MINUTE
    assert by(shipped["CRYPTO"]) is None
    assert by(Calendar("SSE")) is None, "it is not known"


def test_offsets_make_pauses_shorter_or_none() -> None:
    ahead = SessionWindow(SessionTime(Edge.OPEN, -20 * SECOND), SessionTime(Edge.CLOSE))
    assert by(SHANGHAI, ahead) == 10 * SECOND
    assert by(SHANGHAI, SessionWindow(SessionTime(Edge.OPEN, -MINUTE))) == 17 * HOUR + 29 * MINUTE


def test_another_window_fills_the_pause_between_sessions_on_the_days_on_which_it_counts() -> None:
    assert by(SHANGHAI, SessionWindow(), days(DAILY, "11:00", "13:00")) == 17 * HOUR + 30 * MINUTE
    assert by(SHANGHAI, SessionWindow(), days("mon", "11:00", "13:00")) == 30 * SECOND
    sunday = [days("sun", "09:00", "10:00"), days("sun", "10:00:05", "11:00")]
    assert by(SHANGHAI, SessionWindow(), *sunday) == 30 * SECOND


def test_clocks_of_two_zones_are_laid_beside_each_other() -> None:
    """The session of 09:00 to 12:00 begins at 06:30 in Kolkata."""
    early = days("mon", "06:00", "06:29:50")
    assert by(SHANGHAI, SessionWindow(), early, zone="Asia/Kolkata") == 10 * SECOND


def test_new_regular_hours_and_days_that_differ_count_whenever_they_are() -> None:
    noon = Regular(frozenset(range(5)), Hours(time(9), time(12)), until=date(2026, 8, 2))
    later = tuple(replace(rule, since=date(2026, 8, 3)) for rule in LUNCH)
    assert by(replace(SHANGHAI, regular=(noon, *later))) == 30 * SECOND
    split = tuple(Hours(time(*start), time(*end)) for start, end in (((9,), (12,)), ((12, 0, 5), (13,))))
    half = Day(date(2026, 11, 24), "Half", split)
    assert by(replace(SHANGHAI, regular=(replace(noon, until=None),), days=(half,))) == 5 * SECOND
    muhurat = replace(half, date=date(2026, 11, 22))
    special = replace(SHANGHAI, regular=(replace(noon, until=None),), days=(muhurat,))
    assert by(special) == 21 * HOUR, "a special session is no regular one"


def test_what_a_calendar_knows_by_now_does_not_matter() -> None:
    assert by(replace(SHANGHAI, known_until=date(2020, 1, 1))) == 30 * SECOND


TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
FORMS = st.builds(DaysWindow, st.frozensets(st.integers(0, 6), min_size=1), TIMES, TIMES)


@given(st.lists(FORMS, min_size=1, max_size=3))
def test_the_pauses_are_those_of_the_windows(forms: list[DaysWindow]) -> None:
    """In a zone without clock changes, compiled windows have the same pauses."""
    schedule = Windows("UTC", tuple(forms))
    monday = datetime(2024, 1, 1, tzinfo=UTC)
    compiled = compile_windows(schedule, monday, monday + timedelta(days=15))
    pauses = [later.start - earlier.end for earlier, later in pairwise(compiled)]
    found = shortest_ns(schedule)
    assert found == (min(pauses) // timedelta(microseconds=1) * MICROSECOND if pauses else None)
