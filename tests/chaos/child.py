"""A counting strategy of some temperament, for chaos runs: `child.py TEMPER ARGUMENT...`.

It takes a lock that only one copy of it can have, and notes what it has written (`ledger`), so that
copies and lost lines are seen by somebody who is not the host. The standard library alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ledger

SECOND_COPY = 99
"""The exit code of a copy that found another."""


class Me:
    """This run."""

    def __init__(self) -> None:
        _home, _, name = os.environ["STRATVISOR_RUN"].rpartition(":")
        self.run = int(name.rpartition("/")[2])
        self.data = Path(os.environ["STRATEGY_DATA"])
        self.random = random.Random(f"{os.environ['CHAOS_SEED']}/{name}")
        self._keep_to_one_copy()
        self._ledger = ledger.Ledger(self.data / f"{self.run}.ledger")
        self._count = 0

    def _keep_to_one_copy(self) -> None:
        self._lock = os.open(self.data / "copy", os.O_RDWR | os.O_CREAT, 0o600)
        os.set_inheritable(self._lock, True)  # noqa: FBT003  its signature
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with (self.data / "doubles").open("a") as file:
                file.write(f"run {self.run}, pid {os.getpid()}: another copy lives\n")
            os._exit(SECOND_COPY)

    def say(self, lines: int = 1) -> None:
        """So many lines in one write, which a pipe takes whole or not at all (PIPE_BUF)."""
        after = self._count + lines
        text = b"".join(ledger.line(self.run, number) for number in range(self._count, after))
        self._ledger.note(after, self._count)
        os.write(1, text)
        self._ledger.note(after, after)
        self._count = after

    def leave(self, code: int) -> None:
        """Exit with a code that the ledger knows first."""
        self._ledger.note(self._count, self._count, code)
        os._exit(code)

    def count(self, most_s: float = 1e9) -> None:
        """A line now and then, for at most so long."""
        end = time.monotonic() + most_s
        while time.monotonic() < end:
            self.say()
            time.sleep(0.02)


def steady(me: Me) -> None:
    me.count()


def deaf(me: Me) -> None:
    """Ignores what can be ignored."""
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    me.count()


def flood(me: Me) -> None:
    """More than a pipe holds, again and again."""
    while True:
        for _ in range(20):
            me.say(lines=30)
        time.sleep(me.random.random() / 2)


def leave(me: Me, most_s: str, *codes: str) -> None:
    """Counts for a while and exits with one of the codes."""
    me.count(me.random.random() * float(most_s))
    me.leave(int(me.random.choice(codes)))


def fork_away(me: Me, most_s: str) -> None:
    """Leaves one behind in a session of its own, with its output and its lock, and exits."""
    if _daemonised():
        time.sleep(3600)
    leave(me, most_s, "0")


def relay(me: Me, most_s: str) -> None:
    """The one that forked away does the counting; the main process exits under it."""
    if _daemonised():
        me.count()
    time.sleep(me.random.random() * float(most_s))
    os._exit(0)


def _daemonised() -> bool:
    """Whether this is the grandchild now."""
    if os.fork():
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    return True


def hungry(me: Me, most: str) -> None:
    """Takes ever more memory, up to so many bytes."""
    hoard: list[bytes] = []
    while True:
        me.say()
        if len(hoard) << 20 < int(most):
            hoard.append(os.urandom(1 << 20))
        time.sleep(0.02)


def ready(me: Me) -> None:
    """Says READY=1 after a while."""
    me.count(me.random.random())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as host, contextlib.suppress(OSError):
        host.sendto(b"READY=1", "\0" + os.environ["NOTIFY_SOCKET"][1:])  # its shim may be dead just now
    me.count()


TEMPERS: dict[str, Callable[..., None]] = {
    one.__name__: one for one in (steady, deaf, flood, leave, fork_away, relay, hungry, ready)
}

if __name__ == "__main__":
    TEMPERS[sys.argv[1]](Me(), *sys.argv[2:])
