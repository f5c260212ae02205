"""What is asked of all and of one: status, why, next, runs; and how mistakes are answered."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
from fake_host import FakeHost, at, run, strategy

if TYPE_CHECKING:
    import aiohttp

PAGE = {"Accept": "text/html,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/python/", "/python/status"])
async def test_status_of_all(client: aiohttp.ClientSession, host: FakeHost, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert await answer.json() == json.loads(json.dumps(host.status()))


async def test_status_of_one(client: aiohttp.ClientSession, host: FakeHost) -> None:
    async with client.get("/python/status/ema") as answer:
        assert await answer.json() == host.strategy("ema")


async def test_runs_of_a_strategy_whose_file_is_gone_are_told(
    client: aiohttp.ClientSession, host: FakeHost
) -> None:
    host.history["gone"] = [run(1, at("9:15"), at("9:20"), code=0)]
    async with client.get("/python/runs/gone") as answer:
        assert [one["run"] for one in (await answer.json())["runs"]] == [1]
    async with client.get("/python/runs/never") as answer:
        assert answer.status == 404


async def test_why_next_and_runs(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.history["ema"] = [run(2, at("10:00")), run(1, at("9:15"), at("9:59"), code=1)]
    async with client.get("/python/why/ema") as answer:
        assert await answer.json() == {
            "id": "ema",
            "state": "running",
            "since": at("9:15"),
            "why": "it is running",
        }
    async with client.get("/python/next/ema?n=2") as answer:
        assert await answer.json() == {"id": "ema", "next": host.upcoming("ema", 2)}
    async with client.get("/python/runs/ema?n=1") as answer:
        assert await answer.json() == {"id": "ema", "runs": [host.history["ema"][0] | {"how": ""}]}
    async with client.get("/python/runs/ema") as answer:
        assert [one["how"] for one in (await answer.json())["runs"]] == ["", "exit 1"]


@pytest.mark.parametrize(
    "path",
    [
        "/python/",
        "/python/status/ema",
        "/python/why/ema",
        "/python/next/ema",
        "/python/runs/ema",
        "/python/plan",
        "/python/logs/ema",
    ],
)
async def test_one_url_serves_people_and_programs(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.content_type == "application/json"
    async with client.get(path, headers=PAGE) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        assert (await answer.text()).startswith("<!doctype html>")


@pytest.mark.parametrize(
    "path",
    [
        "/python/",
        "/python/status/ema",
        "/python/logs/ema",
        "/python/events",
        "/python/logs/ema?follow=1",
        "/healthz",
        "/openapi.json",
        "/python/static/app.js",
    ],
)
async def test_head_goes_where_get_does(client: aiohttp.ClientSession, path: str) -> None:
    async with client.head(path) as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_one_whose_file_is_bad_from_the_first(client: aiohttp.ClientSession, host: FakeHost) -> None:
    problem = {"file": "conf.d/bad.yaml", "line": 2, "column": 1, "key": "", "message": "unknown key"}
    host.strategies["bad"] = strategy("bad", "error", run=None, since=None, problems=[problem])
    for name in ("status", "why", "next", "runs", "logs"):
        for headers in ({}, PAGE):
            async with client.get(f"/python/{name}/bad", headers=headers) as answer:
                assert answer.status == 200, name
    async with client.get("/python/next/bad") as answer:
        assert (await answer.json())["next"] == []


async def test_readiness(client: aiohttp.ClientSession, host: FakeHost) -> None:
    async with client.get("/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"ready": True, "why_not_ready": None})
    host.why_not_ready = "conf.d was not read yet"
    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["why_not_ready"] == "conf.d was not read yet"


async def test_the_bare_address_leads_to_the_dashboard(client: aiohttp.ClientSession) -> None:
    for path in ("/", "/python"):
        async with client.get(path, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/python/"


# Mistakes


@pytest.mark.parametrize(
    "path",
    [
        "/python/status/nope",
        "/python/why/nope",
        "/python/next/nope",
        "/python/runs/nope",
        "/python/logs/nope",
        "/nope",
        "/python/nope",
        "/status",
        "/python/static/nope.js",
        "/python/static/..%2fapp.py",
        "/python/status/a/b",
    ],
)
async def test_what_is_not_there(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        problem = await answer.json()
    assert problem["type"] == "about:blank"
    assert problem["title"] == "Not Found"
    assert problem["status"] == 404
    assert problem["detail"]
    async with client.get(path, headers=PAGE) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/python/status", {"GET", "HEAD"}),
        ("GET", "/python/stop/ema", {"POST"}),
        ("HEAD", "/python/reload", {"POST"}),
        ("DELETE", "/python/status/ema", {"GET", "HEAD"}),
        ("PUT", "/python/login", {"GET", "HEAD", "POST"}),
        ("OPTIONS", "/python/stop/ema", {"POST"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    client: aiohttp.ClientSession, method: str, path: str, allow: set[str]
) -> None:
    async with client.request(method, path) as answer:
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(",")) == allow


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("n=0", '"n": must be a whole number from 1 to 1000'),
        ("n=1001", '"n": must be a whole number from 1 to 1000'),
        ("n=-1", '"n": must be'),
        ("n=1e2", '"n": must be'),
        ("n=", '"n": must be'),
        ("n=\u0661", '"n": must be'),
        ("n=1&n=2", '"n": given twice'),
        ("N=1", "\"N\": unknown parameter; did you mean 'n'?"),
        ("n=x&m=1", '"n": must be a whole number from 1 to 1000; "m": unknown parameter'),
    ],
)
async def test_bad_input_is_named(client: aiohttp.ClientSession, query: str, detail: str) -> None:
    async with client.get(f"/python/next/ema?{query}") as answer:
        assert answer.status == 422
        assert (await answer.json())["detail"].startswith(detail)


async def test_what_nobody_foresaw_is_logged_and_not_told(
    client: aiohttp.ClientSession,
    host: FakeHost,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_strategy: str) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(host, "strategy", fail)
    for headers in ({}, PAGE):
        async with client.get("/python/status/ema", headers=headers) as answer:
            assert answer.status == 500
            text = await answer.text()
        assert "secret detail" not in text
        assert "Traceback" not in text
        assert "stratvisor.log" in text
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(logged) == 2
    assert logged[0].exc_info is not None


async def test_even_an_answer_that_cannot_be_made_tells_nothing(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("stratvisor.http.errors.error_answer", fail)
    async with client.get("/python/status/nope") as answer:
        assert answer.status == 500
        assert answer.content_type == "application/problem+json"
        assert "secret detail" not in await answer.text()
        assert "aiohttp" not in answer.headers.get("Server", "")
    assert [record for record in caplog.records if record.levelno == logging.ERROR]


async def test_a_name_that_is_no_unicode_can_be_told(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.strategies["ema"]["why"] = "no such file: \udcff.py"
    async with client.get("/python/status/ema") as answer:
        assert answer.status == 200
        assert "\\udcff.py" in await answer.text()
    async with client.get("/python/status/ema", headers=PAGE) as answer:
        assert answer.status == 200


async def test_a_hundred_strategies(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.strategies |= {f"s{number}": strategy(f"s{number}") for number in range(100)}
    async with client.get("/python/status") as answer:
        assert len((await answer.json())["strategies"]) == 103
    async with client.get("/python/", headers=PAGE) as answer:
        assert (await answer.text()).count("<tbody") == 103
