"""What every handler needs, in one place, found through the request."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratvisor.audit import Audit
    from stratvisor.http.doors import Doors
    from stratvisor.http.names import Names
    from stratvisor.http.pages import Pages
    from stratvisor.http.peers import Peers
    from stratvisor.http.roles import Role
    from stratvisor.http.route import Route
    from stratvisor.http.throttle import Throttle
    from stratvisor.ports import Clock, Host


READERS = 4

_LOG = logging.getLogger(__name__)

_T = TypeVar("_T")


class Front:
    """The front of one daemon: what stands behind the doors, and how it is shown."""

    def __init__(
        self,
        *,
        host: Host,
        doors: Doors,
        names: Names,
        peers: Peers,
        throttle: Throttle,
        audit: Audit,
        pages: Pages,
        base: str,
        clock: Clock,
    ) -> None:
        self.host = host
        self.doors = doors
        self.names = names
        self.peers = peers
        self.throttle = throttle
        self.audit = audit
        self.pages = pages
        self.base = base
        """What all paths but the root's begin with, without a slash at its end; may be empty."""
        self.clock = clock
        self.address: str | None = None
        """Where TCP is listened on, as a URL without a path; None: nowhere, or not yet."""
        self.routes: dict[web.AbstractRoute, Route] = {}
        self.closing = asyncio.Event()
        """Set when the server goes: what waits is to end at once."""
        self._readers = ThreadPoolExecutor(READERS, "logs")

    async def read(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Do what may wait for a disk, in threads of our own: no start waits behind a search of the logs."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work, *arguments)

    def later(self, work: Callable[[], None]) -> None:
        """Do it in a thread that nobody waits for; a disk that takes nothing is said."""
        self._readers.submit(_try, work)

    def login_link(self, role: Role, by: str) -> str | None:
        """A fresh link that opens one session; None: there is no page on TCP."""
        if self.address is None:
            return None
        begin = self.names.public[0] if self.names.public else self.address
        return f"{begin}{self.base}/login?code={self.doors.mint_code(role, by)}"

    def close(self) -> None:
        """Let go of the threads; a search that still runs ends by itself."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until the server closes."""
        try:
            async with asyncio.timeout(seconds):
                await self.closing.wait()
        except TimeoutError:
            return


def _try(work: Callable[[], None]) -> None:
    try:
        work()
    except OSError as error:
        _LOG.warning("cannot write %s: %s", error.filename, error.strerror)


FRONT = web.AppKey("front", Front)


def front(request: web.Request) -> Front:
    """The front that this request came to."""
    return request.app[FRONT]
