"""What the coming 400 days have in store for a schedule."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest

from stratvisor import almanac
from stratvisor.calendar import FOR_EVER, Calendar, Hours, Regular
from stratvisor.lookahead import Unstopped, notes, unstopped
from stratvisor.spec import (
    DAY,
    HOUR,
    MINUTE,
    Always,
    At,
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    Every,
    Jobs,
    Manual,
    Once,
    SessionTime,
    SessionWindow,
    SpecialSessions,
    WindowForm,
    Windows,
)

KOLKATA, NEW_YORK, LORD_HOWE = "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"
AT = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAILY = frozenset(range(7))
NSE = almanac.shipped()["NSE"]
LATER = replace(NSE, known_until=date(2030, 12, 31))
PAIR = CronPair("15 9 * * *", "30 15 * * mon-fri")
INNER = SessionWindow(SessionTime(Edge.OPEN, HOUR), SessionTime(Edge.CLOSE, -HOUR))


def days(start: str, end: str, on: frozenset[int] = DAILY) -> DaysWindow:
    return DaysWindow(on, time.fromisoformat(start), time.fromisoformat(end))


def told(zone: str, *forms: WindowForm, calendar: Calendar | None = None, special: str = "skip") -> list[str]:
    return list(notes(Windows(zone, forms, calendar, SpecialSessions(special)), AT))


@pytest.mark.parametrize(
    ("zone", "forms", "says"),
    [
        (KOLKATA, [days("02:15", "02:45")], []),
        (NEW_YORK, [days("09:30", "16:00")], []),
        (NEW_YORK, [days("02:15", "02:45")], ["no window on Sun 8 Mar: the clock skips 02:15 to 02:45"]),
        (NEW_YORK, [days("02:30", "04:00")], ["starts at 03:00 instead of 02:30 on Sun 8 Mar"]),
        (NEW_YORK, [days("00:30", "02:30")], ["ends at 03:00 instead of 02:30 on Sun 8 Mar", "lasts 3h instead of 2h from Sun 1 Nov 00:30 on"]),
        (NEW_YORK, [days("01:30", "03:30")], ["starts at 01:30 on Sun 1 Nov, the first of two times that the clock shows it", "lasts 1h instead of 2h from Sun 8 Mar 01:30 on"]),
        (NEW_YORK, [days("22:00", "06:00")], ["lasts 7h instead of 8h from Sat 7 Mar 22:00 on; 1 more like it"]),
        (NEW_YORK, [CronPair("0 22 * * *", "0 6 * * *")], ["lasts 7h instead of 8h from Sat 7 Mar 22:00 on; 1 more like it"]),
        (NEW_YORK, [CronFor("0 0 * * *", 6 * HOUR)], ["ends at 07:00 instead of 06:00 on Sun 8 Mar; 1 more like it"]),
        (NEW_YORK, [CronFor("0 12 * * sat", 3 * DAY)], ["ends at 13:00 instead of 12:00 on Tue 10 Mar; 1 more like it"]),
        (LORD_HOWE, [days("01:45", "02:10")], ["starts at 01:45 on Sun 5 Apr, the first of two times that the clock shows it", "ends at 02:30 instead of 02:10 on Sun 4 Oct"]),
    ],
)  # fmt: skip
def test_windows_that_a_change_of_the_clock_touches(
    zone: str, forms: list[WindowForm], says: list[str]
) -> None:
    assert told(zone, *forms) == says


@pytest.mark.parametrize(
    "forms",
    [
        [days("00:00", "02:30"), days("02:30", "09:00"), days("09:00", "00:00")],
        [CronFor("*/30 * * * *", 2 * HOUR)],
    ],
)
def test_joints_that_a_change_of_the_clock_touches_harm_nobody(forms: list[WindowForm]) -> None:
    assert told(NEW_YORK, *forms) == []
    covered = [days("02:15", "02:45"), days("01:00", "04:00")]
    assert not any("no window" in note or "02:15" in note for note in told(NEW_YORK, *covered))


def test_the_clock_of_sessions_is_that_of_their_calendar() -> None:
    there = Calendar("X", NEW_YORK, (Regular(DAILY, Hours(time(9), time(16))),), known_until=FOR_EVER)
    night = SessionWindow(SessionTime(Edge.OPEN, -12 * HOUR))
    assert told(KOLKATA, SessionWindow(), calendar=there) == []
    assert told(KOLKATA, night, calendar=there) == [
        "starts at 20:00 instead of 21:00 on Sat 7 Mar; 1 more like it"
    ]


def test_windows_shorter_than_a_minute() -> None:
    assert told(KOLKATA, days("09:15:00", "09:15:59", frozenset({0}))) == [
        "lasts only 59s from Mon 5 Jan 09:15 on; 56 more like it"
    ]
    assert told(KOLKATA, days("09:15", "09:16")) == []
    assert told(KOLKATA, days("09:15:00", "09:15:30"), days("09:15:30", "09:30")) == [], "they are one"


def test_days_that_no_calendar_knows() -> None:
    known = "NSE is known until Thu 31 Dec 2026: nothing starts from Fri 1 Jan 2027 on"
    for form in (SessionWindow(), days("09:15", "15:30"), CronFor("0 9 * * *", HOUR)):
        assert told(KOLKATA, form, calendar=NSE) == [known]
        assert told(KOLKATA, form, calendar=LATER) == []
    soon = Windows(KOLKATA, (SessionWindow(),), NSE)
    assert notes(soon, datetime(2026, 12, 5, tzinfo=UTC)) == (), "a warning says so by then"


def test_sessions_of_which_offsets_leave_nothing() -> None:
    assert told(KOLKATA, INNER, calendar=LATER, special="run") == [
        "no window on Sun 8 Nov: the session is too short for its offsets"
    ]
    assert told(KOLKATA, INNER, calendar=LATER) == []


def test_what_never_starts() -> None:
    never = "no window in the next 400 days, so that it never starts"
    assert told(KOLKATA, CronFor("0 0 29 2 *", HOUR)) == [never]
    assert told(KOLKATA, days("09:15", "15:30", frozenset({6})), calendar=LATER) == [never]
    assert notes(Windows(KOLKATA, (SessionWindow(),), NSE), datetime(2027, 3, 1, tzinfo=UTC)) == ()


def test_a_start_without_its_stop() -> None:
    found = unstopped(Windows(KOLKATA, (days("09:00", "10:00"), PAIR)), AT)
    assert found == (Unstopped(1, "Sat 3 Jan 09:15", 114),)


@pytest.mark.parametrize(
    ("pair", "calendar", "starts"),
    [
        (CronPair("15 9 * * mon-fri", "30 15 * * *"), None, []),
        (CronPair("0 9 * * mon", "0 9 * * tue"), None, []),
        (CronPair("0 9 * * mon", "1 9 * * tue"), None, ["Mon 5 Jan 09:00"]),
        (CronPair("0 9 * * mon", "0 9 * * wed"), None, ["Mon 5 Jan 09:00"]),
        (CronPair("0 9 1 * *", "0 9 1 * *  "), None, ["Sun 1 Feb 09:00"]),
        (PAIR, LATER, []),
    ],
)
def test_a_stop_comes_in_time_or_not(pair: CronPair, calendar: Calendar | None, starts: list[str]) -> None:
    assert [found.start for found in unstopped(Windows(KOLKATA, (pair,), calendar), AT)] == starts


def test_starts_that_count_by_a_special_session_need_their_stop_too() -> None:
    schedule = Windows(KOLKATA, (PAIR,), LATER, SpecialSessions.RUN)
    assert unstopped(schedule, AT) == (Unstopped(0, "Sun 1 Feb 09:15", 1),)


def test_only_what_is_to_come_is_told() -> None:
    monthly = Windows(KOLKATA, (CronPair("0 9 2 1 *", "0 9 1 7 *"),))
    assert [found.start for found in unstopped(monthly, AT)] == ["Sat 2 Jan 09:00"], "that of 2027"


def test_jobs_are_looked_at_too() -> None:
    at = Jobs(NEW_YORK, At("30 2 * * *"))
    assert notes(at, AT) == ("starts at 03:00 instead of 02:30 on Sun 8 Mar",)
    assert notes(Jobs(KOLKATA, At("0 16 * * *"), NSE), AT)[0].startswith("NSE is known until Thu 31 Dec 2026")
    every = Jobs(KOLKATA, Every(5 * MINUTE, (days("09:00", "10:00"), PAIR)))
    assert unstopped(every, AT) == (Unstopped(1, "Sat 3 Jan 09:15", 114),)
    assert notes(Jobs(NEW_YORK, Every(MINUTE, (days("02:15", "02:45"),))), AT) == (
        "no window on Sun 8 Mar: the clock skips 02:15 to 02:45",
    )
    always = Jobs(KOLKATA, Every(MINUTE))
    assert (notes(always, AT), unstopped(always, AT)) == ((), ())


@pytest.mark.parametrize(
    ("local", "told"),
    [
        ("2026-06-08 02:30", ()),
        ("2025-03-08 09:20", ("its one time, Sat 8 Mar 2025 09:20, is past, so that it never starts",)),
        ("2026-03-08 02:30", ("starts at 03:00 instead of 02:30 on Sun 8 Mar",)),
    ],
)
def test_the_one_time_of_a_job_is_looked_at(local: str, told: tuple[str, ...]) -> None:
    once = Jobs(NEW_YORK, Once(datetime.fromisoformat(local)))
    assert (notes(once, AT), unstopped(once, AT)) == (told, ())


def test_of_windows_that_share_a_side_the_outermost_time_counts() -> None:
    assert (
        told(NEW_YORK, days("02:15", "04:00"), days("02:30", "04:00"))[0]
        == "starts at 03:00 instead of 02:15 on Sun 8 Mar"
    )
    assert (
        told(NEW_YORK, days("01:00", "02:15"), days("01:00", "02:45"))[1]
        == "ends at 03:00 instead of 02:45 on Sun 8 Mar"
    )


def test_the_end_of_a_chain_is_told_whichever_window_brought_it_about() -> None:
    chain = CronFor("0 12 * * tue", 3 * DAY), CronFor("0 12 * * fri", 3 * DAY)
    assert told(NEW_YORK, *chain) == ["ends at 13:00 instead of 12:00 on Mon 9 Mar; 1 more like it"]


def test_without_windows_there_is_nothing_to_tell() -> None:
    for schedule in (Always(), Manual()):
        assert (notes(schedule, AT), unstopped(schedule, AT)) == ((), ())


def test_a_chain_is_told_in_one_line() -> None:
    assert told(NEW_YORK, CronFor("*/10 * * * *", 10 * MINUTE)) == [
        "ends at 01:00 instead of 02:00 on Sun 1 Nov"
    ]


def test_a_job_that_is_never_due_has_no_windows_to_speak_of() -> None:
    assert notes(Jobs(KOLKATA, At("0 9 29 2 *")), AT) == (
        "no job is due in the next 400 days, so that it never starts",
    )
