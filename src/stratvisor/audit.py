"""log/audit.jsonl: every change that somebody made through a door, one record a line, in a chain.

It is what happened: it never decides, and it is no part of history.db, which may be deleted. The last
hash is also kept in run/audit.head, so that a cut end is found. Records are handed over on the event loop
and written by one thread, in order, those of one turn of the loop with one fsync; whoever asked for the
change hears of it once they are on disk. A disk that takes no more costs records, which the next record
counts, and never keeps a strategy from being stopped.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stratvisor import trail
from stratvisor.tasks import threads

FILE = Path("log", "audit.jsonl")
HEAD = Path("run", "audit.head")

log = logging.getLogger(__name__)

_NOT_WRITTEN = "cannot write %s: %s; what was done is done; records lost: %d"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that somebody did."""

    at: datetime
    """Aware."""
    who: str
    where: str
    """The address or the process it came from."""
    what: str
    strategy: str | None = None
    before: Any = None
    after: Any = None


class Audit:
    """The trail of one home. Everything public is for the event loop."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._head_path = home / HEAD
        self._thread = threads(1, "audit")
        self._pending: list[Change] = []
        self._written: asyncio.Future[None] | None = None
        # Of the thread alone:
        self._descriptor: int | None = None
        self._head = trail.NO_HEAD
        self._lost = 0

    def record(self, change: Change) -> asyncio.Future[None]:
        """Take it down; the future is done once it is on disk, or cannot be."""
        if self._written is None:
            loop = asyncio.get_running_loop()
            self._written = loop.create_future()
            loop.call_soon(self._flush)
        self._pending.append(change)
        return self._written

    async def close(self) -> None:
        """Write what was handed over, and let go."""
        written = self._written
        if written is not None:
            await written
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown(wait=False)

    def _flush(self) -> None:
        batch, self._pending = self._pending, []
        written, self._written = self._written, None
        if written is None:
            return
        done = asyncio.get_running_loop().run_in_executor(self._thread, self._write, batch)

        def tell(_done: asyncio.Future[None]) -> None:
            if not written.done():
                written.set_result(None)

        done.add_done_callback(tell)

    # In the thread.

    def _write(self, batch: list[Change]) -> None:
        try:
            descriptor = self._open()
            self._append(descriptor, batch)
        except OSError as error:
            self._lost += len(batch)
            log.error(_NOT_WRITTEN, self._path, error, self._lost)  # noqa: TRY400  it is about a disk
            return
        try:
            _keep_head(self._head_path, self._head)
        except OSError as error:
            log.warning("cannot write %s: %s; a cut end would not be found", self._head_path, error)

    def _append(self, descriptor: int, batch: list[Change]) -> None:
        head, text, lost = self._head, b"", self._lost
        for change in batch:
            line, head = trail.seal(head, _facts(change, lost))
            text, lost = text + line, 0
        size = os.fstat(descriptor).st_size
        try:
            _write_all(descriptor, text)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        self._head, self._lost = head, 0

    def _open(self) -> int:
        """The file, opened anew where another stands in its place (`git clean -fdx` takes it away)."""
        if self._descriptor is not None and not _is_at(self._descriptor, self._path):
            self._let_go()
        if self._descriptor is None:
            self._path.parent.mkdir(mode=0o750, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                self._go_on(descriptor)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        return self._descriptor

    def _go_on(self, descriptor: int) -> None:
        """Find the end of the chain: in the file, or in what is kept of its head where the file is cut."""
        kept = read_head(self._head_path)
        _drop_torn_line(descriptor, self._path)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            found = trail.check(file, kept)
        for finding in found.findings:
            log.error("%s: %s; `stratvisor audit verify` tells all", self._path, finding)
        ends = [end for end in (self._head, kept, found.head) if end is not None]
        self._head = max(ends, key=lambda end: end.number)

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_head(path: Path) -> trail.Head | None:
    """The last link as it is kept; None: nothing is, or it is damaged."""
    try:
        return trail.parse_head(path.read_text("ascii"))
    except (OSError, UnicodeDecodeError):
        return None


def _keep_head(path: Path, head: trail.Head) -> None:
    """After the record: a head that lags behind is no finding, one that is ahead would be."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(trail.head_text(head), "ascii")
    draft.replace(path)


def _write_all(descriptor: int, text: bytes) -> None:
    """A disk that is full takes a part, and the next write says why."""
    while text:
        text = text[os.write(descriptor, text) :]


def _drop_torn_line(descriptor: int, path: Path) -> None:
    """What a crash cut short was never reported as done; the next record must begin a line."""
    size = os.fstat(descriptor).st_size
    end = size
    while end and (piece := os.pread(descriptor, min(end, 65_536), end - min(end, 65_536))):
        if b"\n" in piece:
            end -= len(piece) - piece.rindex(b"\n") - 1
            break
        end -= len(piece)
    if end < size:
        log.warning("%s: its last line was torn by a crash; %d bytes of it are dropped", path, size - end)
        os.ftruncate(descriptor, end)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except OSError:
        return False


def _facts(change: Change, lost: int) -> dict[str, Any]:
    facts = {
        "at": change.at.isoformat(timespec="milliseconds"),
        "who": change.who,
        "where": change.where,
        "what": change.what,
        "strategy": change.strategy,
        "before": change.before,
        "after": change.after,
    }
    return {**facts, "lost": lost} if lost else facts
