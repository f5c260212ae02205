"""Reading the configuration again, and what that would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.http.access import caller
from stratvisor.http.answers import json_answer, see, wants_page
from stratvisor.http.audited import note
from stratvisor.http.errors import RequestError
from stratvisor.http.front import front
from stratvisor.http.negotiate import HTML
from stratvisor.http.pages import BACK, local_path
from stratvisor.http.parameters import flag
from stratvisor.http.route import Answer, Asked, Route

if TYPE_CHECKING:
    from aiohttp import web


async def plan(request: web.Request, _asked: Asked) -> web.Response:
    """What a reload would do now."""
    here = front(request)
    found = await here.host.plan()
    if wants_page(request):
        return here.pages.answer(request, "plan.html", {"plan": found})
    return json_answer(found)


async def reload(request: web.Request, asked: Asked) -> web.Response:
    """Read everything again, now; problems in files do not make it fail, a refusal does."""
    here = front(request)
    done = await here.host.reload(force=asked["force"], by=caller(request).by)
    if done.get("refused"):
        raise RequestError(409, done["refused"], facts={"plan": done})
    note(request, "reload", after={deed: done[deed] for deed in ("start", "stop", "restart", "live")})
    if wants_page(request):
        return see(local_path(asked["back"], here.base) or f"{here.base}/")
    return json_answer(done)


ROUTES = (
    Route(
        "GET",
        "/plan",
        plan,
        "What a reload would start, stop, restart and apply live",
        {200: Answer("the plan", "Plan", others=(HTML,))},
    ),
    Route(
        "POST",
        "/reload",
        reload,
        "Read all configuration again, now",
        {200: Answer("what was done", "Plan"), 303: Answer("for a page's form: see there")},
        (flag("force", "Also where that stops everything because conf.d is empty or gone"), BACK),
        {409: "it would stop everything; `force` does it all the same"},
    ),
)
