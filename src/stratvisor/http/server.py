"""Listening: the Unix socket, and a TCP port on loopback that may be taken by another.

Rule: the strategies matter more than the page. A port that is taken is a warning, tried again until it
is free; nothing here ends the daemon.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
from typing import TYPE_CHECKING, Self

from aiohttp import web

from stratvisor.http.connection import Connection
from stratvisor.http.front import FRONT
from stratvisor.http.unixsocket import UnixSocket
from stratvisor.tasks import Tasks

if TYPE_CHECKING:
    from pathlib import Path

RETRY_S = 5.0
"""How long to wait before a port that was taken is tried again."""

IDLE_S = 75.0
GRACE_S = 2.0
"""What requests under way get to end when the server closes."""

_LOG = logging.getLogger(__name__)
_TAKEN = (
    "cannot listen on %s:%s: %s; tried again every %g s; or set [http] port in stratvisor.toml and start the "
    "daemon again; until then the Unix socket answers"
)
_NO_LOG = logging.getLogger("stratvisor.http.requests")
"""Requests are not logged one by one; orders stand in the history, with who gave them."""
_NO_LOG.disabled = True


class Server:
    """One application on its doors. Use `serve` to make one."""

    def __init__(self, app: web.Application, path: Path, address: tuple[str, int] | None) -> None:
        self._front = app[FRONT]
        self._runner = web.AppRunner(app, shutdown_timeout=GRACE_S)
        self._unix = UnixSocket(path)
        self._address = address
        self._listening: list[asyncio.Server] = []
        self._tasks = Tasks()
        self.port: int | None = None
        """Of TCP; None: not bound, or not yet."""

    async def open(self) -> Self:
        """Begin to listen; on TCP now or, where the port is taken, once it is free."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._listening.append(await loop.create_server(self._connection, sock=self._unix.listen()))
        if self._address is not None and not await self._listen_tcp(*self._address):
            self._tasks.spawn(self._keep_trying(*self._address), "listen on TCP")
        return self

    async def close(self) -> None:
        """Listen no more, end streams at once, and give what is under way `GRACE_S`. Again: nothing."""
        if self._front.closing.is_set():
            return
        self._front.closing.set()
        await self._tasks.close()
        for listening in self._listening:
            listening.close()
        await self._runner.cleanup()
        self._front.close()
        self._unix.close()

    async def _keep_trying(self, host: str, port: int) -> None:
        while not self._front.closing.is_set():
            await self._front.pause(RETRY_S)
            if await self._listen_tcp(host, port, again=True):
                return

    async def _listen_tcp(self, host: str, port: int, *, again: bool = False) -> bool:
        loop = asyncio.get_running_loop()
        try:
            listening = await loop.create_server(self._connection, host, port)
        except OSError as error:
            if not again:
                _LOG.warning(_TAKEN, host, port, _reason(error), RETRY_S)
            return False
        self._listening.append(listening)
        self.port = listening.sockets[0].getsockname()[1]
        _LOG.info("listening on http://%s:%s", host, self.port)
        return True

    def _connection(self) -> Connection:
        server = self._runner.server
        if server is None:
            raise ConnectionAbortedError("cannot take a connection: the server is closing")
        loop = asyncio.get_running_loop()
        return Connection(server, loop=loop, access_log=_NO_LOG, keepalive_timeout=IDLE_S)


async def serve(app: web.Application, path: Path, address: tuple[str, int] | None) -> Server:
    """Listen on a Unix socket at `path` and, unless `address` is None, on TCP at a loopback host and port.

    Raises:
        OSError: the Unix socket cannot be made.
        ValueError: the host is no loopback name or address.
    """
    if address is not None and not _is_loopback(address[0]):
        raise ValueError(f"cannot listen on {address[0]}: others could read along without TLS; use 127.0.0.1")
    return await Server(app, path, address).open()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "it is in use"
    return error.strerror or str(error)
