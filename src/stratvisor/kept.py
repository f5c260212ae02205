"""What of a strategy's `State` outlives the daemon, and how it stands in JSON.

A live run is no part of it: the run directories are the truth about those, so that a live phase is
kept as Idle. Knows no file. Rule: what was written reads back equal; what cannot be read exactly as
it was written is a ValueError that names the key, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from stratvisor.state import (
    Agenda,
    Backoff,
    Because,
    Exit,
    Exited,
    GaveUp,
    Hold,
    Idle,
    Job,
    Launching,
    PassedOver,
    State,
    Stopping,
    Until,
    Up,
    Wants,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

Json = dict[str, Any]

Resting = Idle | Backoff | Exited | GaveUp
"""A phase without a process."""

MOST = 2**63 - 1
YEARS = range(1677, 2263)
"""Those that 64 bits of nanoseconds can tell, far from the ends that arithmetic with dates comes to."""

_T = TypeVar("_T")
_E = TypeVar("_E", bound="StrEnum")


@dataclass(frozen=True, slots=True)
class Kept:
    """The part of a `State` that outlives the daemon."""

    phase: Resting = field(default_factory=Idle)
    since: datetime | None = None
    hold: Hold | None = None
    last_run: int = 0
    restarts: int = 0
    streak: int = 0
    failures: tuple[int, ...] = ()
    last_exit: Exit | None = None
    admitted: datetime | None = None
    agenda: Agenda = field(default_factory=Agenda)


def to_kept(state: State) -> Kept:
    """What to keep. Of a live phase, not even since when: whether its run lives on is for a survey to say."""
    match state.phase:
        case Idle() | Backoff() | Exited() | GaveUp():
            phase, since = state.phase, state.since
        case Launching() | Up() | Stopping():
            phase, since = Idle(), None
        case never:
            assert_never(never)
    return Kept(
        phase=phase,
        since=since,
        hold=state.hold,
        last_run=state.last_run,
        restarts=state.restarts,
        streak=state.streak,
        failures=state.failures,
        last_exit=state.last_exit,
        admitted=state.admitted,
        agenda=state.agenda,
    )


def from_kept(kept: Kept) -> State:
    """The state a new daemon begins with."""
    return State(
        phase=kept.phase,
        since=kept.since,
        hold=kept.hold,
        last_run=kept.last_run,
        restarts=kept.restarts,
        streak=kept.streak,
        failures=kept.failures,
        last_exit=kept.last_exit,
        admitted=kept.admitted,
        agenda=kept.agenda,
    )


def after_boot(kept: Kept) -> Kept:
    """The same without what counts from an earlier boot: failures, a backoff's end, a job's beginning."""
    phase = Idle() if isinstance(kept.phase, Backoff) else kept.phase
    job = kept.agenda.job and replace(kept.agenda.job, began_ns=None)
    return replace(kept, phase=phase, failures=(), agenda=replace(kept.agenda, job=job))


def kept_to_json(kept: Kept) -> Json:
    """As `kept_from_json` reads it."""
    return {
        "phase": _phase_to_json(kept.phase),
        "since": _some(datetime.isoformat, kept.since),
        "hold": _some(_hold_to_json, kept.hold),
        "last_run": kept.last_run,
        "restarts": kept.restarts,
        "streak": kept.streak,
        "failures": list(kept.failures),
        "last_exit": _some(_exit_to_json, kept.last_exit),
        "admitted": _some(datetime.isoformat, kept.admitted),
        "agenda": _agenda_to_json(kept.agenda),
    }


def kept_from_json(entry: Json) -> Kept:
    """The inverse of `kept_to_json`.

    Raises:
        ValueError: a key is missing, or its value is none that `kept_to_json` writes; the text names it.
    """
    return Kept(
        phase=_phase_from_json(get(entry, "phase", dict)),
        since=_get_instant_or_none(entry, "since"),
        hold=_some(_hold_from_json, get_or_none(entry, "hold", dict)),
        last_run=get(entry, "last_run", int),
        restarts=get(entry, "restarts", int),
        streak=get(entry, "streak", int),
        failures=tuple(of_kind(at, int, "failures") for at in get(entry, "failures", list)),
        last_exit=_some(_exit_from_json, get_or_none(entry, "last_exit", dict)),
        # Written only since there is `late_start`.
        admitted=_get_instant_or_none(entry, "admitted") if "admitted" in entry else None,
        # Written only since there are jobs.
        agenda=_agenda_from_json(get(entry, "agenda", dict)) if "agenda" in entry else Agenda(),
    )


def _phase_to_json(phase: Resting) -> Json:
    match phase:
        case Idle():
            return {"is": "idle"}
        case Backoff():
            return {
                "is": "backoff",
                "retry_ns": phase.retry_ns,
                "retry_at": phase.retry_at.isoformat(),
                "refused": phase.refused,
                "retry_key": phase.retry_key,
            }
        case Exited(at=at):
            return {"is": "exited", "at": at.isoformat()}
        case GaveUp():
            return {
                "is": "gave-up",
                "at": phase.at.isoformat(),
                "failures": phase.failures,
                "retry_key": phase.retry_key,
            }
        case never:
            assert_never(never)


def _phase_from_json(entry: Json) -> Resting:
    match get(entry, "is", str):
        case "idle":
            return Idle()
        case "backoff":
            return Backoff(
                retry_ns=get(entry, "retry_ns", int),
                retry_at=get_instant(entry, "retry_at"),
                refused=get_or_none(entry, "refused", str),
                retry_key=get(entry, "retry_key", str),
            )
        case "exited":
            return Exited(get_instant(entry, "at"))
        case "gave-up":
            return GaveUp(
                at=get_instant(entry, "at"),
                failures=get(entry, "failures", int),
                retry_key=get(entry, "retry_key", str),
            )
        case other:
            raise ValueError(f"phase: no phase is called {other!r}")


def _hold_to_json(hold: Hold) -> Json:
    return {
        "wants": hold.wants.value,
        "by": hold.by,
        "since": hold.since.isoformat(),
        "until": hold.until.value,
    }


def _hold_from_json(entry: Json) -> Hold:
    return Hold(
        wants=_get_enum(entry, "wants", Wants),
        by=get(entry, "by", str),
        since=get_instant(entry, "since"),
        until=_get_enum(entry, "until", Until),
    )


def _agenda_to_json(agenda: Agenda) -> Json:
    return {
        "seen": _some(datetime.isoformat, agenda.seen),
        "job": _some(_job_to_json, agenda.job),
        "queued": _some(datetime.isoformat, agenda.queued),
        "passed_over": _some(_passed_over_to_json, agenda.passed_over),
    }


def _agenda_from_json(entry: Json) -> Agenda:
    return Agenda(
        seen=_get_instant_or_none(entry, "seen"),
        job=_some(_job_from_json, get_or_none(entry, "job", dict)),
        queued=_get_instant_or_none(entry, "queued"),
        passed_over=_some(_passed_over_from_json, get_or_none(entry, "passed_over", dict)),
    )


def _job_to_json(job: Job) -> Json:
    return {"due": job.due.isoformat(), "began_ns": job.began_ns, "anywhere": job.anywhere}


def _job_from_json(entry: Json) -> Job:
    return Job(
        due=get_instant(entry, "due"),
        began_ns=get_or_none(entry, "began_ns", int),
        anywhere=get(entry, "anywhere", bool),
    )


def _passed_over_to_json(what: PassedOver) -> Json:
    return {"due": what.due.isoformat(), "because": what.because.value}


def _passed_over_from_json(entry: Json) -> PassedOver:
    return PassedOver(get_instant(entry, "due"), _get_enum(entry, "because", Because))


def _exit_to_json(end: Exit) -> Json:
    return {
        "run": end.run,
        "at": end.at.isoformat(),
        "ran_ns": end.ran_ns,
        "code": end.code,
        "signal": end.signal,
        "cause": end.cause,
        "stopped": _some(lambda because: because.value, end.stopped),
        "unknown": end.unknown,
        "last_line": end.last_line,
    }


def _exit_from_json(entry: Json) -> Exit:
    return Exit(
        run=get(entry, "run", int),
        at=get_instant(entry, "at"),
        ran_ns=get(entry, "ran_ns", int),
        code=get_or_none(entry, "code", int),
        signal=get_or_none(entry, "signal", int),
        cause=get_or_none(entry, "cause", str),
        stopped=None if get_or_none(entry, "stopped", str) is None else _get_enum(entry, "stopped", Because),
        unknown=get(entry, "unknown", bool),
        last_line=get_or_none(entry, "last_line", str),
    )


# Reading a value of one kind and no other.


def of_kind(value: object, kind: type[_T], key: str) -> _T:
    """`value`, which is a `kind`; True is no int here, and an int is one that a database takes.

    Raises:
        ValueError: it is of another kind.
    """
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{key}: {value!r:.40} is no {kind.__name__}")
    if isinstance(value, int) and not -MOST <= value <= MOST:
        raise ValueError(f"{key}: {value!r:.40} is beyond 64 bits")
    return value


def get(entry: Json, key: str, kind: type[_T]) -> _T:
    """The value at `key`.

    Raises:
        ValueError: there is none, or it is of another kind.
    """
    if key not in entry:
        raise ValueError(f"{key}: missing")
    return of_kind(entry[key], kind, key)


def get_or_none(entry: Json, key: str, kind: type[_T]) -> _T | None:
    """The value at `key`, which may be null but is there.

    Raises:
        ValueError: there is none, or it is of another kind.
    """
    if key in entry and entry[key] is None:
        return None
    return get(entry, key, kind)


def _get_enum(entry: Json, key: str, kind: type[_E]) -> _E:
    value = get(entry, key, str)
    if value not in [one.value for one in kind]:
        raise ValueError(f"{key}: {value!r} is no {kind.__name__}")
    return kind(value)


def get_instant(entry: Json, key: str) -> datetime:
    """The aware instant at `key`, in ISO 8601.

    Raises:
        ValueError: there is none, or none of a year that a run can have seen.
    """
    value = get(entry, key, str)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
    if instant.tzinfo is None:
        raise ValueError(f"{key}: {value!r} names no time zone")
    if instant.year not in YEARS:
        raise ValueError(f"{key}: {value!r} is of no year that a run has seen")
    return instant


def _get_instant_or_none(entry: Json, key: str) -> datetime | None:
    return None if get_or_none(entry, key, str) is None else get_instant(entry, key)


def _some(turn: Callable[[_T], Any], value: _T | None) -> Any:
    return None if value is None else turn(value)
