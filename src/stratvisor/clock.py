"""What time it is, which boot this is, and one alarm for the event loop.

Two clocks: the boot clock counts from the boot of the machine, goes on through a suspend, is never
set, and measures durations; the wall clock is UTC and says where in a day we are. It may be set at
any moment, and who waits for it must hear of that.

Knows nothing of what a time means to a strategy. Rule: nobody else asks the system for the time, but
the shim, which is alone in its process.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stratvisor.shim import timerfd
from stratvisor.spec import MINUTE, SECOND, as_ns
from stratvisor.state import Now

if TYPE_CHECKING:
    from collections.abc import Callable

RECHECK_NS = MINUTE
"""Without a timerfd: how late a suspend or a step of the wall clock may be noticed."""

STEP_NS = SECOND
"""Without a timerfd: a smaller change of the wall clock against the boot clock is drift."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The machine's clocks; a `ports.Clock`."""

    def now(self) -> Now:
        """This instant on both clocks."""
        return Now(_boot_ns(), datetime.now(UTC))


def boot_id(source: Path = _BOOT_ID) -> str:
    """The same text until the machine boots again, then another.

    Where the kernel gives none, it is the minute of the boot by the wall clock: a step of that clock
    makes it another boot, which only makes us forget what might still hold.
    """
    try:
        return source.read_text(encoding="ascii").strip()
    except OSError:
        return f"booted-in-minute-{(time.time_ns() - _boot_ns()) // MINUTE}"


async def pause(seconds: float) -> None:
    """Let time pass before another try or the next round. Decisions wait on an `Alarm` instead."""
    await asyncio.sleep(seconds)


class Alarm:
    """Calls `ring` on the event loop at an instant of either clock; `step` when the wall clock is set.

    It is a hint to look again: it may ring twice for one reason. Once it has rung, and after a step,
    it wants to be set anew. With nothing set nothing ever wakes up.
    """

    def __init__(self, ring: Callable[[], None], step: Callable[[], None]) -> None:
        self._timers = _KernelTimers(ring, step) if timerfd.SUPPORTED else _LoopTimer(ring, step)

    def set(self, boot_ns: int | None, wall: datetime | None) -> None:
        """Ring once the boot clock shows `boot_ns`, or the wall clock `wall` (aware), instead of before.

        What is past rings in the next turn of the loop. A step of the wall clock is told while `wall` is set.
        """
        self._timers.set(boot_ns, None if wall is None else as_ns(wall - _EPOCH))

    def close(self) -> None:
        """Let go of everything; it rings no more. A second close does nothing."""
        self._timers.close()


class _KernelTimers:
    """Two timerfds: exact, through a suspend, and told of clock steps."""

    def __init__(self, ring: Callable[[], None], step: Callable[[], None]) -> None:
        self._ring = ring
        self._step = step
        self._untold = False
        """Whether a step was noticed in passing, as a timer was set."""
        self._loop = asyncio.get_running_loop()
        self._boot = timerfd.create(timerfd.BOOTTIME)
        self._wall = timerfd.create(timerfd.REALTIME)
        for fd in (self._boot, self._wall):
            self._loop.add_reader(fd, self._fired, fd)

    def set(self, boot_ns: int | None, wall_ns: int | None) -> None:
        timerfd.arm(self._boot, _some(boot_ns))
        try:
            timerfd.arm(self._wall, _some(wall_ns), cancel_on_set=wall_ns is not None)
        except OSError as error:
            if error.errno != errno.ECANCELED:
                raise
            # Stepped since it was last set, and nobody has heard of it yet: an end gone by says so.
            self._untold = True
            timerfd.arm(self._wall, 1)

    def close(self) -> None:
        if self._boot < 0:
            return
        for fd in (self._boot, self._wall):
            self._loop.remove_reader(fd)
            os.close(fd)
        self._boot = self._wall = -1

    def _fired(self, fd: int) -> None:
        try:
            os.read(fd, 8)
        except BlockingIOError:
            return  # set anew between its end and this turn
        except OSError as error:
            if error.errno != errno.ECANCELED:
                raise
            self._untold = True
        told, self._untold = self._untold, False
        (self._step if told else self._ring)()


class _LoopTimer:
    """A timer of the loop, cut short: it looks at the clocks every minute, as it sleeps through a suspend."""

    def __init__(self, ring: Callable[[], None], step: Callable[[], None]) -> None:
        self._ring = ring
        self._step = step
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._boot_ns: int | None = None
        self._wall_ns: int | None = None
        self._offset_ns = 0

    def set(self, boot_ns: int | None, wall_ns: int | None) -> None:
        self._boot_ns, self._wall_ns = boot_ns, wall_ns
        self._offset_ns = time.time_ns() - _boot_ns()
        self._sleep()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _sleep(self) -> None:
        self.close()
        left = self._left_ns()
        if left is not None:
            self._handle = self._loop.call_later(min(max(left, 0), RECHECK_NS) / SECOND, self._look)

    def _left_ns(self) -> int | None:
        """Until the earlier of the two, as the clocks stand."""
        boot = None if self._boot_ns is None else self._boot_ns - _boot_ns()
        wall = None if self._wall_ns is None else self._wall_ns - time.time_ns()
        return min((left for left in (boot, wall) if left is not None), default=None)

    def _look(self) -> None:
        left = self._left_ns()
        if self._stepped():
            self.close()
            self._step()
        elif left is not None and left <= 0:
            self.close()
            self._ring()
        else:
            self._sleep()

    def _stepped(self) -> bool:
        moved = time.time_ns() - _boot_ns() - self._offset_ns
        return self._wall_ns is not None and abs(moved) >= STEP_NS


if sys.platform == "win32":

    def _boot_ns() -> int:
        return time.monotonic_ns()

else:
    # CLOCK_MONOTONIC goes on through a suspend on macOS (clock_gettime(3) there), time.monotonic() doesn't.
    _BOOT_CLOCK = timerfd.BOOTTIME if timerfd.SUPPORTED else time.CLOCK_MONOTONIC

    def _boot_ns() -> int:
        return time.clock_gettime_ns(_BOOT_CLOCK)


def _some(at_ns: int | None) -> int:
    """As `timerfd.arm` takes it: 0 is never, so that any time gone by is 1."""
    return 0 if at_ns is None else max(at_ns, 1)
