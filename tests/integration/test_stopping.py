"""A clock that is set while a shim waits for the end of a window."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from stratvisor.shim import timerfd
from stratvisor.shim.stopping import Stopper

HOUR = 3600 * 10**9
NOON = 1_800_000_000 * 10**9
PATIENCE_MS = 30_000
WANT = {
    "stop": None,
    "deadline_ns": NOON + HOUR,
    "plan": {"signals": [15], "timeout_ns": 10**10, "to": "main"},
}


class WallClock:
    """One that is set by hand, and the kernel's word that it was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = NOON
        self.was_set = False
        self._arm = timerfd.arm
        monkeypatch.setattr("time.time_ns", lambda: self.now_ns)
        monkeypatch.setattr(timerfd, "arm", self.arm)

    def arm(self, fd: int, at_ns: int, *, cancel_on_set: bool = False) -> None:
        if cancel_on_set and self.was_set:
            self.was_set = False
            raise OSError(errno.ECANCELED, "Operation canceled")
        # What the clock says of the deadline is this clock's to say: the kernel's would never come.
        self._arm(fd, at_ns if at_ns <= 1 else 2**62, cancel_on_set=cancel_on_set)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(monkeypatch)


@pytest.fixture
def main() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as child:
        yield child
        child.kill()


def test_a_step_past_the_end_stops_it_as_soon_as_it_is_told(
    clock: WallClock, main: subprocess.Popen[bytes]
) -> None:
    stopper = Stopper(main.pid)
    stopper.obey(WANT)
    assert main.poll() is None
    clock.now_ns += 2 * HOUR
    stopper.act()
    assert stopper.because == "window"
    assert main.wait(30) == -15


def test_a_step_that_only_arming_tells_of_is_looked_at_again_at_once(
    clock: WallClock, main: subprocess.Popen[bytes]
) -> None:
    stopper = Stopper(main.pid)
    clock.was_set = True
    stopper.obey(WANT)
    assert select.select(stopper.timers, [], [], PATIENCE_MS / 1000)[0]
    clock.now_ns += 2 * HOUR
    stopper.act()
    assert stopper.because == "window"


def test_a_step_that_reading_a_timer_tells_of_is_no_error(
    clock: WallClock, main: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopper = Stopper(main.pid)
    stopper.obey(WANT)
    clock.now_ns += 2 * HOUR
    with monkeypatch.context() as kernel:
        kernel.setattr(os, "read", Mock(side_effect=OSError(errno.ECANCELED, "Operation canceled")))
        stopper.act()
    assert stopper.because == "window"


def order(because: str, began_ns: int) -> dict[str, object]:
    return {**WANT, "stop": {"because": because, "detail": "", "began_ns": began_ns, "plan": WANT["plan"]}}


def test_a_stop_that_seems_to_begin_later_begins_now(main: subprocess.Popen[bytes]) -> None:
    Stopper(main.pid).obey(order("held", 2**60))
    assert main.wait(30) == -15


def test_a_stop_that_has_begun_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another order would begin it anew, and its KILL would never come."""
    monkeypatch.setattr(os, "kill", Mock())
    stopper = Stopper(2**22 - 1)
    stopper.obey(order("window", 2**60))
    stopper.obey(order("held", 0))
    stopper.obey(WANT)
    assert (stopper.because, stopper.killed) == ("window", False)


def test_who_is_no_child_is_signalled_by_its_pidfd(main: subprocess.Popen[bytes]) -> None:
    pidfd = os.pidfd_open(main.pid)
    Stopper(2**22 - 1, pidfd=pidfd).obey(order("held", 0))
    assert main.wait(30) in {-15, -9}
    os.close(pidfd)


def test_a_group_whose_leader_is_gone_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another's by now."""
    with subprocess.Popen([sys.executable, "-c", ""]) as leader:
        gone = os.pidfd_open(leader.pid)
    killpg = Mock()
    monkeypatch.setattr(os, "killpg", killpg)
    plan = {"signals": [15], "timeout_ns": 0, "to": "group"}
    stop = {"because": "held", "detail": "", "began_ns": 0, "plan": plan}
    stopper = Stopper(leader.pid, pidfd=gone)
    stopper.obey({**WANT, "stop": stop})
    os.close(gone)
    assert stopper.killed
    killpg.assert_not_called()


def test_a_step_back_gives_it_the_hour_again(clock: WallClock, main: subprocess.Popen[bytes]) -> None:
    stopper = Stopper(main.pid)
    stopper.obey(WANT)
    clock.now_ns -= 12 * HOUR
    stopper.act()
    clock.now_ns += 12 * HOUR
    stopper.act()
    assert stopper.because is None
    assert main.poll() is None
