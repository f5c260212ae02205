"""Schedules turned into windows: a year of a thousand different ones, and croniter doing a share of the same.

No process is started: both sides are asked in this one, by turns, and it is CPU time that counts. croniter
is asked for the naive local times at which the lines of cron pairs fire, the smaller part of the work.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from typing import TYPE_CHECKING

from croniter import croniter  # type: ignore[import-untyped]
from findings import OURS, Measure

from stratvisor import almanac, windows
from stratvisor.spec import (
    HOUR,
    MINUTE,
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    SessionTime,
    SessionWindow,
    WindowForm,
    Windows,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab import Lab

SCHEDULES = 1000
YEAR = timedelta(days=400)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FEW = 40
"""Of one kind, and as many as croniter goes through too."""

COMPILED = Measure(f"400 days of {SCHEDULES} different schedules compiled", digits=0)
PLAIN = Measure("  one of days and hours")
PAIR = Measure("  one of a cron pair")
CRONITER = Measure("  the same, fired by croniter alone")
RATIO = Measure("  croniter, as many times as long", "x", "")
CHAIN = Measure("  windows of every minute, where one is now")


def measure(lab: Lab) -> None:
    """As often as there are rounds, each from another day on: nothing that was kept answers the next."""
    mixed = [_schedule(number) for number in range(SCHEDULES)]
    plain, pairs = mixed[0 : 5 * FEW : 5], mixed[1 : 5 * FEW : 5]
    for number in range(lab.effort.rounds):
        begin = BEGIN + timedelta(days=number)
        ours, theirs = _took_ms(_compile, pairs, begin) / FEW, _took_ms(_fire, pairs, begin) / FEW
        chain = Windows("America/New_York", (CronFor("* * * * *", (1 + number) * MINUTE),))
        for measure_, figure in (
            (COMPILED, _took_ms(_compile, mixed, begin)),
            (PLAIN, _took_ms(_compile, plain, begin) / FEW),
            (PAIR, ours),
            (CRONITER, theirs),
            (RATIO, theirs / ours),
            (CHAIN, _took_ms(windows.position, chain, begin)),
        ):
            lab.findings.add(measure_, OURS, figure)


def _compile(schedules: list[Windows], begin: datetime) -> None:
    for schedule in schedules:
        windows.compile_windows(schedule, begin, begin + YEAR)


def _fire(schedules: list[Windows], begin: datetime) -> None:
    first = begin.replace(tzinfo=None)
    pairs = (form for schedule in schedules for form in schedule.forms if isinstance(form, CronPair))
    for source in (croniter(line, first) for pair in pairs for line in (pair.start, pair.stop)):
        while source.get_next(datetime) < first + YEAR:
            pass


def _took_ms(work: Callable[..., object], *arguments: object) -> float:
    began = time.process_time()
    work(*arguments)
    return (time.process_time() - began) * 1e3


def _schedule(number: int) -> Windows:
    """A fifth each: days, cron pairs, lengths, sessions, and lengths every quarter of an hour."""
    zone = ("Asia/Kolkata", "America/New_York", "Europe/London")[number // 5 % 3]
    minute, hour = number // 5 % 60, 6 + number // 300
    calendar = almanac.shipped()[("NSE", "NFO", "MCX")[number // 5 % 3]]
    forms: tuple[WindowForm, ...] = (
        DaysWindow(frozenset(range(5)), clock(hour, minute), clock(15, 30)),
        CronPair(f"{minute} {hour} * * mon-fri", "30 15 * * mon-fri"),
        CronFor(f"{minute} {hour} * * *", (1 + hour) * HOUR),
        SessionWindow(SessionTime(Edge.OPEN, -minute * MINUTE), SessionTime(Edge.CLOSE, hour * MINUTE)),
        CronFor(f"{minute % 15}-59/15 9-15 * * mon-fri", (1 + hour) * MINUTE),
    )
    form = forms[number % 5]
    by_calendar = isinstance(form, SessionWindow) or number % 2
    return Windows("Asia/Kolkata" if by_calendar else zone, (form,), calendar if by_calendar else None)
