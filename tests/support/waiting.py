"""Waits on conditions with a deadline, which is for hangs alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 30.0
_STEP_S = 0.005


def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Block until it holds."""
    for _ in range(int(DEADLINE_S / _STEP_S)):
        if condition():
            return
        threading.Event().wait(_STEP_S)
    raise AssertionError(f"{what} did not come to hold in {DEADLINE_S:g} s")


async def until_async(condition: Callable[[], object], what: str = "the condition") -> None:
    """Let the loop run until it holds."""
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    for _ in range(int(DEADLINE_S / _STEP_S)):
        if condition():
            return
        await asyncio.wait([never], timeout=_STEP_S)
    raise AssertionError(f"{what} did not come to hold in {DEADLINE_S:g} s")


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return text[text.rindex(b")") + 2 :][:1] not in b"ZX"
