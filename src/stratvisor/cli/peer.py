"""The process at the other end of a Unix socket, to be seen ending. Never signalled."""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from typing import Self


class Peer:
    """Whoever listens at the other end. Opened while connected, so that its pid cannot be another's yet."""

    def __init__(self, sock: socket.socket) -> None:
        self._pidfd: int | None = None
        if sys.platform == "linux":
            # SO_PEERCRED (unix(7)): {pid, uid, gid} as of listen(2); pid 0 is one of another namespace.
            pid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            if pid > 0:
                self._pidfd = os.pidfd_open(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)

    def gone_within(self, seconds: float) -> bool:
        """Wait for its end, that long at most; True where it cannot be watched."""
        if self._pidfd is None:
            return True
        end = select.poll()
        end.register(self._pidfd, select.POLLIN)
        return bool(end.poll(seconds * 1000))
