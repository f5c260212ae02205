"""What machines ask about the daemon itself: /healthz, /readyz, /openapi.json."""

from __future__ import annotations

from aiohttp import web

from stratvisor.http.answers import json_answer
from stratvisor.http.front import front
from stratvisor.http.openapi import describe
from stratvisor.http.roles import Needs
from stratvisor.http.route import Answer, Asked, Route


async def healthz(_request: web.Request, _asked: Asked) -> web.Response:
    """The daemon lives: it answered."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request, _asked: Asked) -> web.Response:
    """Whether every strategy was judged once."""
    ready, why_not = front(request).host.ready()
    return json_answer({"ready": ready, "why_not_ready": why_not}, 200 if ready else 503)


async def openapi(request: web.Request, _asked: Asked) -> web.Response:
    """This list of routes."""
    here = front(request)
    return json_answer(describe(here.routes.values(), here.base))


ROUTES = (
    Route(
        "GET",
        "/healthz",
        healthz,
        "Whether the daemon answers; needs no token",
        {200: Answer("ok", others=("text/plain",))},
        needs=Needs.NOTHING,
        at_root=True,
    ),
    Route(
        "GET",
        "/readyz",
        readyz,
        "Whether every strategy was judged since the daemon began",
        {200: Answer("it was", "Ready"), 503: Answer("not yet", "Ready")},
        at_root=True,
    ),
    Route(
        "GET", "/openapi.json", openapi, "This description", {200: Answer("OpenAPI 3.1", "Any")}, at_root=True
    ),
)
