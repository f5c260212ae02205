"""A wall clock that a chaos run may set, for a daemon and its shims, without the right to set the machine's.

The offset from the machine's clock lies in one file of the home, which is read with every question. It
covers what daemon and shims do when the clock is another; that the kernel tells them of a step
(TFD_TIMER_CANCEL_ON_SET) is played by a signal and by the shims' FIFOs, and shown by the clock's own tests.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from stratvisor.shim import timerfd

FILE = "clock"
SIGNAL = signal.SIGUSR1
"""Tells the daemon that its clock was set, as the kernel would."""

IN_RUN_DIRECTORY = f"../../../{FILE}"


def offset_ns(path: str | Path) -> int:
    """How far the clock of this home is ahead of the machine's."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def set_offset_ns(home: Path, value: int) -> None:
    """Step the clock; nobody is told."""
    draft = home / f"{FILE}.new"
    draft.write_text(str(value), "ascii")
    draft.replace(home / FILE)


def install(path: str | Path) -> None:
    """Let this process ask the clock of a home, wherever it asks for the time of day."""
    true_time_ns, true_arm = time.time_ns, timerfd.arm

    def time_ns() -> int:
        return true_time_ns() + offset_ns(path)

    def arm(fd: int, at_ns: int, *, cancel_on_set: bool = False) -> None:
        """Of the two clocks that can be waited for, the wall clock alone is asked for steps."""
        if cancel_on_set and at_ns:
            at_ns = max(1, at_ns - offset_ns(path))
        true_arm(fd, at_ns, cancel_on_set=cancel_on_set)

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
    timerfd.arm = arm


def install_in_shims() -> None:
    """The same in a process that is to be a shim, whose working directory tells its home."""
    os.environ.clear()
    install(IN_RUN_DIRECTORY)
