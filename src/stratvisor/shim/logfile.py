"""From the FIFO into the log file: every byte once, in order, also when this process is killed.

Knows one run's log and its limits, nothing of processes. The rule that makes it exact: a byte is
either still in the FIFO or already in the file, as far as any process can be killed in between.

- Unchanged bytes move by splice(2), which takes them from the one and puts them into the other in one
  call. The file is open without O_APPEND, which splice refuses.
- Changed bytes (timestamps, redaction) go by way of a second pipe, and so do our own lines in a way: `held`
  says how. What may be the beginning of a secret stays in the FIFO until it is known to be one or none.
- Our own lines stand between lines of the strategy's, never in one, whoever was killed in its midst.
- Rotation moves up to the limit, peeks for the newline, moves through it, and opens the next part.
- A disk that takes no more costs the bytes that come meanwhile, counted and marked in the log, never
  the strategy.

Memory is bounded: at most one chunk, however long a line is.
"""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from stratvisor.shim import kernel, lognames
from stratvisor.shim.held import CHUNK, Held

if TYPE_CHECKING:
    from stratvisor.shim.redaction import Redactor

LONGEST_OVERRUN = CHUNK
"""How far past the size limit a part may grow to end at a newline."""

_GRACE = 1 << 20

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS, errno.ENXIO})


class Limits(NamedTuple):
    """The live settings of a log; `logs` of want.json."""

    max_size: int
    keep_files: int
    keep_days: int
    keep_total: int
    timestamps: bool


class Log:
    """The log of one run, in as many parts as it takes.

    `redactor`: takes out the run's secrets, if it has any.
    """

    def __init__(
        self, path: str, limits: Limits, title: str, *, resumed: bool, redactor: Redactor | None = None
    ) -> None:
        self.limits = limits
        self.dropped = 0
        """Bytes that no disk would take, in all."""
        self.problem: str | None = None
        """Why bytes are being dropped now."""
        self._unmarked = 0
        self._withheld = False
        self._final = False
        self._redactor = redactor
        self._title = title
        self._folder, name = os.path.split(path)
        first = lognames.parse(name)
        if first is None:
            raise ValueError(f"cannot log to {path}: not a log's name")
        self._name = self._newest_part(first) if resumed else first
        self._file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self._size = os.lseek(self._file, 0, os.SEEK_END)
        self._over = 0
        self._grace = 0
        self._splices = True
        self._waiting: list[str] = []
        self._held = Held()

    @property
    def path(self) -> str:
        """The part that is written now."""
        return os.path.join(self._folder, str(self._name))

    def note(self, text: str) -> None:
        """A line of our own, as soon as a line of the strategy's has ended."""
        self._waiting.append(text)
        self._write_notes()

    def conclude(self, text: str) -> None:
        """A line of our own that waits for nothing: no more of the strategy's are to come."""
        self._waiting.append(text)
        self._write_notes(cut_in=True)

    def pump(self, fifo: int, budget: int = 16 * CHUNK) -> int:
        """Move what the FIFO holds, at most about `budget` bytes; returns how many were moved."""
        moved = 0
        while moved < budget or self._held.count:
            try:
                count = self._step(fifo)
            except BlockingIOError:
                break
            if count == 0:
                break
            moved += count
        return moved

    def finish(self, fifo: int) -> None:
        """Move all that is left: nothing follows that could make a secret of it."""
        for self._final in (False, True):
            while self.pump(fifo):
                pass

    def withhold(self, why: str) -> None:
        """Write nothing of the strategy's any more, and say so: there is no way to redact it."""
        self.conclude(f"its output is withheld from here on: {why}")
        self.problem = why
        self._withheld = True

    def redacted(self, text: str) -> str:
        """A text of our own, or of the system's, without the run's secrets."""
        if self._redactor is None:
            return text
        return self._redactor.whole(text.encode("utf-8", "backslashreplace")).decode()

    def last_line(self) -> str | None:
        """The last line with anything on it in the log, without our own; at most 300 characters."""
        tail = os.pread(self._file, 4096, max(0, self._size - 4096)).decode("utf-8", "replace")
        lines = [line.strip() for line in tail.splitlines()]
        told = [line for line in lines if line and not line.startswith("[stratvisor] ")]
        return told[-1][-300:] if told else None

    def sync(self) -> None:
        """Onto the disk; a disk that cannot has said so before."""
        try:
            os.fsync(self._file)
        except OSError as error:
            self.problem = error.strerror

    def recover(self, fifo: int) -> None:
        """After a reader was killed: undo what it had not finished, and do that again."""
        length = self._held.recover()
        if length is not None and length < self._size:
            os.ftruncate(self._file, length)
            self._size = os.lseek(self._file, length, os.SEEK_SET)
        self._held.clear()
        if self._held.count:  # `out` alone wakes anybody up
            self.pump(fifo)

    def _step(self, fifo: int) -> int:
        """Move one piece. Raises BlockingIOError when there is nothing, returns 0 at the end of file."""
        if self._withheld or (self.problem is not None and not self._mark_gap()):
            return self._drop(fifo)
        try:
            room = max(self.limits.max_size, self._grace) - self._size
            if room <= 0:
                return self._finish_part(fifo)
            return self._move_line_end(fifo) if self._waiting else self._move(fifo, room)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self.problem = error.strerror
            return self._drop(fifo)

    def _finish_part(self, fifo: int) -> int:
        """The part is full: go through the next newline, then on to the next part."""
        if self._ends_line() or self._over >= LONGEST_OVERRUN:
            self._next_part()
            return self._move(fifo, self.limits.max_size)
        moved = self._move_line_end(fifo)
        self._over += moved
        return moved

    def _move_line_end(self, fifo: int) -> int:
        """Go through the next newline, where our own lines have been waiting for one."""
        head = self._held.peek_before(fifo)
        end = head.find(b"\n")
        moved = self._move(fifo, len(head) if end < 0 else end + 1) if head else 0
        self._write_notes()
        return moved

    def _move(self, fifo: int, count: int) -> int:
        changes = self.limits.timestamps or self._redactor is not None
        if changes or self._held.count or not self._splices:
            return self._move_changed(fifo, count)
        try:
            moved = os.splice(fifo, self._file, min(count, CHUNK), flags=kernel.SPLICE_F_NONBLOCK)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a file system that cannot splice
                raise
            self._splices = False
            return self._move_changed(fifo, count)
        self._size += moved
        return moved

    def _move_changed(self, fifo: int, count: int) -> int:
        head = self._held.peek_before(fifo)
        count = min(count, self._held.count or CHUNK)
        if self._redactor is None:
            text, moved = head[:count], min(len(head), count)
        else:  # it looks at all there is: a secret may go past `count`
            text, moved = self._redactor.cut(head, count, final=self._final)
        if not moved:
            return 0
        self._held.fill(fifo, moved)
        with self._held.moving(self._size, min(moved, self._held.count)):
            self._append(self._stamp(text) if self.limits.timestamps else text)
        return moved

    def _stamp(self, text: bytes) -> bytes:
        """The time of reading before every line."""
        now_ns = time.time_ns()
        local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now_ns // 1_000_000_000))
        stamp = f"{local}.{now_ns // 1_000_000 % 1000:03d} ".encode()
        ends = text.endswith(b"\n")
        body = (text[:-1] if ends else text).replace(b"\n", b"\n" + stamp)
        prefix = stamp if self._ends_line() else b""
        return prefix + body + (b"\n" if ends else b"")

    def _write_notes(self, *, cut_in: bool = False) -> None:
        """Those that wait. A disk that takes no more takes no notes either."""
        try:
            while self._waiting and (cut_in or self._ends_line()):
                self._note(self._waiting.pop(0))
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self.problem = error.strerror

    def _note(self, text: str) -> None:
        line = f"[stratvisor] {self.redacted(text)}\n"
        if not self._ends_line():
            line = "\n" + line
        with self._held.moving(self._size, 0):
            self._append(line.encode("utf-8", "backslashreplace"))

    def _append(self, text: bytes) -> None:
        """Write all of it or, where the disk ends, nothing."""
        try:
            written = 0
            while written < len(text):
                written += os.pwrite(self._file, text[written:], self._size + written)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size = os.lseek(self._file, self._size + len(text), os.SEEK_SET)

    def _drop(self, fifo: int) -> int:
        gone = self._held.drop() or len(os.read(fifo, CHUNK))
        self.dropped += gone
        self._unmarked += gone
        return gone

    def _mark_gap(self) -> bool:
        """Whether the disk takes bytes again; then the log says how many are missing here."""
        try:
            if self._unmarked:
                self._note(f"{self._unmarked} bytes lost here: {self.problem}")
        except OSError as error:
            self.problem = error.strerror
            return False
        self._unmarked = 0
        self.problem = None
        return True

    def close(self) -> None:
        """Mark what is still missing, if the disk takes the mark, and let go of the file."""
        if self.problem is not None:
            self._mark_gap()
        os.close(self._file)

    def _next_part(self) -> None:
        name = self._name._replace(part=self._name.part + 1)
        try:
            file = os.open(
                os.path.join(self._folder, str(name)),
                os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC,
                0o640,
            )
        except OSError:
            # A part that cannot be made keeps the old one growing for a while: too long beats lost.
            self._grace = self._size + _GRACE
            return
        os.close(self._file)
        self._file, self._name, self._size, self._over, self._grace = file, name, 0, 0, 0
        self.note(f"{self._title}, part {name.part}")
        self.prune()

    def prune(self) -> None:
        """Apply retention to this strategy's logs."""
        lognames.prune(
            self._folder,
            self._name.strategy,
            keep_files=self.limits.keep_files,
            keep_days=self.limits.keep_days,
            keep_total=self.limits.keep_total,
            now_s=time.time(),
            spare=str(self._name),
        )

    def _newest_part(self, first: lognames.LogName) -> lognames.LogName:
        parts = [lognames.parse(os.path.basename(path)) for path in lognames.of(self._folder, first.strategy)]
        return max((name for name in parts if name is not None and name.run == first.run), default=first)

    def _ends_line(self) -> bool:
        return self._size == 0 or os.pread(self._file, 1, self._size - 1) == b"\n"
