"""How `schedule` is written: every form, and what is refused of each."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

from datetime import datetime, time

import pytest
from filing import NOWHERE, RUN, problems_of, settings_of, spec_of

from stratvisor import almanac
from stratvisor.settings import Settings
from stratvisor.spec import (
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
    Overlap,
    Schedule,
    SessionTime,
    SessionWindow,
    SpecialSessions,
    WindowForm,
    Windows,
)

WORKDAYS = frozenset(range(5))
EVERY_DAY = frozenset(range(7))
SESSION = DaysWindow(WORKDAYS, time(9, 15), time(15, 30))


def schedule_of(text: str) -> Schedule:
    return spec_of(f"{RUN}schedule: {text}").schedule


def windows(*forms: WindowForm, zone: str = "Asia/Kolkata") -> Windows:
    return Windows(zone, forms)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("manual", Manual()),
        ('{start: "09:15", stop: "15:30", days: [mon, tue, wed, thu, fri]}', windows(SESSION)),
        ("{start: 09:15, stop: 15:30, days: mon-fri}", windows(SESSION)),
        ("{start: 09:15, stop: 15:30}", windows(DaysWindow(EVERY_DAY, time(9, 15), time(15, 30)))),
        ("{start: 09:15, stop: 15:30, days: mon-fri, timezone: UTC}", windows(SESSION, zone="UTC")),
        ("{windows: [{days: mon-fri, from: 09:15, to: 15:30}]}", windows(SESSION)),
        ('{at: "0 16 * * mon-fri"}', Jobs("Asia/Kolkata", At("0 16 * * mon-fri"))),
        ("{every: 5m}", Jobs("Asia/Kolkata", Every(5 * MINUTE))),
        ("{every: 5m, windows: [{days: mon-fri, from: 09:15, to: 15:30}]}", Jobs("Asia/Kolkata", Every(5 * MINUTE, (SESSION,)))),
        ('{once: "2026-11-23 09:20"}', Jobs("Asia/Kolkata", Once(datetime(2026, 11, 23, 9, 20)))),  # noqa: DTZ001  local
        ("{once: 2026-11-23T09:20:05, timezone: UTC}", Jobs("UTC", Once(datetime(2026, 11, 23, 9, 20, 5)))),  # noqa: DTZ001
        ('{at: "0 16 * * *", overlap: queue, catch_up: true, timeout: 30m}', Jobs("Asia/Kolkata", At("0 16 * * *"), overlap=Overlap.QUEUE, catch_up=True, timeout_ns=30 * MINUTE)),
        ("{windows: [{from: 22:00, to: 02:00}]}", windows(DaysWindow(EVERY_DAY, time(22), time(2)))),
        ("{windows: [{from: 00:00, to: 24:00}]}", windows(DaysWindow(EVERY_DAY, time(), time()))),
        ('{windows: [{start: "15 9 * * mon-fri", stop: "30 15 * * mon-fri"}]}', windows(CronPair("15 9 * * mon-fri", "30 15 * * mon-fri"))),
        ('{windows: [{start: "0 10 * * *", for: 2h}]}', windows(CronFor("0 10 * * *", 2 * HOUR))),
        (
            '{timezone: America/New_York, windows: [{days: mon-fri, from: 09:15, to: 15:30}, {start: "0 20 * * *", for: 2h}]}',
            windows(SESSION, CronFor("0 20 * * *", 2 * HOUR), zone="America/New_York"),
        ),
    ],
)  # fmt: skip
def test_forms(text: str, schedule: Schedule) -> None:
    assert schedule_of(text) == schedule


def by(
    *forms: WindowForm, special: SpecialSessions = SpecialSessions.SKIP, late_ns: int | None = None
) -> Windows:
    return Windows("Asia/Kolkata", forms, almanac.shipped()["NSE"], special, late_ns)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("{start: 09:15, stop: 15:30, days: mon-fri, calendar: NSE}", by(SESSION)),
        ("{calendar: NSE, windows: [{session: {}}]}", by(SessionWindow())),
        (
            "{calendar: NSE, windows: [{session: {from: open-10m, to: close+5m}}]}",
            by(SessionWindow(SessionTime(Edge.OPEN, -10 * MINUTE), SessionTime(Edge.CLOSE, 5 * MINUTE))),
        ),
        (
            "{calendar: NSE, windows: [{session: {from: close-1h}}]}",
            by(SessionWindow(SessionTime(Edge.CLOSE, -HOUR), SessionTime(Edge.CLOSE))),
        ),
        ("{calendar: NSE, special_sessions: run, windows: [{session: {}}]}", by(SessionWindow(), special=SpecialSessions.RUN)),
        ("{calendar: NSE, late_start: never, windows: [{session: {}}]}", by(SessionWindow(), late_ns=0)),
        ("{calendar: NSE, late_start: 10m, windows: [{session: {}}]}", by(SessionWindow(), late_ns=10 * MINUTE)),
        ("{calendar: NSE, late_start: always, windows: [{session: {}}]}", by(SessionWindow())),
    ],
)  # fmt: skip
def test_forms_by_a_calendar(text: str, schedule: Schedule) -> None:
    assert schedule_of(text) == schedule


def test_special_sessions_of_defaults_may_find_no_calendar() -> None:
    known = settings_of(
        '[defaults.schedule]\nspecial_sessions = "run"\nwindows = [{from = "09:00", to = "10:00"}]\n'
    )
    assert problems_of(RUN, known) == []


def test_without_a_schedule_it_is_always_on() -> None:
    assert spec_of(RUN).schedule == Always()


def test_the_zone_is_the_schedules_else_the_daemons() -> None:
    daemons = Settings(NOWHERE, timezone="Europe/Berlin")
    own = spec_of(RUN + "schedule: {start: 09:15, stop: 15:30, timezone: UTC}", daemons)
    none = spec_of(RUN + "schedule: {start: 09:15, stop: 15:30}", daemons)
    assert (own.timezone, own.schedule) == (
        "UTC",
        windows(DaysWindow(EVERY_DAY, time(9, 15), time(15, 30)), zone="UTC"),
    )
    assert none.timezone == "Europe/Berlin"
    assert isinstance(none.schedule, Windows)
    assert none.schedule.timezone == "Europe/Berlin"
    assert spec_of(RUN, daemons).timezone == "Europe/Berlin"


NOT_A_FORM = "must be manual, or keys: windows, start and stop, at, every or once; leave it out for always on"
NOT_A_WINDOW = "must be a window: {days, from, to}, {session}, {start, stop} or {start, for}"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("always", [f'11: schedule: {NOT_A_FORM}, not "always"']),
        ("[]", [f"11: schedule: {NOT_A_FORM}, not a list"]),
        ("", ["10: schedule: has no value; write one, or remove the key"]),
        ("{}", ["11: schedule: needs 'windows'"]),
        ("{timezone: UTC}", ["11: schedule: needs 'windows'"]),
        ("{start: 09:15}", ["11: schedule: needs 'stop'"]),
        ("{days: mon}", ["11: schedule: needs 'start' and 'stop'"]),
        ("{start: 09:15, stop: 09:15}", ['11: schedule: begins when it ends; for a whole day write "00:00" and "24:00"']),
        ("{start: 24:00, stop: 09:15}", ['19: schedule.start: must be a time of day such as "09:15" or "15:30:00", not "24:00"']),
        ('{start: "15 9 * * *", stop: 09:15}', ['19: schedule.start: must be a time of day such as "09:15" or "15:30:00", not "15 9 * * *"']),
        ("{start: 09:15, stop: 15:30, calendar: NES}", ["49: schedule.calendar: no calendar 'NES'; did you mean 'NSE'?"]),
        ("{start: 09:15, stop: 15:30, calendar: nse}", ["49: schedule.calendar: no calendar 'nse'; did you mean 'NSE'?"]),
        ("{start: 09:15, stop: 15:30, calendar: NYSE}", ["49: schedule.calendar: no calendar 'NYSE'; did you mean 'NSE'?"]),
        ("{start: 09:15, stop: 15:30, calendar: ../x}", ['49: schedule.calendar: must be a calendar such as NSE, not "../x"']),
        ("{start: 09:15, stop: 15:30, calendar: TOKYO}", ["49: schedule.calendar: no calendar 'TOKYO'; there are BCD, BFO, BSE, CDS, CRYPTO, MCX, NFO, NSE"]),
        ("{start: 09:15, stop: 15:30, special_sessions: run}", ["39: schedule.special_sessions: has no effect without 'calendar'; add one"]),
        ("{start: 09:15, stop: 15:30, calendar: NSE, special_sessions: maybe}", ['72: schedule.special_sessions: must be skip or run, not "maybe"']),
        ("{start: 09:15, stop: 15:30, late_start: 10}", ["51: schedule.late_start: has no unit; write 10m"]),
        ("{start: 09:15, stop: 15:30, late_start: 2d}", ['51: schedule.late_start: must be always, never, or 1s to 1d, not "2d"']),
        ("{start: 09:15, stop: 15:30, late_start: soon}", ['51: schedule.late_start: must be always, never, or 1s to 1d, not "soon"']),
        ('{at: "09:15"}', ["16: schedule.at: a cron line has five fields, not 1; write minute hour day-of-month month day-of-week"]),
        ('{at: "0 16 * * funday"}', ["16: schedule.at: day-of-week 'funday': must be 0-7 or sun-sat"]),
        ("{every: 500ms}", ["19: schedule.every: must be 1s to 1d, not 500ms"]),
        ('{every: 5m, at: "0 16 * * *"}', ["12: schedule.every: does not go with 'at'; keep one of them"]),
        ('{at: "0 16 * * *", once: "2026-11-23 09:20"}', ["30: schedule.once: does not go with 'at'; keep one of them"]),
        ("{every: 5m, windows: [session: {}]}", ["11: schedule: a session is one of an exchange; add its 'calendar', such as NSE"]),
        ('{at: "0 16 * * *", windows: [{from: 09:15, to: 10:15}]}', ["30: schedule.windows: goes with 'every' alone"]),
        ('{at: "0 16 * * *", late_start: never}', ["30: schedule.late_start: is for windows; for jobs write 'catch_up'"]),
        ("{start: 09:15, stop: 15:30, catch_up: true}", ["39: schedule.catch_up: is for jobs: 'at', 'every' or 'once'"]),
        ("{windows: [{from: 09:15, to: 10:15}], overlap: skip}", ["49: schedule.overlap: is for jobs: 'at', 'every' or 'once'"]),
        ('{once: "2026-02-30 09:20"}', ["18: schedule.once: no such date: 2026-02-30 09:20"]),
        ('{once: "tomorrow"}', ['18: schedule.once: must be a date and time such as "2026-11-23 09:20", not "tomorrow"']),
        ('{once: "2026-11-23 09:20", overlap: queue}', ["38: schedule.overlap: has no effect: it is due once"]),
        ('{once: "2026-11-23 09:20", calendar: NSE}', ["38: schedule.calendar: does not go with 'once', which names its own day"]),
        ('{at: "0 16 * * *", special_sessions: run}', ["30: schedule.special_sessions: has no effect without 'calendar'; add one"]),
        ("{strat: 09:15, stpo: 15:30}", ["12: schedule.strat: unknown key; did you mean 'start'?", "26: schedule.stpo: unknown key; did you mean 'stop'?"]),
        ("{windows: []}", ["21: schedule.windows: must have 1 to 50 items"]),
        ("{windows: daily}", ['21: schedule.windows: must be a list, such as [a, b], not "daily"']),
        ("{windows: [daily]}", [f'22: schedule.windows[0]: {NOT_A_WINDOW}, not "daily"']),
        (
            "{windows: [{from: 09:15, to: 10:15}], start: 09:15, days: mon}",
            [
                "49: schedule.start: does not go with 'windows'; write it into one of them",
                "63: schedule.days: does not go with 'windows'; write it into one of them",
            ],
        ),
        ("{windows: [{session: {from: open}}]}", ["11: schedule: a session is one of an exchange; add its 'calendar', such as NSE"]),
        ("{calendar: NSE, windows: [{session: {from: opening}}]}", ['54: schedule.windows[0].session.from: must be open, close, or such as open-10m or close+5m, not "opening"']),
        ("{calendar: NSE, windows: [{session: {to: close+13h}}]}", ["52: schedule.windows[0].session.to: must be 1s to 12h, not 13h"]),
        ("{calendar: NSE, windows: [{session: {to: open}}]}", ["37: schedule.windows[0]: begins when it ends or later; give 'to' a later side of the session"]),
        ("{calendar: NSE, windows: [{session: {from: close, to: open}}]}", ["37: schedule.windows[0]: begins at the close and ends at the open; turn 'from' and 'to' round"]),
        ("{calendar: NSE, windows: [{session: {}, from: 09:15, to: 10:00}]}", ["38: schedule.windows[0].session: does not go with 'from' and 'to'"]),
        ("{calendar: NSE, windows: [{session: {}, for: 2h}]}", ["51: schedule.windows[0].for: does not go with 'session'"]),
        ("{windows: [{}]}", ["22: schedule.windows[0]: needs 'from' and 'to'"]),
        ("{windows: [{from: 09:15}]}", ["22: schedule.windows[0]: needs 'to'"]),
        ("{windows: [{form: 09:15, to: 10:15}]}", ["23: schedule.windows[0].form: unknown key; did you mean 'from'?"]),
        ("{windows: [{from: 09:15, to: 09:15}]}", ['22: schedule.windows[0]: begins when it ends; for a whole day write "00:00" and "24:00"']),
        ("{windows: [{from: 09:15, to: 10:15, for: 2h}]}", ["47: schedule.windows[0].for: does not go with 'from' and 'to'"]),
        ('{windows: [{start: "0 9 * * *", stop: "0 9  * * *"}]}', ["22: schedule.windows[0]: begins when it ends; give start and stop different cron lines"]),
        ('{windows: [{start: "0 9 * * *"}]}', ["22: schedule.windows[0]: needs 'stop'"]),
        ("{windows: [{for: 2h}]}", ["22: schedule.windows[0]: needs 'start'"]),
        ('{windows: [{start: "0 9 * * *", stop: "0 10 * * *", for: 2h}]}', ["43: schedule.windows[0].stop: does not go with 'for'"]),
        ('{windows: [{start: "0 9 * * *", for: 59s}]}', ["48: schedule.windows[0].for: must be 1m to 7d, not 59s"]),
        ('{windows: [{start: "0 9 * * *", for: 8d}]}', ["48: schedule.windows[0].for: must be 1m to 7d, not 8d"]),
        ("{windows: [{start: 09:15, for: 2h}]}", ['30: schedule.windows[0].start: is a number, a date or a yes/no to some readers; quote it: "09:15"']),
        ('{windows: [{start: "09:15", for: 2h}]}', ["30: schedule.windows[0].start: a cron line has five fields, not 1; write minute hour day-of-month month day-of-week"]),
    ],
)  # fmt: skip
def test_problems(text: str, problems: list[str]) -> None:
    assert problems_of(f"{RUN}schedule: {text}") == [f"2:{problem}" for problem in problems]
