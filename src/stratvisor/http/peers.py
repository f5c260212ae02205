"""Who is at the other end of the Unix socket, and whether it may use it.

The file's rights keep other users out. A strategy runs as the daemon's own user, if it is given no other:
by its rights it could stop its neighbours. So whoever belongs to a strategy is refused, and so is whoever
is gone, whose pid tells nothing any more.

Rule: a pid counts only while a pidfd says that it is still the process that connected.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import struct
import sys
from typing import TYPE_CHECKING

from stratvisor.http.errors import RequestError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from stratvisor.http.throttle import Throttle

_SOL_SOCKET = 1
_SO_PEERPIDFD = 77
"""Kernel 6.5, include/uapi/asm-generic/socket.h; the standard library has no name for it."""
_SO_PEERCRED = 17

_LOG = logging.getLogger(__name__)


class Peers:
    """The callers of one socket. `strategy_of` says which strategy a living process belongs to, if any."""

    def __init__(self, strategy_of: Callable[[int], str | None], throttle: Throttle) -> None:
        self._strategy_of = strategy_of
        self._throttle = throttle

    def admit(self, peer: socket.socket) -> tuple[str, str]:
        """Who it is, by its uid, and as which process.

        Raises:
            RequestError: it is gone, or belongs to a strategy.
        """
        if sys.platform != "linux":
            return "socket", "the socket"
        # struct ucred: pid, uid, gid as of connect(2) (unix(7)); pid 0 is one of another pid namespace.
        pid, uid, _gid = struct.unpack("iII", peer.getsockopt(_SOL_SOCKET, _SO_PEERCRED, 12))
        if pid > 0:
            self._check(peer, pid)
        return f"uid {uid}", f"pid {pid}" if pid > 0 else "another pid namespace"

    def _check(self, peer: socket.socket, pid: int) -> None:
        strategy = None
        pidfd = _pidfd(peer, pid)
        try:
            gone = pidfd is None
            if not gone:
                strategy = self._strategy_of(pid)
                gone = _is_over(pidfd)  # asked last: what was found out is of this process, or of nobody
        finally:
            if pidfd is not None:
                os.close(pidfd)
        if gone:
            raise RequestError(403, f"the process {pid} that connected is gone; ask with one that waits")
        if strategy is not None:
            self._refuse(strategy, pid)

    def _refuse(self, strategy: str, pid: int) -> None:
        if self._throttle.failed(f"strategy {strategy}") is None:
            _LOG.warning("%s: its process %d asked for the control socket, and was refused", strategy, pid)
        raise RequestError(
            403, f"process {pid} belongs to the strategy {strategy}: strategies may not use this"
        )


def _pidfd(peer: socket.socket, pid: int) -> int | None:
    """Of the process that connected; None: it is gone."""
    try:
        return peer.getsockopt(_SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            return None
    # An older kernel: since connect(2) the pid may have become another's, once all numbers had their turn.
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _is_over(pidfd: int | None) -> bool:
    """A pidfd becomes readable when its process ends (pidfd_open(2))."""
    if pidfd is None:
        return True
    end = select.poll()
    end.register(pidfd, select.POLLIN)
    return bool(end.poll(0))
