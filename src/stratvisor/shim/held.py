"""The second pipe: bytes that have left `out` and are not yet known to be in the log.

Bytes that are changed on their way cannot go from a FIFO into a file in one system call, so this pipe
holds them while they are in neither. Like `out` it is a FIFO of the run directory that the strategy and
the daemon keep open, so that it outlives its reader; and pipe buffers are never written to any disk.

One piece of the log, and where a killed reader leaves it:

    peek     tee(2) copies them and consumes nothing, so that it is known how many can be written
    fill     splice(2) moves these from `out`: each is in the one pipe or in the other
    record   the log's length, and how many bytes lie here before and after
    write    the log; until a byte is taken from here, `recover` cuts it back to its length
    take     the bytes are read away: with the first of them the piece of the log counts as whole
    clear    the record

So what tells "not yet" from "done" is a count that the kernel keeps, and no comparison of bytes: that
the next ones are the same changes nothing. Knows the record and the pipe, nothing of a log but its length.
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING

from stratvisor.shim import kernel
from stratvisor.shim.rundir import HELD, HELD_RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 65_536
"""One pipe buffer, and all that is held in memory of a strategy's output."""

_RECORD = struct.Struct("<QII?7x")  # length of the log, bytes held before and after, whether it counts
_NOTHING = _RECORD.pack(0, 0, 0, False)


class Held:
    """The second pipe of the run directory that is the working directory."""

    def __init__(self) -> None:
        with contextlib.suppress(FileExistsError):  # a run that began under an older stratvisor has none
            os.mkfifo(HELD, 0o600)
        self._pipe = os.open(HELD, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._scratch: tuple[int, int] | None = None
        self._record = os.open(HELD_RECORD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.count = kernel.unread(self._pipe)
        """How many bytes lie here."""

    def recover(self) -> int | None:
        """After a reader was killed: the length to cut the log back to; None: it is whole.

        The record stands until `clear`, so that whoever is killed over this finds the same.
        """
        try:
            length, before, after, counts = _RECORD.unpack(os.pread(self._record, _RECORD.size, 0))
        except struct.error:  # nothing was ever written
            return None
        if not counts:
            return None
        if self.count == before:
            return int(length)
        self._take(self.count - after)
        return None

    def peek_before(self, out: int) -> bytes:
        """A copy of what lies here and of what is to come from `out` behind it, which stay where they are.

        Raises:
            BlockingIOError: both are empty.
        """
        here = self._look_into(self._pipe) if self.count else b""
        try:
            return here + self._look_into(out)
        except BlockingIOError:
            if here:
                return here
            raise

    def fill(self, out: int, count: int) -> None:
        """Have at least `count` bytes here; those that are missing lie in `out`."""
        try:
            while self.count < count:
                self.count += os.splice(out, self._pipe, count - self.count, flags=kernel.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            # With too many pipes of this user (pipe(7)) this one is too small for a secret that lies in
            # several pieces. A reader killed just now loses the rest of it, and shows none.
            _read_away(out, count - self.count)

    def _look_into(self, pipe: int) -> bytes:
        if self._scratch is None:
            self._scratch = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        source, target = self._scratch
        copied = kernel.tee(pipe, target, CHUNK)
        text = b""
        while len(text) < copied:
            text += os.read(source, copied - len(text))
        return text

    @contextlib.contextmanager
    def moving(self, length: int, taken: int) -> Iterator[None]:
        """Around a write to a log of that length, which stands for the first `taken` bytes here.

        It is whole once they are read away. Where it fails with OSError, it has left the log as it was.
        """
        os.pwrite(self._record, _RECORD.pack(length, self.count, self.count - taken, True), 0)
        try:
            yield
        except OSError:
            self.clear()
            raise
        self._take(taken)
        self.clear()

    def clear(self) -> None:
        """Nothing is under way."""
        os.pwrite(self._record, _NOTHING, 0)

    def drop(self) -> int:
        """Throw away what lies here; returns how much."""
        dropped = self.count
        self._take(dropped)
        return dropped

    def _take(self, count: int) -> None:
        while count:
            gone = len(os.read(self._pipe, count))
            self.count -= gone
            count -= gone


def _read_away(pipe: int, count: int) -> None:
    while count:
        count -= len(os.read(pipe, count))
