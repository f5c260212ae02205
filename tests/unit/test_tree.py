"""The end of a run's processes, where one of them may not be killed, is gone, or belongs to another run."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from waiting import until

from stratvisor.shim import rundir, tree

CLEAR: list[Callable[[], None]] = [lambda: tree.clear(1), lambda: tree.clear_marked("home:ema/1")]


@pytest.mark.parametrize("clear", CLEAR)
def test_what_may_not_be_killed_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, clear: Callable[[], None]
) -> None:
    """It changed its user; the end of the others does not wait for it."""
    kill = Mock(side_effect=lambda pid, _number: None if pid == 3 else refuse())
    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(os, "waitpid", lambda pid, _options: (pid, 0))
    for look in ("children", "marked"):
        monkeypatch.setattr(tree, look, Mock(side_effect=[[2, 3], [2], [2]]))
    clear()
    assert [call.args for call in kill.call_args_list] == [(2, signal.SIGKILL), (3, signal.SIGKILL)]


def refuse() -> None:
    raise PermissionError


@pytest.mark.parametrize("clear", CLEAR)
def test_who_is_gone_meanwhile_is_no_error(
    monkeypatch: pytest.MonkeyPatch, clear: Callable[[], None]
) -> None:
    monkeypatch.setattr(os, "kill", Mock(side_effect=ProcessLookupError))
    for look in ("children", "marked"):
        monkeypatch.setattr(tree, look, Mock(side_effect=[[2], []]))
    clear()


@pytest.mark.parametrize(
    "variable",
    ["STRATVISOR_RUN=/home/a:ema/11", "STRATVISOR_RUN=/home/a:ema/1x", "OLD_STRATVISOR_RUN=/home/a:ema/1"],
)
def test_the_mark_of_another_run_is_none_of_ours(variable: str) -> None:
    name, _, value = variable.partition("=")
    environment = {"FIRST": "x", name: value}
    with subprocess.Popen(["/bin/sleep", "600"], env=environment) as other:
        until(
            lambda: Path(f"/proc/{other.pid}/cmdline").read_bytes().startswith(b"/bin/sleep"), "it is exec'd"
        )
        found = tree.marked("/home/a:ema/1")
        other.kill()
    assert found == []


def test_a_name_like_a_state_is_a_name() -> None:
    """A process may be called anything; proc(5) puts that in brackets before its state and its parent."""
    script = "printf 'x) Z 1 (' > /proc/self/comm; echo; read line"
    with subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as odd:
        assert odd.stdout is not None
        odd.stdout.readline()
        assert tree._children_by_scan(os.getpid()).count(odd.pid) == 1
        identity = rundir.identify(odd.pid)
        assert identity is not None
        assert identity.start_time > 1
        odd.communicate(b"\n")
