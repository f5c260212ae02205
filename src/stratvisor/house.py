"""What has to stand in the home while a daemon lives, put back where it is gone.

`git clean -fdx` takes run/, log/ and keys/ from under a living daemon, and with them every way to ask it
anything. Knows folders and the daemon's pid file; who keeps something else in run/ gives a way to put it
back. Rule: only run/ is indispensable; a folder that cannot be had is a trouble of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from stratvisor.troubles import Troubles

log = logging.getLogger(__name__)

FOLDERS = {"run": 0o700, "keys": 0o700, "log": 0o750, "data": 0o711}
"""Each data/ID is its strategy's alone, whose user has to get there."""

PRIVATE = ("run", "keys")

PID = "daemon.pid"


class House:
    """The home of a living daemon."""

    def __init__(self, home: Path, troubles: Troubles) -> None:
        self._home = home
        self._pid = home / "run" / PID
        self._troubles = troubles
        self._repairs: list[Callable[[], Awaitable[None]]] = []
        self._looking = asyncio.Lock()
        self._lost = False
        """run/ was taken away, and not everything in it is put back yet."""

    def furnish(self) -> None:
        """Make what is missing.

        Raises:
            OSError: there can be no run/.
        """
        for name, mode in FOLDERS.items():
            try:
                self._make(name, mode)
            except OSError as error:
                if name == "run":
                    raise
                self._say(name, f"cannot be used: {error.strerror}; make it a folder")
            else:
                self._troubles.over(name)
        self._pid.write_text(f"{os.getpid()}\n", "ascii")

    def _make(self, name: str, mode: int) -> None:
        folder = self._home / name
        folder.mkdir(mode=mode, exist_ok=True)
        if name in PRIVATE:
            folder.chmod(0o700)

    def when_lost(self, repair: Callable[[], Awaitable[None]]) -> None:
        """Call this once run/ was taken away and is there again, in the order of these words."""
        self._repairs.append(repair)

    async def look(self) -> None:
        """Whether all stands; put back what does not."""
        async with self._looking:
            self._lost |= not self._pid.exists()
            if self._lost or not all((self._home / name).is_dir() for name in FOLDERS):
                try:
                    await self._put_back()
                except OSError as error:
                    self._say(
                        "run", f"cannot be made again: {error}; tried again every half minute", grave=True
                    )

    async def _put_back(self) -> None:
        self.furnish()
        if self._lost:
            log.warning("run/ was removed under the daemon; making it again")
            for repair in self._repairs:
                await repair()
            self._lost = False
            self._troubles.over("run")

    def _say(self, name: str, why: str, *, grave: bool = False) -> None:
        if self._troubles.say(name, why, grave=grave):
            log.warning("%s %s", name, why)


def owner(home: Path) -> str:
    """Who says that he is the daemon of a home, for people."""
    try:
        return f" (pid {(home / 'run' / PID).read_text('ascii').strip()})"
    except (OSError, ValueError):
        return ""
