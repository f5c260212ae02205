"""Waits on conditions with a deadline, which is for hangs alone; and what is asked of processes meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 60.0
"""Ten times what anything here takes on a machine that has something else to do."""

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


def comm(pid: int) -> str:
    """The name that a process goes by; none: it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return text[text.rindex(b")") + 2 :][:1] not in b"ZX"
