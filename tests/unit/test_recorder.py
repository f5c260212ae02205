"""state.json is written behind orders, and who gave one waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import pytest
from waiting import until_async

from stratvisor import recorder
from stratvisor.recorder import Recorder
from stratvisor.state import State
from stratvisor.tasks import Tasks
from stratvisor.troubles import Troubles

FULL = OSError(28, "No space left on device")


class Disk:
    """Takes what is saved once it is let, or refuses it."""

    def __init__(self) -> None:
        self.lets = threading.Event()
        self.refusals = 0
        self.saves = 0
        self.taken: list[set[str]] = []

    def save(self, strategies: dict[str, Any], _news_id: int) -> None:
        self.saves += 1
        self.lets.wait(30)
        if self.refusals:
            self.refusals -= 1
            raise FULL
        self.taken.append(set(strategies))


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def memory(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Recorder]:
    monkeypatch.setattr(recorder, "SAVE_RETRY_S", 0.0)
    tasks, more = Tasks(), {"clock": Mock(), "history": Mock(), "provenance": Mock(), "newsroom": Mock()}
    made = Recorder(store=disk, troubles=Troubles(), tasks=tasks, **more)  # type: ignore[arg-type]
    yield made
    disk.lets.set()
    await tasks.close()
    made.close()


async def test_an_order_is_answered_once_it_is_kept(memory: Recorder, disk: Disk) -> None:
    memory.keep("ema", State())
    answer = asyncio.ensure_future(memory.kept())
    await until_async(lambda: disk.saves == 1, "it is being written")
    assert not answer.done()
    memory.keep("orb", State())
    later = asyncio.ensure_future(memory.kept())
    disk.lets.set()
    assert await asyncio.wait_for(answer, 30) is None
    assert await asyncio.wait_for(later, 30) is None
    assert disk.taken[-1] == {"ema", "orb"}


async def test_what_a_disk_refuses_is_said_and_written_again(memory: Recorder, disk: Disk) -> None:
    disk.lets.set()
    disk.refusals = 3
    memory.keep("ema", State())
    assert "No space left on device" in (await asyncio.wait_for(memory.kept(), 30) or "")
    await until_async(lambda: disk.taken, "it is written in the end")


async def test_what_is_not_kept_yet_is_kept_at_the_end(memory: Recorder, disk: Disk) -> None:
    disk.lets.set()
    memory._kept = {"ema": Mock()}
    memory.close()
    assert disk.taken == [{"ema"}]


async def test_a_disk_that_refuses_the_last_word_is_said(
    memory: Recorder, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.lets.set()
    disk.refusals = 1
    memory.close()
    assert "holds given since the last save are lost" in caplog.text
