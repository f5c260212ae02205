"""One strategy: its state, why it is so, when it runs next, and how its runs ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor import logs
from stratvisor.http.answers import json_answer, wants_page
from stratvisor.http.formats import ending
from stratvisor.http.front import Front, front
from stratvisor.http.negotiate import HTML
from stratvisor.http.pages import DAYS
from stratvisor.http.parameters import whole
from stratvisor.http.picture import picture
from stratvisor.http.route import Answer, Asked, Route
from stratvisor.ports import UnknownStrategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from stratvisor.ports import Json

PAGE_RUNS = 20
PAGE_DAYS = 7
PAGE_LINES = 200


async def status(request: web.Request, asked: Asked) -> web.Response:
    """Everything about one; its page shows its runs, its coming days and the end of its log beside that."""
    here = front(request)
    name = request.match_info["id"]
    facts = here.host.strategy(name)
    if not wants_page(request):
        return json_answer(facts)
    shown = {
        "strategy": facts,
        "runs": await _runs(here, name, PAGE_RUNS),
        "coming": _known(lambda: here.host.coming(name, PAGE_DAYS)),
        "tail": await here.read(logs.tail, here.host.log_files(name), PAGE_LINES),
        "picture": picture(await here.host.timeline(asked["days"], name)),
        "now": _now(here),
    }
    return here.pages.answer(request, "strategy.html", shown)


async def why(request: web.Request, _asked: Asked) -> web.Response:
    """One sentence."""
    here = front(request)
    facts = here.host.strategy(request.match_info["id"])
    if wants_page(request):
        return here.pages.answer(request, "why.html", {"strategy": facts})
    return json_answer({key: facts[key] for key in ("id", "state", "since", "why")})


async def upcoming(request: web.Request, asked: Asked) -> web.Response:
    """The coming windows."""
    here = front(request)
    facts = here.host.strategy(request.match_info["id"])
    windows = _known(lambda: here.host.upcoming(facts["id"], asked["n"]))
    if wants_page(request):
        return here.pages.answer(
            request, "next.html", {"strategy": facts, "upcoming": windows, "now": _now(here)}
        )
    return json_answer({"id": facts["id"], "next": windows})


async def runs(request: web.Request, asked: Asked) -> web.Response:
    """The history, newest first; as JSON also of a strategy whose file is gone."""
    here = front(request)
    name = request.match_info["id"]
    found = await _runs(here, name, asked["n"])
    if wants_page(request):
        facts = {"strategy": here.host.strategy(name), "runs": found, "now": _now(here)}
        return here.pages.answer(request, "runs.html", facts)
    return json_answer({"id": name, "runs": found})


def _known(ask: Callable[[], list[Json]]) -> list[Json]:
    """None of one that is known, but has no schedule: its file is bad from the first."""
    try:
        return ask()
    except UnknownStrategy:
        return []


async def _runs(here: Front, strategy: str, count: int) -> list[Json]:
    """Each with how it ended, for people."""
    return [run | {"how": ending(run)} for run in await here.host.runs(strategy, count)]


def _now(here: Front) -> str:
    """Beside what the page's times are shown."""
    now: str = here.host.status()["now"]
    return now


ROUTES = (
    Route(
        "GET",
        "/status/{id}",
        status,
        "Everything about one strategy",
        {200: Answer("its state", "Strategy", others=(HTML,))},
        (DAYS,),
    ),
    Route(
        "GET",
        "/why/{id}",
        why,
        "Why it is in this state, in one sentence",
        {200: Answer("the sentence", "Why", others=(HTML,))},
    ),
    Route(
        "GET",
        "/next/{id}",
        upcoming,
        "The coming windows",
        {200: Answer("the windows, soonest first", "Next", others=(HTML,))},
        (whole("n", "How many", 1, 1000, 20),),
    ),
    Route(
        "GET",
        "/runs/{id}",
        runs,
        "The history of its runs",
        {200: Answer("the runs, newest first", "Runs", others=(HTML,))},
        (whole("n", "How many", 1, 1000, 50),),
    ),
)
