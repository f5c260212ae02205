"""What is done through a door is in the audit trail, before whoever did it hears that it is done.

A handler notes its change, with what was before and after; of one that notes none the middleware takes
down at least the request, so that no route can be forgotten.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from stratvisor.audit import Change
from stratvisor.http.access import SAFE, Caller, caller
from stratvisor.http.front import front

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_NOTED: web.RequestKey[list[asyncio.Future[None]]] = web.RequestKey("noted", list)


@web.middleware
async def audited(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take down what a request changes."""
    if request.method in SAFE:
        return await handler(request)
    noted = request[_NOTED] = []
    try:
        answer = await handler(request)
        if not noted and answer.status < HTTPStatus.BAD_REQUEST and caller(request).role is not None:
            note(request, f"{request.method} {request.path}")
        return answer
    finally:
        if noted:
            await asyncio.wait(noted)


def note(
    request: web.Request,
    what: str,
    *,
    strategy: str | None = None,
    before: Any = None,
    after: Any = None,
    who: Caller | None = None,
) -> None:
    """Somebody did something, now; `who` where it is not who makes the request."""
    here = front(request)
    known = who or caller(request)
    at = here.clock.now().wall
    change = Change(at, known.by, known.where, what, strategy, before, after)
    request[_NOTED].append(here.audit.record(change))
