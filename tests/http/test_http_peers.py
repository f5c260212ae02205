"""Who may use the Unix socket: whoever is alive, of this user, and no strategy."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING

import pytest
from waiting import alive, until_async

from stratvisor.http import peers
from stratvisor.http.throttle import TRIES

if TYPE_CHECKING:
    import aiohttp
    from fake_host import FakeHost
    from serving import Served

ASK = b"POST /python/stop/ema HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def test_a_strategy_is_refused(
    client: aiohttp.ClientSession, host: FakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    host.family[os.getpid()] = "orb"
    for method, path in (("POST", "/python/stop/ema"), ("GET", "/python/status"), ("GET", "/nope")):
        async with client.request(method, path) as answer:
            assert answer.status == 403
            assert "belongs to the strategy orb" in (await answer.json())["detail"]
    assert host.orders == []
    assert f"orb: its process {os.getpid()} asked for the control socket, and was refused" in caplog.text


async def test_one_that_goes_on_asking_does_not_fill_the_log(
    client: aiohttp.ClientSession, host: FakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    host.family[os.getpid()] = "orb"
    for _ in range(TRIES + 5):
        async with client.get("/python/status") as answer:
            assert answer.status == 403
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == TRIES


async def test_a_connection_whose_maker_is_gone_is_refused(here: Served, host: FakeHost) -> None:
    """It was connected by a process that ended and left it to another: whose word it is, nobody knows."""
    reader, writer = socket.socketpair()
    pid = os.fork()
    if pid == 0:  # the one that connects, and is gone before anything is asked
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(here.path))
        socket.send_fds(writer, [b"x"], [sock.fileno()])
        os._exit(0)
    await until_async(lambda: not alive(pid))
    os.waitpid(pid, 0)  # noqa: ASYNC222  it is dead already
    _message, descriptors, _flags, _address = socket.recv_fds(reader, 1, 1)
    for one in (reader, writer):
        one.close()
    with socket.socket(fileno=descriptors[0]) as inherited:
        inherited.setblocking(False)  # noqa: FBT003  the standard library's signature
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(inherited, ASK)
        said = await loop.sock_recv(inherited, 65_536)
    assert said.startswith(b"HTTP/1.1 403 ")
    assert b"is gone" in said
    assert host.orders == []


async def test_a_kernel_that_gives_no_pidfd_of_peers(
    client: aiohttp.ClientSession, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "_SO_PEERPIDFD", 9999)
    async with client.get("/python/status") as answer:
        assert answer.status == 200
    host.family[os.getpid()] = "orb"
    async with client.get("/python/status") as answer:
        assert answer.status == 403


async def test_descriptors_are_given_back(client: aiohttp.ClientSession, host: FakeHost) -> None:
    async with client.get("/python/status"):
        pass
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  no Path for a folder that changes as it is read
    for strategy in (None, "orb"):
        if strategy:
            host.family[os.getpid()] = strategy
        for _ in range(5):
            async with client.get("/python/status"):
                pass
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  the same


async def test_the_trail_names_the_process(client: aiohttp.ClientSession, here: Served) -> None:
    async with client.post("/python/stop/ema"):
        pass
    text = (here.home / "log" / "audit.jsonl").read_text()
    assert f'"who":"uid {os.getuid()}","where":"pid {os.getpid()}"' in text
