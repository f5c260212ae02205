"""A pidfd of one process and no other."""

from __future__ import annotations

import os
import select

import pytest
from fuzzing import bounded

from stratvisor.ports import LaunchRefused
from stratvisor.runner import local, secrets
from stratvisor.runner.handles import pidfd_of
from stratvisor.runner.strays import Copy
from stratvisor.shim import rundir


def ended(identity: rundir.Identity) -> bool:
    pidfd = pidfd_of(identity)
    try:
        return bool(select.select([pidfd], [], [], 0)[0])
    finally:
        os.close(pidfd)


def test_who_has_the_pid_of_one_that_is_meant_is_not_taken_for_it() -> None:
    own = rundir.identify(os.getpid())
    assert own is not None
    assert not ended(own)
    assert ended(own._replace(start_time=own.start_time - 1))


def test_one_that_is_gone_has_ended() -> None:
    assert ended(rundir.Identity(2**22 - 1, 5))


def test_a_stray_that_is_gone_blocks_nobody_whoever_has_its_pid() -> None:
    own = rundir.identify(os.getpid())
    assert own is not None
    assert Copy("ema", own, "").lives()
    assert not Copy("ema", own._replace(start_time=own.start_time - 1), "").lives()


def test_a_shim_that_never_speaks_is_no_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "SHIM_TIMEOUT_MS", 1)
    heard, said = os.pipe()
    with bounded(), pytest.raises(LaunchRefused, match="does not answer"):
        local._await_word(heard, "run/ema/1")
    for one in (heard, said):
        os.close(one)


def test_a_shim_that_takes_no_secrets_holds_up_no_launch() -> None:
    taking, giving = os.pipe()
    with bounded(), os.fdopen(giving, "wb", 0) as gift:
        secrets.hand_over({"A": "x" * 100_000}, gift, 1)
    os.close(taking)


def test_a_shim_that_died_before_its_secrets_is_heard_of_elsewhere() -> None:
    taking, giving = os.pipe()
    os.close(taking)
    with os.fdopen(giving, "wb", 0) as gift:
        secrets.hand_over({"A": "x"}, gift, 1)
