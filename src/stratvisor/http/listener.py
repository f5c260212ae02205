"""One listening socket: takes clients in, so many and no more.

Each is counted from accept(2) on, before it has said anything or shaken hands: descriptors are what runs
out first, and the strategies need theirs.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from stratvisor.reading.certificate import Unusable
from stratvisor.tasks import Tasks

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from stratvisor.http.connection import Connection
    from stratvisor.http.limits import Limits
    from stratvisor.http.tls import Tls

AT_ONCE = 64
"""Clients taken in before others get their turn."""

REST_S = 1.0
"""How long to take in nobody where no descriptor is to be had."""

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\n"
    b"Content-Type: application/problem+json\r\nContent-Length: 92\r\n\r\n"
    b'{"title":"Service Unavailable","status":503,"detail":"too many connections; try again soon"}'
)
_LOG = logging.getLogger(__name__)


class Listener:
    """A socket that listens, until `close`. `made` makes what speaks with a client."""

    def __init__(
        self, listening: socket.socket, made: Callable[[], Connection], limits: Limits, tls: Tls | None = None
    ) -> None:
        self.socket = listening
        self._made = made
        self._limits = limits
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks()
        self._open = 0
        self._by_address: Counter[str] = Counter()
        self._resting: asyncio.TimerHandle | None = None
        listening.setblocking(False)  # noqa: FBT003  the standard library's signature
        self._listen()

    def close(self) -> None:
        """Take in nobody any more; whoever is in stays until `hang_up`."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self.socket)
        self.socket.close()

    async def hang_up(self) -> None:
        """Let go of what is left."""
        await self._tasks.close()

    def _listen(self) -> None:
        self._resting = None
        self._loop.add_reader(self.socket, self._take_in)

    def _take_in(self) -> None:
        for _ in range(AT_ONCE):
            try:
                client, address = self.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptor, no memory
                _LOG.warning("cannot take in a client: %s; again in %g s", error.strerror, REST_S)
                self._loop.remove_reader(self.socket)
                self._resting = self._loop.call_later(REST_S, self._listen)
                return
            self._admit(client, str(address[0]) if isinstance(address, tuple) else "")

    def _admit(self, client: socket.socket, address: str) -> None:
        """On the Unix socket there are no addresses; all come from this machine and this user."""
        limits = self._limits
        if self._open >= limits.connections or (address and self._by_address[address] >= limits.per_address):
            self._refuse(client)
            return
        self._open += 1
        self._by_address[address] += 1
        self._tasks.spawn(self._serve(client, address), "a client's connection")

    async def _serve(self, client: socket.socket, address: str) -> None:
        try:
            client.setblocking(False)  # noqa: FBT003  the same
            if address:
                _do_not_wait_for_readers(client, self._limits.write_s)
            await self._speak(client)
        finally:
            client.close()
            self._open -= 1
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    async def _speak(self, client: socket.socket) -> None:
        try:
            context = None if self._tls is None else self._tls.context()
            connection = await self._shake_hands(client, context)
        except (OSError, Unusable) as error:  # also TimeoutError, and whatever is wrong with a handshake
            _LOG.debug("a client came no further: %s", error)
            return
        await connection.lost.wait()

    async def _shake_hands(self, client: socket.socket, context: ssl.SSLContext | None) -> Connection:
        _transport, connection = await self._loop.connect_accepted_socket(
            self._made,
            client,
            ssl=context,
            ssl_handshake_timeout=self._limits.handshake_s if context else None,
        )
        return connection

    def _refuse(self, client: socket.socket) -> None:
        """Without waiting: nothing has gone out yet, so that there is room for this."""
        with client, suppress(OSError):
            if self._tls is None:
                client.send(_FULL)


def _do_not_wait_for_readers(client: socket.socket, seconds: float) -> None:
    """Have the kernel cut what nobody acknowledges or makes room for: with TLS it buffers unseen (tcp(7))."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
