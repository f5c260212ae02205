"""Speaks HTTP to the daemon of one home over its Unix socket.

Knows the transport: connecting, errors as problem details (RFC 9457), streams. Knows nothing of what a
route means, and prints nothing. Every way to fail ends as a `Failure` that reads as one sentence.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import quote, urlencode

from stratvisor.cli.failure import FAILED, NO_DAEMON, Failure
from stratvisor.cli.home import SOCKET, base_path
from stratvisor.cli.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PATIENCE_S = 10.0
"""How long an answer may take beyond what the request itself asks to wait for."""

_LONGEST_ADDRESS = 107
"""Bytes of `sockaddr_un.sun_path` but its closing NUL (unix(7))."""


class Event(NamedTuple):
    """One event of a stream (server-sent events, WHATWG HTML 9.2)."""

    kind: str
    data: str


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhost")
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The time limit comes after: with one, a full backlog is EAGAIN at once instead of a short wait.
        _connect(self.sock, self._path)
        self.sock.settimeout(self._timeout_s)


def _connect(sock: socket.socket, path: Path) -> None:
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        sock.connect(str(path))
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


class Client:
    """The daemon of one home, as a client sees it. Paths are those below the base path."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._socket = home / SOCKET
        self._base = base_path(home)

    def get(self, what: str, *path: str, query: Mapping[str, object] | None = None) -> Any:
        """The JSON of a route. `what` completes "cannot ..." where it fails.

        Raises:
            Failure: no daemon, or one that refuses.
        """
        with self.send(what, "GET", *path, query=query) as reply:
            return reply.json()

    def post(
        self,
        what: str,
        *path: str,
        query: Mapping[str, object] | None = None,
        form: Mapping[str, object] | None = None,
    ) -> Any:
        """What the daemon answers to a verb.

        Raises:
            Failure: no daemon, or one that refuses.
        """
        with self.send(what, "POST", *path, query=query, form=form) as reply:
            return reply.json()

    def send(
        self,
        what: str,
        method: str,
        *path: str,
        query: Mapping[str, object] | None = None,
        form: Mapping[str, object] | None = None,
        accept: str = "application/json",
        wait_s: float | None = 0,
    ) -> Reply:
        """Send a request and return at once: the answer is read from the reply, `wait_s` later at most.

        `wait_s` None: a stream, silent for as long as it likes.

        Raises:
            Failure: no daemon.
        """
        timeout_s = None if wait_s is None else PATIENCE_S + wait_s
        connection = _UnixConnection(self._socket, timeout_s)
        # An argument that is no text has become surrogates, and goes out as the bytes that it was.
        parts = (quote(part, safe="@", errors="surrogateescape") for part in path)
        target = f"{self._base}/{'/'.join(parts)}"
        if query:
            target += "?" + urlencode(query, errors="surrogateescape")
        body = urlencode(form or {}, errors="surrogateescape") if method == "POST" else None
        headers = {"Accept": accept, "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        reply = Reply(connection, what, timeout_s)
        try:
            self._connect(connection, what)
            with reply.said_well():
                connection.request(method, target, body, headers)
        except BaseException:
            connection.close()
            raise
        return reply

    def _connect(self, connection: _UnixConnection, what: str) -> None:
        try:
            connection.connect()
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            message = f"no daemon runs for {self.home}: start it with `stratvisor up`"
            raise Failure(message, NO_DAEMON) from None
        except PermissionError:
            raise Failure(f"cannot {what}: {self._no_permission()}") from None

    def _no_permission(self) -> str:
        try:
            owner = self._socket.parent.owner()
        except (OSError, KeyError):
            owner = "the user that runs the daemon"
        return f"no permission to open {self._socket}; run this as {owner}"


class Reply:
    """An answer to come. Close it, or use it as a context manager."""

    def __init__(self, connection: http.client.HTTPConnection, what: str, timeout_s: float | None) -> None:
        self._connection = connection
        self._what = what
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._connection.close()

    def peer(self) -> Peer:
        """The daemon as a process. Ask before the answer is read: with it the connection goes."""
        return Peer(self._connection.sock)

    def json(self) -> Any:
        """The whole answer.

        Raises:
            Failure: it says that something is wrong, or is no JSON.
        """
        with self.said_well():
            return _parsed(self._opened().read())

    def chunks(self) -> Iterator[bytes]:
        """The answer in pieces, each as soon as it is there.

        Raises:
            Failure: as `json`.
        """
        with self.said_well():
            response = self._opened()
            while piece := response.read1(65536):
                yield piece

    def events(self) -> Iterator[Event]:
        """The answer as server-sent events.

        Raises:
            Failure: as `json`.
        """
        kind, data = "message", list[str]()
        with self.said_well():
            for raw in self._opened():
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "event":
                    kind = value
                elif field == "data":
                    data.append(value)
                elif not line:
                    if data:
                        yield Event(kind, "\n".join(data))
                    kind, data = "message", []

    def _opened(self) -> http.client.HTTPResponse:
        response = self._connection.getresponse()
        if response.status >= http.client.BAD_REQUEST:
            raise Failure(f"cannot {self._what}: {_detail(response)}")
        return response

    @contextmanager
    def said_well(self) -> Iterator[None]:
        """Make sentences of what a connection raises."""
        try:
            yield
        except TimeoutError:
            why = f"the daemon did not answer within {self._timeout_s:g} s; see log/stratvisor.log"
        except (http.client.HTTPException, ConnectionError, ValueError) as error:
            reason = str(error) or type(error).__name__
            why = f"the daemon's answer broke off ({reason}); see log/stratvisor.log"
        else:
            return
        raise Failure(f"cannot {self._what}: {why}", FAILED)


def _parsed(body: bytes) -> Any:
    return json.loads(body) if body.strip() else {}


def _detail(response: http.client.HTTPResponse) -> str:
    """What a problem document says."""
    try:
        problem = _parsed(response.read())
        return str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the daemon answered {response.status} {response.reason}; see log/stratvisor.log"
