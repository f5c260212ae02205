"""A real server on a fake host, for the tests of both doors and of the page."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from stratvisor.audit import Audit
from stratvisor.http.app import build
from stratvisor.http.doors import Doors
from stratvisor.http.front import FRONT, Front
from stratvisor.http.keyring import Keyring
from stratvisor.http.limits import Limits
from stratvisor.http.roles import Role
from stratvisor.http.server import Server, serve
from stratvisor.state import Now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web
    from fake_host import FakeHost

    from stratvisor.http.tls import Tls
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
    front: Front
    home: Path

    @property
    def port(self) -> int:
        assert self.server.port is not None
        return self.server.port

    @property
    def url(self) -> str:
        assert self.front.address is not None
        return self.front.address

    @property
    def login_link(self) -> str:
        link = self.front.login_link(Role.ADMIN, "a login link of the tests")
        assert link is not None
        return link

    def token(self, role: Role, name: str = "") -> str:
        """A token of this role."""
        return self.doors.keyring.make(name or role.value, role)

    def over_socket(self) -> aiohttp.ClientSession:
        """A client of the Unix socket; any host name will do there."""
        return aiohttp.ClientSession("http://stratvisor", connector=aiohttp.UnixConnector(str(self.path)))

    def over_tcp(self, token: str | None = TOKEN) -> aiohttp.ClientSession:
        """A client of the TCP door."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return aiohttp.ClientSession(self.url, headers=headers)


def application(host: FakeHost, base_path: str = "/python") -> web.Application:
    """All routes, behind the one token."""
    clock = FakeClock()
    doors = Doors(Keyring(TOKEN, None, clock), clock)
    return build(host, doors, Audit(host.folder), clock, base_path=base_path)


@asynccontextmanager
async def served(
    host: Host,
    folder: Path,
    *,
    address: tuple[str, int] = ("127.0.0.1", 0),
    public_urls: tuple[str, ...] = (),
    tls: Tls | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[Served]:
    """Both doors of `host`, open; the socket stands in `folder`, the port is any free one."""
    clock = FakeClock()
    (folder / "keys").mkdir(exist_ok=True)
    doors = Doors(Keyring(TOKEN, folder / "keys" / "tokens.json", clock), clock)
    audit = Audit(folder)
    app = build(host, doors, audit, clock, public_urls=public_urls)
    path = folder / "stratvisor.sock"
    server = await serve(app, path, address, tls, limits)
    try:
        yield Served(server, doors, clock, path, app[FRONT], folder)
    finally:
        await server.close()
        await audit.close()
