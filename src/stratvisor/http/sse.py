"""Server-sent events: a stream of frames to one client, as fast as that client reads and no faster.

Knows frames and connections, not what is told. A heartbeat finds out clients that are gone. One that
does not read is dropped: what waits for it is at most the connection's buffer and one frame, and after
`WRITE_S` not even that. It may come back with Last-Event-ID.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from aiohttp import web

from stratvisor.http.access import Caller, caller
from stratvisor.http.errors import STARTED
from stratvisor.http.front import Front, front
from stratvisor.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HEARTBEAT_S = 15.0
WRITE_S = 10.0
"""How long a client may take nothing while something waits for it."""

CONTENT_TYPE = "text/event-stream"

_OPENING = b"retry: 2000\n\n"
_HEARTBEAT = b": still here\n\n"
_LOG = logging.getLogger(__name__)


def frame(event: str, data: Any, identity: str | int | None = None) -> bytes:
    """One event. `identity` is what Last-Event-ID brings back."""
    head = "" if identity is None else f"id: {identity}\n"
    body = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{head}event: {event}\ndata: {body}\n\n".encode("utf-8", "backslashreplace")


async def stream(request: web.Request, frames: AsyncGenerator[bytes, None]) -> web.StreamResponse:
    """Send frames until they end, the client leaves or the server closes."""
    headers = {"Content-Type": f"{CONTENT_TYPE}; charset=utf-8", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    async with aclosing(frames):
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        request[STARTED] = response
        try:
            await _relay(response, frames, _Leave(front(request), caller(request)))
        except TimeoutError:
            _LOG.info("dropped a client of %s that does not read", request.path)
            if request.transport is not None:
                request.transport.abort()
    return response


class _Leave:
    """Whether a stream may go on: until the server closes, or whoever reads it is let in no longer."""

    def __init__(self, here: Front, who: Caller) -> None:
        self._here = here
        self._session = who.session
        self._events = [event for event in (here.closing, who.over) if event is not None]

    @property
    def is_over(self) -> bool:
        """A session that expired is over too, with the next frame or heartbeat."""
        if any(event.is_set() for event in self._events):
            return True
        return self._session is not None and not self._here.doors.stands(self._session)

    def waits(self, tasks: Tasks) -> set[asyncio.Task[bool]]:
        """What is done once it is over by somebody's word."""
        return {tasks.spawn(event.wait(), "until a stream is to end") for event in self._events}


async def _relay(response: web.StreamResponse, frames: AsyncGenerator[bytes, None], leave: _Leave) -> None:
    tasks = Tasks()
    over = leave.waits(tasks)
    try:
        await _write(response, _OPENING)
        while (content := await _next(response, tasks, over, leave, frames)) is not None:
            await _write(response, content)
    finally:
        await tasks.close()


async def _next(
    response: web.StreamResponse,
    tasks: Tasks,
    over: set[asyncio.Task[bool]],
    leave: _Leave,
    frames: AsyncGenerator[bytes, None],
) -> bytes | None:
    """The next frame, with heartbeats until it comes; None: there is none to come, or the stream ends."""
    coming = tasks.spawn(_pull(frames), "the next frame of a stream")
    while True:
        done, _ = await asyncio.wait(
            {coming, *over}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if leave.is_over:
            return None
        if coming in done:
            return coming.result()
        await _write(response, _HEARTBEAT)


async def _pull(frames: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(frames, None)


async def _write(response: web.StreamResponse, content: bytes) -> None:
    async with asyncio.timeout(WRITE_S):
        await response.write(content)
