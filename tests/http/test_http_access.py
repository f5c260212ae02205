"""Who gets in by which door, and who does not."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from serving import TOKEN

from stratvisor.http import access
from stratvisor.http.app import build
from stratvisor.http.doors import CODE_NS, SESSION_NS
from stratvisor.http.errors import RequestError

if TYPE_CHECKING:
    from fake_host import FakeHost
    from serving import Served

STATUS = "/python/status"
STOP = "/python/stop/ema"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "FAILED_PAUSE_S", 0.001)


async def log_in(here: Served, client: aiohttp.ClientSession) -> str:
    """Open a session the way a browser does; returns its CSRF token, read from the page."""
    link = here.login_link
    async with client.get(link) as page:
        assert page.status == 200
    code = link.partition("code=")[2]
    async with client.post("/python/login", data={"code": code}, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == "/python/"
    async with client.get("/python/", headers={"Accept": "text/html"}) as page:
        return (await page.text()).partition('name="csrf" value="')[2].partition('"')[0]


def browser(here: Served) -> aiohttp.ClientSession:
    """Keeps cookies of an address that is a number, as browsers do."""
    return aiohttp.ClientSession(here.url, cookie_jar=aiohttp.CookieJar(unsafe=True))


# The socket


async def test_the_socket_needs_no_token(client: aiohttp.ClientSession) -> None:
    async with client.get(STATUS) as answer:
        assert answer.status == 200


async def test_orders_by_the_socket_carry_the_uid(client: aiohttp.ClientSession, host: FakeHost) -> None:
    async with client.post(STOP) as answer:
        assert answer.status == 202
    assert host.orders[0][1].by == f"uid {os.getuid()}"


async def test_a_connection_that_is_gone_is_not_taken_for_the_socket(host: FakeHost, here: Served) -> None:
    """Hanging up at once, over TCP, must not open the door that asks for nothing."""
    app = build(host, here.doors, here.front.audit, here.clock)
    request = make_mocked_request("POST", STOP, app=app)
    match = await app.router.resolve(request)
    match.add_app(app)
    request._match_info = match
    request._protocol.transport = None
    assert request.transport is None

    async def handler(_request: web.Request) -> web.StreamResponse:
        raise AssertionError("let through")

    with pytest.raises(RequestError):
        await access.guard(request, handler)


# The token


@pytest.mark.parametrize(
    "path",
    [
        "/python/",
        STATUS,
        "/python/status/ema",
        "/python/logs/ema",
        "/python/events",
        "/readyz",
        "/openapi.json",
        "/nope",
    ],
)
async def test_tcp_needs_a_token(stranger: aiohttp.ClientSession, path: str) -> None:
    async with stranger.get(path) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.content_type == "application/problem+json"
        assert (await answer.json())["status"] == 401


async def test_orders_without_a_token_do_nothing(stranger: aiohttp.ClientSession, host: FakeHost) -> None:
    for path in (STOP, "/python/reload", "/python/shutdown"):
        async with stranger.post(path) as answer:
            assert answer.status == 401
    assert (host.orders, host.reloads, host.shutdowns) == ([], [], [])


async def test_healthz_needs_nothing(stranger: aiohttp.ClientSession) -> None:
    async with stranger.get("/healthz", headers={"Host": "monitor.example"}) as answer:
        assert answer.status == 200
        assert await answer.text() == "ok\n"


async def test_the_token_opens(tcp: aiohttp.ClientSession, host: FakeHost) -> None:
    async with tcp.get(STATUS) as answer:
        assert answer.status == 200
    async with tcp.post(STOP) as answer:
        assert answer.status == 202
    assert host.orders[0][1].by == "token 'api'"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong",
        "Bearer",
        "Basic " + TOKEN,
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer \xe9",
    ],
)
async def test_a_wrong_token_does_not(stranger: aiohttp.ClientSession, header: str) -> None:
    async with stranger.get(STATUS, headers={"Authorization": header}) as answer:
        assert answer.status == 401


async def test_a_wrong_token_is_not_helped_by_a_good_cookie(here: Served) -> None:
    async with browser(here) as client:
        await log_in(here, client)
        async with client.get(STATUS, headers={"Authorization": "Bearer wrong"}) as answer:
            assert answer.status == 401


async def test_failed_attempts_are_slowed_down(
    here: Served, stranger: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []

    async def pause(_front: object, seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr("stratvisor.http.front.Front.pause", pause)
    async with stranger.get(STATUS, headers={"Authorization": "Bearer wrong"}) as answer:
        assert answer.status == 401
    async with stranger.post("/python/login", data={"code": "wrong"}) as answer:
        assert answer.status == 401
    assert len(paused) == 2


# Host and Origin


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example:{port}",
        "10.0.0.1:{port}",
        "",
        "localhost:{port}@evil",
    ],
)
async def test_a_foreign_host_name_is_refused(tcp: aiohttp.ClientSession, here: Served, name: str) -> None:
    async with tcp.get(STATUS, headers={"Host": name.format(port=here.port)}) as answer:
        assert answer.status == 421
    async with tcp.get("/python/login", headers={"Host": name.format(port=here.port)}) as answer:
        assert answer.status == 421


async def test_the_refusal_of_a_host_names_all_that_are_served(
    tcp: aiohttp.ClientSession, here: Served
) -> None:
    async with tcp.get(STATUS, headers={"Host": "vps.example"}) as answer:
        detail = (await answer.json())["detail"]
    assert detail == (
        f"this answers to localhost:{here.port}, 127.0.0.1:{here.port} and [::1]:{here.port}, "
        "not to vps.example; a proxy must send one of these as Host, or its own name stand in "
        "[http] public_urls"
    )


async def test_a_person_who_mistyped_the_token_is_told_so(stranger: aiohttp.ClientSession) -> None:
    async with stranger.post(
        "/python/login", data={"code": "wrong"}, headers={"Accept": "text/html"}
    ) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "spent, too old or mistyped" in await answer.text()


async def test_a_person_who_is_not_logged_in_is_not_told_of_headers(stranger: aiohttp.ClientSession) -> None:
    async with stranger.get("/python/", headers={"Accept": "text/html"}) as answer:
        text = await answer.text()
    assert "Authorization" not in text
    assert 'class="note' not in text
    assert "Paste the token that <code>stratvisor token</code> prints" in text


@pytest.mark.parametrize("name", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
async def test_loopback_names_are_served(tcp: aiohttp.ClientSession, here: Served, name: str) -> None:
    async with tcp.get(STATUS, headers={"Host": name.format(port=here.port)}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1", "http://localhost:{port}"],
)
async def test_a_foreign_origin_may_not_act(
    tcp: aiohttp.ClientSession, here: Served, host: FakeHost, origin: str
) -> None:
    headers = {"Origin": origin.format(port=here.port)}
    async with tcp.post(STOP, headers=headers) as answer:
        assert answer.status == 403
    async with tcp.post(
        "/python/login", data={"code": TOKEN}, headers=headers, allow_redirects=False
    ) as answer:
        assert answer.status == 403
    assert host.orders == []


async def test_our_own_origin_may(tcp: aiohttp.ClientSession, here: Served) -> None:
    async with tcp.post(STOP, headers={"Origin": here.url}) as answer:
        assert answer.status == 202


# Sessions


async def test_a_login_link_opens_a_session(here: Served, host: FakeHost) -> None:
    async with browser(here) as client:
        csrf = await log_in(here, client)
        async with client.get(STATUS) as answer:
            assert answer.status == 200
        async with client.post(STOP, data={"csrf": csrf}) as answer:
            assert answer.status == 202
    assert host.orders[0][1].by == "a login link of the tests"


async def test_the_cookie_is_out_of_reach(here: Served, stranger: aiohttp.ClientSession) -> None:
    form = {"code": here.doors.mint_code()}
    async with stranger.post("/python/login", data=form, allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"stratvisor-{here.port}=")
    for word in ("HttpOnly", "SameSite=Strict", "Path=/python", f"Max-Age={SESSION_NS // 10**9}"):
        assert word in cookie


async def test_looking_at_the_link_spends_nothing(here: Served) -> None:
    link = here.login_link
    async with browser(here) as prefetcher:
        for _ in range(3):
            async with prefetcher.get(link) as page:
                assert page.status == 200
            async with prefetcher.head(link) as page:
                assert page.status == 200
        async with prefetcher.get(STATUS) as answer:
            assert answer.status == 401
        form = {"code": link.partition("code=")[2]}
        async with prefetcher.post("/python/login", data=form, allow_redirects=False) as answer:
            assert answer.status == 303


async def test_a_code_is_good_once_and_for_a_while(here: Served, stranger: aiohttp.ClientSession) -> None:
    spent, late = here.doors.mint_code(), here.doors.mint_code()
    async with stranger.post("/python/login", data={"code": spent}, allow_redirects=False) as answer:
        assert answer.status == 303
    async with stranger.post("/python/login", data={"code": spent}, allow_redirects=False) as answer:
        assert answer.status == 401
    here.clock.boot_ns += CODE_NS
    for code in (late, "", "nonsense"):
        async with stranger.post("/python/login", data={"code": code}, allow_redirects=False) as answer:
            assert answer.status == 401
            assert "Set-Cookie" not in answer.headers


async def test_the_token_may_be_pasted_instead(here: Served, stranger: aiohttp.ClientSession) -> None:
    async with stranger.post("/python/login", data={"code": TOKEN}, allow_redirects=False) as answer:
        assert answer.status == 303


async def test_a_session_ends(here: Served) -> None:
    async with browser(here) as client:
        await log_in(here, client)
        here.clock.boot_ns += SESSION_NS
        async with client.get(STATUS) as answer:
            assert answer.status == 401


async def test_logging_out_ends_it_for_good(here: Served) -> None:
    async with browser(here) as client:
        csrf = await log_in(here, client)
        cookie = next(iter(client.cookie_jar)).OutputString()
        async with client.post("/python/logout", data={"csrf": csrf}, allow_redirects=False) as answer:
            assert answer.status == 303
        async with client.get(STATUS) as answer:
            assert answer.status == 401
    async with here.over_tcp(None) as thief, thief.get(STATUS, headers={"Cookie": cookie}) as answer:
        assert answer.status == 401


async def test_an_order_by_session_needs_its_csrf_token(here: Served, host: FakeHost) -> None:
    async with browser(here) as client, browser(here) as other:
        csrf = await log_in(here, client)
        foreign = await log_in(here, other)
        for form in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": csrf[:-1]}):
            async with client.post(STOP, data=form) as answer:
                assert answer.status == 403
        async with client.post(STOP, json={"csrf": csrf}) as answer:
            assert answer.status == 403
        assert host.orders == []
        async with client.post(STOP, headers={"X-CSRF-Token": csrf}) as answer:
            assert answer.status == 202


async def test_a_made_up_cookie_opens_nothing(here: Served, stranger: aiohttp.ClientSession) -> None:
    async with stranger.get(STATUS, headers={"Cookie": f"stratvisor-{here.port}=made-up"}) as answer:
        assert answer.status == 401


async def test_people_without_a_session_see_the_login(stranger: aiohttp.ClientSession) -> None:
    async with stranger.get("/python/", headers={"Accept": "text/html"}) as answer:
        assert answer.status == 401
        assert answer.content_type == "text/html"
        text = await answer.text()
    assert 'action="/python/login"' in text
    assert "ema" not in text


# What every answer says


@pytest.mark.parametrize(
    "path", ["/python/", "/healthz", "/nope", "/python/static/app.js", "/python/status/nope"]
)
async def test_every_answer_carries_the_security_headers(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in answer.headers
        cached = "immutable" if "static" in path else "no-store"
        assert cached in answer.headers["Cache-Control"]


async def test_noise_is_answered_without_a_version(here: Served, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", here.port)) as noisy:
        noisy.setblocking(False)  # noqa: FBT003  the standard library's signature
        import asyncio

        loop = asyncio.get_running_loop()
        await loop.sock_sendall(noisy, b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        answer = await loop.sock_recv(noisy, 65536)
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert b"aiohttp" not in answer
    assert b"Python" not in answer
    assert b"application/problem+json" in answer
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
