"""From settings and keys to doors that are open, or shut with the reason said."""

from __future__ import annotations

import random
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from certificates import make_pair, needs_openssl
from serving import FakeClock

from stratvisor.audit import Audit
from stratvisor.http.opening import open_doors
from stratvisor.settings import Http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fake_host import FakeHost

    from stratvisor.http.server import Server


@asynccontextmanager
async def opened(host: FakeHost, home: Path, http: Http) -> AsyncIterator[Server]:
    (home / "run").mkdir()
    audit = Audit(home)
    server = await open_doors(home, http, host, FakeClock(), audit)
    try:
        yield server
    finally:
        await server.close()
        await audit.close()


async def socket_answers(home: Path) -> bool:
    connector = aiohttp.UnixConnector(str(home / "run" / "stratvisor.sock"))
    async with (
        aiohttp.ClientSession("http://x", connector=connector) as client,
        client.get("/readyz") as answer,
    ):
        return answer.status == 200


def free() -> Http:
    """A free port of loopback; 0 in the settings means none. The system gives none of these to others."""
    while True:
        try:
            with socket.create_server(("127.0.0.1", random.randrange(20_000, 32_000))) as taken:  # noqa: S311
                return Http(port=taken.getsockname()[1])
        except OSError:
            continue


async def test_the_first_start_makes_a_token_and_a_link(
    host: FakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with opened(host, tmp_path, free()) as server:
        token = (tmp_path / "keys" / "api.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{server.port}"
        async with aiohttp.ClientSession(url, headers=headers) as client, client.get("/readyz") as answer:
            assert answer.status == 200
    assert f"page   {url}/python/login?code=" in caplog.text
    assert token not in caplog.text


async def test_beyond_loopback_without_tls_only_the_socket_opens(
    host: FakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    http = Http(host="0.0.0.0", port=9770)  # noqa: S104  refused
    async with opened(host, tmp_path, http) as server:
        assert server.port is None
        assert await socket_answers(tmp_path)
    assert (
        "cannot listen on 0.0.0.0: tokens must not travel in the clear; add tls_cert and tls_key"
        in caplog.text
    )


@needs_openssl
async def test_with_tls_it_is_listened_on(host: FakeHost, tmp_path: Path) -> None:
    make_pair(tmp_path)
    http = Http(host="0.0.0.0", port=free().port, tls_cert="tls.crt", tls_key="tls.key")  # noqa: S104  with TLS
    async with opened(host, tmp_path, http) as server:
        assert server.port == http.port
        assert server._front.address == f"https://127.0.0.1:{http.port}"


async def test_a_token_that_cannot_be_read_shuts_tcp_alone(
    host: FakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "api.token").write_text("short")
    async with opened(host, tmp_path, free()) as server:
        assert server.port is None
        assert await socket_answers(tmp_path)
    assert "it holds no token" in caplog.text


async def test_tokens_that_cannot_be_read_open_nothing_and_shut_nothing(
    host: FakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "tokens.json").write_text("{")
    async with opened(host, tmp_path, free()) as server:
        assert server.port is not None
    assert "tokens.json: it is damaged" in caplog.text
    assert (tmp_path / "keys" / "tokens.json").read_text() == "{"
