"""The daemon's end of the zygote: start it, ask it for shims, replace it when it died.

Where no zygote can be had, the same shim is exec'd: slower and heavier, and otherwise the same.
Requests come from several threads; a packet socket keeps each whole.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from types import MappingProxyType
from typing import TYPE_CHECKING

from stratvisor.shim import main as shim_main
from stratvisor.shim import zygote as zygote_main

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 5.0
"""A zygote that takes no request for so long is replaced."""

PYTHON = (sys.executable, "-I", "-S")


class Zygote:
    """Makes shims. `errors` is the file that takes what a shim or the zygote says of its own failures."""

    def __init__(self, errors: str) -> None:
        self._errors = errors
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the zygote that serves now."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Have a zygote ready before the first request needs it."""
        with self._lock:
            self._start()

    def shim(
        self, folder: str, descriptors: Sequence[int], heritage: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        """Make the shim of a run directory and hand it the descriptors.

        `heritage`: for one that takes over, as `Shim.resume` has it.

        Raises:
            OSError: neither a fork nor an exec could be had.
        """
        request = json.dumps({"dir": folder, **heritage})
        with self._lock:
            if not (self._send(request, descriptors) or (self._start() and self._send(request, descriptors))):
                self._exec(request, descriptors)

    def close(self) -> None:
        """End the zygote; its shims stay."""
        with self._lock:
            self._stop()

    def _send(self, request: str, descriptors: Sequence[int]) -> bool:
        if self._socket is None:
            return False
        try:
            socket.send_fds(self._socket, [request.encode()], list(descriptors))
        except OSError as error:
            log.warning("the zygote (pid %s) is gone: %s; starting another", self.pid, error)
            return False
        return True

    def _start(self) -> bool:
        self._stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = self._spawn_zygote(theirs.fileno())
            except OSError as error:
                log.warning("cannot start the zygote: %s; shims are started one by one", error.strerror)
                ours.close()
                return False
        ours.settimeout(SEND_TIMEOUT_S)
        self._socket = ours
        return True

    def _stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            self._process = None

    def _exec(self, request: str, descriptors: Sequence[int]) -> None:
        """Without a zygote. The runner reaps it by its pidfd, as it does any shim that is its child."""
        first = max(descriptors) + 2
        errors = self._open_errors()
        try:
            passed = list(range(first, first + len(descriptors)))
            os.posix_spawn(
                sys.executable,
                [*PYTHON, shim_main.__file__, request, *map(str, passed)],
                {},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, errors, 2),
                    *((os.POSIX_SPAWN_DUP2, *pair) for pair in zip(descriptors, passed, strict=True)),
                ],
                setsid=True,
            )
        finally:
            os.close(errors)

    def _spawn_zygote(self, stdin: int) -> subprocess.Popen[bytes]:
        errors = self._open_errors()
        try:
            return subprocess.Popen(
                [*PYTHON, zygote_main.__file__],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={},
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(errors)

    def _open_errors(self) -> int:
        return os.open(self._errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
