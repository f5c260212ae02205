"""The end of the daemon, for good or for newer code, on the operator's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.http.access import caller
from stratvisor.http.answers import json_answer
from stratvisor.http.audited import note
from stratvisor.http.front import front
from stratvisor.http.parameters import flag
from stratvisor.http.route import Answer, Asked, Route

if TYPE_CHECKING:
    from aiohttp import web


async def shutdown(request: web.Request, asked: Asked) -> web.Response:
    """Answer first; the end comes soon after."""
    note(request, "shutdown", after={"stop_strategies": asked["stop_strategies"]})
    front(request).host.shutdown(stop_strategies=asked["stop_strategies"])
    return json_answer({"stop_strategies": asked["stop_strategies"]}, 202)


async def upgrade(request: web.Request, _asked: Asked) -> web.Response:
    """Answer once the new code has shown that it can; it takes over soon after."""
    told = await front(request).host.upgrade(caller(request).by)
    note(request, "upgrade", after=told)
    return json_answer(told, 202)


ROUTES = (
    Route(
        "POST",
        "/upgrade",
        upgrade,
        "Go on as the code that is installed now; strategies notice nothing",
        {202: Answer("it is about to", "Upgrade")},
        refuses={409: "the new code cannot take over; the detail says why"},
    ),
    Route(
        "POST",
        "/shutdown",
        shutdown,
        "End the daemon; strategies go on, unless told otherwise",
        {202: Answer("it is about to end", "Shutdown")},
        (flag("stop_strategies", "Stop all strategies first"),),
    ),
)
