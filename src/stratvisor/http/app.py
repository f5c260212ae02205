"""All routes put together behind the checks: the application that both doors serve."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from stratvisor.http import (
    assets,
    configuration,
    control,
    daemon,
    events,
    logbook,
    login,
    overview,
    probes,
    single,
    tokens,
)
from stratvisor.http.access import guard
from stratvisor.http.audited import audited
from stratvisor.http.errors import errors
from stratvisor.http.front import FRONT, Front
from stratvisor.http.names import Names
from stratvisor.http.pages import Pages
from stratvisor.http.parameters import asked
from stratvisor.http.peers import Peers
from stratvisor.http.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratvisor.audit import Audit
    from stratvisor.http.doors import Doors
    from stratvisor.http.route import Route
    from stratvisor.ports import Clock, Host

MOST_BODY = 1_000_000

_GROUPS = (overview, single, control, configuration, daemon, logbook, events, tokens, login, assets, probes)

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer browsers send `Origin: null` with forms, which tells the Origin check nothing.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def build(
    host: Host,
    doors: Doors,
    audit: Audit,
    clock: Clock,
    *,
    base_path: str = "/python",
    public_urls: Iterable[str] = (),
) -> web.Application:
    """The application. `base_path` begins with a slash; what stands outside it are the probes alone."""
    base = base_path.rstrip("/")
    app = web.Application(middlewares=[errors, guard, audited], client_max_size=MOST_BODY)
    throttle = Throttle(clock)
    app[FRONT] = Front(
        host=host,
        doors=doors,
        names=Names(public_urls),
        peers=Peers(host.strategy_of, throttle),
        throttle=throttle,
        audit=audit,
        pages=Pages(base),
        base=base,
        clock=clock,
    )
    for route in (route for group in _GROUPS for route in group.ROUTES):
        _add(app, route)
    if base:
        for path in ("/", base):
            _add(app, replace(overview.SIGNPOST, path=path))
    app.on_response_prepare.append(_secure)
    return app


def _add(app: web.Application, route: Route) -> None:
    here = app[FRONT]
    path = route.path if route.at_root else here.base + route.path
    for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
        added = app.router.add_route(method, path, partial(_serve, route))
        here.routes[added] = route


async def _serve(route: Route, request: web.Request) -> web.StreamResponse:
    return await route.handler(request, await asked(request, route.takes))


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    """What browsers are told of every answer; and nobody is told which server this is."""
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.popall("Server", None)
