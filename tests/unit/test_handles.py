"""A pidfd of one process and no other."""

from __future__ import annotations

import os
import select
from pathlib import Path
from unittest.mock import Mock

import pytest
from fuzzing import bounded

from stratvisor.ports import LaunchRefused
from stratvisor.runner import local, secrets
from stratvisor.runner.handles import pidfd_of
from stratvisor.runner.strays import Copy
from stratvisor.runner.zygote import Zygote
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


def test_what_an_execd_shim_is_given_overwrites_nothing_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = Mock()
    monkeypatch.setattr(os, "posix_spawn", spawn)
    given = [5, 3, 4]
    Zygote(str(tmp_path / "shim.err"))._exec("{}", given)
    copies = [one[1:] for one in spawn.call_args.kwargs["file_actions"] if one[0] == os.POSIX_SPAWN_DUP2]
    assert [source for source, _ in copies[1:]] == given
    assert not {2, *given} & {target for _, target in copies[1:]}
