"""The daemon of a home with a clock of its own; see `stepped`. `stepped_daemon.py HOME`."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import stepped

from stratvisor import daemon
from stratvisor.clock import SystemClock
from stratvisor.shim import main as shim_main
from stratvisor.shim import zygote
from stratvisor.state import Now

HERE = Path(__file__).resolve().parent
HOME = Path(sys.argv[1])


class SteppedClock(SystemClock):
    """The home's wall clock; durations are the machine's."""

    def now(self) -> Now:
        now = super().now()
        return Now(
            now.boot_ns, now.wall + timedelta(microseconds=stepped.offset_ns(HOME / stepped.FILE) // 1000)
        )


class SteppedDaemon(daemon.Daemon):
    """The daemon, with that clock."""

    async def _assemble(self, stack: AsyncExitStack) -> None:
        await super()._assemble(stack)
        asyncio.get_running_loop().add_signal_handler(stepped.SIGNAL, self._supervisor._clock_was_set)


def main() -> int:
    """Be the daemon."""
    signal.signal(stepped.SIGNAL, signal.SIG_IGN)
    stepped.install(HOME / stepped.FILE)
    zygote.__file__ = str(HERE / "stepped_zygote.py")
    shim_main.__file__ = str(HERE / "stepped_shim.py")
    daemon.SystemClock = SteppedClock  # type: ignore[attr-defined]
    daemon.Daemon = SteppedDaemon  # type: ignore[misc]
    return daemon.run(HOME)


if __name__ == "__main__":
    sys.exit(main())
