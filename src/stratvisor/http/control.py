"""The operator's verbs: start, stop, restart; of one strategy, of a tag's, of all."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from stratvisor.http.access import caller, may_look
from stratvisor.http.answers import json_answer, see, wants_page
from stratvisor.http.audited import note
from stratvisor.http.errors import RequestError
from stratvisor.http.front import Front, front
from stratvisor.http.pages import BACK, local_path
from stratvisor.http.parameters import Param, choice, seconds
from stratvisor.http.roles import Needs
from stratvisor.http.route import Answer, Asked, Route
from stratvisor.ports import Host, Json, Order, Refused

if TYPE_CHECKING:
    from aiohttp import web

MOST_WAIT_S = 60

WAIT = seconds("wait", "Seconds to wait until it is done; without: answer 202 at once", MOST_WAIT_S)
UNTIL = choice("until", "Hold it down only until its next window", "next")

_UNKEPT = "run/state.json {}: it is forgotten if the daemon dies before that works again; see to the disk"


async def carry_out(request: web.Request, asked: Asked, *, verb: str) -> web.Response:
    """Give the order to all that are named, and answer with what became of them."""
    here = front(request)
    selector = request.match_info["id"]
    order = Order(verb, caller(request).by, until_next=asked.get("until") == "next")
    names = here.host.select(selector)
    if _is_many(selector):
        obeyed, refused = _order_each(request, names, order)
    else:
        _order(request, names[0], order)
        obeyed, refused = list(names), []
    if wants_page(request) and not may_look(request):
        return here.pages.answer(request, "stopped.html", {"count": len(obeyed)})
    if wants_page(request):
        await _keep(here, order)
        fallback = "/" if _is_many(selector) else f"/status/{selector}"
        return see(local_path(asked["back"], here.base) or here.base + fallback)
    return await _answer(here, selector, order, (obeyed, refused), asked["wait"])


async def _keep(here: Front, order: Order, told: Json | None = None) -> None:
    """Answer no sooner than the order outlives the daemon."""
    unkept = await here.host.kept()
    if unkept is not None:
        facts = {} if told is None else {"state": told}
        raise RequestError(507, f"{order.verb} is obeyed, but {_UNKEPT.format(unkept)}", facts=facts)


async def _answer(
    here: Front, selector: str, order: Order, outcome: tuple[list[str], list[Json]], wait: float
) -> web.Response:
    obeyed, refused = outcome
    done = await asyncio.gather(*(here.host.settled(name, wait) for name in obeyed)) if wait else []
    states = [here.host.strategy(name) for name in obeyed]
    told: Json = {"strategies": states, "refused": refused} if _is_many(selector) else states[0]
    await _keep(here, order, told)
    if not all(done):
        late = ", ".join(name for name, is_done in zip(obeyed, done, strict=True) if not is_done)
        raise RequestError(504, f"not done within {wait:g} s: {late}; it goes on", facts={"state": told})
    return json_answer(told, 200 if done else 202)


def _order(request: web.Request, name: str, order: Order) -> None:
    host = front(request).host
    before = _kept(host, name)
    host.order(name, order)
    what = f"{order.verb} until next" if order.until_next else order.verb
    note(request, what, strategy=name, before=before, after=_kept(host, name))


def _kept(host: Host, name: str) -> Json:
    """What an order changes, for the audit trail."""
    facts = host.strategy(name)
    return {"state": facts["state"], "hold": facts["hold"]}


def _order_each(request: web.Request, names: tuple[str, ...], order: Order) -> tuple[list[str], list[Json]]:
    """One refusal does not keep the others from obeying; but all of them do make it one."""
    obeyed: list[str] = []
    refused: list[Json] = []
    for name in names:
        try:
            _order(request, name, order)
        except Refused as error:
            refused.append({"id": name, "why": str(error)})
        else:
            obeyed.append(name)
    if refused and not obeyed:
        told = "; ".join(f"{entry['id']}: {entry['why']}" for entry in refused)
        raise RequestError(409, told, facts={"refused": refused})
    return obeyed, refused


def _is_many(selector: str) -> bool:
    return selector == "all" or selector.startswith("@")


def _route(verb: str, about: str, needs: Needs, *more: Param) -> Route:
    return Route(
        "POST",
        f"/{verb}/{{id}}",
        partial(carry_out, verb=verb),
        f"{about}; ID may be @TAG or `all`",
        {
            200: Answer("done, with `wait`: the new state", "Ordered"),
            202: Answer("under way: the new state", "Ordered"),
            303: Answer("for a page's form: see there"),
        },
        (WAIT, BACK, *more),
        {
            409: "it makes no sense now; the detail says why",
            504: "under way still, `wait` is over",
            507: "obeyed, and forgotten if the daemon dies now",
        },
        needs=needs,
    )


ROUTES = (
    _route("start", "Start, and lift a hold or a give-up", Needs.OPERATE),
    _route("stop", "Stop, and hold it down until `start`", Needs.STOP, UNTIL),
    _route("restart", "Stop and start again; refused where no process is wanted", Needs.OPERATE),
)
