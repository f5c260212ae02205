"""openapi.json tells of every route that there is, and of no other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from serving import application

from stratvisor.http.front import FRONT
from stratvisor.http.openapi import describe

if TYPE_CHECKING:
    import aiohttp
    from aiohttp import web
    from fake_host import FakeHost


def described(app: web.Application) -> dict[str, Any]:
    return describe(app[FRONT].routes.values(), app[FRONT].base)


@pytest.mark.parametrize("base", ["/python", "/", "/deep/er/"])
async def test_router_and_description_agree(host: FakeHost, base: str) -> None:
    app = application(host, base)
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    paths = described(app)["paths"]
    told = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert told == {(method, path) for method, path in served if method != "HEAD"}
    assert {path for method, path in served if method == "HEAD"} == {
        path for method, path in told if method == "GET"
    }


async def test_it_is_served(client: aiohttp.ClientSession) -> None:
    async with client.get("/openapi.json") as answer:
        document = await answer.json()
    assert document["openapi"].startswith("3.1.")
    assert "/python/status/{id}" in document["paths"]


async def test_every_reference_leads_somewhere(host: FakeHost) -> None:
    document = described(application(host))
    schemas = document["components"]["schemas"]
    referred = set(re.findall(r"#/components/schemas/(\w+)", repr(document)))
    assert referred == set(schemas)
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        assert operation["responses"]
        assert operation["summary"]


async def test_what_is_told_of_a_strategy_is_what_is_sent(host: FakeHost) -> None:
    schemas = described(application(host))["components"]["schemas"]
    assert set(schemas["Strategy"]["properties"]) == set(host.strategy("ema"))
    assert set(schemas["Status"]["properties"]) == set(host.status())
    assert set(schemas["Plan"]["properties"]) == set(await host.plan())


async def test_only_the_login_and_the_probe_are_open(host: FakeHost) -> None:
    paths = described(application(host))["paths"]
    is_open = {path for path, methods in paths.items() for one in methods.values() if not one["security"]}
    assert is_open == {"/healthz", "/python/login", "/python/static/{name}"}


async def test_every_route_says_that_it_refuses_unknown_parameters(client: aiohttp.ClientSession) -> None:
    async with client.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    assert all("422" in one["responses"] for methods in paths.values() for one in methods.values())
    async with client.get("/python/plan?forc=1") as answer:
        assert answer.status == 422
