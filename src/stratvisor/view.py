"""From what is known of a strategy to what people are shown: its state's name, and why in one sentence.

Pure: time, spec, state and facts come in, JSON goes out. The keys of `strategy` are a contract; all of
them are always there. Instants stand in ISO 8601 with the strategy's offset; sentences name the zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, assert_never
from zoneinfo import ZoneInfo

from stratvisor import machine, why
from stratvisor.spec import SECOND, Jobs, Problem, Spec
from stratvisor.state import (
    Backoff,
    Because,
    Exit,
    Exited,
    GaveUp,
    Hold,
    Idle,
    Launching,
    Now,
    State,
    Stopping,
    Until,
    Up,
)
from stratvisor.timetable import position

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

_BY_SCHEDULE = frozenset({Because.WINDOW, Because.LATE, Because.NOT_DUE, Because.TIMEOUT})
"""Why it does not run, where that is for its schedule to end."""

_NULL_WHERE_BROKEN = (
    "pid",
    "run",
    "uptime_s",
    "last_exit",
    "retry_at",
    "kill_at",
    "next_start",
    "next_stop",
    "hold",
    "cpu_percent",
    "memory_bytes",
    "log",
    "script_sha256",
    "commit",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a strategy beside its state: measured or read, never decided upon."""

    cpu_percent: float | None = None
    """100 is one core."""
    memory_bytes: int | None = None
    log: str | None = None
    """The current or last run's first log file, relative to the home."""
    script_sha256: str | None = None
    """Of the script as the current or last run began with it."""
    commit: str | None = None
    stale: bool = False
    """The script on disk is not the one the live run began with."""
    problems: tuple[Problem, ...] = ()


def strategy(now: Now, spec: Spec, state: State, facts: Facts) -> Json:
    """Everything about one strategy."""
    zone = ZoneInfo(spec.timezone)
    run = machine.live_run(state)
    phase = state.phase
    next_start, next_stop = _coming(now, spec, state)
    return {
        "id": spec.id,
        "title": spec.title,
        "tags": list(spec.tags),
        "state": state_name(now, spec, state),
        "why": why.sentence(now, spec, state, facts.problems),
        "since": _iso(state.since, zone),
        "pid": run.pid if run else None,
        "run": state.last_run or None,
        "uptime_s": round((now.boot_ns - run.began_ns) / SECOND, 3) if run else None,
        "restarts": state.restarts,
        "last_exit": exit_json(state.last_exit, zone),
        "retry_at": _iso(phase.retry_at, zone) if isinstance(phase, Backoff) else None,
        "kill_at": _iso(why.kill_at(now, phase), zone) if isinstance(phase, Stopping) else None,
        "next_start": _iso(next_start, zone),
        "next_stop": _iso(next_stop, zone),
        "hold": hold_json(state.hold, zone),
        "cpu_percent": facts.cpu_percent if run else None,
        "memory_bytes": facts.memory_bytes if run else None,
        "log": facts.log,
        "script_sha256": facts.script_sha256,
        "commit": facts.commit,
        "stale": facts.stale,
        "restart_pending": machine.restart_pending(spec, state),
        "problems": [problem_json(problem) for problem in facts.problems],
    }


def _coming(now: Now, spec: Spec, state: State) -> tuple[datetime | None, datetime | None]:
    """When it will be started and stopped by its schedule, if nobody says otherwise before.

    A run that is held up goes on through the window that opens next: the start to come is the one after.
    """
    wish = machine.wish(now, spec, state)
    stop = None if isinstance(state.phase, Exited | GaveUp) else _end(now, wish)
    after = position(spec.schedule, now.wall if isinstance(spec.schedule, Jobs) else stop or now.wall).next
    comes = wish.up or wish.because in _BY_SCHEDULE or _held_for_now(state, wish)
    return (after.start if after and comes else None), stop


def _end(now: Now, wish: machine.Wish) -> datetime | None:
    """When what is wanted now is not any more: at the end of a window, or of a job's time."""
    if wish.expires_ns is None:
        return wish.deadline
    expires = why.wall(now, wish.expires_ns)
    return expires if wish.deadline is None else min(expires, wish.deadline)


def _held_for_now(state: State, wish: machine.Wish) -> bool:
    return wish.because is Because.HELD and state.hold is not None and state.hold.until is Until.NEXT_WINDOW


def broken(strategy_id: str, problems: Sequence[Problem], zone: ZoneInfo, since: datetime) -> Json:
    """A strategy whose file is bad from the first: there is no spec to show."""
    first = problems[0] if problems else None
    return {
        **dict.fromkeys(_NULL_WHERE_BROKEN),
        "id": strategy_id,
        "title": strategy_id,
        "tags": [],
        "state": "error",
        "why": f"its file is bad: {first}; mend it" if first else "its file is bad",
        "since": _iso(since, zone),
        "restarts": 0,
        "stale": False,
        "restart_pending": False,
        "problems": [problem_json(problem) for problem in problems],
    }


def state_name(now: Now, spec: Spec, state: State) -> str:
    """One of the ten words of the contract."""
    match state.phase:
        case Idle():
            return _idle_name(machine.wish(now, spec, state))
        case Launching():
            return "starting"
        case Up(ready=ready):
            return "running" if ready else "starting"
        case Stopping():
            return "stopping"
        case Backoff():
            return "backoff"
        case Exited():
            return "exited"
        case GaveUp():
            return "error"
        case never:
            assert_never(never)


def _idle_name(wish: machine.Wish) -> str:
    if wish.up:
        return "pending"
    return "scheduled" if wish.because in _BY_SCHEDULE else "stopped"


def exit_json(end: Exit | None, zone: ZoneInfo) -> Json | None:
    """`last_exit` of the contract."""
    if end is None:
        return None
    return {
        "code": end.code,
        "signal": why.signal_name(end.signal) if end.signal is not None else None,
        "cause": end.cause or (why.BECAUSE[end.stopped] if end.stopped else None),
        "at": _iso(end.at, zone),
        "run": end.run,
    }


def run_json(run: Json, zone: ZoneInfo) -> Json:
    """A row of the history, with its instants in the strategy's zone and its signal by name."""
    times = {key: _iso(datetime.fromisoformat(run[key]), zone) for key in ("began", "ended") if run[key]}
    number = run["signal"]
    return {**run, **times, "signal": None if number is None else why.signal_name(number)}


def hold_json(hold: Hold | None, zone: ZoneInfo) -> Json | None:
    """`hold` of the contract; `until` is null where only the operator ends it."""
    if hold is None:
        return None
    until = None if hold.until is Until.OPERATOR else hold.until.value
    return {"by": hold.by, "since": _iso(hold.since, zone), "until": until, "wants": hold.wants.value}


def problem_json(problem: Problem) -> Json:
    """`problems` of the contract."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "key": problem.key,
        "message": problem.message,
    }


def _iso(at: datetime | None, zone: ZoneInfo) -> str | None:
    return None if at is None else at.astimezone(zone).isoformat(timespec="milliseconds")
