"""What earlier daemons left in run/, made by hand; and a runner that makes no process and signals none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratvisor.clock import SystemClock
from stratvisor.ports import LaunchOrder
from stratvisor.runner import local
from stratvisor.runner.folders import Folders, Key
from stratvisor.runner.local import LocalRunner
from stratvisor.shim import rundir
from stratvisor.spec import Logs, Process, Stop
from stratvisor.state import Because, StopOrder, Want

if TYPE_CHECKING:
    import pytest

CLOCK = SystemClock()
WANT = Want(StopOrder(Because.WINDOW, "", 5, Stop()), datetime(2026, 11, 23, tzinfo=UTC), Stop(), Logs())
NOBODY = rundir.Identity(2**22 - 1, 5)
"""No process: none is as old as this boot and has the last of all pids."""
BEGAN_NS = 1_790_000_000_000_000_000
ENDED: dict[str, Any] = {
    "code": 3,
    "signal": None,
    "cause": None,
    "unknown": False,
    "cpu_ns": 5,
    "peak_memory": 7,
    "began_ns": BEGAN_NS,
    "ended_ns": BEGAN_NS + 9_000_000_000,
    "ran_ns": 9_000_000_000,
    "stopped": "window",
    "dropped": 0,
    "last_line": "bye",
}


class LeftRuns:
    """The run directories of a home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folders = Folders(home, CLOCK)

    def path(self, key: Key, name: str = "") -> Path:
        return Path(self.folders.path(key, name))

    def leave(self, key: Key, strategy: rundir.Identity = NOBODY, shim: rundir.Identity = NOBODY) -> None:
        """A run whose daemon is gone, and its shim, unless these live."""
        self.path(key).parent.mkdir(parents=True, exist_ok=True)
        self.folders.furnish(key, order(*key))
        log = rundir.must_read(str(self.path(key, rundir.SPEC)))["log"]
        identities = {"shim": shim, "strategy": strategy}
        times = {"boot_id": rundir.boot_id(), "began_ns": BEGAN_NS, "began_boot_ns": 5}
        rundir.write(str(self.path(key, rundir.PID)), {**times, **identities, "log": log})

    def end(self, key: Key, **facts: Any) -> None:
        """Its shim wrote down how it ended."""
        log = rundir.must_read(str(self.path(key, rundir.SPEC)))["log"]
        rundir.write(str(self.path(key, rundir.EXIT)), {"run": key.number, "log": log, **ENDED, **facts})


def order(strategy: str, number: int) -> LaunchOrder:
    return LaunchOrder(
        strategy, "T", number, 0, "Asia/Kolkata", Process(command=("true",)), notify=False, want=WANT
    )


class NoZygote:
    """No shim can be had."""

    pid = None

    def shim(self, *_arguments: object) -> None:
        raise OSError(11, "no process can be had")


def harmless_runner(home: Path, patch: pytest.MonkeyPatch) -> LocalRunner:
    """One that is caught when it signals anybody, and tries again at once: nothing here passes with time."""

    def caught(*arguments: object) -> None:
        raise AssertionError(f"signals {arguments}")

    for name in ("os.kill", "os.killpg", "signal.pidfd_send_signal"):
        patch.setattr(name, caught)
    for name in ("RETRY_S", "FIRST_RETRY_S"):
        patch.setattr(local, name, 0)
    runner = LocalRunner(home, CLOCK)
    patch.setattr(runner, "_zygote", NoZygote())
    return runner


def let_go(runner: LocalRunner) -> None:
    """Close what it holds; where no loop runs, there is nothing else to close."""
    for handle in runner._handles.values():
        handle.close()
