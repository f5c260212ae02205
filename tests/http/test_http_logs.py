"""Logs over HTTP: listed, their end, searched, followed, taken away whole."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fake_host import FakeHost, at, run
from streams import heartbeat, next_event
from waiting import DEADLINE_S

from stratvisor.http import logbook, sse
from stratvisor.logs import Position, forward
from stratvisor.ports import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

FIRST = "ema_20261123_091500_IST"
SECOND = "ema_20261123_101500_IST"
PLAIN = {"Accept": "text/plain"}
PAGE = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def logs(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs: one over, in two parts; one that lives. And a neighbour with a longer name."""
    monkeypatch.setattr(logbook, "POLL_S", 0.005)
    folder = host.folder
    (folder / f"{FIRST}.log").write_text("begin\nBUY 1\n")
    (folder / f"{FIRST}.2.log").write_text("SELL 1\nend of run 1")
    (folder / f"{SECOND}.log").write_text("begin again\nBUY 2\n")
    (folder / "ema_slow_20261123_091500_IST.log").write_text("another's BUY\n")
    host.strategies["ema"] |= {"log": f"log/strategies/{SECOND}.log", "run": 2}
    host.history["ema"] = [
        run(2, at("10:15"), log=f"log/strategies/{SECOND}.log"),
        run(1, at("9:15"), at("10:14"), code=3, log=f"log/strategies/{FIRST}.log"),
    ]
    return folder


async def lines(client: aiohttp.ClientSession, query: str) -> list[str]:
    async with client.get(f"/python/logs/ema?{query}") as answer:
        assert answer.status == 200, await answer.text()
        found: list[str] = (await answer.json())["lines"]
        return found


async def test_the_list(client: aiohttp.ClientSession) -> None:
    async with client.get("/python/logs/ema") as answer:
        told = await answer.json()
    assert told["id"] == "ema"
    assert [(file["name"], file["run"], file["part"], file["size"]) for file in told["files"]] == [
        (f"{FIRST}.log", FIRST, 1, 12),
        (f"{FIRST}.2.log", FIRST, 2, 19),
        (f"{SECOND}.log", SECOND, 1, 18),
    ]
    async with client.get("/python/logs/report") as answer:
        assert (await answer.json())["files"] == []


async def test_the_tail(client: aiohttp.ClientSession) -> None:
    assert await lines(client, "tail=3") == ["end of run 1", "begin again", "BUY 2"]
    assert await lines(client, "tail=0") == []


@pytest.mark.parametrize("name", ["1", FIRST, f"{FIRST}.log"])
async def test_one_run_alone_by_number_or_name(client: aiohttp.ClientSession, name: str) -> None:
    assert await lines(client, f"tail=9&run={name}") == ["begin", "BUY 1", "SELL 1", "end of run 1"]


@pytest.mark.parametrize("name", ["3", "0", "nope", "../../../etc/passwd", "ema_slow_20261123_091500_IST"])
async def test_a_run_without_a_log(client: aiohttp.ClientSession, name: str) -> None:
    for extra in ("", "&tail=1", "&follow=1", "&download=1"):
        async with client.get(f"/python/logs/ema?run={name}{extra}") as answer:
            assert answer.status == 404


async def test_logs_outlive_their_strategy(client: aiohttp.ClientSession, host: FakeHost) -> None:
    del host.strategies["ema"]
    assert await lines(client, "tail=1") == ["BUY 2"]
    assert await lines(client, "tail=1&run=1") == ["end of run 1"]
    async with client.get("/python/logs/ema", headers=PAGE) as answer:
        assert answer.status == 200


async def test_reading_logs_and_starting_strategies_do_not_wait_for_each_other(
    client: aiohttp.ClientSession,
) -> None:
    """What starts strategies uses the loop's own threads: all of them may be busy, and none is ours."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    go_on = threading.Event()
    busy = loop.run_in_executor(None, go_on.wait)
    try:
        async with asyncio.timeout(DEADLINE_S):
            assert await lines(client, "tail=1") == ["BUY 2"]
    finally:
        go_on.set()
        await busy


async def test_grep(client: aiohttp.ClientSession) -> None:
    async with client.get("/python/logs/ema?grep=BUY") as answer:
        assert (await answer.json())["matches"] == [
            {"log": f"{FIRST}.log", "line": 2, "text": "BUY 1"},
            {"log": f"{SECOND}.log", "line": 2, "text": "BUY 2"},
        ]
    async with client.get("/python/logs/ema?grep=BUY&tail=1") as answer:
        assert [match["text"] for match in (await answer.json())["matches"]] == ["BUY 2"]


async def test_plain_text_for_terminals(client: aiohttp.ClientSession) -> None:
    async with client.get("/python/logs/ema?tail=2", headers=PLAIN) as answer:
        assert answer.content_type == "text/plain"
        assert await answer.text() == "begin again\nBUY 2\n"
    async with client.get("/python/logs/ema?grep=SELL", headers=PLAIN) as answer:
        assert await answer.text() == f"{FIRST}.2.log:1: SELL 1\n"


async def test_text_is_harmless(client: aiohttp.ClientSession, logs: Path) -> None:
    (logs / f"{SECOND}.log").write_bytes(b"\x1b[31mred\x1b[0m \x07 \xff\n")
    assert await lines(client, "tail=1") == ["red \u2407 \ufffd"]


async def test_a_download_is_the_bytes_as_they_are(client: aiohttp.ClientSession, logs: Path) -> None:
    raw = b"\x1b[31mred\x1b[0m \xff\r\n" * 20_000
    (logs / f"{FIRST}.2.log").write_bytes(raw)
    async with client.get("/python/logs/ema?run=1&download=1") as answer:
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{FIRST}.log"'
        assert answer.content_type == "text/plain"
        assert await answer.read() == b"begin\nBUY 1\n" + raw
    async with client.get("/python/logs/ema?download=1") as answer:
        assert await answer.read() == b"begin again\nBUY 2\n"
    async with client.get("/python/logs/report?download=1") as answer:
        assert answer.status == 404


async def test_a_download_that_fails_does_not_look_whole(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    import aiohttp

    def fail(_path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("stratvisor.logs.content", fail)
    async with client.get("/python/logs/ema?download=1") as answer:
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


@pytest.mark.parametrize(
    "query",
    [
        "tail=-1",
        "tail=10001",
        "tail=x",
        "follow=1&grep=x",
        "follow=1&download=1",
        "follow=1&from=x",
        "follow=1&from=../x:0",
        "grep=" + "x" * 1100,
    ],
)
async def test_bad_input(client: aiohttp.ClientSession, query: str) -> None:
    async with client.get(f"/python/logs/ema?{query}") as answer:
        assert answer.status == 422


# Following


async def test_following_tells_each_line_as_it_comes(client: aiohttp.ClientSession, logs: Path) -> None:
    async with client.get("/python/logs/ema?follow=1&tail=1") as answer:
        assert answer.content_type == "text/event-stream"
        first = await next_event(answer)
        assert first is not None
        assert (first.kind, first.data) == ("lines", {"lines": ["BUY 2"]})
        with (logs / f"{SECOND}.log").open("a") as file:
            file.write("SELL 2\nhal")
        more = await next_event(answer)
        assert more is not None
        assert more.data == {"lines": ["SELL 2"]}
        with (logs / f"{SECOND}.log").open("a") as file:
            file.write("f\n")
        (logs / f"{SECOND}.2.log").write_text("next part\n")
        (logs / "ema_20261123_111500_IST.log").write_text("next run\n")
        told = [(await next_event(answer)) for _ in range(3)]
        assert [event.data["lines"] for event in told if event] == [["half"], ["next part"], ["next run"]]


async def test_following_resumes_where_it_was(client: aiohttp.ClientSession, logs: Path) -> None:
    async with client.get("/python/logs/ema?follow=1&tail=1") as answer:
        seen = await next_event(answer)
    assert seen is not None
    assert seen.id is not None
    with (logs / f"{SECOND}.log").open("a") as file:
        file.write("while away\n")
    for headers, query in (({"Last-Event-ID": seen.id}, f"&from={FIRST}.log:0"), ({}, f"&from={seen.id}")):
        async with client.get(f"/python/logs/ema?follow=1{query}", headers=headers) as answer:
            event = await next_event(answer)
            assert event is not None
            assert event.data == {"lines": ["while away"]}


async def test_following_a_run_that_is_over_ends(client: aiohttp.ClientSession) -> None:
    async with client.get("/python/logs/ema?follow=1&run=1&tail=2") as answer:
        told = []
        while (event := await next_event(answer)) is not None:
            told.append((event.kind, event.data))
    assert told == [
        ("lines", {"lines": ["BUY 1", "SELL 1"]}),
        ("lines", {"lines": ["end of run 1"]}),
        ("end", {"run": FIRST}),
    ]


async def test_following_a_run_to_its_end(
    client: aiohttp.ClientSession, host: FakeHost, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.01)
    async with client.get("/python/logs/ema?follow=1&run=2&tail=1") as answer:
        assert await next_event(answer) is not None
        await heartbeat(answer)
        with (logs / f"{SECOND}.log").open("a") as file:
            file.write("last words")
        (logs / "ema_20261123_111500_IST.log").write_text("not of this run\n")
        host.change("ema", "stopped")
        event = await next_event(answer)
        assert event is not None
        assert event.data == {"lines": ["last words"]}
        event = await next_event(answer)
        assert event is not None
        assert event.kind == "end"
        assert await next_event(answer) is None


async def test_lines_that_a_run_prints_as_it_ends_are_told(
    client: aiohttp.ClientSession, host: FakeHost, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints and ends between a look at its log and the question whether it lives."""

    def look(paths: Sequence[Path], position: Position) -> tuple[list[str], Position]:
        found = forward(paths, position)
        if not found[0] and host.strategies["ema"]["pid"] is not None:
            with (logs / f"{SECOND}.log").open("a") as file:
                file.write("last line\n")
            host.strategies["ema"]["pid"] = None
        return found

    monkeypatch.setattr("stratvisor.logs.forward", look)
    async with client.get(f"/python/logs/ema?follow=1&run=2&from={SECOND}.log:0") as answer:
        told = [await next_event(answer) for _ in range(3)]
    assert [event.data for event in told if event] == [
        {"lines": ["begin again", "BUY 2"]},
        {"lines": ["last line"]},
        {"run": SECOND},
    ]


async def test_following_before_there_is_anything(client: aiohttp.ClientSession, logs: Path) -> None:
    async with client.get("/python/logs/report?follow=1") as answer:
        (logs / "report_20261123_160000_IST.log").write_text("first line ever\n")
        event = await next_event(answer)
        assert event is not None
        assert event.data == {"lines": ["first line ever"]}


# The page


async def test_the_page_escapes_what_a_strategy_prints(client: aiohttp.ClientSession, logs: Path) -> None:
    (logs / f"{SECOND}.log").write_text('<script>alert("x")</script> & <b>\n')
    for path in ("/python/logs/ema", "/python/status/ema", "/python/logs/ema?grep=script"):
        async with client.get(path, headers=PAGE) as answer:
            text = await answer.text()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; &lt;b&gt;" in text


async def test_the_page_shows_one_run_or_what_was_found(client: aiohttp.ClientSession) -> None:
    async with client.get("/python/logs/ema", headers=PAGE) as answer:
        text = await answer.text()
        assert "BUY 2" in text
        assert "BUY 1" not in text
        assert f'<option value="{SECOND}" selected>20261123 101500 IST, run 2: still running</option>' in text
        assert f'<option value="{FIRST}">20261123 091500 IST, run 1: exit 3</option>' in text
    async with client.get("/python/logs/ema?run=1&tail=9&grep=", headers=PAGE) as answer:
        assert "SELL 1" in await answer.text()
    async with client.get("/python/logs/ema?run=&tail=9&grep=BUY", headers=PAGE) as answer:
        text = await answer.text()
        assert "2 lines with" in text
        assert "SELL" not in text
    async with client.get("/python/logs/report", headers=PAGE) as answer:
        assert "No logs yet" in await answer.text()


async def test_the_logs_page_needs_no_history(
    client: aiohttp.ClientSession, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(_strategy: str, _limit: int) -> None:
        raise Refused("the history cannot be read now")

    monkeypatch.setattr(host, "runs", unreadable)
    async with client.get("/python/logs/ema", headers=PAGE) as answer:
        assert answer.status == 200
        assert f'<option value="{FIRST}">20261123 091500 IST</option>' in await answer.text()
