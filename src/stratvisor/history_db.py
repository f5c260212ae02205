"""The file history.db: opened, brought to its level, written in transactions, kept small.

Knows sqlite's ways with a file; what is in a row stands in `history_rows`. One thread at a time.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from stratvisor import history_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LEVEL = 1
"""Of the schema, in `user_version`."""

MAX_AGE = timedelta(days=400)
MAX_ROWS = 200_000
PRUNE_EVERY = 1_000
"""Records between two looks for rows beyond those."""

BUSY_S = 5.0
"""How long to wait for another program that looks into the file."""


class NotOurs(Exception):  # noqa: N818  a finding about a file, not an error of the program
    """The file is a database, but none that this stratvisor can write to; the text says why."""


class HistoryDatabase:
    """An open history.db; every method blocks and may raise sqlite3.Error.

    Raises:
        NotOurs: a newer stratvisor or another program made the file.
        sqlite3.Error, OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self.db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        """For the statements of `history_rows`."""
        self.db.row_factory = sqlite3.Row
        self._until_prune = 0
        try:
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = NORMAL")  # in WAL mode a power cut costs the end, no more
            self._bring_to_level()
            self._file = path.stat()
        except BaseException:
            self.db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def is_at(self, path: Path) -> bool:
        """Whether `path` is still the file that is open: who deletes it leaves us writing to nowhere."""
        try:
            now = path.stat()
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (self._file.st_dev, self._file.st_ino)

    def write(self, records: Sequence[history_rows.Record], *, patient: bool = True) -> None:
        """Write all records, in order, or none; now and then forget the oldest.

        `patient`: wait for another program that has the file locked, for `BUSY_S` at most.
        """
        self.db.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000) if patient else 0}")
        with self._transaction():
            for record in records:
                history_rows.write(self.db, record)
            self._until_prune -= len(records)
            if self._until_prune <= 0:
                self._until_prune = PRUNE_EVERY
                history_rows.prune(self.db, max(record.at for record in records) - MAX_AGE, MAX_ROWS)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:  # after a full disk sqlite has rolled back by itself
                self.db.execute("ROLLBACK")
            raise

    def _bring_to_level(self) -> None:
        (level,) = self.db.execute("PRAGMA user_version").fetchone()
        if level == LEVEL:
            return
        if level > LEVEL:
            raise NotOurs(f"made by a newer stratvisor (format {level}, this one knows {LEVEL})")
        if self.db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise NotOurs("made by another program")
        self.db.executescript(f"BEGIN; {history_rows.SCHEMA} PRAGMA user_version = {LEVEL}; COMMIT")
