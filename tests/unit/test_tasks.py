"""Background tasks: kept, watched, ended."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading

import pytest
from waiting import DEADLINE_S, until

from stratvisor.tasks import Tasks, threads


async def _answer() -> int:
    return 42


async def _fail() -> None:
    raise ValueError("a broken strategy file")


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_a_task_gives_its_result_and_is_then_forgotten() -> None:
    tasks = Tasks()
    assert await tasks.spawn(_answer(), "answer") == 42
    await asyncio.wait_for(tasks.close(), DEADLINE_S)
    assert len(tasks) == 0


async def test_a_task_that_nobody_holds_is_kept() -> None:
    tasks = Tasks()
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.get_running_loop().create_future()

    tasks.spawn(work(), "work")
    await asyncio.wait_for(began.wait(), DEADLINE_S)
    gc.collect()
    assert len(tasks) == 1
    await tasks.close()


async def test_an_exception_is_logged_at_once_with_its_name_and_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = Tasks()
    task = tasks.spawn(_fail(), "reader of ema")
    with caplog.at_level(logging.ERROR):
        await asyncio.wait({task}, timeout=DEADLINE_S)
        await asyncio.wait_for(_turn(), DEADLINE_S)
    assert "task reader of ema failed" in caplog.text
    assert "ValueError: a broken strategy file" in caplog.text
    assert "in _fail" in caplog.text


async def _turn() -> None:
    """Let the callbacks of what is done run."""
    turn = asyncio.Event()
    asyncio.get_running_loop().call_soon(turn.set)
    await turn.wait()


async def test_close_cancels_and_waits_for_the_clean_up() -> None:
    tasks = Tasks()
    began = asyncio.Event()
    cleaned: list[str] = []

    async def work() -> None:
        try:
            began.set()
            await _forever()
        finally:
            await _turn()
            cleaned.append("done")

    task = tasks.spawn(work(), "work")
    await asyncio.wait_for(began.wait(), DEADLINE_S)
    await asyncio.wait_for(tasks.close(), DEADLINE_S)
    assert task.cancelled()
    assert cleaned == ["done"]
    assert len(tasks) == 0


async def test_cancelling_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    tasks.spawn(_forever(), "forever")
    await asyncio.wait_for(tasks.close(), DEADLINE_S)
    assert not caplog.records


async def test_a_task_spawned_by_an_ending_task_ends_too() -> None:
    tasks = Tasks()
    began = asyncio.Event()
    late: list[asyncio.Task[None]] = []

    async def work() -> None:
        try:
            began.set()
            await _forever()
        finally:
            late.append(tasks.spawn(_forever(), "late"))

    tasks.spawn(work(), "work")
    await asyncio.wait_for(began.wait(), DEADLINE_S)
    await asyncio.wait_for(tasks.close(), DEADLINE_S)
    assert late[0].cancelled()


async def test_a_task_may_close_its_own_group() -> None:
    tasks = Tasks()
    other = tasks.spawn(_forever(), "other")
    closer = tasks.spawn(tasks.close(), "closer")
    await asyncio.wait_for(closer, DEADLINE_S)
    assert other.cancelled()
    assert not closer.cancelled()


def test_a_pool_has_all_its_threads_from_the_first() -> None:
    pool = threads(3, "swimmers")
    assert len(named("swimmers")) == 3
    pool.shutdown()


def test_a_pool_that_cannot_have_its_threads_is_refused_and_leaves_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, begun = threading.Thread.start, list[int]()

    def limited(thread: threading.Thread) -> None:
        begun.append(1)
        if len(begun) == 3:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(BlockingIOError, match="can't start new thread"):
        threads(3, "drowned")
    until(lambda: not named("drowned"), "no thread is left")


def named(name: str) -> list[threading.Thread]:
    """Those that live: what another test left may end meanwhile."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]
