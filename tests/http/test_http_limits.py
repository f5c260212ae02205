"""Slow, silent and greedy clients, by real sockets: each is bounded, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from certificates import make_pair, needs_openssl
from fake_host import FakeHost, strategy
from serving import TOKEN, Served, served
from waiting import DEADLINE_S, until_async

from stratvisor.http import listener
from stratvisor.http.connection import Connection
from stratvisor.http.limits import Limits
from stratvisor.http.tls import Tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LONG_S = 600.0
SHORT_S = 0.05

HEAD = f"GET /python/status HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer {TOKEN}\r\n"


def patient(**more: float) -> Limits:
    """Only what a test is about may end a connection."""
    return Limits(**{"head_s": LONG_S, "body_s": LONG_S, "write_s": LONG_S, "idle_s": LONG_S, **more})  # type: ignore[arg-type]


class Raw:
    """A client made of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)  # noqa: FBT003  the standard library's signature

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def receive(self) -> bytes:
        """What comes next; nothing: the other side is gone."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                return await asyncio.get_running_loop().sock_recv(self.sock, 65_536)
            except ConnectionResetError:
                return b""

    async def is_cut(self) -> bool:
        """Whether the server ends it, whatever it says before; a hang fails."""
        while await self.receive():
            pass
        return True

    def is_open(self) -> bool:
        try:
            return self.sock.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False


@asynccontextmanager
async def running(tmp_path: Path, limits: Limits) -> AsyncIterator[Served]:
    logs = tmp_path / "logs"
    logs.mkdir()
    host = FakeHost(logs, strategy("ema", "running"))
    host.strategies["ema"]["why"] = "w" * 8_000_000
    async with served(host, tmp_path, limits=limits) as here:
        yield here


@pytest.fixture(params=["tcp", "socket"])
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def connect(here: Served, door: str, stack: ExitStack) -> Raw:
    if door == "tcp":
        return Raw(stack.enter_context(socket.create_connection(("127.0.0.1", here.port))))
    sock = stack.enter_context(socket.socket(socket.AF_UNIX))
    sock.connect(str(here.path))
    return Raw(sock)


async def answers(here: Served) -> bool:
    async with here.over_socket() as client, client.get("/healthz") as answer:
        return answer.status == 200


# Slow to ask.


@pytest.mark.parametrize("said", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A"])
async def test_a_client_that_never_finishes_its_head(tmp_path: Path, door: str, said: bytes) -> None:
    async with running(tmp_path, patient(head_s=SHORT_S)) as here:
        with ExitStack() as stack:
            slow = connect(here, door, stack)
            if said:
                await slow.send(said)
            assert await slow.is_cut()
        assert await answers(here)


async def test_a_byte_now_and_then_wins_no_time(tmp_path: Path, door: str) -> None:
    async with running(tmp_path, patient(head_s=1.0)) as here:
        with ExitStack() as stack:
            slow = connect(here, door, stack)
            loop = asyncio.get_running_loop()
            began, sent = loop.time(), 0
            while slow.is_open():
                assert loop.time() - began < DEADLINE_S
                try:
                    slow.sock.send(b"G" if not sent else b"E")
                    sent += 1
                except (BrokenPipeError, ConnectionResetError):
                    break
                await asyncio.wait([loop.create_future()], timeout=0.01)
            assert sent > 1


async def test_a_further_request_that_never_ends(tmp_path: Path, door: str) -> None:
    async with running(tmp_path, patient(head_s=SHORT_S)) as here:
        with ExitStack() as stack:
            slow = connect(here, door, stack)
            await slow.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await slow.receive()
            await slow.send(b"GET /healthz HTTP/1.1\r\nHo")
            assert await slow.is_cut()


async def test_a_body_that_never_comes(tmp_path: Path, door: str) -> None:
    async with running(tmp_path, patient(body_s=SHORT_S)) as here:
        with ExitStack() as stack:
            slow = connect(here, door, stack)
            head = HEAD.replace("GET /python/status", "POST /python/stop/ema") % here.port
            await slow.send(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
            assert await slow.is_cut()
        assert await answers(here)


async def test_a_body_in_pieces_is_a_body(tmp_path: Path, door: str) -> None:
    async with running(tmp_path, patient()) as here:
        with ExitStack() as stack:
            client = connect(here, door, stack)
            head = HEAD.replace("GET /python/status", "POST /python/stop/nope") % here.port
            await client.send(f"{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{".encode())
            assert await answers(here)
            await client.send(b"}")
            assert b"404 Not Found" in await client.receive()


async def test_between_two_requests_there_is_time(tmp_path: Path, door: str) -> None:
    """The deadline of a request ends with the request: what keeps a connection is another one."""
    async with running(tmp_path, patient()) as here:
        with ExitStack() as stack:
            client = connect(here, door, stack)
            for _ in range(2):
                await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert b"200 OK" in await client.receive()
                assert here.server._runner.server is not None
                (connection,) = here.server._runner.server.connections
                assert isinstance(connection, Connection)
                assert connection._reading is None


async def test_an_idle_connection_ends(tmp_path: Path, door: str) -> None:
    async with running(tmp_path, patient(idle_s=SHORT_S)) as here:
        with ExitStack() as stack:
            client = connect(here, door, stack)
            await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.is_cut()


# Slow to read.


async def test_a_client_that_never_reads(tmp_path: Path, door: str) -> None:
    async with running(tmp_path, patient(write_s=0.2)) as here:
        with ExitStack() as stack:
            deaf = connect(here, door, stack)
            await deaf.send((HEAD % here.port).encode() + b"\r\n")
            which = here.server._listeners[0 if door == "socket" else 1]
            await until_async(lambda: which._open == 1)
            await until_async(lambda: which._open == 0, "the connection is let go of")
        assert await answers(here)


async def test_a_client_that_reads_gets_all_of_it(tmp_path: Path, door: str) -> None:
    async with running(tmp_path, patient()) as here:
        with ExitStack() as stack:
            client = connect(here, door, stack)
            await client.send((HEAD % here.port).encode() + b"Connection: close\r\n\r\n")
            got = 0
            while piece := await client.receive():
                got += len(piece)
            assert got > 8_000_000


# Too many, too much.


async def test_connections_are_counted(tmp_path: Path, door: str) -> None:
    async with running(tmp_path, patient(connections=3)) as here:
        with ExitStack() as stack:
            kept = [connect(here, door, stack) for _ in range(3)]
            which = here.server._listeners[0 if door == "socket" else 1]
            await until_async(lambda: which._open == 3)
            refused = connect(here, door, stack)
            said = await refused.receive()
            assert said.startswith(b"HTTP/1.1 503 ")
            assert len(said.partition(b"\r\n\r\n")[2]) == 92
            assert await refused.is_cut()
            kept[0].sock.close()
            await until_async(lambda: which._open == 2)
            again = connect(here, door, stack)
            await again.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await again.receive()


async def test_one_address_does_not_take_all(tmp_path: Path) -> None:
    async with running(tmp_path, patient(per_address=2)) as here:
        with ExitStack() as stack:
            for _ in range(2):
                connect(here, "tcp", stack)
            await until_async(lambda: here.server._listeners[1]._open == 2)
            assert (await connect(here, "tcp", stack).receive()).startswith(b"HTTP/1.1 503 ")
            other = stack.enter_context(socket.socket())
            other.bind(("127.0.0.2", 0))
            other.connect(("127.0.0.1", here.port))
            client = Raw(other)
            await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await client.receive()
        await until_async(lambda: not here.server._listeners[1]._by_address)


@needs_openssl
async def test_clients_that_never_shake_hands_are_counted_and_cut(
    tmp_path: Path, host: FakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    limits = patient(connections=2, handshake_s=SHORT_S)
    async with served(host, tmp_path, tls=Tls(*make_pair(tmp_path)), limits=limits) as here:
        with ExitStack() as stack:
            silent = [connect(here, "tcp", stack) for _ in range(2)]
            for client in silent:
                assert await client.is_cut()
            await until_async(lambda: here.server._listeners[1]._open == 0)
    assert caplog.records == []


@needs_openssl
async def test_a_client_that_never_reads_by_tls(tmp_path: Path) -> None:
    import ssl

    logs = tmp_path / "logs"
    logs.mkdir()
    host = FakeHost(logs, strategy("ema", "running"))
    host.strategies["ema"]["why"] = "w" * 8_000_000
    pair = make_pair(tmp_path)
    async with served(host, tmp_path, tls=Tls(*pair), limits=patient(write_s=0.2)) as here:
        trusting = ssl.create_default_context(cafile=str(pair.cert))
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port, ssl=trusting, limit=1)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write((HEAD % here.port).encode() + b"\r\n")
        await until_async(lambda: here.server._listeners[1]._open == 1)
        await until_async(lambda: here.server._listeners[1]._open == 0, "the connection is let go of")
        writer.transport.abort()


def test_a_flood_of_clients_lets_others_have_their_turn() -> None:
    clients = [(Mock(), "")] * listener.AT_ONCE
    door = Mock(socket=Mock(accept=Mock(side_effect=clients)))
    listener.Listener._take_in(door)
    assert door._admit.call_count == listener.AT_ONCE


async def test_no_descriptor_is_a_rest_and_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "REST_S", 0.01)
    async with running(tmp_path, patient()) as here:
        which = here.server._listeners[1]
        real = which.socket

        class Exhausted:
            tries = 0

            def accept(self) -> tuple[socket.socket, object]:
                self.tries += 1
                assert which._resting is None
                if self.tries < 3:
                    raise OSError(24, "Too many open files")
                return real.accept()

            def fileno(self) -> int:
                return real.fileno()

            def close(self) -> None:
                real.close()

        which.socket = Exhausted()  # type: ignore[assignment]
        with ExitStack() as stack:
            client = connect(here, "tcp", stack)
            await client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await client.receive()
        # Neither an error of the loop's nor one line a turn of it: a rest between two tries.
        assert [record.name for record in caplog.records] == ["stratvisor.http.listener"] * 2
        assert "Too many open files" in caplog.text


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n",
    ],
)
async def test_heads_are_bounded(tmp_path: Path, door: str, sent: bytes) -> None:
    async with running(tmp_path, patient()) as here:
        with ExitStack() as stack:
            client = connect(here, door, stack)
            await client.send(sent)
            assert b" 400 Bad Request" in await client.receive()
            assert await client.is_cut()


async def test_bodies_are_bounded(tmp_path: Path, door: str) -> None:
    async with running(tmp_path, patient()) as here:
        with ExitStack() as stack:
            client = connect(here, door, stack)
            head = HEAD.replace("GET /python/status", "POST /python/stop/ema") % here.port
            await client.send(
                f"{head}Content-Type: application/json\r\nContent-Length: 2000000\r\n\r\n".encode()
            )
            await client.send(b" " * 1_100_000)
            assert b" 413 " in await client.receive()
