"""Tells of what comes into a FIFO, and not of what is left in it.

What may be the beginning of a secret waits in the FIFO for what comes behind it. poll(2) would call a
FIFO that holds such bytes readable for ever; an edge-triggered epoll(7) speaks once a write. (Kernels
before 5.5 and from 5.14 on do so after every write, fs/pipe.c; those between only where it was empty.)
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Arrivals:
    """`fd` is readable, for a poll of other things beside it, from a write on until `take` finds no more."""

    def __init__(self, fifo: int) -> None:
        self._fifo = fifo
        self._epoll = select.epoll()
        self._epoll.register(fifo, select.EPOLLIN | select.EPOLLET)
        self.fd = self._epoll.fileno()

    def take(self, move: Callable[[], int]) -> int:
        """Have what has come moved out, and see how much that was: as long as it is any, `fd` stays readable.

        For `move` may stop before the FIFO is empty, and nothing more need come.
        """
        self._epoll.poll(0)
        moved = move()
        if moved:
            self._epoll.modify(self._fifo, select.EPOLLIN | select.EPOLLET)
        return moved
