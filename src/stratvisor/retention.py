"""Retention of logs for strategies that are not running; a running one's shim sees to its own.

Knows when; which files go is for `lognames.prune` to say.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from stratvisor.clock import pause
from stratvisor.runner.logfolder import FOLDER
from stratvisor.shim import lognames

if TYPE_CHECKING:
    from stratvisor.ports import Clock
    from stratvisor.spec import Logs
    from stratvisor.supervisor import Supervisor

log = logging.getLogger(__name__)

INTERVAL_S = 3600.0


class Retention:
    """Looks at all strategies now and every hour."""

    def __init__(self, home: Path, supervisor: Supervisor, clock: Clock) -> None:
        self._folder = str(home / FOLDER)
        self._supervisor = supervisor
        self._clock = clock

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await asyncio.to_thread(self._prune_all, self._idle())
            except OSError as error:
                log.warning("cannot look at logs past their retention: %s", error)
            await pause(INTERVAL_S)

    def _idle(self) -> dict[str, Logs]:
        live = {strategy for strategy, _entry in self._supervisor.live()}
        return {name: entry.spec.logs for name, entry in self._supervisor.entries.items() if name not in live}

    def _prune_all(self, idle: dict[str, Logs]) -> None:
        now_s = self._clock.now().wall.timestamp()
        for strategy, limits in idle.items():
            newest = lognames.of(self._folder, strategy)[-1:]
            removed = lognames.prune(
                self._folder,
                strategy,
                keep_files=limits.keep_files,
                keep_days=limits.keep_days,
                keep_total=limits.keep_total,
                now_s=now_s,
                spare="".join(Path(path).name for path in newest),
            )
            if removed:
                log.info("%s: removed %d logs past their retention", strategy, len(removed))
