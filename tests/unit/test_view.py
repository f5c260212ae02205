"""What people and programs are shown of a strategy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from test_why import SCHOOL_DAYS, SPEC, WANT, at, now, run

from stratvisor import view
from stratvisor.spec import HOUR, SECOND, Always, Manual, Problem, Stop
from stratvisor.state import (
    Backoff,
    Because,
    Exit,
    Exited,
    GaveUp,
    Hold,
    Idle,
    Launching,
    Phase,
    State,
    StopOrder,
    Stopping,
    Until,
    Up,
    Wants,
)

KEYS = """
    id title tags state why since pid run uptime_s restarts last_exit retry_at kill_at next_start next_stop
    hold cpu_percent memory_bytes log script_sha256 commit stale restart_pending problems
""".split()  # noqa: SIM905  as the contract has it
PROBLEM = Problem("conf.d/ema.yaml", 8, 3, "restart.polcy", "unknown key; did you mean 'policy'?")
ORDER = StopOrder(Because.HELD, "", 100 * HOUR, Stop())
FACTS = view.Facts(12.5, 1_000_000, "log/x.log", "ab", "cd", stale=True, problems=(PROBLEM,))


def test_all_keys_are_always_there_in_the_order_of_the_contract() -> None:
    assert list(view.strategy(now(), SPEC, State(), view.Facts())) == KEYS
    broken = view.broken("ema", [PROBLEM], ZoneInfo("Asia/Kolkata"), at("09:00"))
    assert sorted(broken) == sorted(KEYS)


@pytest.mark.parametrize(
    ("phase", "name"),
    [
        (Idle(), "pending"),
        (Launching(3, "", WANT), "starting"),
        (Up(run(), ready=False), "starting"),
        (Up(run(), ready=True), "running"),
        (Stopping(run(), ORDER), "stopping"),
        (Backoff(0, at("10:01"), None), "backoff"),
        (Exited(at("09:50")), "exited"),
        (GaveUp(at("09:50"), 5, ""), "error"),
    ],
)
def test_a_phase_has_its_word(phase: Phase, name: str) -> None:
    assert view.state_name(now(), SPEC, State(phase)) == name


def test_idle_is_named_by_its_reason() -> None:
    assert view.state_name(now("16:00"), SPEC, State()) == "scheduled"
    assert view.state_name(now(), replace(SPEC, enabled=False), State()) == "stopped"
    late = replace(SPEC, schedule=replace(SCHOOL_DAYS, late_start_ns=0))
    assert view.state_name(now("12:00"), late, State()) == "scheduled"


def test_a_running_one() -> None:
    hold = Hold(Wants.UP, "page", at("08:00"), Until.WINDOW_END)
    last = Exit(2, at("09:14"), SECOND, signal=9, code=None)
    state = State(Up(run(), ready=True), at("09:15"), hold, last_run=3, restarts=1, last_exit=last)
    shown = view.strategy(now(), SPEC, state, FACTS)
    assert shown["pid"] == 4711
    assert shown["run"] == 3
    assert shown["uptime_s"] == 3600.0
    assert shown["since"] == "2026-11-23T09:15:00.000+05:30"
    assert shown["next_stop"] == "2026-11-23T15:30:00.000+05:30"
    assert shown["next_start"] == "2026-11-24T09:15:00.000+05:30"
    assert shown["hold"] == {
        "by": "page",
        "since": "2026-11-23T08:00:00.000+05:30",
        "until": "window-end",
        "wants": "up",
    }
    assert shown["last_exit"] == {
        "code": None,
        "signal": "SIGKILL",
        "cause": None,
        "at": "2026-11-23T09:14:00.000+05:30",
        "run": 2,
    }
    assert (shown["cpu_percent"], shown["memory_bytes"]) == (12.5, 1_000_000)
    assert (shown["stale"], shown["commit"], shown["script_sha256"]) == (True, "cd", "ab")
    assert shown["problems"][0]["line"] == 8
    assert shown["why"].endswith(
        "its file has a problem (conf.d/ema.yaml:8:3), its last good version is in force"
    )


def test_what_is_not_running_uses_nothing() -> None:
    shown = view.strategy(now(), SPEC, State(), FACTS)
    assert (shown["cpu_percent"], shown["memory_bytes"], shown["pid"], shown["uptime_s"]) == (None,) * 4
    assert shown["log"] == "log/x.log"


def test_times_of_retry_and_kill() -> None:
    assert view.strategy(now(), SPEC, State(Backoff(0, at("10:01"), None)), FACTS)["retry_at"].startswith(
        "2026-11-23T10:01:00"
    )
    assert view.strategy(now(), SPEC, State(Stopping(run(), ORDER)), FACTS)["kill_at"].startswith(
        "2026-11-23T10:00:10"
    )


def test_a_stop_that_was_asked_for_is_the_cause_of_an_end() -> None:
    end = Exit(2, at("09:14"), SECOND, code=0, stopped=Because.WINDOW)
    shown = view.exit_json(end, ZoneInfo("Asia/Kolkata"))
    assert shown is not None
    assert shown["cause"] == "its window has ended"


def test_always_on_has_no_next_times() -> None:
    shown = view.strategy(now(), replace(SPEC, schedule=Always()), State(), FACTS)
    assert (shown["next_start"], shown["next_stop"]) == (None, None)


HELD_UP = Hold(Wants.UP, "page", at("08:00"), Until.WINDOW_END)
HELD_DOWN = Hold(Wants.DOWN, "page", at("08:00"), Until.OPERATOR)
UNTIL_NEXT = Hold(Wants.DOWN, "page", at("08:00"), Until.NEXT_WINDOW)
RUNNING = Up(run(), ready=True)


@pytest.mark.parametrize(
    ("clock", "state", "start", "stop"),
    [
        ("08:30", State(), "23T09:15", None),
        ("16:00", State(), "24T09:15", None),
        ("10:00", State(), "24T09:15", "23T15:30"),
        ("10:00", State(RUNNING), "24T09:15", "23T15:30"),
        ("10:00", State(RUNNING, hold=HELD_UP), "24T09:15", "23T15:30"),
        ("08:30", State(RUNNING, hold=HELD_UP), "24T09:15", "23T15:30"),
        ("08:30", State(Launching(3, "", WANT), hold=HELD_UP), "24T09:15", "23T15:30"),
        ("08:30", State(Backoff(0, at("08:31"), None), hold=HELD_UP), "24T09:15", "23T15:30"),
        ("08:30", State(GaveUp(at("08:20"), 5, ""), hold=HELD_UP), "23T09:15", None),
        ("10:00", State(Exited(at("09:50"))), "24T09:15", None),
        ("10:00", State(GaveUp(at("09:50"), 5, "")), "24T09:15", None),
        ("10:00", State(Stopping(run(), ORDER), hold=HELD_DOWN), None, None),
        ("10:00", State(hold=HELD_DOWN), None, None),
        ("08:30", State(hold=HELD_DOWN), None, None),
        ("08:30", State(hold=UNTIL_NEXT), "23T09:15", None),
        ("10:00", State(hold=replace(UNTIL_NEXT, since=at("09:30"))), "24T09:15", None),
        ("10:00", State(RUNNING, removed=True), None, None),
        ("10:00", State(RUNNING, closing=True), None, None),
    ],
)
def test_what_its_schedule_will_do_unless_somebody_says_otherwise(
    clock: str, state: State, start: str | None, stop: str | None
) -> None:
    shown = view.strategy(now(clock), SPEC, state, FACTS)
    assert [shown[key] and shown[key][8:16] for key in ("next_start", "next_stop")] == [start, stop]


def test_what_is_disabled_is_not_started() -> None:
    shown = view.strategy(now("08:30"), replace(SPEC, enabled=False), State(), FACTS)
    assert (shown["next_start"], shown["next_stop"]) == (None, None)


def test_a_manual_one_has_no_next_times_also_while_it_is_held_up() -> None:
    shown = view.strategy(now(), replace(SPEC, schedule=Manual()), State(RUNNING, hold=HELD_UP), FACTS)
    assert (shown["next_start"], shown["next_stop"]) == (None, None)


def test_an_open_hold_has_no_until() -> None:
    hold = Hold(Wants.DOWN, "page", datetime(2026, 1, 1, tzinfo=UTC), Until.OPERATOR)
    shown = view.hold_json(hold, ZoneInfo("UTC"))
    assert shown is not None
    assert shown["until"] is None


def test_a_file_that_is_bad_from_the_first_is_an_error_that_quotes_it() -> None:
    broken = view.broken("ema", [PROBLEM], ZoneInfo("Asia/Kolkata"), at("09:00"))
    assert broken["state"] == "error"
    assert "conf.d/ema.yaml:8:3: restart.polcy: unknown key; did you mean 'policy'?" in broken["why"]
    assert broken["problems"] == [view.problem_json(PROBLEM)]


def test_a_run_of_the_history_is_told_in_the_strategys_zone() -> None:
    row = {"run": 3, "began": "2026-11-23T03:45:00+00:00", "ended": None, "signal": 9, "code": None}
    assert view.run_json(row, ZoneInfo("Asia/Kolkata")) == {
        **row,
        "began": "2026-11-23T09:15:00.000+05:30",
        "signal": "SIGKILL",
    }
    assert view.run_json({**row, "signal": None}, ZoneInfo("UTC"))["signal"] is None
