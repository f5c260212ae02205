"""Windows by a calendar: which count, which follow its sessions, and how far."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_2026 import EXCHANGES, expected
from spec_files import CALENDARS, FORMS, SESSIONS, ZONES

from stratvisor import almanac
from stratvisor.calendar import Calendar, Day, Hours, Regular
from stratvisor.spec import (
    HOUR,
    MINUTE,
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    SessionTime,
    SessionWindow,
    SpecialSessions,
    WindowForm,
    Windows,
)
from stratvisor.windows import ALWAYS, Window, compile_windows, position

KOLKATA = "Asia/Kolkata"
A_DAY = timedelta(days=1)
DAILY, WEEK = frozenset(range(7)), frozenset(range(5))
SESSION = SessionWindow()
AROUND = SessionWindow(SessionTime(Edge.OPEN, -10 * MINUTE), SessionTime(Edge.CLOSE, 5 * MINUTE))


def of(calendar: str | Calendar, *forms: WindowForm, special: str = "skip", zone: str = KOLKATA) -> Windows:
    found = almanac.shipped()[calendar] if isinstance(calendar, str) else calendar
    return Windows(zone, forms or (SESSION,), found, SpecialSessions(special))


def seen(schedule: Windows, first: str, last: str) -> list[str]:
    """The windows between two local midnights, the last one included, by the calendar's clock."""
    zone = ZoneInfo(schedule.calendar.timezone if schedule.calendar else KOLKATA)
    start = datetime.fromisoformat(first).replace(tzinfo=zone)
    end = datetime.fromisoformat(last).replace(tzinfo=zone) + A_DAY
    return [
        f"{window.start.astimezone(zone):%d %H:%M} - {window.end.astimezone(zone):%d %H:%M}"
        for window in compile_windows(schedule, start.astimezone(UTC), end.astimezone(UTC))
    ]


# Diwali week, to the minute.


@pytest.mark.parametrize(
    ("calendar", "special", "windows"),
    [
        ("NSE", "run", ["06 09:15 - 06 15:30", "08 18:00 - 08 19:15", "09 09:15 - 09 15:30"]),
        ("NSE", "skip", ["06 09:15 - 06 15:30", "09 09:15 - 09 15:30"]),
        ("NFO", "skip", ["06 09:15 - 06 15:40", "09 09:15 - 09 15:40"]),
        ("CDS", "run", ["06 09:00 - 06 17:00", "08 18:00 - 08 19:15", "09 09:00 - 09 17:00"]),
        ("MCX", "run", ["06 09:00 - 06 23:55", "08 18:00 - 09 00:15", "09 09:00 - 09 23:55", "10 17:00 - 10 23:55"]),
        ("MCX", "skip", ["06 09:00 - 06 23:55", "09 09:00 - 09 23:55", "10 17:00 - 10 23:55"]),
    ],
)  # fmt: skip
def test_diwali_week(calendar: str, special: str, windows: list[str]) -> None:
    assert seen(of(calendar, special=special), "2026-11-06", "2026-11-10") == windows


def test_the_budget_sunday_is_a_special_session_of_equities_alone() -> None:
    for name, windows in {"NSE": ["01 09:15 - 01 15:30"], "BSE": ["01 09:15 - 01 15:30"], "NFO": []}.items():
        assert seen(of(name, special="run"), "2026-02-01", "2026-02-01") == windows
        assert seen(of(name), "2026-02-01", "2026-02-01") == []


def test_futures_trade_ten_minutes_longer_from_august() -> None:
    assert seen(of("NFO"), "2026-07-31", "2026-08-03") == ["31 09:15 - 31 15:30", "03 09:15 - 03 15:40"]


def test_crypto_never_ends() -> None:
    assert position(of("CRYPTO"), datetime(2026, 11, 8, tzinfo=UTC)).inside is not None
    assert all(
        window.endless
        for window in compile_windows(
            of("CRYPTO"), datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
        )
    )


def test_nor_does_it_where_offsets_move_the_joints() -> None:
    moved = SessionWindow(SessionTime(Edge.OPEN, -12 * HOUR), SessionTime(Edge.CLOSE, -12 * HOUR))
    assert position(of("CRYPTO", moved), datetime(2026, 11, 8, tzinfo=UTC)).inside == ALWAYS


# The whole of 2026, each session: laid out from the table by hand, half past five before UTC all year.


@pytest.mark.parametrize("special", ["run", "skip"])
@pytest.mark.parametrize("name", [name for name in EXCHANGES if name != "CRYPTO"])
def test_the_timeline_of_2026(name: str, special: str) -> None:
    golden = []
    for day in (date(2026, 1, 1) + count * A_DAY for count in range(365)):
        hours = expected(name, day)
        if hours and (special == "run" or not hours.endswith("*")):
            begin, end = (time.fromisoformat(side) for side in hours.strip("*").split("-"))
            last = day + (A_DAY if end <= begin else 0 * A_DAY)
            golden.append(Window(in_kolkata(day, begin), in_kolkata(last, end)))
    start = datetime(2025, 12, 31, 18, 30, tzinfo=UTC)
    assert len(golden) > 230
    assert compile_windows(of(name, special=special), start, start + 365 * A_DAY) == tuple(golden)


def in_kolkata(day: date, at: time) -> datetime:
    return datetime.combine(day, at, UTC) - timedelta(hours=5, minutes=30)


def test_the_timeline_of_what_never_closes() -> None:
    start = datetime(2025, 12, 31, 18, 30, tzinfo=UTC)
    assert compile_windows(of("CRYPTO"), start, start + 365 * A_DAY) == (ALWAYS,)


# Sides and offsets.


def test_a_window_around_the_session_follows_half_days_and_evenings() -> None:
    assert seen(of("MCX", AROUND), "2026-11-23", "2026-11-24") == [
        "23 08:50 - 24 00:00",
        "24 16:50 - 25 00:00",
    ]
    last_hour = SessionWindow(SessionTime(Edge.CLOSE, -HOUR), SessionTime(Edge.CLOSE))
    assert seen(of("NSE", last_hour, special="run"), "2026-11-06", "2026-11-08") == [
        "06 14:30 - 06 15:30",
        "08 18:15 - 08 19:15",
    ]


def test_what_offsets_leave_nothing_of_is_no_window() -> None:
    inner = SessionWindow(SessionTime(Edge.OPEN, HOUR), SessionTime(Edge.CLOSE, -HOUR))
    assert seen(of("NSE", inner, special="run"), "2026-11-06", "2026-11-08") == ["06 10:15 - 06 14:30"]


def test_sessions_are_read_on_the_clock_of_their_calendar() -> None:
    assert seen(of("NSE", zone="America/New_York"), "2026-11-23", "2026-11-23") == ["23 09:15 - 23 15:30"]


def test_a_session_before_midnight_of_its_date_is_not_lost_at_the_edge_of_what_is_asked() -> None:
    early = SessionWindow(SessionTime(Edge.OPEN, -12 * HOUR), SessionTime(Edge.CLOSE, 12 * HOUR))
    schedule = of("MCX", early)
    year = compile_windows(schedule, datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 12, 20, tzinfo=UTC))
    for day in (datetime(2026, 11, 1, tzinfo=UTC) + count * A_DAY for count in range(20)):
        expected = tuple(window for window in year if window.start < day + A_DAY and day < window.end)
        assert compile_windows(schedule, day, day + A_DAY) == expected


def test_touching_sessions_are_one_window() -> None:
    halves = tuple(Regular(DAILY, Hours(*pair)) for pair in ((time(9), time(12)), (time(12), time(16))))
    calendar = Calendar("X", KOLKATA, halves, known_until=date(2026, 12, 31))
    assert seen(of(calendar), "2026-11-23", "2026-11-23") == ["23 09:00 - 23 16:00"]


# Other forms count by the day of their start.


@pytest.mark.parametrize(
    "form",
    [
        DaysWindow(DAILY, time(9, 15), time(15, 30)),
        CronPair("15 9 * * *", "30 15 * * *"),
        CronFor("15 9 * * *", 6 * HOUR + 15 * MINUTE),
    ],
)
@pytest.mark.parametrize("special", ["run", "skip"])
def test_a_closed_day_has_no_window_of_any_form(form: WindowForm, special: str) -> None:
    sunday = ["08 09:15 - 08 15:30"] if special == "run" else []
    assert seen(of("NSE", form, special=special), "2026-11-06", "2026-11-11") == [
        "06 09:15 - 06 15:30", *sunday, "09 09:15 - 09 15:30", "11 09:15 - 11 15:30",
    ]  # fmt: skip


def test_the_start_decides_and_the_tail_past_midnight_is_kept() -> None:
    night = DaysWindow(DAILY, time(22), time(4))
    assert seen(of("NSE", night), "2026-11-24", "2026-11-24") == ["23 22:00 - 24 04:00"]
    assert seen(of("NSE", night), "2026-11-25", "2026-11-25") == ["25 22:00 - 26 04:00"]


def test_the_day_is_that_of_the_calendars_clock() -> None:
    # 20:00 in New York on Sunday is Monday in Kolkata, and on Monday it is the closed Tuesday.
    form = DaysWindow(DAILY, time(20), time(21))
    schedule = of("NSE", form, zone="America/New_York")
    assert seen(schedule, "2026-11-23", "2026-11-25") == ["23 06:30 - 23 07:30", "25 06:30 - 25 07:30"]


def test_nor_is_it_that_of_utc() -> None:
    """20:00 in London on Sunday is Monday in Kolkata, where it is Sunday in UTC still."""
    schedule = of("NSE", DaysWindow(DAILY, time(20), time(21)), zone="Europe/London")
    assert seen(schedule, "2026-11-22", "2026-11-25") == ["23 01:30 - 23 02:30", "25 01:30 - 25 02:30"]


def test_a_session_counts_by_its_own_day_wherever_offsets_move_its_window() -> None:
    """Also where the clock is changed that night, and the day before is closed."""
    for sunday in (date(2026, 3, 8), date(2026, 3, 15)):
        open_then = Day(sunday, "Open", (Hours(time(9), time(16)),), special=False)
        calendar = Calendar("X", "America/New_York", days=(open_then,), known_until=date(2026, 12, 31))
        night = SessionWindow(SessionTime(Edge.OPEN, -12 * HOUR))
        first = f"{sunday - A_DAY:%d} {20 if sunday.day == 8 else 21}:00"
        assert seen(of(calendar, night), str(sunday - A_DAY), str(sunday)) == [f"{first} - {sunday:%d} 16:00"]


# What is not known.


def test_past_what_is_known_nothing_starts() -> None:
    for form in (SESSION, DaysWindow(WEEK, time(9), time(10)), CronFor("0 9 * * *", HOUR)):
        place = position(of("NSE", form), datetime(2027, 1, 1, tzinfo=UTC))
        assert (place.inside, place.next) == (None, None)


def test_an_added_holiday_takes_a_day_and_an_ordinary_one_gives_it() -> None:
    nse = almanac.shipped()["NSE"]
    more = replace(nse, days=(*nse.days, Day(date(2026, 11, 25), "Closed at short notice")))
    assert seen(of(more), "2026-11-23", "2026-11-26") == ["23 09:15 - 23 15:30", "26 09:15 - 26 15:30"]
    fewer = replace(nse, days=tuple(day for day in nse.days if day.date != date(2026, 11, 24)))
    assert len(seen(of(fewer), "2026-11-23", "2026-11-26")) == 4


# Properties.

STARTS = st.integers(0, 300).map(lambda count: datetime(2026, 1, 10, tzinfo=UTC) + count * A_DAY)


@settings(max_examples=60)
@given(ZONES, st.lists(FORMS, min_size=1, max_size=2), CALENDARS, st.sampled_from(SpecialSessions), STARTS)
def test_a_calendar_only_takes_away(
    zone: str, forms: list[WindowForm], calendar: Calendar, special: SpecialSessions, start: datetime
) -> None:
    without = Windows(zone, tuple(forms))
    whole = compile_windows(without, start, start + 14 * A_DAY)
    for window in compile_windows(
        replace(without, calendar=calendar, special_sessions=special), start, start + 14 * A_DAY
    ):
        assert any(one.start <= window.start and window.end <= one.end for one in whole)


@settings(max_examples=60)
@given(ZONES, SESSIONS, CALENDARS, STARTS)
def test_sessions_are_placed_as_the_calendar_says(
    zone: str, form: SessionWindow, calendar: Calendar, start: datetime
) -> None:
    """Kolkata has no summer time, so that an offset is plain arithmetic there."""
    spans = []
    for day in (start.date() + count * A_DAY for count in range(-4, 12)):
        for session in calendar.sessions(day):
            begin = session.start.replace(tzinfo=ZoneInfo(KOLKATA)) + timedelta(
                seconds=form.start.offset_ns // 10**9
            )
            end = session.end.replace(tzinfo=ZoneInfo(KOLKATA)) + timedelta(
                seconds=form.end.offset_ns // 10**9
            )
            if begin < end:
                spans.append(Window(begin.astimezone(UTC), end.astimezone(UTC)))
    schedule = Windows(zone, (form,), calendar, SpecialSessions.RUN)
    for minute in (start + count * timedelta(minutes=97) for count in range(60)):
        assert (position(schedule, minute).inside is not None) == any(minute in span for span in spans)
