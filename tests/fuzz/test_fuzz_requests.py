"""Whatever is asked of the doors, they answer as openapi.json says: statuses, media types, schemas."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_host import FakeHost, run, strategy
from fuzzing import a_folder, bounded, damaged, examples
from hosted import instance
from hypothesis import given
from hypothesis import strategies as st
from requesting import Json, Request, ask, complaints, requests
from serving import TOKEN, served
from waiting import DEADLINE_S

from stratvisor.http import access

# aiohttp warns its own log of parts that clients head wrongly, and reads on.
pytestmark = [
    pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader"),
    pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionParam"),
]


@dataclass(frozen=True)
class Door:
    """One way in."""

    connect: Callable[[], socket.socket]
    host: str
    token: tuple[tuple[str, str], ...] = ()

    @property
    def document(self) -> Json:
        reply = ask(
            self.connect, f"GET /openapi.json HTTP/1.1\r\nHost: {self.host}\r\n{self._headers}\r\n".encode()
        )
        assert reply is not None
        assert reply.status == 200
        found: Json = json.loads(reply.body)
        return found

    @property
    def _headers(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self.token)

    def complaints(self, document: Json, request: Request) -> list[str]:
        wire = request.wire(self.host, self.token)
        return complaints(document, request, ask(self.connect, wire, request.method))


def by_socket(path: Path) -> Door:
    def connect() -> socket.socket:
        folder = os.open(path.parent, os.O_PATH)
        try:
            door = socket.socket(socket.AF_UNIX)
            door.settimeout(DEADLINE_S)
            door.connect(
                f"/proc/self/fd/{folder}/{path.name}"
            )  # pytest's folders may be too long for sun_path
        finally:
            os.close(folder)
        return door

    return Door(connect, "stratvisor")


def by_tcp(port: int) -> Door:
    connect = lambda: socket.create_connection(("127.0.0.1", port), 20)  # noqa: E731
    return Door(connect, f"127.0.0.1:{port}", (("Authorization", f"Bearer {TOKEN}"),))


def a_host(folder: Path) -> FakeHost:
    """Strategies of some states, with runs and logs."""
    (folder / "logs").mkdir()
    host = FakeHost(
        folder / "logs",
        strategy("ema", "running", tags=["nifty"], title="\udcff <b>"),
        strategy("orb", "stopped", tags=["nifty"]),
        strategy("report", "error", run=None, why="gave up", problems=[]),
    )
    host.history["ema"] = [
        run(1, "2026-11-23T09:15:00+05:30", "2026-11-23T09:16:00+05:30", last_line="\x1b[31m")
    ]
    for name in (
        "ema_20261123_091500_IST.log",
        "ema_20261123_091500_IST.2.log",
        "orb_20261123_091500_IST.log",
    ):
        (folder / "logs" / name).write_bytes(b"[stratvisor] run 1\nline \xff\x1b[2J 1\n" * 50 + b"half")
    return host


@pytest.fixture(scope="module", params=["socket", "tcp"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    """A server on a loop of its own: requests come as bytes from outside."""
    opened, over = threading.Event(), threading.Event()
    doors: list[Door] = []

    async def serve(folder: Path) -> None:
        async with served(a_host(folder), folder) as here:
            doors.append(by_socket(here.path) if request.param == "socket" else by_tcp(here.port))
            opened.set()
            await asyncio.to_thread(over.wait)

    with a_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(access, "FAILED_PAUSE_S", 0)
        thread = threading.Thread(target=lambda: asyncio.run(serve(folder)))
        thread.start()
        try:
            assert opened.wait(DEADLINE_S)
            yield doors[0]
        finally:
            over.set()
            thread.join(DEADLINE_S)


@examples(200)
@given(data=st.data())
def test_any_request_is_answered_as_the_document_says(door: Door, data: st.DataObject) -> None:
    document = door.document
    request = data.draw(requests(document))
    with bounded():
        assert door.complaints(document, request) == []


@examples(80)
@given(data=st.data())
def test_any_bytes_are_refused_or_answered_and_the_next_request_is_served(
    door: Door, data: st.DataObject
) -> None:
    whole = data.draw(requests(door.document)).wire(door.host, door.token)
    wire = data.draw(damaged([whole[:5_000]]))
    with bounded():
        reply = ask(door.connect, wire, wire[:4].decode("latin-1").strip(), is_all=True)
        assert reply is None or reply.status < 500
        assert door.document


LEFT_OUT = frozenset({"shutdown", "upgrade", "restart"})
"""What ends the daemon that is asked, or may take as long as a strategy likes."""


def test_a_daemon_with_strategies_of_all_kinds_answers_as_its_document_says(home: Path) -> None:
    with instance(home) as host:
        host.write("ema", "steady", text="tags: [nifty]")
        host.write("orb", "leave", "1", text="schedule: {at: '0 16 * * *'}\ntags: [nifty]")
        host.write("report", "leave", "0", text="schedule: manual")
        (home / "conf.d" / "bad.yaml").write_text("script: [")
        host.up()
        door = by_socket(home / "run" / "stratvisor.sock")
        document = door.document

        @examples(60)
        @given(request=requests(document, LEFT_OUT))
        def asked(request: Request) -> None:
            with bounded():
                assert door.complaints(document, request) == []

        asked()
        assert host.ask("GET", "/healthz", raw=True)[0] == 200
        log = (home / "log" / "stratvisor.log").read_text()
        assert "Traceback" not in log
