"""Failed tries: counted, bounded in memory, and never in the way of who has a good token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import TOKEN, FakeClock

from stratvisor.http import access, throttle
from stratvisor.http.throttle import TRIES, TRIES_IN_ALL, WINDOW_NS, Throttle
from stratvisor.spec import SECOND

if TYPE_CHECKING:
    import aiohttp
    from serving import Served

STATUS = "/python/status"
WRONG = {"Authorization": "Bearer wrong"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "FAILED_PAUSE_S", 0)


async def exhaust(stranger: aiohttp.ClientSession) -> None:
    for _ in range(TRIES):
        async with stranger.get(STATUS, headers=WRONG) as answer:
            assert answer.status == 401


async def test_who_goes_on_guessing_is_told_to_wait(here: Served, stranger: aiohttp.ClientSession) -> None:
    await exhaust(stranger)
    here.clock.boot_ns += 10 * SECOND
    async with stranger.get(STATUS, headers=WRONG) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "50"
        assert answer.content_type == "application/problem+json"
    async with stranger.post("/python/login", data={"code": "wrong"}) as answer:
        assert answer.status == 429
    async with stranger.post("/python/login", data={"code": "x"}, headers={"Accept": "text/html"}) as answer:
        assert answer.status == 429
        assert "too many wrong tokens" in await answer.text()
    here.clock.boot_ns += WINDOW_NS
    async with stranger.get(STATUS, headers=WRONG) as answer:
        assert answer.status == 401


async def test_a_good_token_of_the_same_address_is_served(
    here: Served, stranger: aiohttp.ClientSession, tcp: aiohttp.ClientSession
) -> None:
    await exhaust(stranger)
    async with stranger.get(STATUS, headers=WRONG) as answer:
        assert answer.status == 429
    async with tcp.get(STATUS) as answer:
        assert answer.status == 200
    for secret in (TOKEN, here.doors.mint_code()):
        async with stranger.post("/python/login", data={"code": secret}, allow_redirects=False) as answer:
            assert answer.status == 303


async def test_a_tab_with_a_session_that_is_over_is_no_guess(
    here: Served, stranger: aiohttp.ClientSession
) -> None:
    for _ in range(TRIES + 5):
        async with stranger.get(STATUS, headers={"Cookie": f"stratvisor-{here.port}=over"}) as answer:
            assert answer.status == 401
        async with stranger.get(STATUS) as answer:
            assert answer.status == 401


def test_addresses_are_counted_apart_and_networks_of_ipv6_together() -> None:
    one = Throttle(FakeClock())
    for number in range(TRIES):
        assert one.failed("192.0.2.1") is None
        assert one.failed(f"2001:db8::{number:x}%eth0") is None
    assert one.failed("192.0.2.1") == 60
    assert one.failed("2001:db8::ffff") == 60
    assert one.failed("192.0.2.2") is None
    assert one.failed("2001:db8:0:1::1") is None


def test_all_addresses_together_have_a_limit() -> None:
    one = Throttle(FakeClock())
    for number in range(TRIES_IN_ALL):
        assert one.failed(f"10.0.{number // 250}.{number % 250}") is None
    assert one.failed("192.0.2.1") == 60


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST", 10)
    one = Throttle(FakeClock())
    for number in range(100):
        one.failed(f"10.0.0.{number}")
        one.failed("192.0.2.1")
    assert len(one._by_address) == 10
    assert one._by_address["192.0.2.1"].failed == 100


def test_a_new_window_counts_from_its_first_try() -> None:
    clock = FakeClock()
    one = Throttle(clock)
    for _ in range(TRIES):
        one.failed("a")
    clock.boot_ns += WINDOW_NS - 1
    assert one.failed("a") == 1
    clock.boot_ns += 1
    assert one.failed("a") is None
