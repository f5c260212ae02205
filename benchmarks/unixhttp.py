"""HTTP over a Unix socket, on a connection that is kept."""

from __future__ import annotations

import http.client
import socket
import time
from typing import TYPE_CHECKING

from host import Answer, NotAnswering

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 30.0


class UnixHttp:
    """Requests to one socket, one after another."""

    def __init__(self, path: Path) -> None:
        self._connection = _Connection(path)

    def send(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        """The body of the answer.

        Raises:
            NotAnswering: no connection, or an answer that is not 200.
        """
        try:
            self._connection.request(method, target, body, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NotAnswering(str(error)) from error
        if answer.status != 200:
            raise NotAnswering(f"{answer.status}: {text[:300]!r}")
        return text

    def time(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """The same, timed."""
        began_ns = time.monotonic_ns()
        text = self.send(method, target, body, headers)
        return Answer(text, time.monotonic_ns() - began_ns)

    def close(self) -> None:
        """Close the connection; the next request makes another."""
        self._connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))
