"""Background tasks that are kept, named, watched and ended.

asyncio holds tasks weakly and tells of an exception only once the task is collected, if ever. Here
every task is kept until it is done, and what it raises is logged at once, with its traceback.

Knows nothing of what the tasks do. Rule: whoever owns a `Tasks` closes it, and then none is left.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


def threads(count: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads all stand already.

    One that begins them as they are needed fails where the system has no more to give, and yet keeps the
    work that it refused for later (concurrent/futures/thread.py, `submit`).

    Raises:
        OSError: the system has no thread to give.
    """
    pool = ThreadPoolExecutor(count, name)
    together = threading.Barrier(count)
    try:
        for begun in [pool.submit(together.wait) for _ in range(count)]:
            begun.result()
    except RuntimeError as error:
        together.abort()
        pool.shutdown(wait=False)
        raise BlockingIOError(errno.EAGAIN, str(error)) from error
    return pool


class Tasks:
    """The tasks of one owner, on one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, coro: Coroutine[Any, Any, _T], name: str) -> asyncio.Task[_T]:
        """Run `coro` in the background; `name` stands in the log if it fails."""
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        """Cancel all and wait until none is left, those included that others spawn as they end."""
        while others := self._tasks - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.error("task %s failed", task.get_name(), exc_info=error)
