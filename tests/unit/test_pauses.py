"""The shortest pause between windows, which a stop must fit into."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Manual,
    SessionWindow,
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
        ([SessionWindow()], None),
        ([SessionWindow(), days(DAILY, "09:15", "15:30")], 17 * HOUR + 45 * MINUTE),
        ([], None),
    ],
)
def test_pauses(forms: list[WindowForm], pause_ns: int | None) -> None:
    assert shortest_ns(Windows("UTC", tuple(forms))) == pause_ns


def test_without_windows_there_is_no_pause() -> None:
    assert shortest_ns(Always()) is None
    assert shortest_ns(Manual()) is None


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
