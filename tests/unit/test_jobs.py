"""When jobs are due: cron lines, beats inside windows, one time; zones, calendars and DST."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvisor import almanac
from stratvisor.jobs import due_after, due_around, within
from stratvisor.spec import (
    HOUR,
    MINUTE,
    SECOND,
    At,
    DaysWindow,
    Every,
    Jobs,
    Once,
    SessionWindow,
    SpecialSessions,
    Timing,
)
from stratvisor.timetable import position, upcoming, window_at
from stratvisor.windows import Window

KOLKATA = "Asia/Kolkata"
NEW_YORK = "America/New_York"
WORKDAYS = frozenset(range(5))
NSE = almanac.shipped()["NSE"]


def local(text: str, zone: str = KOLKATA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def shown(schedule: Jobs, after: str, count: int) -> list[str]:
    zone = ZoneInfo(schedule.timezone)
    coming = due_after(schedule, local(after, schedule.timezone), count)
    return [f"{due.astimezone(zone):%a %d %H:%M}" for due in coming]


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_cron_line_is_due_at_its_firings_and_not_before() -> None:
    schedule = Jobs(KOLKATA, At("0 16 * * mon-fri"))
    assert shown(schedule, "2026-11-20 15:59", 3) == ["Fri 20 16:00", "Mon 23 16:00", "Tue 24 16:00"]
    assert shown(schedule, "2026-11-20 16:00", 1) == ["Mon 23 16:00"]


def test_a_calendar_takes_away_what_is_due_on_a_closed_day() -> None:
    schedule = Jobs(KOLKATA, At("0 16 * * *"), calendar=NSE)
    assert shown(schedule, "2026-11-20 16:00", 3) == ["Mon 23 16:00", "Wed 25 16:00", "Thu 26 16:00"]


def test_a_special_session_counts_where_it_is_asked_for() -> None:
    schedule = Jobs(KOLKATA, At("0 18 * * sun"), NSE, SpecialSessions.RUN)
    assert shown(schedule, "2026-11-01 00:00", 2) == ["Sun 08 18:00"]


def test_past_the_calendar_nothing_is_due() -> None:
    assert shown(Jobs(KOLKATA, At("0 16 * * *"), calendar=NSE), "2026-12-30 16:00", 5) == ["Thu 31 16:00"]


def test_a_time_that_dst_skips_is_due_when_the_clock_jumps_once() -> None:
    schedule = Jobs(NEW_YORK, At("15,45 2 * * *"))
    assert shown(schedule, "2026-03-07 12:00", 3) == ["Sun 08 03:00", "Mon 09 02:15", "Mon 09 02:45"]


def test_a_time_that_comes_twice_is_due_the_first_time_alone() -> None:
    schedule = Jobs(NEW_YORK, At("30 1 * * *"))
    assert due_after(schedule, local("2026-10-31 12:00", NEW_YORK), 2) == (
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 6, 30, tzinfo=UTC),
    )


def test_every_is_counted_from_the_beginning_of_each_window() -> None:
    session = DaysWindow(WORKDAYS, time(9, 17), time(9, 30))
    schedule = Jobs(KOLKATA, Every(5 * MINUTE, (session,)))
    assert shown(schedule, "2026-11-20 09:21", 5) == [
        "Fri 20 09:22", "Fri 20 09:27", "Mon 23 09:17", "Mon 23 09:22", "Mon 23 09:27",
    ]  # fmt: skip


def test_every_is_not_due_at_the_end_of_its_window() -> None:
    schedule = Jobs(KOLKATA, Every(15 * MINUTE, (DaysWindow(WORKDAYS, time(9), time(9, 30)),)))
    assert shown(schedule, "2026-11-23 08:00", 3) == ["Mon 23 09:00", "Mon 23 09:15", "Tue 24 09:00"]


def test_every_without_windows_is_counted_from_midnight() -> None:
    schedule = Jobs(KOLKATA, Every(7 * HOUR))
    assert shown(schedule, "2026-11-23 13:00", 4) == [
        "Mon 23 14:00",
        "Mon 23 21:00",
        "Tue 24 00:00",
        "Tue 24 07:00",
    ]


def test_every_is_elapsed_time_on_a_day_of_25_hours() -> None:
    schedule = Jobs(NEW_YORK, Every(6 * HOUR))
    assert shown(schedule, "2026-11-01 00:00", 4) == [
        "Sun 01 05:00",
        "Sun 01 11:00",
        "Sun 01 17:00",
        "Sun 01 23:00",
    ]


def test_every_follows_the_sessions_of_a_calendar() -> None:
    schedule = Jobs(KOLKATA, Every(3 * HOUR, (SessionWindow(),)), calendar=NSE)
    assert shown(schedule, "2026-11-23 12:00", 4) == [
        "Mon 23 12:15",
        "Mon 23 15:15",
        "Wed 25 09:15",
        "Wed 25 12:15",
    ]


def test_once_is_due_once() -> None:
    schedule = Jobs(KOLKATA, Once(naive("2026-11-23 09:20")))
    assert shown(schedule, "2026-11-23 09:19", 5) == ["Mon 23 09:20"]
    assert shown(schedule, "2026-11-23 09:20", 5) == []
    assert due_around(schedule, local("2026-11-23 09:19")).last_end is None
    assert due_around(schedule, local("2026-12-24 09:20")).last_end == local("2026-11-23 09:20")


@pytest.mark.parametrize(
    "timing", [At("20 9 * * *"), Once(naive("2026-11-23 09:20")), Every(10 * MINUTE)], ids=repr
)
def test_the_instant_it_is_due_counts_as_come(timing: Timing) -> None:
    at = local("2026-11-23 09:20")
    place = due_around(Jobs(KOLKATA, timing), at)
    assert place.last_end == at
    assert place.next is None or place.next.start > at


def test_outside_its_windows_nothing_of_every_is_to_be_made_up_for() -> None:
    schedule = Jobs(KOLKATA, Every(5 * MINUTE, (DaysWindow(WORKDAYS, time(9, 15), time(15, 30)),)))
    assert due_around(schedule, local("2026-11-23 15:29")).last_end == local("2026-11-23 15:25")
    assert due_around(schedule, local("2026-11-23 15:30")).last_end is None


def test_only_every_has_windows() -> None:
    at = local("2026-11-23 10:00")
    every = Jobs(KOLKATA, Every(5 * MINUTE, (DaysWindow(WORKDAYS, time(9, 15), time(15, 30)),)))
    assert window_at(every, at) == Window(local("2026-11-23 09:15"), local("2026-11-23 15:30"))
    assert within(Jobs(KOLKATA, At("0 10 * * *"))) is None


def test_what_is_due_is_a_window_that_ends_as_it_begins() -> None:
    schedule = Jobs(KOLKATA, At("0 16 * * *"))
    due = local("2026-11-23 16:00")
    assert upcoming(schedule, local("2026-11-23 10:00"), 1) == (Window(due, due),)
    assert position(schedule, local("2026-11-23 10:00")).next == Window(due, due)


ZONES = st.sampled_from([KOLKATA, NEW_YORK, "Europe/London", "Australia/Lord_Howe"])


@given(
    zone=ZONES,
    day=st.dates(date(2026, 1, 1), date(2026, 12, 20)),
    minutes=st.integers(0, 3 * 1440),
    interval=st.sampled_from([SECOND * 90, 5 * MINUTE, 7 * MINUTE, HOUR, 5 * HOUR]),
    form=st.sampled_from([
        (DaysWindow(WORKDAYS, time(9, 15), time(15, 30)),),
        (DaysWindow(frozenset(range(7)), time(22), time(3)),),
        (DaysWindow(frozenset(range(7)), time(), time()),),
    ]),
)  # fmt: skip
def test_what_is_next_from_one_due_time_on_is_the_latest_there(
    zone: str, day: date, minutes: int, interval: int, form: tuple[DaysWindow, ...]
) -> None:
    schedule = Jobs(zone, Every(interval, form))
    at = datetime.combine(day, time(), UTC) + timedelta(minutes=minutes)
    coming = due_after(schedule, at, 20)
    assert list(coming) == sorted(set(coming))
    assert len(coming) == 20
    for due in coming:
        assert due > at
        assert due_around(schedule, due).last_end == due
        window = window_at(schedule, due)
        assert window is not None
        assert due in window
    for before, after in itertools.pairwise(coming):
        assert due_around(schedule, after - timedelta(microseconds=1)).last_end in {before, None}
