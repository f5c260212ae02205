"""The clocks of the machine, and the alarm that waits for them."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratvisor import clock
from stratvisor.clock import Alarm, SystemClock, boot_id
from stratvisor.shim import timerfd
from stratvisor.spec import HOUR, MILLISECOND, MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PATIENCE_S = 30

linux = pytest.mark.skipif(not timerfd.SUPPORTED, reason="only Linux has timerfd")


class Bell:
    """Counts rings and lets a test wait for them."""

    def __init__(self) -> None:
        self.rings: list[int] = []
        self.steps = 0
        """How many of them were for a step of the wall clock."""
        self._rung = asyncio.Event()

    def __call__(self) -> None:
        self.rings.append(SystemClock().now().boot_ns)
        self._rung.set()

    def step(self) -> None:
        self.steps += 1
        self()

    async def next(self) -> None:
        await asyncio.wait_for(self._rung.wait(), PATIENCE_S)
        self._rung.clear()


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture(params=["kernel", "loop"])
async def alarm(
    request: pytest.FixtureRequest, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Alarm]:
    if request.param == "loop":
        monkeypatch.setattr(timerfd, "SUPPORTED", False)
    elif not timerfd.SUPPORTED:
        pytest.skip("only Linux has timerfd")
    made = Alarm(bell, bell.step)
    yield made
    made.close()


def boot_in(ns: int) -> int:
    return SystemClock().now().boot_ns + ns


def wall_in(ns: int) -> datetime:
    return SystemClock().now().wall + timedelta(microseconds=ns // 1_000)


async def turns(count: int = 3) -> None:
    """Let the loop run what is due."""
    for _ in range(count):
        turn = asyncio.Event()
        asyncio.get_running_loop().call_soon(turn.set)
        await turn.wait()


# The clocks.


def test_boot_time_never_goes_back_and_counts_nanoseconds() -> None:
    first, second = SystemClock().now(), SystemClock().now()
    assert 0 < first.boot_ns <= second.boot_ns < first.boot_ns + MINUTE


def test_wall_time_is_utc() -> None:
    wall = SystemClock().now().wall
    assert wall.tzinfo is UTC


@linux
def test_boot_time_counts_suspends() -> None:
    before = time.clock_gettime_ns(timerfd.BOOTTIME)
    now = SystemClock().now().boot_ns
    assert before <= now <= time.clock_gettime_ns(timerfd.BOOTTIME)


@linux
def test_the_clock_ids_are_the_systems() -> None:
    assert (timerfd.BOOTTIME, timerfd.REALTIME) == (time.CLOCK_BOOTTIME, time.CLOCK_REALTIME)


@linux
def test_boot_id_is_the_kernels() -> None:
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_boot_id_without_a_kernel_that_tells_is_stable_within_a_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "_boot_ns", lambda: time.time_ns() - HOUR - SECOND)  # noqa: TID251  not as a minute ends
    assert boot_id(tmp_path / "none") == boot_id(tmp_path / "none") != ""


def test_boot_id_without_a_kernel_that_tells_is_another_after_a_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    this = boot_id(tmp_path / "none")
    monkeypatch.setattr(clock, "_boot_ns", lambda: 5 * MINUTE - HOUR)
    assert boot_id(tmp_path / "none") != this


# The alarm, of either kind.


async def test_rings_once_the_boot_clock_is_there_and_not_before(alarm: Alarm, bell: Bell) -> None:
    at = boot_in(50 * MILLISECOND)
    alarm.set(at, None)
    await bell.next()
    assert bell.rings[0] >= at
    assert len(bell.rings) == 1


async def test_rings_once_the_wall_clock_is_there_and_not_before(alarm: Alarm, bell: Bell) -> None:
    at = wall_in(50 * MILLISECOND)
    alarm.set(None, at)
    await bell.next()
    assert SystemClock().now().wall >= at


async def test_a_wall_instant_may_stand_in_any_zone(alarm: Alarm, bell: Bell) -> None:
    at = wall_in(20 * MILLISECOND).astimezone(timezone(timedelta(hours=5, minutes=30)))
    alarm.set(None, at)
    await bell.next()
    assert SystemClock().now().wall >= at


@pytest.mark.parametrize(
    ("boot_ns", "wall"),
    [
        (0, None),
        (-5, None),
        (1, None),
        (None, datetime(1970, 1, 1, tzinfo=UTC)),
        (None, datetime(1950, 1, 1, tzinfo=UTC)),
        (None, datetime(2020, 1, 1, tzinfo=UTC)),
    ],
)
async def test_what_is_past_rings_at_once(
    alarm: Alarm, bell: Bell, boot_ns: int | None, wall: datetime | None
) -> None:
    alarm.set(boot_ns, wall)
    await bell.next()


async def test_the_earlier_of_the_two_rings(alarm: Alarm, bell: Bell) -> None:
    alarm.set(boot_in(HOUR), wall_in(20 * MILLISECOND))
    await bell.next()
    alarm.set(boot_in(20 * MILLISECOND), wall_in(HOUR))
    await bell.next()
    assert len(bell.rings) == 2


async def test_setting_it_replaces_what_was_set(alarm: Alarm, bell: Bell) -> None:
    alarm.set(boot_in(10 * MILLISECOND), wall_in(10 * MILLISECOND))
    later = boot_in(60 * MILLISECOND)
    alarm.set(later, None)
    await bell.next()
    assert bell.rings[0] >= later


async def test_clearing_it_silences_what_is_already_due(alarm: Alarm, bell: Bell) -> None:
    alarm.set(0, datetime(2020, 1, 1, tzinfo=UTC))
    alarm.set(None, None)
    await turns()
    assert bell.rings == []


async def test_it_can_be_set_again_from_its_own_ring(bell: Bell, alarm: Alarm) -> None:
    count = 0
    done = asyncio.Event()

    def again() -> None:
        nonlocal count
        count += 1
        if count == 3:
            done.set()
        else:
            chain.set(0, None)

    chain = Alarm(again, again)
    chain.set(0, None)
    await asyncio.wait_for(done.wait(), PATIENCE_S)
    chain.close()


async def test_times_beyond_all_calendars_are_no_error(alarm: Alarm, bell: Bell) -> None:
    alarm.set(2**62, datetime.max.replace(tzinfo=UTC))
    await turns()
    assert bell.rings == []


async def test_a_ring_that_clears_it_is_the_only_one(
    alarm: Alarm, bell: Bell, caplog: pytest.LogCaptureFixture
) -> None:
    def ring() -> None:
        bell()
        both.set(None, None)

    both = Alarm(ring, ring)
    both.set(0, datetime(2020, 1, 1, tzinfo=UTC))
    await bell.next()
    await turns()
    both.close()
    assert len(bell.rings) == 1
    assert not caplog.records


async def test_a_closed_alarm_rings_no_more(alarm: Alarm, bell: Bell) -> None:
    alarm.set(0, None)
    alarm.close()
    alarm.close()
    await turns()
    assert bell.rings == []


async def test_the_alarm_after_a_closed_one_rings(alarm: Alarm, bell: Bell) -> None:
    alarm.close()
    second = Alarm(bell, bell.step)
    second.set(0, None)
    await bell.next()
    second.close()


@linux
async def test_closing_gives_the_descriptors_back(bell: Bell) -> None:
    before = _timers()
    alarm = Alarm(bell, bell.step)
    assert len(_timers()) == len(before) + 2
    alarm.close()
    assert _timers() == before


@linux
async def test_the_descriptors_are_not_inherited(bell: Bell) -> None:
    before = _timers()
    alarm = Alarm(bell, bell.step)
    inherited = {fd for fd in _timers() - before if os.get_inheritable(fd)}
    alarm.close()
    assert inherited == set()


def _timers() -> set[int]:
    """This process's timerfds."""
    links = {int(link.name): link for link in Path("/proc/self/fd").iterdir()}
    return {fd for fd, link in links.items() if link.is_symlink() and "timerfd" in str(link.readlink())}


# Steps of the wall clock. Only root may set it and all would feel it, so the kernel's word is played.


@linux
async def test_a_step_while_it_waits_rings(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    alarm = Alarm(bell, bell.step)
    monkeypatch.setattr(os, "read", _raise_cancelled)
    alarm.set(None, wall_in(10 * MILLISECOND))
    await bell.next()
    monkeypatch.undo()
    alarm.close()
    assert bell.steps == len(bell.rings)


@linux
async def test_a_step_just_before_it_is_set_rings(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    alarm = Alarm(bell, bell.step)
    arm: Callable[..., None] = timerfd.arm

    def stepped(fd: int, at_ns: int, *, cancel_on_set: bool = False) -> None:
        arm(fd, at_ns, cancel_on_set=cancel_on_set)
        if cancel_on_set:
            raise OSError(errno.ECANCELED, "Operation canceled")

    monkeypatch.setattr(timerfd, "arm", stepped)
    alarm.set(None, wall_in(HOUR))
    await bell.next()
    alarm.close()
    assert bell.steps == len(bell.rings) == 1


@linux
async def test_only_a_wait_for_the_wall_clock_is_cancelled_by_a_step(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, bool]] = []
    monkeypatch.setattr(
        timerfd, "arm", lambda fd, at, *, cancel_on_set=False: asked.append((at, cancel_on_set))
    )
    alarm = Alarm(bell, bell.step)
    wall = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
    alarm.set(7, wall)
    alarm.set(None, None)
    alarm.close()
    assert asked == [(7, False), (int(wall.timestamp()) * SECOND, True), (0, False), (0, False)]


def _raise_cancelled(_fd: int, _count: int) -> bytes:
    raise OSError(errno.ECANCELED, "Operation canceled")


@pytest.mark.parametrize("step_ns", [-HOUR, HOUR])
async def test_without_timerfd_a_step_is_noticed_at_the_next_look(
    bell: Bell, monkeypatch: pytest.MonkeyPatch, step_ns: int
) -> None:
    monkeypatch.setattr(timerfd, "SUPPORTED", False)
    monkeypatch.setattr(clock, "RECHECK_NS", 10 * MILLISECOND)
    alarm = Alarm(bell, bell.step)
    alarm.set(None, wall_in(30 * HOUR))
    stepped = int(wall_in(step_ns).timestamp()) * SECOND
    monkeypatch.setattr(time, "time_ns", lambda: stepped)
    await bell.next()
    alarm.close()
    assert bell.steps == 1


async def test_without_timerfd_a_step_is_no_news_for_the_boot_clock(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timerfd, "SUPPORTED", False)
    monkeypatch.setattr(clock, "RECHECK_NS", 10 * MILLISECOND)
    alarm = Alarm(bell, bell.step)
    at = boot_in(100 * MILLISECOND)
    alarm.set(at, None)
    stepped = int(wall_in(HOUR).timestamp()) * SECOND
    monkeypatch.setattr(time, "time_ns", lambda: stepped)
    await bell.next()
    alarm.close()
    assert bell.rings[0] >= at


async def test_without_timerfd_a_suspend_is_noticed_at_the_next_look(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timerfd, "SUPPORTED", False)
    monkeypatch.setattr(clock, "RECHECK_NS", 10 * MILLISECOND)
    alarm = Alarm(bell, bell.step)
    alarm.set(boot_in(HOUR), None)
    real = clock._boot_ns
    monkeypatch.setattr(clock, "_boot_ns", lambda: real() + 2 * HOUR)
    await bell.next()
    alarm.close()


async def test_without_timerfd_it_looks_often_without_ringing(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timerfd, "SUPPORTED", False)
    monkeypatch.setattr(clock, "RECHECK_NS", 5 * MILLISECOND)
    alarm = Alarm(bell, bell.step)
    at = boot_in(60 * MILLISECOND)
    alarm.set(at, None)
    await bell.next()
    alarm.close()
    assert (len(bell.rings), bell.steps) == (1, 0)
    assert bell.rings[0] >= at
