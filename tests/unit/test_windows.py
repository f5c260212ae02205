from __future__ import annotations

import tracemalloc
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from minutes import (
    A_DAY,
    A_MINUTE,
    CHANGES,
    FORMS,
    KOLKATA,
    LORD_HOWE,
    NEW_YORK,
    minutes_of,
    schedules,
    wanted_minutes,
)

from stratvisor.spec import (
    HOUR,
    MINUTE,
    Always,
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    Manual,
    SessionTime,
    WindowForm,
)
from stratvisor.spec import Windows as Schedule
from stratvisor.wallclock import instant
from stratvisor.windows import (
    ALWAYS,
    Position,
    Window,
    compile_windows,
    edge_text,
    position,
    upcoming,
)

DAILY = frozenset(range(7))
WEEK = frozenset(range(5))


def days(start: str, end: str, on: frozenset[int] = DAILY) -> DaysWindow:
    return DaysWindow(on, time.fromisoformat(start), time.fromisoformat(end))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def seen(schedule: Schedule, start: str, end: str) -> list[str]:
    return [
        f"{window.start:%d %H:%M} - {window.end:%d %H:%M}"
        for window in compile_windows(schedule, utc(start), utc(end))
    ]


# --- against an oracle, minute by minute -------------------------------------------------------------

SPRING, FALL, HOWE_SPRING, HOWE_FALL = (CHANGES[index] for index in (0, 1, 5, 4))


def at_change(change: tuple[str, date], *forms: WindowForm) -> tuple[date, Schedule]:
    return change[1], Schedule(change[0], forms)


@settings(max_examples=60)
@given(schedules())
@example(at_change(SPRING, days("02:15", "02:45"), days("02:30", "04:00")))
@example(at_change(FALL, days("01:15", "01:45"), days("01:50", "02:00")))
@example(at_change(HOWE_SPRING, CronFor("15 2 * * *", 10 * MINUTE)))
@example(at_change(HOWE_FALL, CronPair("40 1 * * *", "50 1 * * *")))
@example(at_change(FALL, CronFor("* * * * *", MINUTE)))
@example(at_change(SPRING, CronFor("* * * * *", 2 * MINUTE)))
@example(at_change(FALL, CronPair("*/2 * * * *", "1-59/2 * * * *")))
@example(at_change(FALL, CronPair("* * * * *", "* * * * *")))
@example(at_change(SPRING, days("00:00", "00:00")))
def test_windows_hold_the_minutes_that_the_local_clock_says(case: tuple[date, Schedule]) -> None:
    sunday, schedule = case
    start = datetime.combine(sunday, time(), UTC) - A_DAY
    wanted = wanted_minutes(schedule, sunday)
    windows = compile_windows(schedule, start, start + 3 * A_DAY)
    assert minutes_of(((window.start, window.end) for window in windows), sunday) == wanted
    assert all(one.end < following.start for one, following in pairwise(windows))
    some = [start + minute * A_MINUTE for minute in range(0, 3 * 24 * 60, 7)]
    assert {at for at in some if position(schedule, at).inside} == wanted & set(some)


@settings(max_examples=60)
@given(
    st.sampled_from(CHANGES),
    st.lists(FORMS, min_size=1, max_size=2),
    st.integers(0, 4000),
    st.integers(1, 3000),
)
def test_a_window_is_the_same_whichever_part_of_time_is_looked_at(
    change: tuple[str, date], forms: list[WindowForm], after: int, length: int
) -> None:
    zone, sunday = change
    schedule = Schedule(zone, tuple(forms))
    begin = datetime.combine(sunday, time(), UTC) - 3 * A_DAY
    week = compile_windows(schedule, begin, begin + 7 * A_DAY)
    start = begin + after * A_MINUTE
    end = start + length * A_MINUTE
    expected = tuple(window for window in week if window.start < end and start < window.end)
    assert compile_windows(schedule, start, end) == expected


# --- daylight saving, said by hand -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        (KOLKATA, "2026-11-23 09:15", "2026-11-23 03:45"),
        (NEW_YORK, "2026-03-08 01:59", "2026-03-08 06:59"),
        (NEW_YORK, "2026-03-08 02:00", "2026-03-08 07:00"),
        (NEW_YORK, "2026-03-08 02:01", "2026-03-08 07:00"),
        (NEW_YORK, "2026-03-08 02:59:59.999999", "2026-03-08 07:00"),
        (NEW_YORK, "2026-03-08 03:00", "2026-03-08 07:00"),
        (NEW_YORK, "2026-11-01 00:59", "2026-11-01 04:59"),
        (NEW_YORK, "2026-11-01 01:00", "2026-11-01 05:00"),
        (NEW_YORK, "2026-11-01 01:59", "2026-11-01 05:59"),
        (NEW_YORK, "2026-11-01 02:00", "2026-11-01 07:00"),
        (LORD_HOWE, "2026-10-04 02:15", "2026-10-03 15:30"),
        (LORD_HOWE, "2026-04-05 01:45", "2026-04-04 14:45"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00"),
    ],
)
def test_a_local_time_is_the_first_instant_at_which_the_clock_shows_it_or_a_later_one(
    zone: str, local: str, expected: str
) -> None:
    found = instant(datetime.fromisoformat(local), ZoneInfo(zone))
    assert found == utc(expected)
    assert found.tzinfo is UTC


def test_a_window_that_the_clock_skips_vanishes_that_day_only() -> None:
    schedule = Schedule(NEW_YORK, (days("02:15", "02:45"),))
    assert seen(schedule, "2026-03-07", "2026-03-10") == ["07 07:15 - 07 07:45", "09 06:15 - 09 06:45"]


def test_a_window_begun_in_skipped_time_begins_when_the_clock_jumps() -> None:
    assert seen(Schedule(NEW_YORK, (days("02:30", "04:00"),)), "2026-03-08", "2026-03-09") == [
        "08 07:00 - 08 08:00"
    ]


def test_a_window_in_the_hour_that_comes_twice_counts_once() -> None:
    schedule = Schedule(NEW_YORK, (days("01:15", "01:45"),))
    assert seen(schedule, "2026-11-01", "2026-11-02") == ["01 05:15 - 01 05:45"]


def test_a_window_across_the_hour_that_comes_twice_is_an_hour_longer() -> None:
    schedule = Schedule(NEW_YORK, (days("01:30", "02:30"),))
    assert seen(schedule, "2026-11-01", "2026-11-02") == ["01 05:30 - 01 07:30"]


def test_a_cron_job_in_the_hour_that_comes_twice_starts_once() -> None:
    schedule = Schedule(NEW_YORK, (CronFor("30 1 * * *", 10 * MINUTE),))
    assert seen(schedule, "2026-11-01", "2026-11-02") == ["01 05:30 - 01 05:40"]


def test_a_length_is_elapsed_time_also_across_a_change() -> None:
    schedule = Schedule(NEW_YORK, (CronFor("0 0 * * *", 6 * HOUR),))
    assert seen(schedule, "2026-03-08", "2026-03-09") == ["08 05:00 - 08 11:00"]
    assert seen(schedule, "2026-11-01", "2026-11-02") == ["01 04:00 - 01 10:00"]


def test_a_date_that_a_zone_left_out_has_no_window() -> None:
    schedule = Schedule("Pacific/Apia", (days("09:00", "17:00"),))
    assert seen(schedule, "2011-12-29 12:00", "2011-12-31 06:00") == [
        "29 19:00 - 30 03:00",  # Thursday 29; Friday 30 was skipped
        "30 19:00 - 31 03:00",  # Saturday 31
    ]


# --- which date a window belongs to ------------------------------------------------------------------


def test_a_weekday_window_is_shut_on_saturday_and_sunday() -> None:
    schedule = Schedule(KOLKATA, (days("09:15", "15:30", WEEK),))
    for noon in ("2026-11-21 06:30", "2026-11-22 06:30"):
        found = position(schedule, utc(noon))
        assert found.inside is None
        assert found.next == Window(utc("2026-11-23 03:45"), utc("2026-11-23 10:00"))
        assert found.last_end == utc("2026-11-20 10:00")


def test_an_overnight_window_belongs_to_the_date_of_its_start() -> None:
    schedule = Schedule("UTC", (days("22:00", "04:00", WEEK),))
    assert seen(schedule, "2026-11-20 12:00", "2026-11-24 12:00") == [
        "20 22:00 - 21 04:00",  # Friday's ends on Saturday
        "23 22:00 - 24 04:00",  # Sunday has none, so Monday's morning has none
    ]


# --- cron pairs --------------------------------------------------------------------------------------


def test_each_start_of_a_cron_pair_runs_to_the_next_stop() -> None:
    schedule = Schedule(KOLKATA, (CronPair("15 9 * * mon-fri", "30 15 * * mon-fri"),))
    assert seen(schedule, "2026-11-20", "2026-11-24") == ["20 03:45 - 20 10:00", "23 03:45 - 23 10:00"]


def test_a_stop_at_the_very_start_is_not_its_stop() -> None:
    schedule = Schedule("UTC", (CronPair("0 9 * * mon", "0 9,10 * * *"),))
    assert seen(schedule, "2026-11-23", "2026-11-25") == ["23 09:00 - 23 10:00"]


@pytest.mark.parametrize("stop", ["0 9 1 1 *", "1 9 * * tue"])
def test_a_start_without_a_stop_ends_after_a_day(stop: str) -> None:
    schedule = Schedule("UTC", (CronPair("0 9 * * mon", stop),))
    assert seen(schedule, "2026-11-23", "2026-11-29") == ["23 09:00 - 24 09:00"]


def test_the_day_without_a_stop_is_one_of_the_wall_clock() -> None:
    schedule = Schedule(NEW_YORK, (CronPair("0 12 31 10 *", "0 0 1 1 *"),))
    assert seen(schedule, "2026-11-01", "2026-11-02") == ["31 16:00 - 01 17:00"]


# --- merging -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        ([days("09:00", "12:00"), days("12:00", "15:00")], ["23 09:00 - 23 15:00"]),
        ([days("09:00", "12:00"), days("11:00", "15:00")], ["23 09:00 - 23 15:00"]),
        ([days("09:00", "15:00"), days("10:00", "11:00")], ["23 09:00 - 23 15:00"]),
        ([days("09:00", "12:00"), days("12:01", "15:00")], ["23 09:00 - 23 12:00", "23 12:01 - 23 15:00"]),
        ([days("09:00", "12:00"), CronFor("0 12 * * *", HOUR)], ["23 09:00 - 23 13:00"]),
        ([CronFor("0 9 * * *", 0)], []),
        ([], []),
    ],
)
def test_windows_that_touch_or_overlap_are_one(forms: list[WindowForm], expected: list[str]) -> None:
    assert seen(Schedule("UTC", tuple(forms)), "2026-11-23 06:00", "2026-11-23 18:00") == expected


@pytest.mark.parametrize("zone", [KOLKATA, NEW_YORK])
@pytest.mark.parametrize(
    "forms", [(days("00:00", "00:00"),), (days("06:00", "18:00"), days("18:00", "06:00"))], ids=["one", "two"]
)
def test_round_the_clock_is_always(zone: str, forms: tuple[WindowForm, ...]) -> None:
    at = utc("2026-10-31 12:00")
    assert position(Schedule(zone, forms), at) == Position(inside=ALWAYS, next=None, last_end=None)
    assert upcoming(Schedule(zone, forms), at, 5) == ()
    assert ALWAYS.endless


def test_a_chain_of_windows_is_seen_whole_from_its_middle() -> None:
    schedule = Schedule("UTC", (days("00:00", "00:00", WEEK),))
    assert seen(schedule, "2026-11-25 12:00", "2026-11-25 12:01") == ["23 00:00 - 28 00:00"]
    assert not compile_windows(schedule, utc("2026-11-25"), utc("2026-11-26"))[0].endless


def test_a_chain_with_one_gap_a_month_is_seen_whole() -> None:
    schedule = Schedule("UTC", (CronFor("0 0 2-31 * *", 24 * HOUR),))
    for at in ("2026-10-02 00:00", "2026-10-17 12:00", "2026-10-31 23:59"):
        found = position(schedule, utc(at))
        assert found.inside == Window(utc("2026-10-02"), utc("2026-11-01"))
        assert found.next == Window(utc("2026-11-02"), utc("2026-12-01"))


def test_a_chain_longer_than_its_bound_is_open_on_the_side_where_no_gap_is_seen() -> None:
    schedule = Schedule("UTC", (CronFor("0 0 * 2-12 *", 24 * HOUR),))
    begin, end = utc("2026-02-01"), utc("2027-01-01")
    assert position(schedule, utc("2026-02-02")).inside == Window(begin, ALWAYS.end)
    assert position(schedule, utc("2026-07-01")).inside == ALWAYS
    assert position(schedule, utc("2026-12-30")).inside == Window(ALWAYS.start, end)


def test_a_window_longer_than_a_day_is_found_by_its_true_start() -> None:
    schedule = Schedule("UTC", (CronFor("0 9 1 * *", 20 * 24 * HOUR),))
    assert seen(schedule, "2026-11-20", "2026-11-21") == ["01 09:00 - 21 09:00"]


def test_only_windows_that_share_an_instant_with_the_span_count() -> None:
    schedule = Schedule("UTC", (days("09:00", "10:00"),))
    assert seen(schedule, "2026-11-23 10:00", "2026-11-24 09:00") == []
    assert seen(schedule, "2026-11-23 09:59", "2026-11-24 09:01") == [
        "23 09:00 - 23 10:00",
        "24 09:00 - 24 10:00",
    ]


# --- where an instant lies ---------------------------------------------------------------------------


def test_the_start_is_inside_and_the_end_is_not() -> None:
    schedule = Schedule("UTC", (days("09:00", "10:00"),))
    moment = timedelta(microseconds=1)
    before, today, tomorrow = (
        Window(utc(f"2026-11-{d} 09:00"), utc(f"2026-11-{d} 10:00")) for d in (22, 23, 24)
    )
    assert position(schedule, today.start - moment) == Position(None, today, before.end)
    assert position(schedule, today.start) == Position(today, tomorrow, before.end)
    assert position(schedule, today.end - moment) == Position(today, tomorrow, before.end)
    assert position(schedule, today.end) == Position(None, tomorrow, today.end)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("30 0 * * *", "2026-11-23 00:45"),
        ("0 0 1 * *", "2026-11-11 23:00"),
        ("0 0 29 2 *", "2027-01-24 23:00"),
    ],
)
def test_the_zone_an_instant_is_written_in_does_not_matter(line: str, at: str) -> None:
    schedule = Schedule("UTC", (CronFor(line, HOUR),))
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        there = utc(at).astimezone(ZoneInfo(zone))
        assert position(schedule, there) == position(schedule, utc(at))
        assert upcoming(schedule, there, 3) == upcoming(schedule, utc(at), 3)


def test_a_local_time_is_no_instant() -> None:
    with pytest.raises(TypeError):
        position(Schedule("UTC", (days("09:00", "10:00"),)), datetime(2026, 11, 23))  # noqa: DTZ001


def test_always_and_manual_have_no_next_window() -> None:
    at = utc("2026-11-23")
    assert position(Always(), at) == Position(inside=ALWAYS, next=None, last_end=None)
    assert position(Manual(), at) == Position(inside=None, next=None, last_end=None)
    assert upcoming(Always(), at, 3) == upcoming(Manual(), at, 3) == ()


def test_the_next_window_is_looked_for_400_days_ahead() -> None:
    schedule = Schedule("UTC", (CronFor("0 0 29 2 *", HOUR),))
    start = utc("2028-02-29")
    assert position(schedule, start - timedelta(days=402)).next is None
    assert position(schedule, start - timedelta(days=399)).next == Window(start, start + timedelta(hours=1))


def test_the_last_end_is_looked_for_10_days_back() -> None:
    schedule = Schedule("UTC", (CronFor("0 0 1 * *", HOUR),))
    end = utc("2026-11-01 01:00")
    assert position(schedule, end + timedelta(days=10)).last_end == end
    assert position(schedule, end + timedelta(days=11)).last_end is None


@settings(max_examples=60)
@given(
    st.sampled_from(CHANGES),
    st.lists(FORMS, min_size=1, max_size=2),
    st.lists(st.integers(0, 5 * 24 * 60), min_size=1, max_size=20),
)
def test_what_is_kept_from_one_question_answers_the_next_one_truly(
    change: tuple[str, date], forms: list[WindowForm], minutes: list[int]
) -> None:
    zone, sunday = change
    schedule = Schedule(zone, tuple(forms))
    begin = datetime.combine(sunday, time(), UTC) - 3 * A_DAY
    windows = compile_windows(schedule, begin - 10 * A_DAY, begin + 40 * A_DAY)
    for at in (begin + minute * A_MINUTE for minute in minutes):
        found = position(schedule, at)
        assert found.inside == next((window for window in windows if at in window), None)
        assert found.next == next((window for window in windows if window.start > at), None)
        expected = max((window.end for window in windows if window.end <= at), default=None)
        assert found.last_end == expected
        assert upcoming(schedule, at, 3) == tuple(window for window in windows if window.start > at)[:3]


def test_upcoming_windows_start_after_the_instant() -> None:
    schedule = Schedule("UTC", (days("09:00", "10:00", WEEK),))
    found = upcoming(schedule, utc("2026-11-20 09:00"), 20)
    assert len(found) == 20
    assert found[0].start == utc("2026-11-23 09:00")
    assert found[19].start == utc("2026-12-18 09:00")


def test_upcoming_windows_end_with_the_horizon() -> None:
    found = upcoming(Schedule("UTC", (CronFor("0 9 1 * *", HOUR),)), utc("2026-11-23"), 20)
    assert [f"{window.start:%y-%m}" for window in found] == [
        "26-12", *(f"27-{month:02}" for month in range(1, 13))
    ]  # fmt: skip


def test_the_days_of_a_long_life_are_not_kept() -> None:
    """A strategy with a job every five minutes made the daemon grow by tens of kilobytes a day."""
    often = Schedule(KOLKATA, (CronFor("*/5 * * * *", MINUTE),))
    noon = utc("2026-11-23 12:00")
    for count in range(10):
        position(often, noon + count * A_DAY)
    tracemalloc.start()
    for count in range(10, 30):
        position(often, noon + count * A_DAY)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 500_000  # 48 kB a day, of which four are kept


def test_edges_of_a_session_read_as_they_are_written() -> None:
    assert edge_text(SessionTime(Edge.OPEN, -90 * MINUTE)) == "open-90m"
    assert edge_text(SessionTime(Edge.CLOSE, HOUR)) == "close+1h"
    assert edge_text(SessionTime(Edge.CLOSE)) == "close"
