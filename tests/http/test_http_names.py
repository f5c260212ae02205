"""Behind a proxy and with TLS: which names are answered to, whose pages may act, how the cookie is set."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Any
from unittest import mock

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request
from certificates import Pair, make_pair, needs_openssl
from serving import TOKEN, served
from waiting import until_async

from stratvisor.http import access, server
from stratvisor.http.names import Names
from stratvisor.http.throttle import TRIES
from stratvisor.http.tls import Tls

if TYPE_CHECKING:
    from pathlib import Path

    from fake_host import FakeHost
    from serving import Served

STATUS = "/python/status"
STOP = "/python/stop/ema"
PUBLIC = ("https://bots.example.com", "http://LAN.example:8080", "https://[2001:db8::1]:8443")
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "FAILED_PAUSE_S", 0)


async def status_of(client: aiohttp.ClientSession, method: str, path: str, **headers: str) -> int:
    async with client.request(method, path, headers=headers, allow_redirects=False) as answer:
        return answer.status


# Behind a proxy.


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("bots.example.com", True),
        ("BOTS.example.com", True),
        ("bots.example.com:443", True),
        ("lan.example:8080", True),
        ("[2001:db8::1]:8443", True),
        ("bots.example.com:80", False),
        ("bots.example.com:8443", False),
        ("lan.example", False),
        ("x.bots.example.com", False),
        ("bots.example.com.evil.example", False),
        ("bots.example.com@evil.example", False),
    ],
)
async def test_a_proxy_may_send_its_own_name(host: FakeHost, tmp_path: Path, name: str, known: bool) -> None:  # noqa: FBT001
    async with served(host, tmp_path, public_urls=PUBLIC) as here, here.over_tcp() as client:
        assert await status_of(client, "GET", STATUS, Host=name) == (200 if known else 421)
        assert await status_of(client, "GET", "/python/login", Host=name) == (200 if known else 421)


@pytest.mark.parametrize(
    ("name", "origin", "expected"),
    [
        ("bots.example.com", "https://bots.example.com", 202),
        ("bots.example.com", "http://bots.example.com", 403),
        ("bots.example.com", "https://evil.example", 403),
        ("bots.example.com", "null", 403),
        ("lan.example:8080", "http://lan.example:8080", 202),
        ("127.0.0.1:{port}", "https://bots.example.com", 202),
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}", 202),
        ("127.0.0.1:{port}", "https://127.0.0.1:{port}", 403),
        ("127.0.0.1:{port}", "http://evil.example", 403),
    ],
)
async def test_its_pages_may_act_and_no_others(
    host: FakeHost, tmp_path: Path, name: str, origin: str, expected: int
) -> None:
    async with served(host, tmp_path, public_urls=PUBLIC) as here, here.over_tcp() as client:
        headers = {"Host": name.format(port=here.port), "Origin": origin.format(port=here.port)}
        assert await status_of(client, "POST", STOP, **headers) == expected
    assert len(host.orders) == (expected == 202)


@pytest.mark.parametrize(
    ("headers", "secure"),
    [
        ({"Host": "bots.example.com"}, True),
        ({"Host": "127.0.0.1:{port}", "Origin": "https://bots.example.com"}, True),
        ({"Host": "127.0.0.1:{port}"}, False),
        ({"Host": "lan.example:8080", "Origin": "http://lan.example:8080"}, False),
    ],
)
async def test_the_cookie_is_secure_where_the_browser_speaks_tls(
    host: FakeHost,
    tmp_path: Path,
    headers: dict[str, str],
    secure: bool,  # noqa: FBT001
) -> None:
    async with served(host, tmp_path, public_urls=PUBLIC) as here, here.over_tcp(None) as client:
        sent = {name: value.format(port=here.port) for name, value in headers.items()}
        async with client.post(
            "/python/login", data={"code": TOKEN}, headers=sent, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            assert ("Secure" in answer.headers["Set-Cookie"]) is secure


async def test_login_links_begin_with_the_first_public_url(host: FakeHost, tmp_path: Path) -> None:
    async with served(host, tmp_path, public_urls=PUBLIC) as here:
        assert here.login_link.startswith("https://bots.example.com/python/login?code=")


async def test_the_refusal_names_all(host: FakeHost, tmp_path: Path) -> None:
    async with (
        served(host, tmp_path, public_urls=PUBLIC) as here,
        here.over_tcp() as client,
        client.get(STATUS, headers={"Host": "evil.example"}) as answer,
    ):
        detail = (await answer.json())["detail"]
    assert "bots.example.com, lan.example:8080 and [2001:db8::1]:8443, not to evil.example" in detail


def test_ports_that_go_without_saying_are_left_out_as_browsers_do() -> None:
    urls = ("https://a.example:443", "http://b.example:80", "https://c.example:80", "http://d.example:8080")
    assert Names(urls).public == (
        "https://a.example",
        "http://b.example",
        "https://c.example:80",
        "http://d.example:8080",
    )


async def test_strangers_are_told_no_version(
    stranger: aiohttp.ClientSession, tcp: aiohttp.ClientSession
) -> None:
    from stratvisor import __version__

    for path in ("/python/", "/python/login", "/nope", "/python/status/ema", "/healthz"):
        for accept in ("text/html", "*/*"):
            async with stranger.get(path, headers={"Accept": accept}) as answer:
                text = await answer.text()
                assert __version__ not in text, path
                assert "aiohttp" not in repr(answer.headers) + text
    async with stranger.get(STATUS, headers={"Accept": "text/html", "Host": "evil.example"}) as answer:
        assert answer.status == 421
        assert __version__ not in await answer.text()
    async with tcp.get("/python/", headers={"Accept": "text/html"}) as answer:
        assert f"stratvisor {__version__}" in await answer.text()


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ({"Host": "bots.example.com", "X-Forwarded-For": "203.0.113.5"}, "203.0.113.5 by 127.0.0.1"),
        ({"Host": "bots.example.com", "X-Forwarded-For": "1.2.3.4, 2001:db8::7"}, "2001:db8::7 by 127.0.0.1"),
        ({"Host": "bots.example.com", "X-Forwarded-For": "203.0.113.5, made up"}, "127.0.0.1"),
        ({"Host": "bots.example.com"}, "127.0.0.1"),
        ({"X-Forwarded-For": "203.0.113.5"}, "127.0.0.1"),
    ],
)
async def test_the_trail_names_the_client_behind_a_proxy(
    host: FakeHost, tmp_path: Path, headers: dict[str, str], where: str
) -> None:
    async with served(host, tmp_path, public_urls=PUBLIC) as here, here.over_tcp() as client:
        assert await status_of(client, "POST", STOP, **headers) == 202
    assert f'"where":"{where}"' in (tmp_path / "log" / "audit.jsonl").read_text()


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("127.0.0.1", ("203.0.113.5", "127.0.0.1")),
        ("::1", ("203.0.113.5", "::1")),
        ("192.0.2.9", ("192.0.2.9", None)),
    ],
)
def test_only_a_proxy_on_this_machine_is_believed(peer: str, client: tuple[str, str | None]) -> None:
    headers = {"Host": "bots.example.com", "X-Forwarded-For": "203.0.113.5"}
    request = make_mocked_request("GET", STATUS, headers=headers)
    transport = mock.Mock(**{"get_extra_info.side_effect": {"peername": (peer, 4242)}.get})
    request._protocol.transport = transport
    assert Names(PUBLIC).client(request) == client


async def test_who_guesses_behind_a_proxy_is_alone_in_waiting(host: FakeHost, tmp_path: Path) -> None:
    async with served(host, tmp_path, public_urls=PUBLIC) as here, here.over_tcp("wrong") as client:
        for _ in range(TRIES + 1):
            guess = {"Host": "bots.example.com", "X-Forwarded-For": "203.0.113.5"}
            last = await status_of(client, "GET", STATUS, **guess)
        assert last == 429
        assert await status_of(client, "GET", STATUS, **{**guess, "X-Forwarded-For": "203.0.113.6"}) == 401


# TLS.


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def trusting(pair: Pair) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pair.cert))


def over_tls(here: Served, context: ssl.SSLContext, token: str | None = TOKEN) -> aiohttp.ClientSession:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    return aiohttp.ClientSession(f"https://localhost:{here.port}", connector=connector, headers=headers)


@needs_openssl
async def test_beyond_loopback_with_tls(host: FakeHost, tmp_path: Path, pair: Pair) -> None:
    async with served(host, tmp_path, address=("0.0.0.0", 0), tls=Tls(*pair)) as here:  # noqa: S104  with TLS
        assert here.url == f"https://127.0.0.1:{here.port}"
        async with over_tls(here, trusting(pair)) as client:
            assert await status_of(client, "GET", STATUS) == 200
            origin = f"https://localhost:{here.port}"
            assert await status_of(client, "POST", STOP, Origin=origin) == 202
            assert await status_of(client, "POST", STOP, Origin=origin.replace("https", "http")) == 403
            assert await status_of(client, "GET", STATUS, Host="evil.example") == 421
            assert await status_of(client, "GET", STATUS, Host=f"192.0.2.7:{here.port}") == 421
            assert await status_of(client, "GET", STATUS, Host=f"127.0.0.1:{here.port}") == 200
        async with over_tls(here, trusting(pair), None) as client:
            form: dict[str, Any] = {"data": {"code": TOKEN}, "allow_redirects": False}
            async with client.post("/python/login", **form) as answer:
                assert "Secure" in answer.headers["Set-Cookie"]


@needs_openssl
async def test_without_tls_nothing_is_said(host: FakeHost, tmp_path: Path, pair: Pair) -> None:
    async with (
        served(host, tmp_path, tls=Tls(*pair)) as here,
        aiohttp.ClientSession(f"http://127.0.0.1:{here.port}") as client,
    ):
        with pytest.raises(aiohttp.ClientError):
            await client.get("/healthz")


@needs_openssl
async def test_a_renewed_certificate_serves_without_a_restart(
    host: FakeHost, tmp_path: Path, pair: Pair
) -> None:
    old = trusting(pair)
    (tmp_path / "renewed").mkdir()
    fresh = make_pair(tmp_path / "renewed", "fresh")
    new = trusting(fresh)
    async with served(host, tmp_path, tls=Tls(*pair)) as here:
        async with over_tls(here, old) as client:
            assert await status_of(client, "GET", "/healthz") == 200
        fresh.key.replace(pair.key)
        fresh.cert.replace(pair.cert)
        async with over_tls(here, new) as client:
            assert await status_of(client, "GET", "/healthz") == 200
        async with over_tls(here, old) as client:
            with pytest.raises(aiohttp.ClientError):
                await client.get("/healthz")


@needs_openssl
async def test_half_a_renewal_leaves_the_old_one_in_force(
    host: FakeHost, tmp_path: Path, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    old = trusting(pair)
    (tmp_path / "renewed").mkdir()
    fresh = make_pair(tmp_path / "renewed", "fresh")
    async with served(host, tmp_path, tls=Tls(*pair)) as here:
        fresh.cert.replace(pair.cert)
        for _ in range(2):
            async with over_tls(here, old) as client:
                assert await status_of(client, "GET", "/healthz") == 200
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "is not the key of this certificate" in warnings[0].getMessage()


@needs_openssl
async def test_a_certificate_that_cannot_be_used_is_tried_again(
    host: FakeHost,
    tmp_path: Path,
    pair: Pair,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(server, "RETRY_S", 0.01)
    pair.key.chmod(0o644)
    async with served(host, tmp_path, tls=Tls(*pair)) as here:
        assert here.server.port is None
        assert "tls_key: others can read or change it" in caplog.text
        async with here.over_socket() as client:
            assert await status_of(client, "GET", "/healthz") == 200
            assert await status_of(client, "POST", "/python/open") == 409
        pair.key.chmod(0o600)
        await until_async(lambda: here.server.port is not None, "the port is listened on")
