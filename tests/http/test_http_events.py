"""/events: news as it happens, and clients that leave, come back or never read."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING

import pytest
from fake_host import NOW
from streams import next_event
from waiting import DEADLINE_S, until_async

from stratvisor.http import sse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp
    from fake_host import FakeHost
    from serving import Served

    from stratvisor.ports import News


async def test_news_come_as_they_happen(client: aiohttp.ClientSession, host: FakeHost) -> None:
    async with client.get("/python/events") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        await until_async(lambda: host.listeners == 1)
        host.tell("state", "ema", {"state": "backoff"})
        host.tell("reload", None, {})
        told = [await next_event(answer), await next_event(answer)]
    first, second = told
    assert first is not None
    assert second is not None
    assert (first.kind, first.id) == ("state", "1")
    assert first.data == {
        "id": 1,
        "at": NOW.isoformat(timespec="milliseconds"),
        "strategy": "ema",
        "kind": "state",
        "body": {"state": "backoff"},
    }
    assert (second.kind, second.id, second.data["strategy"]) == ("reload", "2", None)


@pytest.mark.parametrize(
    ("headers", "query", "missed"),
    [
        ({"Last-Event-ID": "2"}, "", [3, 4]),
        ({}, "?after=1", [2, 3, 4]),
        ({"Last-Event-ID": "3"}, "?after=1", [4]),
        ({}, "", []),
    ],
)
async def test_a_client_goes_on_where_it_was(
    client: aiohttp.ClientSession, host: FakeHost, headers: dict[str, str], query: str, missed: list[int]
) -> None:
    for number in range(4):
        host.tell("state", "ema", {"number": number})
    async with client.get(f"/python/events{query}", headers=headers) as answer:
        await until_async(lambda: host.listeners == 1)
        host.tell("state", "ema", {"number": "new"})
        told = [await next_event(answer) for _ in range(len(missed) + 1)]
    assert [event.data["id"] for event in told if event] == [*missed, 5]


@pytest.mark.parametrize(
    ("headers", "query"), [({"Last-Event-ID": "x"}, ""), ({}, "?after=-1"), ({}, "?since=1")]
)
async def test_a_bad_place_to_go_on_from(
    client: aiohttp.ClientSession, headers: dict[str, str], query: str
) -> None:
    async with client.get(f"/python/events{query}", headers=headers) as answer:
        assert answer.status == 422


async def test_silence_is_broken_by_heartbeats(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.01)
    async with client.get("/python/events") as answer, asyncio.timeout(DEADLINE_S):
        while (await answer.content.readline()) != b": still here\n":
            pass


async def test_a_client_that_left_is_forgotten(
    client: aiohttp.ClientSession, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.01)
    async with client.get("/python/events"):
        await until_async(lambda: host.listeners == 1)
    await until_async(lambda: host.listeners == 0, "the listener is forgotten")


async def test_a_client_that_never_reads_is_dropped_and_slows_nobody(
    here: Served, client: aiohttp.ClientSession, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "WRITE_S", 0.05)
    listen = host.news
    kept = []  # or its end could be the collector's work

    def news(after: int | None) -> AsyncIterator[News]:
        kept.append(listen(after))
        return kept[-1]

    monkeypatch.setattr(host, "news", news)
    deaf = socket.socket(socket.AF_UNIX)
    deaf.connect(str(here.path))
    with deaf:
        deaf.sendall(b"GET /python/events HTTP/1.1\r\nHost: x\r\n\r\n")
        async with client.get("/python/events") as answer:
            await until_async(lambda: host.listeners == 2)
            body = {"text": "x" * 50_000}
            for number in range(100):
                host.tell("state", "ema", body)
                event = await next_event(answer)
                assert event is not None
                assert event.data["id"] == number + 1
            await until_async(lambda: host.listeners == 1, "the deaf client is dropped")


async def test_a_client_that_was_away_for_too_long_is_told_so(
    client: aiohttp.ClientSession, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once went on with the first piece that was still kept, as if it had heard all."""
    for count in range(4):
        host.tell("state", "ema", {"count": count})
    news = host.news

    async def kept(after: int | None) -> AsyncIterator[News]:
        async for piece in news(2 if after == 1 else after):
            yield piece

    monkeypatch.setattr(host, "news", kept)
    async with client.get("/python/events?after=1") as answer:
        told = [await next_event(answer) for _ in range(3)]
    assert [event.kind for event in told if event] == ["missed", "state", "state"]
    assert told[0] is not None
    assert told[0].data == {"after": 1, "before": 3}


async def test_the_end_of_the_news_ends_the_stream(client: aiohttp.ClientSession, host: FakeHost) -> None:
    """A host may send a listener home that fell behind; the client comes back by itself."""
    async with client.get("/python/events") as answer:
        await until_async(lambda: host.listeners == 1)
        host.hang_up()
        assert await next_event(answer) is None
    assert host.listeners == 0


async def test_closing_ends_streams_at_once(
    here: Served, client: aiohttp.ClientSession, host: FakeHost
) -> None:
    async with client.get("/python/events") as answer, client.get("/python/logs/ema?follow=1") as log:
        await until_async(lambda: host.listeners == 1)
        async with asyncio.timeout(DEADLINE_S):
            await here.server.close()
        assert await next_event(answer) is None
        assert await next_event(log) is None
        assert host.listeners == 0


def test_a_frame_is_always_one_event() -> None:
    content = sse.frame("state", {"text": "a\nb\r\n\ndata: c\u2028"}, 7).decode()
    head, event, data, *rest = content.split("\n")
    assert (head, event, rest) == ("id: 7", "event: state", ["", ""])
    assert json.loads(data.removeprefix("data: ")) == {"text": "a\nb\r\n\ndata: c\u2028"}
