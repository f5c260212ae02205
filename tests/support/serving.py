"""A real server on a fake host, for the tests of both doors and of the page."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from stratvisor.http.app import build
from stratvisor.http.doors import Doors
from stratvisor.http.login import login_link
from stratvisor.http.server import Server, serve
from stratvisor.state import Now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stratvisor.ports import Host

TOKEN = "a-token-for-the-tests-alone"
START = datetime(2026, 11, 23, 6, 12, 10, tzinfo=UTC)


@dataclass
class FakeClock:
    """Stands until it is moved."""

    boot_ns: int = 10**12
    wall: datetime = field(default=START)

    def now(self) -> Now:
        return Now(self.boot_ns, self.wall)


@dataclass
class Served:
    """What a test needs of a running server."""

    server: Server
    doors: Doors
    clock: FakeClock
    path: Path

    @property
    def port(self) -> int:
        assert self.server.port is not None
        return self.server.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def login_link(self) -> str:
        return login_link(self.doors, "127.0.0.1", self.port, "/python")

    def over_socket(self) -> aiohttp.ClientSession:
        """A client of the Unix socket; any host name will do there."""
        return aiohttp.ClientSession("http://stratvisor", connector=aiohttp.UnixConnector(str(self.path)))

    def over_tcp(self, token: str | None = TOKEN) -> aiohttp.ClientSession:
        """A client of the TCP door."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return aiohttp.ClientSession(self.url, headers=headers)


@asynccontextmanager
async def served(host: Host, folder: Path) -> AsyncIterator[Served]:
    """Both doors of `host`, open; the socket stands in `folder`, the port is any free one."""
    clock = FakeClock()
    doors = Doors(TOKEN, clock)
    path = folder / "stratvisor.sock"
    server = await serve(build(host, doors), path, ("127.0.0.1", 0))
    try:
        yield Served(server, doors, clock, path)
    finally:
        await server.close()
