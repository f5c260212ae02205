"""What a calendar takes away: which windows, when they would have begun, and the reason given."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_files import CALENDARS, FORMS, SESSIONS, ZONES

from stratvisor import almanac
from stratvisor.calendar import Calendar
from stratvisor.skipped import skips
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
    SessionWindow,
    SpecialSessions,
    WindowForm,
    Windows,
)
from stratvisor.windows import compile_windows, position

KOLKATA = "Asia/Kolkata"
A_DAY = timedelta(days=1)
DAILY, WEEK = frozenset(range(7)), frozenset(range(5))
SESSION = SessionWindow()
MUHURAT = "Diwali Muhurat trading: a special session of NSE, and special_sessions is skip"
CLOSED = "Diwali Balipratipada: NSE is closed"


def of(calendar: str, *forms: WindowForm, special: str = "skip", zone: str = KOLKATA) -> Windows:
    return Windows(zone, forms or (SESSION,), almanac.shipped()[calendar], SpecialSessions(special))


def seen(schedule: Windows, first: str, last: str) -> list[str]:
    """From one local midnight to another, the last day included."""
    zone = ZoneInfo(KOLKATA)
    start = datetime.fromisoformat(first).replace(tzinfo=zone).astimezone(UTC)
    end = (datetime.fromisoformat(last).replace(tzinfo=zone) + A_DAY).astimezone(UTC)
    return [f"{skip.at.astimezone(zone):%d %H:%M} {skip.why}" for skip in skips(schedule, start, end)]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (of("NSE"), [f"08 18:00 {MUHURAT}", f"10 09:15 {CLOSED}"]),
        (of("NSE", special="run"), [f"10 09:15 {CLOSED}"]),
        (of("NSE", SessionWindow(SessionTime(Edge.OPEN, -10 * MINUTE), SessionTime(Edge.CLOSE))), [f"08 17:50 {MUHURAT}", f"10 09:05 {CLOSED}"]),
        (of("NSE", DaysWindow(WEEK, time(9), time(16))), [f"10 09:00 {CLOSED}"]),
        (of("NSE", DaysWindow(DAILY, time(22), time(4))), ["07 22:00 NSE has no session on Sat 7 Nov", f"08 22:00 {MUHURAT}", f"10 22:00 {CLOSED}"]),
        (of("NSE", CronPair("0 9 * * *", "0 16 * * *")), ["07 09:00 NSE has no session on Sat 7 Nov", f"08 09:00 {MUHURAT}", f"10 09:00 {CLOSED}"]),
        (of("NSE", CronFor("30 8 * * tue", HOUR)), [f"10 08:30 {CLOSED}"]),
        (of("MCX", special="run"), []),
        (of("CRYPTO"), []),
    ],
)  # fmt: skip
def test_diwali_week(schedule: Windows, expected: list[str]) -> None:
    assert seen(schedule, "2026-11-06", "2026-11-10") == expected


def test_an_evening_only_day_is_not_skipped_by_who_follows_sessions() -> None:
    assert seen(of("MCX"), "2026-11-24", "2026-11-24") == []


def test_past_what_is_known_each_window_is_skipped() -> None:
    ended = "NSE is known until Thu 31 Dec 2026"
    assert seen(of("NSE"), "2026-12-31", "2027-01-04") == [f"01 09:15 {ended}", f"04 09:15 {ended}"]
    daily = of("NSE", DaysWindow(DAILY, time(9), time(10)))
    assert seen(daily, "2027-01-02", "2027-01-02") == [f"02 09:00 {ended}"]


def test_of_a_calendar_that_nobody_read_each_window_is_skipped() -> None:
    schedule = Windows(KOLKATA, (DaysWindow(DAILY, time(9), time(10)),), Calendar("NSE"))
    assert seen(schedule, "2026-11-06", "2026-11-06") == ["06 09:00 the calendar NSE is not known"]


def test_what_offsets_leave_nothing_of_is_not_missed() -> None:
    inner = SessionWindow(SessionTime(Edge.OPEN, 4 * HOUR), SessionTime(Edge.CLOSE, -4 * HOUR))
    assert seen(of("NSE", inner), "2026-11-10", "2026-11-10") == []


def test_windows_of_one_day_that_touch_are_skipped_once() -> None:
    often = of("NSE", CronFor("*/5 9-15 * * *", 5 * MINUTE), CronFor("0 12 * * *", HOUR))
    assert seen(often, "2026-11-10", "2026-11-10") == [f"10 09:00 {CLOSED}"]


def test_days_round_the_clock_are_skipped_one_by_one() -> None:
    whole = of("NSE", DaysWindow(DAILY, time(), time()))
    assert [line[:8] for line in seen(whole, "2026-11-14", "2026-11-15")] == ["14 00:00", "15 00:00"]


def test_what_would_begin_inside_a_window_that_counts_is_not_missed() -> None:
    """Friday's window lasts over Saturday morning."""
    schedule = of("NSE", CronFor("0 20 * * fri", 30 * HOUR), DaysWindow(DAILY, time(9), time(10)))
    assert [line[:8] for line in seen(schedule, "2026-11-13", "2026-11-15")] == ["15 09:00"]


def test_two_forms_on_a_closed_day_are_in_order() -> None:
    schedule = of("NSE", SESSION, DaysWindow(DAILY, time(8), time(9)))
    assert [line[:8] for line in seen(schedule, "2026-11-10", "2026-11-10")] == ["10 08:00", "10 09:15"]


def test_the_day_is_that_of_the_calendar() -> None:
    """20:00 on Monday in New York is Tuesday morning in Mumbai."""
    schedule = of("NSE", DaysWindow(DAILY, time(20), time(21)), zone="America/New_York")
    assert seen(schedule, "2026-11-10", "2026-11-10") == [f"10 06:30 {CLOSED}"]


def test_only_a_calendar_takes_away() -> None:
    start = datetime(2026, 11, 6, tzinfo=UTC)
    plain = Windows(KOLKATA, (DaysWindow(WEEK, time(9), time(10)),))
    for schedule in (Always(), Manual(), plain):
        assert skips(schedule, start, start + 5 * A_DAY) == ()


STARTS = st.integers(0, 380).map(lambda count: datetime(2026, 1, 10, tzinfo=UTC) + count * A_DAY)


@settings(max_examples=60)
@given(ZONES, CALENDARS, st.sampled_from(SpecialSessions), st.integers(1, 22), STARTS)
def test_each_window_begins_or_is_skipped(
    zone: str, calendar: Calendar, special: SpecialSessions, hour: int, start: datetime
) -> None:
    plain = Windows(zone, (DaysWindow(DAILY, time(hour), time(hour + 1)),))
    end = start + 14 * A_DAY
    by_calendar = replace(plain, calendar=calendar, special_sessions=special)

    def begins(schedule: Windows) -> list[datetime]:
        return [one.start for one in compile_windows(schedule, start, end) if one.start >= start]

    missed = [skip.at for skip in skips(by_calendar, start, end)]
    assert sorted([*begins(by_calendar), *missed]) == begins(plain)


@settings(max_examples=60)
@given(
    ZONES,
    st.lists(FORMS | SESSIONS, min_size=1, max_size=3),
    CALENDARS,
    st.sampled_from(SpecialSessions),
    STARTS,
)
def test_what_is_skipped_is_outside_on_a_day_without_a_session(
    zone: str, forms: list[WindowForm], calendar: Calendar, special: SpecialSessions, start: datetime
) -> None:
    schedule = Windows(zone, tuple(forms), calendar, special)
    found = skips(schedule, start, start + 14 * A_DAY)
    assert list(found) == sorted(found, key=lambda skip: skip.at)
    for skip in found:
        assert start <= skip.at < start + 14 * A_DAY
        assert position(schedule, skip.at).inside is None
        if all(not isinstance(form, SessionWindow) for form in forms):
            day: date = skip.at.astimezone(ZoneInfo(calendar.timezone)).date()
            assert all(one.special and special is SpecialSessions.SKIP for one in calendar.sessions(day))
