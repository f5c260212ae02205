"""Takes leave of dead processes that came to the daemon because their shim had died.

The daemon is a subreaper, so that the strategy of a killed shim stays in its family. Reaping it is also
what makes the kernel tell the new shim how it ended.
"""

from __future__ import annotations

import contextlib
import os

from stratvisor.shim import tree


def reap(spared: set[int]) -> None:
    """Reap dead children of other sessions; those of the daemon's own session have their own waiters."""
    for pid in tree.children(os.getpid()):
        with contextlib.suppress(OSError):
            if pid not in spared and os.getsid(pid) != os.getsid(0):
                os.waitpid(pid, os.WNOHANG)
