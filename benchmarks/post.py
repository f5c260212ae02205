"""How hosted programs report to the benchmark: one line each into a FIFO, as their first act.

A word that arrives is a process that runs: no polling of /proc, no trust in what a daemon says of itself.
"""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


class TooLate(Exception):  # noqa: N818  a finding about a daemon, not an error of the benchmark
    """What was waited for did not happen in time; the text names it."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one program said, and when it was heard."""

    at_ns: int
    name: str
    pid: int
    value: str


class Post:
    """The FIFO, and all that was said so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.words: list[Word] = []
        os.mkfifo(path)
        # For reading and writing, so that no program ever waits for the other end.
        self._fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._rest = b""

    def wait(self, until: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Listen until the words satisfy `until`.

        Raises:
            TooLate: they do not, within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        listen([self], 0)
        while not until():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TooLate(f"{what}: not within {timeout_s:g} s")
            listen([self], min(left_s, 0.5))  # `until` may look at more than words

    def fileno(self) -> int:
        """For select."""
        return self._fifo

    def take(self, at_ns: int) -> None:
        """Take in what was said, as heard at `at_ns`."""
        *lines, self._rest = (self._rest + os.read(self._fifo, 65_536)).split(b"\n")
        for line in lines:
            name, pid, value = line.decode("ascii").split(" ")
            self.words.append(Word(at_ns, name, int(pid), value))

    def pids(self) -> dict[str, int]:
        """The newest process of each program."""
        return {word.name: word.pid for word in self.words}

    def close(self) -> None:
        """Listen no more."""
        os.close(self._fifo)


def listen(posts: Sequence[Post], timeout_s: float) -> None:
    """Take in what was said anywhere, after waiting at most so long for the first of it."""
    speaking: list[Post] = select.select(posts, [], [], timeout_s)[0]
    at_ns = time.monotonic_ns()
    for post in speaking:
        post.take(at_ns)
