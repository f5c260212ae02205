"""Every route and every verb, by everybody: who gets in, who is refused, and what strangers learn."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import pytest
from serving import TOKEN

from stratvisor.http import access, throttle
from stratvisor.http.roles import Needs, Role, may, roles_for
from stratvisor.http.route import Answer, Route

if TYPE_CHECKING:
    from fake_host import FakeHost
    from serving import Served

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

EVERYBODY = set(Role)
ALL_BUT_PANIC = EVERYBODY - {Role.PANIC}

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/python/login"),
    ("POST", "/python/login"),
    ("GET", "/python/static/{name}"),
}
WHO_MAY = {
    ("POST", "/python/start/{id}"): {Role.OPERATE, Role.ADMIN},
    ("POST", "/python/stop/{id}"): {Role.OPERATE, Role.ADMIN, Role.PANIC},
    ("POST", "/python/restart/{id}"): {Role.OPERATE, Role.ADMIN},
    ("POST", "/python/logout"): EVERYBODY,
    ("GET", "/python/tokens"): {Role.ADMIN},
}
"""Where it is not what every other route asks for."""


class Asked(NamedTuple):
    """One verb on one path; `known`: there is such a route."""

    verb: str
    path: str
    template: str
    known: bool

    @property
    def key(self) -> tuple[str, str]:
        return ("GET" if self.verb == "HEAD" else self.verb, self.template)

    @property
    def enough(self) -> set[Role]:
        return WHO_MAY.get(self.key, ALL_BUT_PANIC if self.verb in {"GET", "HEAD"} else {Role.ADMIN})


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "FAILED_PAUSE_S", 0)
    monkeypatch.setattr(throttle, "TRIES", 10**9)
    monkeypatch.setattr(throttle, "TRIES_IN_ALL", 10**9)


def everything(here: Served) -> list[Asked]:
    """Every verb on every path of the application, whether there is such a route or not."""
    found: dict[str, set[str]] = {}
    for added in here.front.routes:
        assert added.resource is not None
        found.setdefault(added.resource.canonical, set()).add(added.method)
    found["/python/nothing-here"] = set()
    return [
        Asked(verb, re.sub(r"\{\w+\}", "ema", template), template, verb in verbs)
        for template, verbs in sorted(found.items())
        for verb in VERBS
    ]


async def status_of(
    client: aiohttp.ClientSession, asked: Asked, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    async with client.request(asked.verb, asked.path, headers=headers, allow_redirects=False) as answer:
        body = (
            b""
            if answer.headers.get("Content-Type", "").startswith("text/event-stream")
            else await answer.read()
        )
        return answer.status, dict(answer.headers), body


async def test_strangers_learn_nothing(here: Served, host: FakeHost, stranger: aiohttp.ClientSession) -> None:
    revoked = here.token(Role.ADMIN, "gone")
    here.doors.revoke("gone")
    for brought in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {revoked}"}):
        said: set[bytes] = set()
        for asked in everything(here):
            if asked.key in OPEN and asked.known:
                continue
            status, headers, body = await status_of(stranger, asked, brought)
            assert status == 401, (asked, brought)
            assert headers["WWW-Authenticate"] == 'Bearer realm="stratvisor"', asked
            if asked.verb != "HEAD":
                assert headers["Content-Type"].startswith("application/problem+json"), asked
                assert b"0.1" not in body
                said.add(body.replace(asked.path.encode(), b""))
        assert len(said) == 1, "the answer to a path that exists differs from that to one that does not"
    assert (host.orders, host.reloads, host.shutdowns) == ([], [], [])


@pytest.mark.parametrize("role", Role)
async def test_every_role_may_what_it_may(here: Served, stranger: aiohttp.ClientSession, role: Role) -> None:
    bearer = {"Authorization": f"Bearer {here.token(role)}"}
    for asked in everything(here):
        if asked.path == "/python/logout" and asked.known:
            continue
        status, _headers, body = await status_of(stranger, asked, bearer)
        if asked.key in OPEN and asked.known:
            assert status not in {403, 405}, asked
        elif not asked.known:
            assert status in {404, 405}, asked
        elif role in asked.enough:
            assert status not in {401, 403, 405}, asked
        else:
            assert status == 403, asked
            if asked.verb != "HEAD":
                assert f"the role {role} may not".encode() in body
                assert b"no strategy" not in body


async def test_orders_of_too_small_a_role_do_nothing(
    here: Served, host: FakeHost, stranger: aiohttp.ClientSession
) -> None:
    for role in (Role.VIEW, Role.PANIC):
        headers = {"Authorization": f"Bearer {here.token(role)}"}
        for path in (
            "start/ema",
            "restart/ema",
            "reload",
            "shutdown",
            "open",
            "tokens",
            "tokens/panic/revoke",
        ):
            async with stranger.post(f"/python/{path}", headers=headers) as answer:
                assert answer.status == 403
    assert (host.orders, host.reloads, host.shutdowns) == ([], [], [])


async def test_a_telephone_can_stop_and_nothing_else(
    here: Served, host: FakeHost, stranger: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {here.token(Role.PANIC, 'phone')}"}
    async with stranger.post("/python/stop/all", headers=headers) as answer:
        assert answer.status == 202
    assert {order.by for _name, order in host.orders} == {"token 'phone'"}
    async with stranger.get("/python/status", headers=headers) as answer:
        assert answer.status == 403
        assert (await answer.json())[
            "detail"
        ] == "the role panic may not look; it takes view, operate or admin"


async def test_a_person_of_too_small_a_role_is_told_so(here: Served, stranger: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {here.token(Role.PANIC)}", "Accept": "text/html"}
    async with stranger.get("/python/", headers=headers) as answer:
        assert answer.status == 403
        text = await answer.text()
    assert "the role panic may not look" in text
    assert re.findall(r'action="(.*?)"', text) == ["/python/stop/all"]
    assert "ema" not in text


async def test_who_may_not_look_is_told_that_the_order_was_given_and_no_more(
    here: Served, host: FakeHost, stranger: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {here.token(Role.PANIC)}", "Accept": "text/html"}
    async with stranger.post("/python/stop/all", headers=headers, allow_redirects=False) as answer:
        assert answer.status == 200
        text = await answer.text()
    assert "3 strategies will stop" in text
    assert "ema" not in text
    assert len(host.orders) == 3


async def test_no_get_changes_anything(here: Served, host: FakeHost, tcp: aiohttp.ClientSession) -> None:
    before = {name: dict(facts) for name, facts in host.strategies.items()}
    for asked in everything(here):
        if asked.verb in {"GET", "HEAD"}:
            await status_of(tcp, asked, {})
    assert (host.orders, host.reloads, host.shutdowns, host.strategies) == ([], [], [], before)
    assert [token.name for token in here.doors.keyring.listed()] == ["api"]
    assert not (here.home / "log" / "audit.jsonl").exists()


async def test_the_page_shows_the_buttons_that_its_reader_may_press(
    here: Served, stranger: aiohttp.ClientSession
) -> None:
    shown = {}
    for role in (Role.VIEW, Role.OPERATE, Role.ADMIN):
        headers = {"Authorization": f"Bearer {here.token(role)}", "Accept": "text/html"}
        async with stranger.get("/python/", headers=headers) as page:
            shown[role] = set(re.findall(r'action="/python/(\w+)', await page.text()))
    assert shown == {
        Role.VIEW: set(),
        Role.OPERATE: {"start", "stop", "restart"},
        Role.ADMIN: {"start", "stop", "restart", "reload"},
    }


def test_a_route_that_says_nothing_is_not_open() -> None:
    async def handler(*_: object) -> None: ...

    def needs(method: str) -> Needs:
        return Route(method, "/new", handler, "", {200: Answer("")}).role_needed  # type: ignore[arg-type]

    assert needs("GET") is Needs.LOOK
    assert needs("POST") is needs("PUT") is Needs.ADMINISTER


def test_roles_and_needs_agree() -> None:
    for needs in Needs:
        assert roles_for(needs) in ([], [role for role in Role if may(role, needs)])
    assert roles_for(Needs.STOP) == [Role.OPERATE, Role.ADMIN, Role.PANIC]


async def test_the_description_names_the_roles(client: aiohttp.ClientSession) -> None:
    async with client.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    assert paths["/python/stop/{id}"]["post"]["security"] == [
        {"token": ["operate", "admin", "panic"]},
        {"session": ["operate", "admin", "panic"]},
    ]


async def test_the_one_token_is_an_admin(here: Served) -> None:
    token = here.doors.keyring.find(TOKEN)
    assert token is not None
    assert (token.name, token.role) == ("api", Role.ADMIN)
