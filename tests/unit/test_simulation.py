"""Strategies played ahead: golden timelines to the minute, crashes, and agreement with the windows."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_files import CALENDARS, FORMS, SESSIONS, SPECS, ZONES

from stratvisor import almanac
from stratvisor.calendar import Calendar
from stratvisor.simulation import Happening, Missed, simulate
from stratvisor.spec import (
    HOUR,
    MINUTE,
    SECOND,
    Always,
    At,
    CronFor,
    DaysWindow,
    Edge,
    Every,
    GiveUp,
    Jobs,
    Manual,
    Once,
    Process,
    ReadyNotify,
    Restart,
    RestartWhen,
    Schedule,
    SessionTime,
    SessionWindow,
    Spec,
    SpecialSessions,
    Timing,
    WindowForm,
    Windows,
)
from stratvisor.windows import compile_windows

KOLKATA = "Asia/Kolkata"
IST = ZoneInfo(KOLKATA)
A_DAY = timedelta(days=1)
WEEK = frozenset(range(5))


def by(calendar: str, *forms: WindowForm, special: str = "skip") -> Windows:
    return Windows(
        KOLKATA, forms or (SessionWindow(),), almanac.shipped()[calendar], SpecialSessions(special)
    )


def strategy(name: str = "ema", schedule: Schedule | None = None, **restart: Any) -> Spec:
    return Spec(name, Process(), schedule=schedule or by("NSE"), restart=Restart(**restart))


def ist(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST).astimezone(UTC)


def played(
    *specs: Spec, first: str = "2026-11-06", days: float = 1, crashes: tuple[str, ...] = ()
) -> list[str]:
    """The timeline as lines; `crashes` of the first strategy."""
    start = ist(first)
    lines = []
    for one in simulate(specs, start, start + days * A_DAY, {specs[0].id: [ist(at) for at in crashes]}):
        when = f"{one.at.astimezone(IST):%d %H:%M:%S}".removesuffix(":00")
        lines.append(
            f"{when} {one.id} " + (f"{one.event}: {one.why}" if isinstance(one, Happening) else "missed")
        )
    return lines


def test_diwali_week_to_the_minute() -> None:
    specs = strategy("crypto", by("CRYPTO")), strategy("mcx", by("MCX", special="run")), strategy("nse")
    assert played(*specs, days=5) == [
        "06 00:00 crypto start: session of CRYPTO round the clock",
        "06 09:00 mcx start: session of MCX 09:00-23:55 IST",
        "06 09:15 nse start: session of NSE 09:15-15:30 IST",
        "06 15:30 nse stop: its window has ended",
        "06 23:55 mcx stop: its window has ended",
        "08 18:00 mcx start: session of MCX 18:00 to Mon 9 Nov 00:15 IST (Diwali Muhurat trading)",
        "08 18:00 nse skip: Diwali Muhurat trading: a special session of NSE, and special_sessions is skip",
        "09 00:15 mcx stop: its window has ended",
        "09 09:00 mcx start: session of MCX 09:00-23:55 IST",
        "09 09:15 nse start: session of NSE 09:15-15:30 IST",
        "09 15:30 nse stop: its window has ended",
        "09 23:55 mcx stop: its window has ended",
        "10 09:15 nse skip: Diwali Balipratipada: NSE is closed",
        "10 17:00 mcx start: session of MCX 17:00-23:55 IST (Diwali Balipratipada)",
        "10 23:55 mcx stop: its window has ended",
    ]


# Why it starts.


@pytest.mark.parametrize(
    ("schedule", "first", "line"),
    [
        (Always(), "2026-11-06", "06 00:00 ema start: always on"),
        (by("NSE"), "2026-11-06T10:00", "06 10:00 ema start: inside its window since 09:15 IST"),
        (by("NSE"), "2026-11-06T09:15", "06 09:15 ema start: session of NSE 09:15-15:30 IST"),
        (Windows(KOLKATA, (DaysWindow(WEEK, time(22), time(4)),)), "2026-11-06", "06 00:00 ema start: inside its window since Thu 5 Nov 22:00 IST"),
        (Windows(KOLKATA, (DaysWindow(WEEK, time(9, 15, 30), time(16)),)), "2026-11-06", "06 09:15:30 ema start: its window 09:15:30-16:00 IST"),
        (by("NSE", SessionWindow(SessionTime(Edge.OPEN, -10 * MINUTE), SessionTime(Edge.CLOSE))), "2026-11-06", "06 09:05 ema start: open-10m to close of NSE: 09:05-15:30 IST"),
        (by("MCX", DaysWindow(WEEK, time(17), time(18))), "2026-11-10", "10 17:00 ema start: its window 17:00-18:00 IST (Diwali Balipratipada)"),
        (by("NSE", SessionWindow(), DaysWindow(WEEK, time(8), time(9, 30))), "2026-11-06", "06 08:00 ema start: its window 08:00-15:30 IST"),
    ],
)  # fmt: skip
def test_why_it_starts(schedule: Schedule, first: str, line: str) -> None:
    assert played(strategy(schedule=schedule), first=first)[0] == line


def test_whoever_is_inside_at_the_beginning_is_not_late() -> None:
    never_late = replace(by("NSE"), late_start_ns=0)
    assert played(strategy(schedule=never_late), first="2026-11-06T11:00")[0].startswith("06 11:00 ema start")


def test_a_window_with_one_side_out_of_sight() -> None:
    """The calendar says nothing of the days after, so that it never opens again."""
    crypto = almanac.shipped()["CRYPTO"]
    ending = replace(crypto, known_until=date(2026, 11, 6))
    beginning = replace(crypto, regular=(replace(crypto.regular[0], since=date(2026, 11, 6)),))

    def lines(calendar: Calendar) -> list[str]:
        return played(
            strategy(schedule=Windows(KOLKATA, (SessionWindow(),), calendar)), first="2026-11-05", days=2.5
        )

    assert lines(ending)[:2] == [
        "05 00:00 ema start: inside its window, whose beginning is out of sight",
        "07 00:00 ema stop: its window has ended",
    ]
    assert lines(beginning) == ["06 00:00 ema start: session of CRYPTO from 00:00, without an end in sight"]


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (strategy(schedule=Manual()), "06 00:00 ema skip: its schedule is manual"),
        (replace(strategy(), enabled=False), "06 00:00 ema skip: its file says enabled: false"),
    ],
)
def test_what_its_file_keeps_down_is_skipped_once(spec: Spec, line: str) -> None:
    assert played(spec, days=5) == [line]


# Crashes.


def test_a_crash_is_followed_by_the_restarts_of_its_policy() -> None:
    lines = played(strategy(), crashes=("2026-11-06T10:03", "2026-11-06T10:03:01", "2026-11-06T12:00"))
    assert lines[1:4] == [
        "06 10:03:01 ema restart: exit 1 at 10:03:00 IST; try 1 after 1s",
        "06 10:03:03 ema restart: exit 1 at 10:03:01 IST; try 2 after 2s",
        "06 12:00:01 ema restart: exit 1 at 12:00:00 IST; try 1 after 1s",
    ]
    assert lines[4:] == ["06 15:30 ema stop: its window has ended"]


def test_restarts_come_without_jitter_and_to_the_nanosecond_late() -> None:
    odd = strategy(delay_ns=1_000_000_001, jitter=1.0)
    restart = list(simulate([odd], ist("2026-11-06"), ist("2026-11-07"), {"ema": [ist("2026-11-06T10:00")]}))[
        1
    ]
    assert restart.at == ist("2026-11-06T10:00:01.000001")


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        (
            {"when": RestartWhen.NEVER},
            "06 10:00 ema stop: failed: exit 1 at 10:00:00 IST; starts again at Mon 9 Nov 09:15 IST; an edit of its file or `stratvisor start ema` tries again",
        ),
        (
            {"success_codes": (0, 1)},
            "06 10:00 ema stop: ended by itself at 10:00 IST: exit 1; starts again at Mon 9 Nov 09:15 IST",
        ),
        (
            {"give_up": GiveUp(failures=1)},
            "06 10:00 ema stop: failed: exit 1 at 10:00:00 IST; starts again at Mon 9 Nov 09:15 IST; an edit of its file or `stratvisor start ema` tries again",
        ),
        ({"when": RestartWhen.ALWAYS}, "06 10:00:01 ema restart: exit 1 at 10:00:00 IST; try 1 after 1s"),
    ],
)
def test_what_follows_a_crash(policy: dict[str, Any], line: str) -> None:
    assert played(strategy(**policy), crashes=("2026-11-06T10:00",))[1] == line


def test_who_gave_up_starts_again_with_the_next_window() -> None:
    lines = played(strategy(when=RestartWhen.NEVER), days=4, crashes=("2026-11-06T10:00",))
    assert [line.split(":")[0:2] for line in lines if "start:" in line] == [
        ["06 09", "15 ema start"],
        ["09 09", "15 ema start"],
    ]


def test_a_window_that_ends_before_the_next_try() -> None:
    lines = played(strategy(delay_ns=MINUTE), crashes=("2026-11-06T15:29:30",))
    assert lines[1:] == [
        "06 15:30 ema stop: exit 1 at 15:29:30 IST; its window has ended before the next try"
    ]


def test_a_crash_when_nothing_runs_is_missed() -> None:
    crashes = ("2026-11-06T09:00", "2026-11-06T09:15", "2026-11-06T09:15:00.5", "2026-11-06T15:30")
    assert played(strategy(), crashes=crashes) == [
        "06 09:00 ema missed",
        "06 09:15 ema start: session of NSE 09:15-15:30 IST",
        "06 09:15 ema missed",
        "06 09:15:01 ema restart: exit 1 at 09:15:00 IST; try 1 after 1s",
        "06 15:30 ema stop: its window has ended",
        "06 15:30 ema missed",
    ]


def test_a_crash_outside_of_what_is_played_is_none() -> None:
    assert len(played(strategy(), crashes=("2026-11-05T10:00", "2026-11-07T00:00"))) == 2


def test_who_must_say_that_it_is_ready_says_so() -> None:
    assert len(played(replace(strategy(), start=ReadyNotify(SECOND)))) == 2


# Jobs.


NSE = almanac.shipped()["NSE"]


def job(timing: Timing, calendar: Calendar | None = None, **more: Any) -> Spec:
    return strategy(schedule=Jobs(KOLKATA, timing, calendar), **more)


def test_jobs_are_due_and_skipped_on_closed_days() -> None:
    assert played(job(At("0 16 * * *"), NSE), days=5) == [
        "06 16:00 ema job: due by cron '0 16 * * *' on days of NSE",
        "07 16:00 ema skip: NSE has no session on Sat 7 Nov",
        "08 16:00 ema skip: Diwali Muhurat trading: a special session of NSE, and special_sessions is skip",
        "09 16:00 ema job: due by cron '0 16 * * *' on days of NSE",
        "10 16:00 ema skip: Diwali Balipratipada: NSE is closed",
    ]


def test_a_job_that_is_due_at_the_beginning_is_begun_and_none_before_it() -> None:
    once = job(Once(datetime(2026, 11, 6, 9, 20)))  # noqa: DTZ001  a local time
    assert played(once, first="2026-11-06T09:20") == ["06 09:20 ema job: due once"]
    assert played(once, first="2026-11-06T09:21") == []


def test_jobs_every_so_often_are_counted_from_their_windows() -> None:
    lines = played(job(Every(2 * HOUR, (SessionWindow(),)), NSE), first="2026-11-09", days=2)
    assert [line.split(": ")[0] for line in lines] == [
        "09 09:15 ema job",
        "09 11:15 ema job",
        "09 13:15 ema job",
        "09 15:15 ema job",
        "10 09:15 ema skip",
    ]
    assert lines[0].endswith("job: due every 2h on days of NSE")


def test_a_job_may_crash_when_it_is_due() -> None:
    lines = played(job(At("0 16 * * *")), days=2, crashes=("2026-11-06T16:00", "2026-11-07T12:00"))
    assert lines == [
        "06 16:00 ema job: due by cron '0 16 * * *'",
        "06 16:00:01 ema restart: exit 1 at 16:00:00 IST; try 1 after 1s",
        "07 12:00 ema missed",
        "07 16:00 ema job: due by cron '0 16 * * *'",
    ]


def test_a_job_ends_as_it_should() -> None:
    assert len(played(job(At("0 16 * * *"), success_codes=(3,)))) == 1


# How it is told.


def test_it_is_lazy() -> None:
    every_minute = Windows(KOLKATA, (CronFor("* * * * *", 30 * SECOND),))
    specs = [strategy(f"s{count}", every_minute) for count in range(3)]
    told = list(islice(simulate(specs, ist("2026-11-06"), ist("2027-11-06")), 6))
    assert [one.id for one in told] == ["s0", "s1", "s2"] * 2


STARTS = st.integers(0, 340 * 24 * 60).map(
    lambda count: datetime(2026, 1, 10, tzinfo=UTC) + timedelta(minutes=count)
)


SCHEDULES = st.builds(
    Windows,
    ZONES,
    st.lists(FORMS | SESSIONS, min_size=1, max_size=3).map(tuple),
    CALENDARS,
    st.sampled_from(SpecialSessions),
    st.none() | st.just(0) | st.just(HOUR),
)


@settings(max_examples=80)
@given(SPECS, SCHEDULES, STARTS)
def test_starts_and_stops_alternate_and_agree_with_the_windows(
    spec: Spec, schedule: Windows, start: datetime
) -> None:
    end = start + 9 * A_DAY
    told = list(simulate([replace(spec, enabled=True, schedule=schedule)], start, end))
    assert [one.at for one in told] == sorted(one.at for one in told)
    edges = [(one.at, str(one.event)) for one in told if isinstance(one, Happening) and one.event != "skip"]
    wanted: list[tuple[datetime, str]] = []
    for window in compile_windows(schedule, start, end):
        wanted.append((max(window.start, start), "start"))
        wanted += [(window.end, "stop")] if window.end < end else []
    assert edges == wanted


@settings(max_examples=40)
@given(SPECS, st.lists(st.integers(0, 3 * 86_400), max_size=8))
def test_each_crash_counts_once_and_starts_and_stops_still_alternate(spec: Spec, seconds: list[int]) -> None:
    schedule = by("NSE", DaysWindow(frozenset(range(7)), time(6), time(20)), special="run")
    start = ist("2026-11-05")
    crashes = {spec.id: [start + timedelta(seconds=count) for count in seconds]}
    told = list(simulate([replace(spec, enabled=True, schedule=schedule)], start, start + 3 * A_DAY, crashes))
    kinds = [
        str(one.event) for one in told if isinstance(one, Happening) and one.event not in {"skip", "restart"}
    ]
    assert kinds == (["start", "stop"] * len(kinds))[: len(kinds)]
    restarts = sum(isinstance(one, Happening) and one.event == "restart" for one in told)
    missed = sum(isinstance(one, Missed) for one in told)
    assert restarts + missed <= len(set(seconds))
