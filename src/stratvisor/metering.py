"""Watches what strategies use, by one sample of all process trees every ten seconds.

Knows limits and how to be sure of them: memory over its limit by the sum of RSS is confirmed by PSS,
which counts shared pages once, before the machine hears of it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from stratvisor.clock import pause
from stratvisor.state import OverLimit, Up
from stratvisor.usage import Sampler, Usage, pss
from stratvisor.wording import bytes_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratvisor.ports import Clock
    from stratvisor.spec import Limits
    from stratvisor.supervisor import Supervisor

log = logging.getLogger(__name__)

INTERVAL_S = 10.0


class Meter:
    """Samples while anything lives."""

    def __init__(self, supervisor: Supervisor, roots: Callable[[], Mapping[str, int]], clock: Clock) -> None:
        self._supervisor = supervisor
        self._roots = roots
        self._clock = clock
        self._sampler = Sampler()

    async def run(self) -> None:
        """For ever."""
        while True:
            await pause(INTERVAL_S)
            if any(self._supervisor.live()):
                try:
                    await self.sample()
                except OSError as error:  # no descriptor left, say; limits are looked at again next time
                    log.warning("cannot measure what strategies use: %s", error)

    async def sample(self) -> None:
        """One sample of all, now; whoever is over a limit is reported."""
        roots = self._roots()
        used = await asyncio.to_thread(self._sampler.sample, roots, self._clock.now().boot_ns)
        for strategy, usage in used.items():
            entry = self._supervisor.entries.get(strategy)
            if entry is None:
                continue
            entry.facts = replace(entry.facts, cpu_percent=usage.cpu_percent, memory_bytes=usage.memory_bytes)
            phase = entry.state.phase
            if isinstance(phase, Up):
                over = await over_limit(entry.spec.limits, usage)
                if over is not None:
                    self._supervisor.turn(strategy, OverLimit(phase.run.number, over))


async def over_limit(limits: Limits, usage: Usage) -> str | None:
    """What is over its limit and by how much, in a phrase; None: nothing is.

    The sample alone clears most; only what it finds too heavy is measured again, off the loop.
    """
    if limits.processes is not None and usage.processes > limits.processes:
        return f"{usage.processes} processes over its limit {limits.processes}"
    if limits.memory is None or usage.memory_bytes <= limits.memory:
        return None
    confirmed = await asyncio.to_thread(pss, usage.pids)
    if confirmed <= limits.memory:
        return None
    return f"memory {bytes_text(confirmed)} over its limit {bytes_text(limits.memory)}"
