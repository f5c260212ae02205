"""Makes real runs under real shims in a home of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from waiting import DEADLINE_S, until_async

from stratvisor.clock import SystemClock
from stratvisor.ports import Finished, LaunchOrder
from stratvisor.runner.local import LocalRunner
from stratvisor.shim import kernel, lognames
from stratvisor.spec import SECOND, Logs, Process, Stop
from stratvisor.state import Because, Run, StopOrder, Want

WICKED = Path(__file__).parent.parent / "children" / "wicked.py"
COUNTING = WICKED.with_name("counting.py")
CLOCK = SystemClock()
GO_ON = Want(stop=None, deadline=None, plan=Stop(), logs=Logs())


def stop_order(plan: Stop | None = None, because: Because = Because.HELD, detail: str = "") -> StopOrder:
    return StopOrder(because, detail, CLOCK.now().boot_ns, plan or Stop())


def wicked(*arguments: str, **made_of: object) -> Process:
    return replace(Process(script=str(WICKED), args=arguments), **made_of)  # type: ignore[arg-type]


def counting() -> Process:
    """Prints `run 1 line N`, and keeps how many in `count.1` of its data."""
    return Process(script=str(COUNTING))


class Runs:
    """A runner and the runs that a test made with it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.runner = LocalRunner(home, CLOCK)
        self.ends: dict[tuple[str, int], asyncio.Future[Finished]] = {}

    async def launch(
        self,
        process: Process,
        *,
        strategy: str = "ema",
        number: int = 1,
        want: Want = GO_ON,
        notify: bool = False,
    ) -> Run:
        order = self.order(process, strategy=strategy, number=number, want=want, notify=notify)
        found = await asyncio.to_thread(self.runner.launch, order)
        self.watch(strategy, number)
        return found.run

    @staticmethod
    def order(
        process: Process, *, strategy: str = "ema", number: int = 1, want: Want = GO_ON, notify: bool = False
    ) -> LaunchOrder:
        """The order for one run, with what tests have no opinion about filled in."""
        return LaunchOrder(strategy, strategy.upper(), number, 0, "Asia/Kolkata", process, notify, want)

    def watch(self, strategy: str, number: int) -> None:
        end: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
        self.ends[strategy, number] = end
        self.runner.watch(strategy, number, end.set_result)

    async def tell(self, want: Want, *, strategy: str = "ema", number: int = 1) -> None:
        await asyncio.to_thread(self.runner.tell, strategy, number, want)

    async def stop(self, plan: Stop | None = None, *, strategy: str = "ema", number: int = 1) -> Finished:
        await self.tell(replace(GO_ON, stop=stop_order(plan)), strategy=strategy, number=number)
        return await self.end(strategy=strategy, number=number)

    async def end(self, *, strategy: str = "ema", number: int = 1) -> Finished:
        return await asyncio.wait_for(self.ends[strategy, number], DEADLINE_S)

    def log(self, strategy: str = "ema") -> bytes:
        """All its log files' bytes in order."""
        folder = self.home / "log" / "strategies"
        return b"".join(Path(path).read_bytes() for path in lognames.of(folder, strategy))

    def printed(self, strategy: str = "ema") -> list[str]:
        """What it printed, without the host's own lines."""
        text = self.log(strategy).decode()
        return [line for line in text.splitlines() if not line.startswith("[stratvisor] ")]

    async def until_printed(self, text: str, strategy: str = "ema") -> str:
        """The rest of the first line that begins so."""
        await until_async(
            lambda: any(line.startswith(text) for line in self.printed(strategy)), f"{text!r} in the log"
        )
        return next(line[len(text) :] for line in self.printed(strategy) if line.startswith(text))


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Runs]:
    """A runner that is closed afterwards; what still lives is stopped by the home's fixture."""
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    runs = Runs(home)
    runs.runner.start()
    try:
        yield runs
    finally:
        runs.runner.close()


def soon(seconds: float) -> datetime:
    """A wall-clock instant a little ahead."""
    now_s = CLOCK.now().wall.timestamp()
    return datetime.fromtimestamp(now_s + seconds, UTC)


SHORT = Stop(timeout_ns=SECOND // 4)
