"""Both doors as sockets: their rights, their places, and a port that is taken."""

from __future__ import annotations

import logging
import os
import socket
import stat
from typing import TYPE_CHECKING

import aiohttp
import pytest
from serving import application, served
from waiting import until_async

from stratvisor.http import server
from stratvisor.http.server import serve
from stratvisor.http.unixsocket import UnixSocket

if TYPE_CHECKING:
    from pathlib import Path

    from fake_host import FakeHost
    from serving import Served


async def answers(path: Path) -> bool:
    connector = aiohttp.UnixConnector(str(path))
    async with (
        aiohttp.ClientSession("http://x", connector=connector) as client,
        client.get("/healthz") as answer,
    ):
        return answer.status == 200


async def test_the_socket_is_its_owners_alone(here: Served) -> None:
    status = here.path.stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600


async def test_it_is_so_from_its_creation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever umask stands: looked at between bind and everything after."""
    seen: list[int] = []

    def listen(self: socket.socket, _backlog: int) -> None:
        seen.extend(stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir())

    monkeypatch.setattr(socket.socket, "listen", listen)
    before = os.umask(0)
    try:
        unix = UnixSocket(tmp_path / "s.sock")
        unix.listen().close()
        unix.close()
    finally:
        os.umask(before)
    assert seen == [0o600]


async def test_a_stale_socket_is_replaced(host: FakeHost, tmp_path: Path) -> None:
    path = tmp_path / "stratvisor.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    (tmp_path / ".stratvisor.sock.new").write_text("left by a daemon that was killed")
    running = await serve(application(host), path, None)
    assert await answers(path)
    assert [entry.name for entry in tmp_path.glob("*.sock*")] == ["stratvisor.sock"]
    await running.close()
    assert not path.exists()


async def test_a_socket_that_took_our_place_stays(host: FakeHost, tmp_path: Path) -> None:
    path = tmp_path / "stratvisor.sock"
    first = await serve(application(host), path, None)
    second = await serve(application(host), path, None)
    await first.close()
    assert await answers(path)
    await second.close()
    assert not path.exists()


async def test_a_path_of_any_length(host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    running = await serve(application(host), deep / "stratvisor.sock", None)
    monkeypatch.chdir(deep)
    assert stat.S_IMODE((deep / "stratvisor.sock").stat().st_mode) == 0o600
    connector = aiohttp.UnixConnector("stratvisor.sock")
    async with (
        aiohttp.ClientSession("http://x", connector=connector) as client,
        client.get("/healthz") as answer,
    ):
        assert answer.status == 200
    await running.close()
    assert list(deep.iterdir()) == []


async def test_nothing_is_left_open(host: FakeHost, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  no Path for a folder that changes as it is read
    async with served(host, tmp_path) as here, here.over_tcp() as client, client.get("/healthz"):
        pass
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208  the same


async def test_without_an_address_there_is_no_tcp(host: FakeHost, tmp_path: Path) -> None:
    running = await serve(application(host), tmp_path / "s.sock", None)
    assert running.port is None
    await running.close()


async def test_a_busy_port_is_a_warning_and_tried_again(
    host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "RETRY_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = await serve(application(host), tmp_path / "s.sock", ("127.0.0.1", port))
        assert running.port is None
        assert await answers(tmp_path / "s.sock")
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage() == (
        f"cannot listen on 127.0.0.1:{port}: it is in use; tried again every 0.01 s; or set [http] port in "
        "stratvisor.toml and start the daemon again; until then the Unix socket answers"
    )
    await until_async(lambda: running.port == port, "the port is taken over")
    await running.close()


async def test_a_busy_port_does_not_keep_the_server_from_closing(host: FakeHost, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = await serve(application(host), tmp_path / "s.sock", taken.getsockname())
        await running.close()
    assert running.port is None


@pytest.mark.parametrize("name", ["0.0.0.0", "::", "192.168.1.10", "example.com", ""])  # noqa: S104  refused
async def test_only_loopback_is_listened_on(host: FakeHost, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot listen on"):
        await serve(application(host), tmp_path / "s.sock", (name, 0))
    assert not (tmp_path / "s.sock").exists()


async def test_requests_under_way_are_answered_before_the_end(
    here: Served, client: aiohttp.ClientSession, host: FakeHost
) -> None:
    import asyncio

    host.holds_still = True
    request = asyncio.ensure_future(client.post("/python/stop/ema?wait=30"))
    await until_async(lambda: host.orders)
    closing = asyncio.ensure_future(here.server.close())
    await until_async(here.server._front.closing.is_set)
    host.finish("ema")
    async with await request as answer:
        assert answer.status == 200
    await closing


def test_importing_the_package_costs_no_server() -> None:
    """What stands outside http/ may look in without paying for aiohttp."""
    import subprocess
    import sys

    code = "import sys, stratvisor.http.keyring, stratvisor.http.doors; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
