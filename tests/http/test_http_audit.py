"""What is done through a door stands in the trail, with who did it, from where, and what it changed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from serving import TOKEN
from waiting import DEADLINE_S

from stratvisor import trail
from stratvisor.audit import FILE, HEAD, read_head
from stratvisor.http import access
from stratvisor.http.roles import Role
from stratvisor.http.route import Answer, Asked, Route

if TYPE_CHECKING:
    import aiohttp
    from fake_host import FakeHost
    from serving import Served


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "FAILED_PAUSE_S", 0)


def records(here: Served) -> list[dict[str, Any]]:
    """The trail as it is now; nothing waits for it to be written."""
    try:
        lines = (here.home / FILE).read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    assert trail.check(lines, read_head(here.home / HEAD)).findings == ()
    return [json.loads(line) for line in lines]


def told(record: dict[str, Any], *keys: str) -> tuple[Any, ...]:
    return tuple(record[key] for key in keys)


async def test_an_order_is_there_once_it_is_answered(
    here: Served, tcp: aiohttp.ClientSession, host: FakeHost
) -> None:
    async with tcp.post("/python/stop/ema") as answer:
        assert answer.status == 202
    (record,) = records(here)
    assert told(record, "who", "where", "what", "strategy") == ("token 'api'", "127.0.0.1", "stop", "ema")
    assert record["at"] == "2026-11-23T06:12:10.000+00:00"
    assert record["before"] == {"state": "running", "hold": None}
    assert record["after"]["state"] == "stopped"
    assert record["after"]["hold"]["by"] == "token 'api'"


async def test_each_strategy_of_a_tag_has_its_record(here: Served, tcp: aiohttp.ClientSession) -> None:
    async with tcp.post("/python/restart/all"):
        pass
    async with tcp.post("/python/stop/@nifty", data={"until": "next"}):
        pass
    assert [told(record, "what", "strategy") for record in records(here)] == [
        ("restart", "ema"),
        ("stop until next", "ema"),
        ("stop until next", "orb"),
    ]


async def test_an_order_that_takes_long_is_there_before_it_is_done(
    here: Served, tcp: aiohttp.ClientSession, host: FakeHost
) -> None:
    host.holds_still = True
    request = asyncio.ensure_future(tcp.post("/python/stop/ema?wait=30"))
    async with asyncio.timeout(DEADLINE_S):
        while not records(here):
            await asyncio.wait([request], timeout=0.005)
    assert not request.done()
    host.finish("ema")
    (await request).close()


async def test_everything_else_that_changes_something(here: Served, tcp: aiohttp.ClientSession) -> None:
    async with tcp.post("/python/reload"):
        pass
    async with tcp.post("/python/tokens", data={"name": "phone", "role": "panic"}):
        pass
    async with tcp.post("/python/tokens/phone/revoke"):
        pass
    async with tcp.post("/python/open", data={"role": "view"}):
        pass
    async with tcp.post("/python/shutdown", data={"stop_strategies": "1"}):
        pass
    assert [told(record, "what", "before", "after") for record in records(here)] == [
        ("reload", None, {"start": [], "stop": [], "restart": [], "live": []}),
        ("make token phone", None, {"role": "panic"}),
        ("revoke token phone", {"role": "panic"}, None),
        ("make a login link", None, {"role": "view"}),
        ("shutdown", None, {"stop_strategies": True}),
    ]


async def test_logins_and_what_is_done_with_them(
    here: Served, stranger: aiohttp.ClientSession, host: FakeHost
) -> None:
    token = here.token(Role.OPERATE, "laptop")
    form = {"code": token}
    async with stranger.post("/python/login", data=form, allow_redirects=False) as answer:
        cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    session = next(iter(here.doors._sessions.values()))
    for path in ("stop/ema", "logout"):
        form = {"csrf": session.csrf}
        async with stranger.post(f"/python/{path}", data=form, headers=cookie, allow_redirects=False):
            pass
    assert [told(record, "who", "what", "after")[:2] for record in records(here)] == [
        ("token 'laptop'", "log in"),
        ("token 'laptop'", "stop"),
        ("token 'laptop'", "log out"),
    ]


async def test_no_secret_stands_in_it(here: Served, tcp: aiohttp.ClientSession) -> None:
    async with tcp.post("/python/tokens", data={"name": "phone", "role": "panic"}) as answer:
        token = (await answer.json())["token"]
    async with tcp.post("/python/open") as answer:
        code = (await answer.json())["link"].partition("code=")[2]
    async with tcp.post("/python/login", data={"code": code}, allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    text = (here.home / FILE).read_text()
    for secret in (TOKEN, token, code, cookie):
        assert secret not in text


async def test_what_is_refused_or_only_looked_at_is_no_change(
    here: Served, tcp: aiohttp.ClientSession, stranger: aiohttp.ClientSession, host: FakeHost
) -> None:
    host.planned["refused"] = "conf.d is empty"
    headers = {"Authorization": f"Bearer {here.token(Role.VIEW)}"}
    for path in ("stop/nope", "restart/orb", "reload", "tokens/nope/revoke"):
        async with tcp.post(f"/python/{path}") as answer:
            assert answer.status in {404, 409}
        async with stranger.post(f"/python/{path}", headers=headers) as answer:
            assert answer.status == 403
    async with stranger.post("/python/login", data={"code": "wrong"}) as answer:
        assert answer.status == 401
    async with tcp.get("/python/status"):
        pass
    assert records(here) == []


async def test_a_route_that_notes_nothing_is_noted_all_the_same(
    here: Served, tcp: aiohttp.ClientSession
) -> None:
    async def forgetful(_request: web.Request, _asked: Asked) -> web.Response:
        return web.Response()

    route = Route("POST", "/new", forgetful, "", {200: Answer("")})
    ((added, old),) = [(one, known) for one, known in here.front.routes.items() if known.path == "/reload"]
    del old
    here.front.routes[added] = route
    added._handler = lambda request: forgetful(request, {})
    async with tcp.post("/python/reload") as answer:
        assert answer.status == 200
    assert [record["what"] for record in records(here)] == ["POST /python/reload"]


async def test_a_disk_that_takes_nothing_does_not_keep_anything_from_being_stopped(
    here: Served, tcp: aiohttp.ClientSession, host: FakeHost
) -> None:
    (here.home / "log").write_text("in the way")
    async with tcp.post("/python/stop/ema") as answer:
        assert answer.status == 202
    assert [name for name, _order in host.orders] == ["ema"]
