"""The verbs: start, stop, restart, reload, shutdown."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest

from stratvisor.http.pages import local_path

if TYPE_CHECKING:
    import aiohttp
    from fake_host import FakeHost

PAGE = {"Accept": "text/html"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_an_order_answers_with_the_new_state(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.holds_still = True
    async with client.post("/python/stop/ema") as answer:
        assert answer.status == 202
        assert (await answer.json())["state"] == "stopping"
    ((name, order),) = host.orders
    assert (name, order.verb, order.until_next) == ("ema", "stop", False)


@pytest.mark.parametrize(
    "body",
    [{"data": {"until": "next"}}, {"json": {"until": "next"}}, {"params": {"until": "next"}}],
    ids=["form", "json", "query"],
)
async def test_a_parameter_may_come_in_any_way(
    client: aiohttp.ClientSession, host: FakeHost, body: dict[str, Any]
) -> None:
    async with client.post("/python/stop/ema", **body) as answer:
        assert answer.status == 202
    assert host.orders[0][1].until_next


async def test_orders_are_idempotent(client: aiohttp.ClientSession, host: FakeHost) -> None:
    for verb, state in (("stop", "stopped"), ("start", "running")):
        for _ in range(2):
            async with client.post(f"/python/{verb}/ema?wait=5") as answer:
                assert answer.status == 200
                assert (await answer.json())["state"] == state


async def test_waiting_answers_once_it_is_done(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.holds_still = True
    request = asyncio.ensure_future(client.post("/python/stop/ema", params={"wait": "30"}))
    while not host.orders:
        await asyncio.wait([request], timeout=0.01)
    assert not request.done()
    host.finish("ema")
    async with await request as answer:
        assert answer.status == 200
        assert (await answer.json())["state"] == "stopped"


async def test_waiting_in_vain(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.holds_still = True
    async with client.post("/python/stop/ema?wait=0.01") as answer:
        assert answer.status == 504
        problem = await answer.json()
    assert "ema" in problem["detail"]
    assert problem["state"]["state"] == "stopping"


async def test_an_order_that_cannot_be_kept_says_so(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.unkept = "cannot be written: No space left on device"
    for path in ("stop/ema?wait=5", "stop/all"):
        async with client.post(f"/python/{path}") as answer:
            assert answer.status == 507
            problem = await answer.json()
        assert "stop is obeyed, but run/state.json cannot be written: No space left" in problem["detail"]
    assert host.strategies["ema"]["state"] == "stopped"
    async with client.post("/python/start/ema", headers=PAGE, allow_redirects=False) as answer:
        assert answer.status == 507


@pytest.mark.parametrize("wait", ["61", "-1", "nan", "inf", "1e1", "soon", ""])
async def test_a_wait_out_of_bounds_orders_nothing(
    client: aiohttp.ClientSession, host: FakeHost, wait: str
) -> None:
    async with client.post("/python/stop/ema", params={"wait": wait}) as answer:
        assert answer.status == 422
    assert host.orders == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"params": {"utnil": "next"}}, 422),
        ({"data": {"until": "tomorrow"}}, 422),
        ({"data": {"until": "next"}, "params": {"until": "next"}}, 422),
        ({"json": {"until": None}}, 422),
        ({"json": {"wait": [1]}}, 422),
        ({"json": ["until"]}, 422),
        ({"json": "until"}, 422),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 422),
        ({"data": b'{"wait":1,"wait":2}', "headers": {"Content-Type": "application/json"}}, 422),
        ({"data": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 422),
        ({"data": b"\xff", "headers": {"Content-Type": "application/json"}}, 422),
        ({"data": b"until: next", "headers": {"Content-Type": "application/yaml"}}, 415),
        ({"data": io.BytesIO(b"x" * 1_100_000)}, 413),
        ({"data": io.BytesIO(b"wait=" + b"1" * 1_100_000), "headers": FORM}, 413),
    ],
)
async def test_a_bad_body_orders_nothing(
    client: aiohttp.ClientSession, host: FakeHost, body: dict[str, Any], status: int
) -> None:
    async with client.post("/python/stop/ema", **body) as answer:
        assert answer.status == status
        assert answer.content_type == "application/problem+json"
    assert host.orders == []


PARTS = {"Content-Type": "multipart/form-data; boundary=x"}
CHARSET = {"Content-Type": "application/x-www-form-urlencoded; charset=nonsense"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(
            {"data": b"{}", "headers": {"Content-Type": "multipart/form-data"}}, 422, id="no boundary"
        ),
        pytest.param({"data": b"{}", "headers": PARTS}, 422, id="no parts"),
        pytest.param(
            {"data": b"--x\r\n\r\n1\r\n--x--\r\n", "headers": PARTS}, 422, id="a part without a name"
        ),
        pytest.param({"data": {"until": io.BytesIO(b"next")}}, 422, id="a file"),
        pytest.param({"data": b"a=b", "headers": CHARSET}, 422, id="no charset"),
        pytest.param({"data": b"until=\xff", "headers": FORM}, 422, id="not UTF-8"),
        pytest.param(
            {"data": b"{}", "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip"}},
            415,
            id="no gzip",
        ),
        pytest.param({"data": b"a=b", "headers": FORM | {"Content-Encoding": "br"}}, 415, id="brotli"),
    ],
)
async def test_a_body_that_is_not_what_its_headers_say_is_the_clients_fault(
    client: aiohttp.ClientSession,
    host: FakeHost,
    caplog: pytest.LogCaptureFixture,
    body: dict[str, Any],
    status: int,
) -> None:
    async with client.post("/python/stop/ema", **body) as answer:
        assert answer.status == status
        assert answer.content_type == "application/problem+json"
    assert host.orders == []
    assert not caplog.records


async def test_json_numbers_and_empty_bodies_are_fine(client: aiohttp.ClientSession) -> None:
    async with client.post("/python/stop/ema", json={"wait": 1.5}) as answer:
        assert answer.status == 200
    async with client.post("/python/start/ema", json={}) as answer:
        assert answer.status == 202
    async with client.post("/python/start/ema", data=b"") as answer:
        assert answer.status == 202


async def test_a_refusal_says_why(client: aiohttp.ClientSession) -> None:
    async with client.post("/python/restart/orb") as answer:
        assert answer.status == 409
        assert (await answer.json())["detail"] == "cannot restart: orb is stopped; start it"


async def test_a_tag_orders_all_that_carry_it(client: aiohttp.ClientSession, host: FakeHost) -> None:
    async with client.post("/python/stop/@nifty?wait=5") as answer:
        assert answer.status == 200
        told = await answer.json()
    assert [one["id"] for one in told["strategies"]] == ["ema", "orb"]
    assert told["refused"] == []
    assert [name for name, _ in host.orders] == ["ema", "orb"]


async def test_one_refusal_does_not_keep_the_others(client: aiohttp.ClientSession, host: FakeHost) -> None:
    async with client.post("/python/restart/all") as answer:
        assert answer.status == 202
        told = await answer.json()
    assert [one["id"] for one in told["strategies"]] == ["ema"]
    assert [one["id"] for one in told["refused"]] == ["orb", "report"]
    host.orders.clear()
    host.strategies["ema"]["state"] = "stopped"
    async with client.post("/python/restart/all") as answer:
        assert answer.status == 409
        assert "orb: cannot restart" in (await answer.json())["detail"]


@pytest.mark.parametrize("selector", ["nope", "@nope", "@", "ALL"])
async def test_what_names_nothing(client: aiohttp.ClientSession, host: FakeHost, selector: str) -> None:
    async with client.post(f"/python/stop/{selector}") as answer:
        assert answer.status == 404
    assert host.orders == []


# From a page


@pytest.mark.parametrize(
    ("selector", "back", "leads_to"),
    [
        ("ema", None, "/python/status/ema"),
        ("all", None, "/python/"),
        ("ema", "", "/python/status/ema"),
        ("ema", "/python/", "/python/"),
        ("ema", "/python/status/ema?x=1", "/python/status/ema?x=1"),
        ("ema", "//evil.example/", "/python/status/ema"),
        ("ema", "/\\evil.example/", "/python/status/ema"),
        ("ema", "/python\\..\\evil", "/python/status/ema"),
        ("ema", "https://evil.example/python/", "/python/status/ema"),
        ("ema", "/elsewhere", "/python/status/ema"),
        ("ema", "/pythonic", "/python/status/ema"),
        ("ema", "/python/\r\nSet-Cookie: a=b", "/python/status/ema"),
        ("ema", "javascript:alert(1)", "/python/status/ema"),
    ],
)
async def test_a_form_leads_back_to_a_page_of_ours(
    client: aiohttp.ClientSession, selector: str, back: str | None, leads_to: str
) -> None:
    form = {} if back is None else {"back": back}
    async with client.post(
        f"/python/stop/{selector}", data=form, headers=PAGE, allow_redirects=False
    ) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == leads_to


@pytest.mark.parametrize("base", ["", "/python"])
@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example/", "/a\\b", "https://evil.example", "a", "", None]
)
def test_no_foreign_page_is_local(base: str, path: str | None) -> None:
    assert local_path(path, base) is None
    assert local_path(f"{base}/x?y=1", base) == f"{base}/x?y=1"


async def test_a_refusal_is_a_page_too(client: aiohttp.ClientSession) -> None:
    async with client.post("/python/restart/orb", headers=PAGE) as answer:
        assert (answer.status, answer.content_type) == (409, "text/html")
        assert "cannot restart: orb is stopped; start it" in await answer.text()


# Reload, plan, shutdown


async def test_reload(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.planned |= {"start": ["new"], "problems": [{"file": "conf.d/x.yaml", "line": 1}]}
    async with client.post("/python/reload") as answer:
        assert answer.status == 200
        assert await answer.json() == host.planned
    async with client.get("/python/plan") as answer:
        assert await answer.json() == host.planned
    async with client.post("/python/reload", headers=PAGE, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/python/")
    assert host.reloads == [False, False]


async def test_a_refused_reload_is_an_error_unless_forced(
    client: aiohttp.ClientSession, host: FakeHost
) -> None:
    host.planned["refused"] = "conf.d is empty and 3 strategies run"
    async with client.post("/python/reload") as answer:
        assert answer.status == 409
        problem = await answer.json()
    assert problem["detail"] == "conf.d is empty and 3 strategies run"
    assert problem["plan"]["stop"] == []
    async with client.post("/python/reload", data={"force": "1"}) as answer:
        assert answer.status == 200
    assert host.reloads == [False, True]


@pytest.mark.parametrize("force", ["yes", "", "2", "TRUE"])
async def test_force_is_said_plainly_or_not_at_all(
    client: aiohttp.ClientSession, host: FakeHost, force: str
) -> None:
    async with client.post("/python/reload", data={"force": force}) as answer:
        assert answer.status == 422
    assert host.reloads == []


async def test_shutdown(client: aiohttp.ClientSession, host: FakeHost) -> None:
    async with client.post("/python/shutdown") as answer:
        assert answer.status == 202
    async with client.post("/python/shutdown", data={"stop_strategies": "1"}) as answer:
        assert answer.status == 202
    assert host.shutdowns == [False, True]


async def test_an_upgrade_is_told_or_refused_with_the_reason(
    client: aiohttp.ClientSession, host: FakeHost
) -> None:
    async with client.post("/python/upgrade") as answer:
        assert answer.status == 202
        assert (await answer.json())["version"] == "0.2.0"
    host.upgrade_refused = "the new code cannot start"
    async with client.post("/python/upgrade") as answer:
        assert answer.status == 409
        assert (await answer.json())["detail"] == "the new code cannot start"
