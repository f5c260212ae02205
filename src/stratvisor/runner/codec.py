"""Between the machine's values and the JSON of a run directory.

Knows both and decides nothing. Signals stand in files as numbers, instants as nanoseconds.
"""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from typing import Any

from stratvisor.ports import Finished
from stratvisor.spec import MICROSECOND, SECOND, Logs, Stop, StopTo
from stratvisor.state import Because, Exit, StopOrder, Want

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def want_to_json(want: Want) -> dict[str, Any]:
    """The content of want.json."""
    return {
        "stop": None if want.stop is None else _order_to_json(want.stop),
        "deadline_ns": None if want.deadline is None else to_ns(want.deadline),
        "plan": _plan_to_json(want.plan),
        "logs": {name: getattr(want.logs, name) for name in Logs.__slots__},
        "expires_ns": want.expires_ns,
    }


def want_from_json(facts: dict[str, Any]) -> Want:
    """The value of a want.json.

    Raises:
        KeyError, ValueError, TypeError: it is not one.
    """
    stop, deadline_ns = facts["stop"], facts["deadline_ns"]
    return Want(
        stop=None if stop is None else _order_from_json(stop),
        deadline=None if deadline_ns is None else from_ns(deadline_ns),
        plan=_plan_from_json(facts["plan"]),
        logs=Logs(**facts["logs"]),
        expires_ns=facts.get("expires_ns"),  # none before there were jobs
    )


def finished_from_json(strategy: str, facts: dict[str, Any]) -> Finished:
    """The value of an exit.json.

    Raises:
        KeyError, ValueError, TypeError: it is not one.
    """
    stopped = facts["stopped"]
    end = Exit(
        run=facts["run"],
        at=from_ns(facts["ended_ns"]),
        ran_ns=facts["ran_ns"],
        code=facts["code"],
        signal=facts["signal"],
        cause=facts["cause"],
        stopped=None if stopped is None else Because(stopped),
        unknown=facts["unknown"],
        last_line=facts["last_line"],
    )
    return Finished(
        strategy,
        end,
        cpu_ns=facts["cpu_ns"],
        peak_memory=facts["peak_memory"],
        dropped=facts["dropped"],
        log=facts["log"],
        began=_began(facts, end),
    )


def _began(facts: dict[str, Any], end: Exit) -> datetime | None:
    """As its pid.json had it, whatever became of the clock since; an older shim did not say."""
    if "began_ns" not in facts:
        return end.at - timedelta(microseconds=end.ran_ns // MICROSECOND)
    return None if facts["began_ns"] is None else from_ns(facts["began_ns"])


def to_ns(instant: datetime) -> int:
    """Nanoseconds since the epoch, exactly: a datetime's float timestamp is not."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * MICROSECOND


def from_ns(wall_ns: int) -> datetime:
    """The instant in UTC, to the microsecond."""
    seconds, rest = divmod(wall_ns, SECOND)
    return _EPOCH + timedelta(seconds=seconds, microseconds=rest // MICROSECOND)


def _order_to_json(order: StopOrder) -> dict[str, Any]:
    return {
        "because": order.because.value,
        "detail": order.detail,
        "began_ns": order.began_ns,
        "plan": _plan_to_json(order.plan),
    }


def _order_from_json(facts: dict[str, Any]) -> StopOrder:
    plan = _plan_from_json(facts["plan"])
    return StopOrder(Because(facts["because"]), facts["detail"], facts["began_ns"], plan)


def _plan_to_json(plan: Stop) -> dict[str, Any]:
    numbers = [signal.Signals[f"SIG{name}"].value for name in plan.signals]
    return {"signals": numbers, "timeout_ns": plan.timeout_ns, "to": plan.to.value}


def _plan_from_json(facts: dict[str, Any]) -> Stop:
    names = tuple(signal.Signals(number).name.removeprefix("SIG") for number in facts["signals"])
    return Stop(names, facts["timeout_ns"], StopTo(facts["to"]))
