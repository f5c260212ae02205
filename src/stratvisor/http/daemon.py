"""The end of the daemon, on the operator's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


ROUTES = (
    Route(
        "POST",
        "/shutdown",
        shutdown,
        "End the daemon; strategies go on, unless told otherwise",
        {202: Answer("it is about to end", "Shutdown")},
        (flag("stop_strategies", "Stop all strategies first"),),
    ),
)
