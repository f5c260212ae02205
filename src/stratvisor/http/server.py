"""Listening: the Unix socket, and a TCP port that may be taken by another.

Rule: the strategies matter more than the page. A port that is taken, or a certificate that cannot be used,
is a warning, tried again until it can be had; nothing here ends the daemon.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiohttp import web

from stratvisor.http.connection import Connection
from stratvisor.http.front import FRONT
from stratvisor.http.limits import Limits
from stratvisor.http.listener import Listener
from stratvisor.http.unixsocket import BACKLOG, UnixSocket
from stratvisor.reading.certificate import Unusable
from stratvisor.settings import is_loopback
from stratvisor.tasks import Tasks

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.http.tls import Tls

RETRY_S = 5.0
"""How long to wait before a port that was taken is tried again."""

GRACE_S = 2.0
"""What requests under way get to end when the server closes."""

_LOG = logging.getLogger(__name__)
_TAKEN = (
    "cannot listen on %s:%s: %s; tried again every %g s; or set [http] port in stratvisor.toml and start the "
    "daemon again; until then the Unix socket answers"
)
_NO_TLS = "cannot listen on %s:%s: tls_%s: %s; tried again every %g s; until then the Unix socket answers"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  to be named by an address that leads here
"""Addresses that stand for all, and one that leads there."""


class Server:
    """One application on its doors. Use `serve` to make one."""

    def __init__(
        self,
        app: web.Application,
        path: Path,
        address: tuple[str, int] | None,
        tls: Tls | None,
        limits: Limits,
    ) -> None:
        self._front = app[FRONT]
        self._runner = web.AppRunner(app, shutdown_timeout=GRACE_S)
        self._path = path
        self._unix = UnixSocket(path)
        self._address = address
        self._tls = tls
        self._limits = limits
        self._listeners: list[Listener] = []
        self._tasks = Tasks()
        self.port: int | None = None
        """Of TCP; None: not bound, or not yet."""

    async def open(self) -> Self:
        """Begin to listen; on TCP now or, where the port is taken, once it is free."""
        await self._runner.setup()
        self._listeners.append(Listener(self._unix.listen(), self._connection, self._limits))
        if self._address is not None and not await self._listen_tcp(*self._address):
            self._tasks.spawn(self._keep_trying(*self._address), "listen on TCP")
        return self

    def listen_again(self) -> None:
        """Make the Unix socket anew where it was removed; who is connected stays so.

        Raises:
            OSError: it cannot be made.
        """
        if self._unix.is_lost():
            self._unix.close()
            self._unix = UnixSocket(self._path)
            self._listeners.append(Listener(self._unix.listen(), self._connection, self._limits))

    async def close(self) -> None:
        """Listen no more, end streams at once, and give what is under way `GRACE_S`. Again: nothing."""
        if self._front.closing.is_set():
            return
        self._front.closing.set()
        await self._tasks.close()
        for listener in self._listeners:
            listener.close()
        await self._runner.cleanup()
        for listener in self._listeners:
            await listener.hang_up()
        with suppress(OSError):  # it costs the time of a token's last use
            await self._front.read(self._front.doors.keyring.write)
        self._front.close()
        self._unix.close()

    async def _keep_trying(self, host: str, port: int) -> None:
        while not self._front.closing.is_set():
            await self._front.pause(RETRY_S)
            if await self._listen_tcp(host, port, again=True):
                return

    async def _listen_tcp(self, host: str, port: int, *, again: bool = False) -> bool:
        try:
            if self._tls is not None:
                self._tls.context()
            sockets = await _bind(host, port)
        except Unusable as problem:
            if not again:
                _LOG.warning(_NO_TLS, host, port, problem.which, problem, RETRY_S)
            return False
        except OSError as error:
            if not again:
                _LOG.warning(_TAKEN, host, port, _reason(error), RETRY_S)
            return False
        for bound in sockets:
            self._listeners.append(Listener(bound, self._connection, self._limits, self._tls))
        self.port = sockets[0].getsockname()[1]
        self._front.address = self._url(_ANY.get(host, host), self.port)
        _LOG.info("listening on %s", self._url(host, self.port))
        return True

    def _url(self, host: str, port: int) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def _connection(self) -> Connection:
        server = self._runner.server
        if server is None:
            raise ConnectionAbortedError("cannot take a connection: the server is closing")
        return Connection(server, self._limits)


async def serve(
    app: web.Application,
    path: Path,
    address: tuple[str, int] | None,
    tls: Tls | None = None,
    limits: Limits | None = None,
) -> Server:
    """Listen on a Unix socket at `path` and, unless `address` is None, on TCP at a host and port.

    Raises:
        OSError: the Unix socket cannot be made.
        ValueError: the host is beyond loopback, and there is no TLS.
    """
    if address is not None and tls is None and not is_loopback(address[0]):
        raise ValueError(f"cannot listen on {address[0]}: others could read along without TLS; use 127.0.0.1")
    return await Server(app, path, address, tls, limits or Limits()).open()


async def _bind(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of a host: `localhost` may have two."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    try:
        for family, _type, _protocol, _name, address in dict.fromkeys(found):
            bound.append(socket.create_server(address[:2], family=family, backlog=BACKLOG))
    except OSError:
        for one in bound:
            one.close()
        raise
    return bound


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "it is in use"
    return error.strerror or str(error)
