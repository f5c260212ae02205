"""What every handler needs, in one place, found through the request."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratvisor.http.doors import Doors
    from stratvisor.http.pages import Pages
    from stratvisor.http.route import Route
    from stratvisor.ports import Host


READERS = 4

_T = TypeVar("_T")


class Front:
    """The front of one daemon: what stands behind the doors, and how it is shown."""

    def __init__(self, host: Host, doors: Doors, pages: Pages, base: str) -> None:
        self.host = host
        self.doors = doors
        self.pages = pages
        self.base = base
        """What all paths but the root's begin with, without a slash at its end; may be empty."""
        self.routes: dict[web.AbstractRoute, Route] = {}
        self.closing = asyncio.Event()
        """Set when the server goes: what waits is to end at once."""
        self._readers = ThreadPoolExecutor(READERS, "logs")

    async def read(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Do what may wait for a disk, in threads of our own: no start waits behind a search of the logs."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work, *arguments)

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


FRONT = web.AppKey("front", Front)


def front(request: web.Request) -> Front:
    """The front that this request came to."""
    return request.app[FRONT]
