"""All strategies at once: the dashboard, and /status for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.http.answers import json_answer, see, wants_page
from stratvisor.http.front import front
from stratvisor.http.negotiate import HTML
from stratvisor.http.pages import DAYS
from stratvisor.http.picture import picture
from stratvisor.http.route import Answer, Asked, Route

if TYPE_CHECKING:
    from aiohttp import web


async def status(request: web.Request, asked: Asked) -> web.Response:
    """Everything about all."""
    here = front(request)
    facts = here.host.status()
    if not wants_page(request):
        return json_answer(facts)
    shown = picture(await here.host.timeline(asked["days"]))
    return here.pages.answer(request, "dashboard.html", {"status": facts, "picture": shown})


async def to_dashboard(request: web.Request, _asked: Asked) -> web.Response:
    """Where people who type the bare address want to be."""
    return see(f"{front(request).base}/")


_ANSWERS = {200: Answer("the state of all strategies", "Status", others=(HTML,))}

ROUTES = (
    Route("GET", "/", status, "The dashboard; for programs the same as /status", _ANSWERS, (DAYS,)),
    Route("GET", "/status", status, "Everything about all strategies", _ANSWERS, (DAYS,)),
)

SIGNPOST = Route(
    "GET", "/", to_dashboard, "Sends on to the dashboard", {303: Answer("see there")}, at_root=True
)
"""Where there is a base path; also for that path without the slash at its end."""
