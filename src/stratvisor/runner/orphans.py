"""Takes leave of dead processes that came to the daemon because their shim had died.

The daemon is a subreaper, so that the strategy of a killed shim stays in its family. Reaping it is also
what makes the kernel tell the new shim how it ended.
"""

from __future__ import annotations

import contextlib
import os

from stratvisor.shim import tree


def reap(spared: set[int]) -> dict[int, int]:
    """Reap dead children of other sessions; those of the daemon's own session have their own waiters.

    Returns their wait statuses by pid: for the shim that takes over.
    """
    ended = {}
    for pid in tree.children(os.getpid()):
        with contextlib.suppress(OSError):
            if pid not in spared and os.getsid(pid) != os.getsid(0):
                reaped, status = os.waitpid(pid, os.WNOHANG)
                if reaped:
                    ended[reaped] = status
    return ended
