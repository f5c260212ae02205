"""Tokens with names: made, kept hashed, listed, used and revoked, with all that they opened."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

import asyncio
import hmac
import json
import stat
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from serving import START, TOKEN, FakeClock
from waiting import DEADLINE_S, until_async

from stratvisor.http import access, doors, keyring
from stratvisor.http.doors import IDLE_NS
from stratvisor.http.keyring import Keyring, TokenRefused, digest_of
from stratvisor.http.roles import Role
from stratvisor.spec import HOUR, MINUTE

if TYPE_CHECKING:
    from pathlib import Path

    from fake_host import FakeHost
    from serving import Served


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "FAILED_PAUSE_S", 0)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def browser(here: Served) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(here.url, cookie_jar=aiohttp.CookieJar(unsafe=True))


async def made(client: aiohttp.ClientSession, name: str, role: str) -> str:
    async with client.post("/python/tokens", data={"name": name, "role": role}) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["token"])


async def listed(client: aiohttp.ClientSession) -> list[dict[str, Any]]:
    async with client.get("/python/tokens") as answer:
        found: list[dict[str, Any]] = (await answer.json())["tokens"]
        return found


# Made and kept.


async def test_a_token_opens_at_once_and_its_name_stands_beside_what_it_did(
    client: aiohttp.ClientSession, stranger: aiohttp.ClientSession, host: FakeHost
) -> None:
    token = await made(client, "phone", "operate")
    assert len(token) >= 43
    async with stranger.post("/python/stop/ema", headers=bearer(token)) as answer:
        assert answer.status == 202
        assert (await answer.json())["hold"]["by"] == "token 'phone'"
    assert host.orders[0][1].by == "token 'phone'"


async def test_what_is_kept_is_no_token(client: aiohttp.ClientSession, here: Served) -> None:
    token = await made(client, "phone", "view")
    path = here.home / "keys" / "tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (row,) = json.loads(path.read_text())["tokens"]
    assert row == {
        "name": "phone",
        "role": "view",
        "sha256": digest_of(token).hex(),
        "made": START.isoformat(),
        "used": None,
    }
    everything = b"".join(path.read_bytes() for path in here.home.rglob("*") if path.is_file())
    assert token.encode() not in everything


async def test_the_list_says_when_each_was_last_used(
    client: aiohttp.ClientSession, stranger: aiohttp.ClientSession, here: Served
) -> None:
    token = await made(client, "phone", "view")
    here.clock.wall += timedelta(minutes=3)
    async with stranger.get("/python/status", headers=bearer(token)) as answer:
        assert answer.status == 200
    assert await listed(client) == [
        {"name": "api", "role": "admin", "made": None, "used": None},
        {
            "name": "phone",
            "role": "view",
            "made": "2026-11-23T06:12:10+00:00",
            "used": "2026-11-23T06:15:10+00:00",
        },
    ]


@pytest.mark.parametrize("name", ["", "Phone", "a" * 33, "-a", "a b", "../a", "ä", "'"])
async def test_a_name_that_will_not_do_is_refused(client: aiohttp.ClientSession, name: str) -> None:
    async with client.post("/python/tokens", data={"name": name, "role": "view"}) as answer:
        assert answer.status in {409, 422}


async def test_a_name_is_given_once(client: aiohttp.ClientSession) -> None:
    await made(client, "phone", "view")
    for name in ("phone", "api"):
        async with client.post("/python/tokens", data={"name": name, "role": "view"}) as answer:
            assert answer.status == 409
            assert f"there is a token {name}" in (await answer.json())["detail"]


@pytest.mark.parametrize("form", [{}, {"name": "x"}, {"role": "view"}, {"name": "x", "role": "root"}])
async def test_name_and_role_must_be_given(client: aiohttp.ClientSession, form: dict[str, str]) -> None:
    async with client.post("/python/tokens", data=form) as answer:
        assert answer.status == 422


async def test_a_token_that_cannot_be_kept_is_not_made(client: aiohttp.ClientSession, here: Served) -> None:
    (here.home / "keys" / ".tokens.json.new").mkdir()
    async with client.post("/python/tokens", data={"name": "phone", "role": "view"}) as answer:
        assert answer.status == 503
    assert [token["name"] for token in await listed(client)] == ["api"]


# Kept over a restart.


def ring(folder: Path, clock: FakeClock | None = None) -> Keyring:
    return Keyring(TOKEN, folder / "tokens.json", clock or FakeClock())


def test_tokens_outlive_the_daemon(tmp_path: Path) -> None:
    first = ring(tmp_path)
    token = first.make("phone", Role.PANIC)
    first.write()
    found = ring(tmp_path).find(token)
    assert found is not None
    assert (found.name, found.role, found.made) == ("phone", Role.PANIC, START)


def test_revoked_ones_stay_so(tmp_path: Path) -> None:
    first = ring(tmp_path)
    token = first.make("phone", Role.PANIC)
    first.write()
    first.remove("phone")
    first.write()
    assert ring(tmp_path).find(token) is None


def test_the_time_of_the_last_use_is_kept_now_and_then(tmp_path: Path) -> None:
    clock = FakeClock()
    first = ring(tmp_path, clock)
    token = first.make("phone", Role.PANIC)
    first.write()
    assert not first.use_is_due()
    for minutes, due in ((0, True), (1, False), (59, False), (60, True)):
        clock.wall = START + timedelta(minutes=minutes)
        assert first.find(token)
        assert first.use_is_due() is due
    first.write()
    assert {one.name: one.used for one in ring(tmp_path).listed()}["phone"] == clock.wall


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"level": 2, "tokens": []}',
        '{"level": 1, "tokens": [{"name": "x"}]}',
        '{"level": 1, "tokens": [{"name": "x", "role": "root", "sha256": "' + 64 * "0" + '", "made": null, "used": null}]}',
        '{"level": 1, "tokens": [{"name": "x", "role": "view", "sha256": "00", "made": null, "used": null}]}',
        '{"level": 1, "tokens": [{"name": "api", "role": "view", "sha256": "' + 64 * "0" + '", "made": null, "used": null}]}',
        '{"level": 1, "tokens": [{"name": "x", "role": "view", "sha256": "' + 64 * "0" + '", "made": "2026-01-01", "used": null}]}',
    ],
)  # fmt: skip
def test_a_damaged_file_opens_nothing_and_is_not_written_over(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(content)
    found = ring(tmp_path)
    assert found.problem is not None
    assert "cannot use" in found.problem
    with pytest.raises(TokenRefused, match="cannot use"):
        found.make("phone", Role.VIEW)
    found.write()
    assert path.read_text() == content
    assert found.find(TOKEN) is not None


def test_a_link_is_no_file_of_tokens(tmp_path: Path) -> None:
    (tmp_path / "chosen").write_text('{"level": 1, "tokens": []}')
    (tmp_path / "tokens.json").symlink_to(tmp_path / "chosen")
    assert ring(tmp_path).problem is not None


def test_tokens_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "MOST", 3)
    one = ring(tmp_path)
    one.make("a", Role.VIEW)
    one.make("b", Role.VIEW)
    with pytest.raises(TokenRefused, match="there are 3 tokens"):
        one.make("c", Role.VIEW)


def test_every_token_is_compared_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all of them, and by the function that takes the same time for each."""
    one = ring(tmp_path)
    one.make("a", Role.VIEW)
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert one.find(TOKEN) is not None
    assert len(compared) == 2
    assert {len(digest) for pair in compared for digest in pair} == {32}


# Revoked.


async def test_a_revoked_token_opens_nothing_at_once(
    client: aiohttp.ClientSession, stranger: aiohttp.ClientSession
) -> None:
    token = await made(client, "phone", "admin")
    async with client.post("/python/tokens/phone/revoke") as answer:
        assert answer.status == 200
        assert (await answer.json())["name"] == "phone"
    async with stranger.get("/python/status", headers=bearer(token)) as answer:
        assert answer.status == 401
    async with client.post("/python/tokens/phone/revoke") as answer:
        assert answer.status == 404


async def test_the_token_of_the_file_is_not_revoked_here(client: aiohttp.ClientSession) -> None:
    async with client.post("/python/tokens/api/revoke") as answer:
        assert answer.status == 409
        assert "keys/api.token" in (await answer.json())["detail"]


async def test_its_sessions_end_with_it(client: aiohttp.ClientSession, here: Served) -> None:
    token = await made(client, "laptop", "view")
    async with browser(here) as page:
        async with page.post("/python/login", data={"code": token}, allow_redirects=False) as answer:
            assert answer.status == 303
        async with page.get("/python/status") as answer:
            assert answer.status == 200
        async with client.post("/python/tokens/laptop/revoke"):
            pass
        async with page.get("/python/status") as answer:
            assert answer.status == 401


@pytest.mark.parametrize("way", ["token", "session"])
async def test_its_streams_end_with_it(
    client: aiohttp.ClientSession, here: Served, host: FakeHost, way: str
) -> None:
    token = await made(client, "laptop", "view")
    async with browser(here) as page:
        headers = bearer(token) if way == "token" else {}
        if way == "session":
            async with page.post("/python/login", data={"code": token}, allow_redirects=False) as answer:
                assert answer.status == 303
        async with page.get("/python/events", headers=headers) as events:
            assert events.status == 200
            await until_async(lambda: host.listeners == 1)
            async with client.post("/python/tokens/laptop/revoke"):
                pass
            async with asyncio.timeout(DEADLINE_S):
                assert b"event:" not in await events.read()
            await until_async(lambda: host.listeners == 0)


async def test_logging_out_ends_the_streams_of_the_session(here: Served, host: FakeHost) -> None:
    opened = here.doors.log_in(TOKEN)
    assert opened is not None
    cookie, session = opened
    headers = {"Cookie": f"stratvisor-{here.port}={cookie}"}
    async with here.over_tcp(None) as page, page.get("/python/events", headers=headers) as events:
        await until_async(lambda: host.listeners == 1)
        form = {"csrf": session.csrf}
        async with page.post("/python/logout", data=form, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 303
        async with asyncio.timeout(DEADLINE_S):
            await events.read()
    await until_async(lambda: host.listeners == 0)


async def test_a_stream_ends_with_the_time_of_its_session(here: Served, host: FakeHost) -> None:
    opened = here.doors.log_in(TOKEN)
    assert opened is not None
    headers = {"Cookie": f"stratvisor-{here.port}={opened[0]}"}
    async with here.over_tcp(None) as page, page.get("/python/events", headers=headers) as events:
        await until_async(lambda: host.listeners == 1)
        here.clock.boot_ns += doors.SESSION_NS
        host.change("ema", "stopped")
        async with asyncio.timeout(DEADLINE_S):
            assert b"event:" not in await events.read()


# Sessions.


def a_door(clock: FakeClock) -> doors.Doors:
    return doors.Doors(Keyring(TOKEN, None, clock), clock)


def test_a_session_that_nobody_uses_ends_early() -> None:
    clock = FakeClock()
    one = a_door(clock)
    opened = one.log_in(TOKEN)
    assert opened is not None
    clock.boot_ns += IDLE_NS - 1
    assert one.session(opened[0]) is not None
    clock.boot_ns += IDLE_NS - 1
    assert one.session(opened[0]) is not None
    clock.boot_ns += IDLE_NS
    assert one.session(opened[0]) is None


def test_a_session_that_is_used_ends_too() -> None:
    clock = FakeClock()
    one = a_door(clock)
    opened = one.log_in(TOKEN)
    assert opened is not None
    lived = 0
    while one.session(opened[0]) is not None:
        clock.boot_ns += HOUR
        lived += 1
    assert lived == 12


def test_an_open_stream_counts_as_use() -> None:
    clock = FakeClock()
    one = a_door(clock)
    opened = one.log_in(TOKEN)
    assert opened is not None
    cookie, session = opened
    for _ in range(3):
        clock.boot_ns += IDLE_NS - MINUTE
        assert one.stands(session)
    assert one.session(cookie) is not None


# The link of `open`.


@pytest.mark.parametrize("role", Role)
async def test_a_link_opens_a_session_of_its_role(
    client: aiohttp.ClientSession, here: Served, role: Role
) -> None:
    async with client.post("/python/open", data={"role": role.value}) as answer:
        told = await answer.json()
    assert told["role"] == role
    assert told["good_for_s"] == 900
    assert told["link"].startswith(f"{here.url}/python/login?code=")
    opened = here.doors.log_in(told["link"].partition("code=")[2])
    assert opened is not None
    assert opened[1].role == role
    assert opened[1].by.startswith("a login link of uid ")


async def test_without_a_page_there_is_no_link(client: aiohttp.ClientSession, here: Served) -> None:
    here.front.address = None
    async with client.post("/python/open") as answer:
        assert answer.status == 409
