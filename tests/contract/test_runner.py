"""What any runner must do, tried on the local one and on the fake."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runner import FakeRunner, FakeWorld
from waiting import DEADLINE_S

from stratvisor.clock import SystemClock
from stratvisor.ports import Finished, LaunchOrder, LaunchRefused, Runner
from stratvisor.runner.local import LocalRunner
from stratvisor.spec import Logs, Process, Stop
from stratvisor.state import Because, StopOrder, Want

CLOCK = SystemClock()
GO_ON = Want(stop=None, deadline=None, plan=Stop(), logs=Logs())
WAITS = Process(command=(sys.executable, "-S", "-c", "import time; time.sleep(600)"))

MakeRunner = Callable[[], Runner]
"""Each call is another daemon's runner of the same home."""


@pytest.fixture(params=["local", "fake"])
def make(request: pytest.FixtureRequest, home: Path) -> MakeRunner:
    if request.param == "local":
        return lambda: LocalRunner(home, CLOCK)
    world = FakeWorld()
    return lambda: FakeRunner(world, CLOCK)


def order(number: int = 1, strategy: str = "ema") -> LaunchOrder:
    return LaunchOrder(strategy, strategy, number, 0, "Asia/Kolkata", WAITS, notify=False, want=GO_ON)


def stop() -> Want:
    return replace(GO_ON, stop=StopOrder(Because.HELD, "", CLOCK.now().boot_ns, Stop()))


async def ended(runner: Runner, number: int = 1, strategy: str = "ema") -> Finished:
    """Tell it to stop and wait for its end."""
    end: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
    runner.watch(strategy, number, end.set_result)
    await asyncio.to_thread(runner.tell, strategy, number, stop())
    return await asyncio.wait_for(end, DEADLINE_S)


async def test_a_launched_run_is_found_by_the_next_daemon_as_it_was(make: MakeRunner) -> None:
    first = make()
    launched = await asyncio.to_thread(first.launch, order())
    first.close()
    second = make()
    [found] = (await asyncio.to_thread(second.survey)).live
    assert found == launched
    assert found.run.fingerprint == WAITS.fingerprint
    assert found.run.told == GO_ON
    await ended(second)
    second.close()


async def test_an_end_is_told_once_and_says_why(make: MakeRunner) -> None:
    runner = make()
    await asyncio.to_thread(runner.launch, order())
    finished = await ended(runner)
    assert finished.exit.run == 1
    assert finished.exit.stopped is Because.HELD
    assert not finished.exit.unknown
    runner.close()


async def test_an_end_without_a_daemon_is_found_by_the_next(make: MakeRunner) -> None:
    first = make()
    await asyncio.to_thread(first.launch, order())
    finished = await ended(first)
    first.close()
    second = make()
    survey = await asyncio.to_thread(second.survey)
    assert survey.live == ()
    assert [one.exit for one in survey.ended] == [finished.exit]
    second.close()


async def test_no_second_copy_while_the_first_lives(make: MakeRunner) -> None:
    runner = make()
    await asyncio.to_thread(runner.launch, order(1))
    with pytest.raises(LaunchRefused):
        await asyncio.to_thread(runner.launch, order(2))
    await ended(runner)
    await asyncio.to_thread(runner.launch, order(2))
    await ended(runner, 2)
    runner.close()


async def test_strategies_do_not_stand_in_each_others_way(make: MakeRunner) -> None:
    runner = make()
    for strategy in ("a", "a_b"):
        await asyncio.to_thread(runner.launch, order(strategy=strategy))
    await ended(runner, strategy="a")
    assert [found.strategy for found in (await asyncio.to_thread(make().survey)).live] == ["a_b"]
    await ended(runner, strategy="a_b")
    runner.close()


async def test_telling_a_run_that_is_over_does_nothing(make: MakeRunner) -> None:
    runner = make()
    await asyncio.to_thread(runner.launch, order())
    await ended(runner)
    await asyncio.to_thread(runner.tell, "ema", 1, stop())
    await asyncio.to_thread(runner.tell, "ema", 99, stop())
    runner.close()


async def test_forgetting_keeps_the_newest_end(make: MakeRunner) -> None:
    runner = make()
    for number in (1, 2, 3):
        await asyncio.to_thread(runner.launch, order(number))
        await ended(runner, number)
        await asyncio.to_thread(runner.forget, "ema", number)
    assert [one.exit.run for one in (await asyncio.to_thread(runner.survey)).ended] == [3]
    runner.close()
