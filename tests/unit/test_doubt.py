"""Where the operator's word was lost, nothing starts by surprise and nothing that runs is stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stratvisor import doubt, machine
from stratvisor.spec import Logs, Manual, Process, Spec, Stop
from stratvisor.state import Because, Idle, Launched, Look, Now, Run, State, StopOrder, Up, Want

NOW = Now(10**12, datetime(2026, 11, 23, 4, 0, tzinfo=UTC))
SPEC = Spec("ema", Process(script="ema.py"))
GO_ON = Want(stop=None, deadline=None, plan=Stop(), logs=Logs())
RUN = Run(3, 4242, NOW.boot_ns, NOW.wall, SPEC.process.fingerprint, GO_ON)
SPECS = {
    "always on": SPEC,
    "manual": replace(SPEC, schedule=Manual()),
    "disabled": replace(SPEC, enabled=False),
}


@pytest.mark.parametrize("name", SPECS)
def test_what_does_not_run_does_not_start(name: str) -> None:
    state = doubt.state_of(NOW, SPECS[name], None)
    after, actions = machine.step(NOW, SPECS[name], state, Look())
    assert (after.phase, actions) == (Idle(), ())
    assert doubt.is_doubtful(state) is (name == "always on")


@pytest.mark.parametrize("name", ["always on", "manual"])
def test_what_runs_goes_on(name: str) -> None:
    state = doubt.state_of(NOW, SPECS[name], RUN)
    after, actions = machine.step(NOW, SPECS[name], state, Launched(RUN))
    assert isinstance(after.phase, Up)
    assert actions == ()
    assert doubt.is_doubtful(state) is (name == "manual")


def test_what_is_being_stopped_is_not_held_up() -> None:
    order = StopOrder(Because.HELD, "", NOW.boot_ns, Stop())
    run = replace(RUN, told=replace(GO_ON, stop=order))
    assert doubt.state_of(NOW, SPECS["manual"], run) == State()
