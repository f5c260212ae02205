"""A listening Unix socket at a path of any length, that never stood open to others.

Knows one file. A path given to bind(2) and connect(2) has at most 107 bytes (unix(7)), which a home
deep in a tree exceeds; so the folder is opened and named through /proc/self/fd instead.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BACKLOG = 128


class UnixSocket:
    """The socket and its place. `listen` makes it, `close` takes it away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = path.name
        self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # Long in the tree is fine where /proc is; elsewhere the system says that it is too long.
        self._prefix = f"/proc/self/fd/{self._folder}" if sys.platform == "linux" else str(path.parent)
        self._inode: int | None = None

    def listen(self) -> socket.socket:
        """A socket that listens; one that stood at its place before is replaced in one step.

        Raises:
            OSError: the place cannot be written to.
        """
        aside = f".{self._name}.new"
        self._unlink(aside)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # bind() makes the file with the rights of the descriptor (Linux, net/unix/af_unix.c:
            # unix_bind_bsd), less the umask: no moment passes in which others could connect.
            os.fchmod(listening.fileno(), 0o600)
            listening.bind(f"{self._prefix}/{aside}")
            listening.listen(BACKLOG)
            listening.settimeout(0)
            os.replace(aside, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError:
            listening.close()
            raise
        self._inode = self._stands()
        return listening

    def is_lost(self) -> bool:
        """Whether nobody can come in any more, because the file or its folder was removed or replaced."""
        with contextlib.suppress(OSError):
            return self._path.stat().st_ino != self._inode
        return True

    def close(self) -> None:
        """Remove the file, unless another has taken its place meanwhile."""
        if self._inode is not None and self._stands() == self._inode:
            self._unlink(self._name)
        os.close(self._folder)

    def _stands(self) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            return os.stat(self._name, dir_fd=self._folder, follow_symlinks=False).st_ino
        return None

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder)
