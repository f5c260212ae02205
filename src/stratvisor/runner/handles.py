"""What the daemon holds of a live run, and how it holds on to exactly one process.

Knows descriptors and identities; no run directory and no policy. A pidfd is never of another process:
where the one that is meant is gone, there is one in its place that says so.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stratvisor.ports import Finished
from stratvisor.shim import rundir

DYING_MS = 1_000


@dataclass(slots=True)
class Handle:
    """What the daemon holds of a live run."""

    pid: int
    """Of the shim: the root of the run's processes."""
    shim: int
    """A pidfd."""
    strategy: rundir.Identity
    main: int
    """A pidfd of the strategy, which tells how it ended whoever reaped it (kernel 6.15)."""
    spares: Sequence[int]
    """Read ends of the run's FIFOs: what is in them outlives shim and strategy together."""
    kept: bool
    """Whether somebody has had the FIFOs open all the time, so that nothing that was printed is lost."""
    ended: Callable[[Finished], None] | None = None

    def close(self) -> None:
        """Let go."""
        for descriptor in (self.shim, self.main, *self.spares):
            os.close(descriptor)


def pidfd_of(identity: rundir.Identity) -> int:
    """A handle on exactly this process; on one that just ended, so that its end is seen at once."""
    try:
        pidfd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return _ended_pidfd()
    current = rundir.identify(identity.pid)
    if current is not None and current != identity:
        os.close(pidfd)
        return _ended_pidfd()
    return pidfd


def lives(pidfd: int, patience_ms: int = 0) -> bool:
    """Whether a process does not end within that time."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return not poll.poll(patience_ms)


def has_ended(identity: rundir.Identity) -> bool:
    """Whether a process is dead; one that has closed its files is so in a moment."""
    pidfd = pidfd_of(identity)
    try:
        return not lives(pidfd, DYING_MS)
    finally:
        os.close(pidfd)


def _ended_pidfd() -> int:
    """A descriptor that is readable at once, as the pidfd of a dead process is."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.close(writer)
    return reader


def reap(pidfd: int) -> None:
    """A shim whose zygote died, or that was exec'd, is a child of the daemon's."""
    with contextlib.suppress(OSError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
