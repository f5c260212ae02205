"""Between the machine's values and the JSON of a run directory.

Knows both and decides nothing. Signals stand in files as numbers, instants as nanoseconds. Rule: what is
not exactly what was written is a ValueError, here and not where it is used.
"""

from __future__ import annotations

import signal
from datetime import UTC, datetime

from stratvisor.kept import get, get_or_none, of_kind
from stratvisor.ports import Finished, Json
from stratvisor.spec import Logs, Stop, StopTo, as_ns, as_span
from stratvisor.state import Because, Exit, StopOrder, Want

MOST_PID = 2**22
"""PID_MAX_LIMIT of a 64-bit Linux (proc(5))."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def want_to_json(want: Want) -> Json:
    """The content of want.json."""
    return {
        "stop": None if want.stop is None else _order_to_json(want.stop),
        "deadline_ns": None if want.deadline is None else to_ns(want.deadline),
        "plan": _plan_to_json(want.plan),
        "logs": {name: getattr(want.logs, name) for name in Logs.__slots__},
        "expires_ns": want.expires_ns,
    }


def want_from_json(facts: Json) -> Want:
    """The value of a want.json.

    Raises:
        ValueError: it is not one.
    """
    stop, deadline_ns = get_or_none(facts, "stop", dict), get_or_none(facts, "deadline_ns", int)
    logs = get(facts, "logs", dict)
    return Want(
        stop=None if stop is None else _order_from_json(stop),
        deadline=None if deadline_ns is None else from_ns(deadline_ns),
        plan=_plan_from_json(get(facts, "plan", dict)),
        logs=Logs(**{name: get(logs, name, type(getattr(Logs(), name))) for name in Logs.__slots__}),
        # None was written before there were jobs.
        expires_ns=get_or_none(facts, "expires_ns", int) if "expires_ns" in facts else None,
    )


def check_who(facts: Json) -> None:
    """See that a pid.json says who runs.

    Raises:
        ValueError: it does not.
    """
    for name in ("boot_id", "log"):
        get(facts, name, str)
    for name in ("began_ns", "began_boot_ns"):
        get(facts, name, int)
    for name in ("shim", "strategy"):
        identity = get(facts, name, list)
        if len(identity) != 2 or not all(of_kind(part, int, name) >= 0 for part in identity):
            raise ValueError(f"{name}: is no pid and start time")
        if not 0 < identity[0] <= MOST_PID:
            raise ValueError(f"{name}: {identity[0]} is no pid")


def finished_from_json(strategy: str, facts: Json) -> Finished:
    """The value of an exit.json.

    Raises:
        ValueError: it is not one.
    """
    stopped = get_or_none(facts, "stopped", str)
    end = Exit(
        run=get(facts, "run", int),
        at=from_ns(get(facts, "ended_ns", int)),
        ran_ns=get(facts, "ran_ns", int),
        code=get_or_none(facts, "code", int),
        signal=get_or_none(facts, "signal", int),
        cause=get_or_none(facts, "cause", str),
        stopped=None if stopped is None else Because(stopped),
        unknown=get(facts, "unknown", bool),
        last_line=get_or_none(facts, "last_line", str),
    )
    return Finished(
        strategy,
        end,
        cpu_ns=get_or_none(facts, "cpu_ns", int),
        peak_memory=get_or_none(facts, "peak_memory", int),
        dropped=get(facts, "dropped", int),
        log=get_or_none(facts, "log", str),
        began=_began(facts, end),
    )


def _began(facts: Json, end: Exit) -> datetime | None:
    """As its pid.json had it, whatever became of the clock since; an older shim did not say."""
    if "began_ns" not in facts:
        return end.at - as_span(end.ran_ns)
    began_ns = get_or_none(facts, "began_ns", int)
    return None if began_ns is None else from_ns(began_ns)


def to_ns(instant: datetime) -> int:
    """Nanoseconds since the epoch, exactly: a datetime's float timestamp is not."""
    return as_ns(instant - _EPOCH)


def from_ns(wall_ns: int) -> datetime:
    """The instant in UTC, to the microsecond; of 64 bits, so that it lies within what a calendar has."""
    return _EPOCH + as_span(wall_ns)


def _order_to_json(order: StopOrder) -> Json:
    return {
        "because": order.because.value,
        "detail": order.detail,
        "began_ns": order.began_ns,
        "plan": _plan_to_json(order.plan),
    }


def _order_from_json(facts: Json) -> StopOrder:
    plan = _plan_from_json(get(facts, "plan", dict))
    return StopOrder(
        Because(get(facts, "because", str)), get(facts, "detail", str), get(facts, "began_ns", int), plan
    )


def _plan_to_json(plan: Stop) -> Json:
    numbers = [signal.Signals[f"SIG{name}"].value for name in plan.signals]
    return {"signals": numbers, "timeout_ns": plan.timeout_ns, "to": plan.to.value}


def _plan_from_json(facts: Json) -> Stop:
    numbers = [of_kind(number, int, "signals") for number in get(facts, "signals", list)]
    names = tuple(signal.Signals(number).name.removeprefix("SIG") for number in numbers)
    return Stop(names, get(facts, "timeout_ns", int), StopTo(get(facts, "to", str)))
