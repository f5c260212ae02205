"""run/news: where shims say "look again at ID N". Losing a word loses nothing: the files tell the same."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Self

from stratvisor.shim import rundir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class NewsSocket:
    """A datagram socket on the event loop, bound while the context lasts."""

    def __init__(self, folder: Path, heard: Callable[[str, int], None]) -> None:
        self._folder = folder
        self._heard = heard
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        self.bind()
        return self

    def bind(self) -> None:
        """Take the place; again where it was removed.

        Raises:
            OSError: it cannot be had.
        """
        self._let_go()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        path = self._folder / rundir.NEWS
        path.unlink(missing_ok=True)
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # sun_path holds 108 bytes (unix(7)); a home may lie deeper.
            self._socket.bind(f"/proc/self/fd/{folder}/{rundir.NEWS}")
        finally:
            os.close(folder)
        path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._read, self._socket)

    def __exit__(self, *_exception: object) -> None:
        self._let_go()

    def _let_go(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _read(self, ours: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                words = ours.recv(256).split()
                if len(words) == 2 and words[1].isdigit():
                    self._heard(words[0].decode("ascii", "replace"), int(words[1]))
