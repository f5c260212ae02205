"""Takes leave of dead processes that came to the daemon because their shim had died.

The daemon is a subreaper, so that the strategy of a killed shim stays in its family. Reaping it is also
what makes the kernel tell the new shim how it ended.
"""

from __future__ import annotations

import contextlib
import os

from stratvisor.shim import rundir, tree

REMEMBERED = 4_096
"""Ends that nobody has asked for yet. Most are of children of strategies, and nobody ever does."""


class Orphans:
    """What became of them. A pid is given out again, so an end is remembered by identity."""

    def __init__(self) -> None:
        self._ends: dict[rundir.Identity, int] = {}

    def reap(self, spared: int | None) -> None:
        """Reap dead children of other sessions; those of the daemon's own session have their own waiters."""
        for pid in tree.children(os.getpid()):
            with contextlib.suppress(OSError):
                if pid != spared and os.getsid(pid) != os.getsid(0):
                    self._reap_one(pid)

    def _reap_one(self, pid: int) -> None:
        identity = rundir.identify_dead_or_alive(pid)
        reaped, status = os.waitpid(pid, os.WNOHANG)
        if reaped and identity is not None:
            self._ends[identity] = status
            if len(self._ends) > REMEMBERED:
                del self._ends[next(iter(self._ends))]

    def status_of(self, identity: rundir.Identity) -> int | None:
        """The wait status of exactly this process, if it was reaped here; told once."""
        return self._ends.pop(identity, None)
