"""When and how a run is stopped: by order, at its deadline, or because the shim itself is told to go.

Knows want.json and clocks; a stop is a plan and the instant it began, so that it goes on where it was
whoever carries it out. Steps and a job's time wait on a timer of CLOCK_BOOTTIME and the deadline on one of
CLOCK_REALTIME: other timers sleep through a suspend and do not see the clock being set.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from typing import Any

from stratvisor.shim import timerfd


class Stopper:
    """The stop of one run. `main` is our child; or somebody else's, and then `pidfd` is it, -1 if gone."""

    def __init__(self, main: int, *, pidfd: int | None = None) -> None:
        self.because: str | None = None
        """Set once the first signal of a stop was sent."""
        self.detail = ""
        self.killed = False
        """Whether the KILL that ends a stop was sent."""
        self._main = main
        self._pidfd = pidfd
        self._want: dict[str, Any] = {}
        self._order: dict[str, Any] | None = None
        self._sent = 0
        self._steps = timerfd.create(timerfd.BOOTTIME)
        self._deadline = timerfd.create(timerfd.REALTIME)
        self.timers = (self._steps, self._deadline)

    def obey(self, want: dict[str, Any]) -> None:
        """What is wanted has changed. A stop that has begun goes on."""
        self._want = want
        if self._order is None and want["stop"] is not None:
            self._order = want["stop"]
        self.act()

    def begin_now(self, because: str) -> None:
        """Begin the plan of want.json at this moment, unless a stop is under way."""
        if self._order is None:
            began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            self._order = {"because": because, "detail": "", "began_ns": began_ns, "plan": self._want["plan"]}
        self.act()

    def act(self) -> None:
        """Send what is due and set the timers for what is not."""
        for timer in self.timers:
            with contextlib.suppress(OSError):  # not expired, or the clock was set: looked at below
                os.read(timer, 8)
        if self._order is None:
            because = self._overdue()
            if because is None:
                self._wait_for(self._want["deadline_ns"])
                timerfd.arm(self._steps, self._want.get("expires_ns") or 0)
                return
            self.begin_now(because)
            return
        self._advance(self._order)

    def _overdue(self) -> str | None:
        """What it is to be stopped for with nobody saying so: its window is over, or its time is up."""
        deadline_ns, expires_ns = self._want["deadline_ns"], self._want.get("expires_ns")
        if deadline_ns is not None and time.time_ns() >= deadline_ns:
            return "window"
        if expires_ns is not None and time.clock_gettime_ns(time.CLOCK_BOOTTIME) >= expires_ns:
            return "timeout"
        return None

    def _wait_for(self, deadline_ns: int | None) -> None:
        try:
            timerfd.arm(self._deadline, deadline_ns or 0, cancel_on_set=deadline_ns is not None)
        except OSError as error:
            if error.errno != errno.ECANCELED:
                raise
            # The clock was set since the last look, and only this call tells: look again at once.
            timerfd.arm(self._deadline, 1)

    def _advance(self, order: dict[str, Any]) -> None:
        began_ns, plan = order["began_ns"], order["plan"]
        signals, timeout_ns = plan["signals"], plan["timeout_ns"]
        self.because, self.detail = order["because"], order["detail"]
        elapsed_ns = max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - began_ns)
        due = min(len(signals), elapsed_ns // timeout_ns) if timeout_ns else len(signals)
        while self._sent <= due and self._sent < len(signals):
            self._send(signals[self._sent], to_group=plan["to"] == "group")
            self._sent += 1
        if due >= len(signals):
            self._kill()
        else:
            timerfd.arm(self._steps, began_ns + (due + 1) * timeout_ns)

    def _send(self, number: int, *, to_group: bool) -> None:
        """One signal, and CONT so that a stopped process gets it too."""
        for one in (number, signal.SIGCONT):
            self._signal(one, to_group=to_group)

    def _kill(self) -> None:
        """KILL to the main process; its end brings that of the whole tree."""
        self.killed = True
        self._signal(signal.SIGKILL, to_group=False)

    def _signal(self, number: int, *, to_group: bool) -> None:
        """To our own child, whose pid nobody else can have before we reap it; or through a pidfd.

        A group keeps its number while its leader lives, so that is asked first where we are no parent.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._pidfd is None and to_group:
                os.killpg(self._main, number)
            elif self._pidfd is None:
                os.kill(self._main, number)
            elif self._pidfd >= 0 and to_group:
                signal.pidfd_send_signal(self._pidfd, 0)
                os.killpg(self._main, number)
            elif self._pidfd >= 0:
                signal.pidfd_send_signal(self._pidfd, number)
