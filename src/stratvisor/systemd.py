"""What systemd hears of the daemon, and what the daemon asks it: sd_notify(3) in a few lines.

Knows one datagram socket and one question. Without a $NOTIFY_SOCKET nothing is said, and nothing asked.
A strategy never gets this one: its environment is its own, and `inherit_env` cannot name it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

from stratvisor.clock import pause

if TYPE_CHECKING:
    from collections.abc import Mapping

READY = "READY=1"
RELOADING = "RELOADING=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"

PATIENCE_S = 20.0
"""How much longer systemd is asked to wait, again and again, while strategies are being stopped."""

ASKING_S = 5.0
SAYING_S = 1.0


class Systemd:
    """The manager that began this process, if it is one that listens."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = _watchdog_s(environment) if address else None

    @property
    def listens(self) -> bool:
        """Whether there is one."""
        return bool(self._address)

    def say(self, *words: str) -> None:
        """Tell it; one that takes no word within `SAYING_S` is not told."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker,
        ):
            speaker.settimeout(SAYING_S)
            speaker.sendto("\n".join(words).encode(), self._address)

    async def keep_watchdog_quiet(self) -> None:
        """For ever, twice as often as asked for: a loop that turns no more says nothing, and is killed."""
        if self._watchdog_s is None:
            return
        while True:
            self.say(ALIVE)
            await pause(self._watchdog_s / 2)

    async def ask_for_patience(self) -> None:
        """For ever, while something takes as long as it takes."""
        while self.listens:
            self.say(f"EXTEND_TIMEOUT_USEC={round(PATIENCE_S * 1e6)}")
            await pause(PATIENCE_S / 2)

    async def machine_goes_down(self) -> bool:
        """Whether this is a shutdown of the machine, and not of the unit alone (systemctl(1), `stopping`)."""
        if not self.listens:
            return False
        try:
            async with asyncio.timeout(ASKING_S):
                asked = await asyncio.create_subprocess_exec(
                    "systemctl",
                    "is-system-running",
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                answer, _ = await asked.communicate()
        except (OSError, TimeoutError):
            return False
        return answer.strip() == b"stopping"


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    usec = environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(usec) / 1e6 if usec.isdigit() and int(usec) and meant else None
