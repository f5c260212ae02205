"""A runner without processes: what it is told is what happens. For tests of what stands above a runner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stratvisor.ports import Clock, Finished, Found, LaunchOrder, LaunchRefused, Survey
from stratvisor.state import Exit, Run, Want


class FakeWorld:
    """What outlives a runner: the runs themselves."""

    def __init__(self) -> None:
        self.live: dict[tuple[str, int], Found] = {}
        self.ended: dict[tuple[str, int], Finished] = {}


class FakeRunner:
    """Implements `ports.Runner` on a `FakeWorld`."""

    def __init__(self, world: FakeWorld, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._watching: dict[tuple[str, int], Callable[[Finished], None]] = {}
        self._pids = iter(range(100_000, 200_000))

    def launch(self, order: LaunchOrder) -> Found:
        if any(strategy == order.strategy for strategy, _number in self._world.live):
            raise LaunchRefused("a copy of it still lives")
        now = self._clock.now()
        run = Run(
            order.number, next(self._pids), now.boot_ns, now.wall, order.process.fingerprint, order.want
        )
        found = Found(order.strategy, run, ready=False, log=f"log/{order.strategy}-{order.number}.log")
        self._world.live[order.strategy, order.number] = found
        return found

    def tell(self, strategy: str, number: int, want: Want) -> None:
        if (strategy, number) in self._world.live and want.stop is not None:
            self.end(strategy, number, code=0, want=want)

    def end(self, strategy: str, number: int, *, code: int, want: Want | None = None) -> None:
        """The run ends with a code, of its own accord or as `want` has it."""
        found = self._world.live.pop((strategy, number))
        now = self._clock.now()
        stopped = want.stop.because if want and want.stop else None
        end = Exit(number, now.wall, now.boot_ns - found.run.began_ns, code=code, stopped=stopped)
        finished = Finished(strategy, end, cpu_ns=0, peak_memory=0, log=found.log, began=found.run.began)
        self._world.ended[strategy, number] = finished
        ended = self._watching.pop((strategy, number), None)
        if ended is not None:
            self._loop.call_soon_threadsafe(ended, finished)

    def is_ready(self, strategy: str, number: int) -> bool:
        return False

    def watch(self, strategy: str, number: int, ended: Callable[[Finished], None]) -> None:
        self._loop = asyncio.get_running_loop()
        finished = self._world.ended.get((strategy, number))
        if finished is not None:
            self._loop.call_soon(ended, finished)
        else:
            self._watching[strategy, number] = ended

    def survey(self) -> Survey:
        return Survey(tuple(self._world.live.values()), tuple(self._world.ended.values()), ())

    def forget(self, strategy: str, number: int) -> None:
        for key in [key for key in self._world.ended if key[0] == strategy and key[1] < number]:
            del self._world.ended[key]

    def close(self) -> None:
        self._watching.clear()
