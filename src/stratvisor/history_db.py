"""The tables of history.db, and every SQL statement there is.

Knows sqlite and what a run and an event are made of; used by one thread at a time. Times are text in
UTC, ISO 8601 with microseconds, so that their order is that of the alphabet. A run is known by its
strategy, its number, and about when it began: numbers begin anew when run/ is lost.

Rule: every record may come twice, late, or before the one it follows; the rows are the same.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from stratvisor.ports import Finished, Json
from stratvisor.spec import SECOND
from stratvisor.timeline import Bar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from stratvisor.provenance import MadeOf
    from stratvisor.state import Run

LEVEL = 1
"""Of the schema, in `user_version`."""

MAX_AGE = timedelta(days=400)
MAX_ROWS = 200_000
PRUNE_EVERY = 1_000
"""Records between two looks for rows beyond those."""

SAME_RUN = timedelta(minutes=1)
"""How far two records of one run may differ in when it began: daemon and shim each read a clock."""

BUSY_S = 5.0
"""How long to wait for a reader of the operator's."""

_SCHEMA = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    strategy TEXT NOT NULL,
    run INTEGER NOT NULL,
    pid INTEGER,
    began TEXT NOT NULL,
    ended TEXT,
    failed INTEGER,
    code INTEGER,
    signal INTEGER,
    cause TEXT,
    stopped TEXT,
    unknown INTEGER,
    duration_s REAL,
    cpu_s REAL,
    peak_memory INTEGER,
    dropped_bytes INTEGER,
    "commit" TEXT,
    dirty INTEGER,
    script_sha256 TEXT,
    log TEXT,
    restarts INTEGER,
    last_line TEXT
);
CREATE INDEX runs_by_number ON runs (strategy, run);
CREATE INDEX runs_by_beginning ON runs (strategy, began);
CREATE INDEX runs_by_end ON runs (ended);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    strategy TEXT,
    kind TEXT NOT NULL,
    who TEXT,
    body TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (at);
"""


@dataclass(frozen=True, slots=True)
class RunBegan:
    """A run began, or a new daemon came upon it."""

    strategy: str
    run: Run
    restarts: int
    made_of: MadeOf
    log: str | None

    @property
    def at(self) -> datetime:
        """When."""
        return self.run.began


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run is over."""

    finished: Finished
    failed: bool

    @property
    def at(self) -> datetime:
        """When."""
        return self.finished.exit.at


@dataclass(frozen=True, slots=True)
class Happened:
    """Anything else worth a line; `body` is JSON."""

    at: datetime
    strategy: str | None
    kind: str
    who: str | None
    body: str


Record = RunBegan | RunEnded | Happened


class NotOurs(Exception):  # noqa: N818  a finding about a file, not an error of the program
    """The file is a database, but not one that this stratvisor can write to."""


class HistoryDatabase:
    """An open history.db. All methods block.

    Raises:
        sqlite3.Error: at any time; by its code, what to do about it.
        NotOurs: on opening, a newer stratvisor or another program made it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._until_prune = 0
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._bring_to_level()
            self._file = path.stat()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def is_at(self, path: Path) -> bool:
        """Whether `path` is still the file that is open: who deletes it leaves us writing to nowhere."""
        try:
            now = path.stat()
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (self._file.st_dev, self._file.st_ino)

    def write(self, records: Sequence[Record]) -> None:
        """Write all records, in order, or none."""
        with self._transaction():
            for record in records:
                match record:
                    case RunBegan():
                        self._began(record)
                    case RunEnded():
                        self._ended(record.finished, failed=record.failed)
                    case Happened():
                        self._happened(record)
                    case never:
                        assert_never(never)
            self._until_prune -= len(records)
            if records and self._until_prune <= 0:
                self._until_prune = PRUNE_EVERY
                self._prune(max(record.at for record in records) - MAX_AGE)

    def runs(self, strategy: str, limit: int) -> list[Json]:
        """The newest runs of one strategy first: all columns but the row's id."""
        found = self._db.execute(
            "SELECT * FROM runs WHERE strategy = ? ORDER BY began DESC, id DESC LIMIT ?", (strategy, limit)
        )
        return [_run_json(row) for row in found]

    def bars(self, since: datetime, until: datetime) -> dict[str, list[Bar]]:
        """Runs with a part in the span, per strategy, in order."""
        found = self._db.execute(
            "SELECT strategy, run, began, ended, failed FROM runs"
            " WHERE began < ? AND (ended IS NULL OR ended > ?) ORDER BY began, id",
            (_text(until), _text(since)),
        )
        bars: dict[str, list[Bar]] = {}
        for strategy, run, began, ended, failed in found:
            end = None if ended is None else datetime.fromisoformat(ended)
            bar = Bar(start=datetime.fromisoformat(began), end=end, failed=bool(failed), run=run)
            bars.setdefault(strategy, []).append(bar)
        return bars

    def events(self, after: int | None, limit: int) -> list[Json]:
        """The `limit` events that follow id `after`; None: the newest. In order."""
        if after is None:
            found = self._db.execute("SELECT * FROM events ORDER BY id DESC LIMIT ?", (limit,)).fetchall()[
                ::-1
            ]
        else:
            found = self._db.execute(
                "SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
            ).fetchall()
        return [{**dict(row), "body": json.loads(row["body"])} for row in found]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has rolled back already
                self._db.execute("ROLLBACK")
            raise

    def _bring_to_level(self) -> None:
        level = self._db.execute("PRAGMA user_version").fetchone()[0]
        if level == LEVEL:
            return
        if level > LEVEL:
            raise NotOurs(f"made by a newer stratvisor (format {level}, this one knows {LEVEL})")
        if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise NotOurs("made by another program")
        self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {LEVEL}; COMMIT")

    def _began(self, record: RunBegan) -> None:
        run, made_of = record.run, record.made_of
        row = self._find(record.strategy, run.number, run.began)
        if row is None:
            row = self._insert(record.strategy, run.number, run.began)
        self._db.execute(
            'UPDATE runs SET pid = ?, restarts = ?, script_sha256 = ?, "commit" = ?, dirty = ?,'
            " log = coalesce(?, log) WHERE id = ?",
            (
                run.pid,
                record.restarts,
                made_of.script_sha256,
                made_of.commit,
                made_of.dirty,
                record.log,
                row["id"],
            ),
        )

    def _ended(self, finished: Finished, *, failed: bool) -> None:
        end = finished.exit
        row = self._find(finished.strategy, end.run, finished.began)
        if row is None:
            began = finished.began or end.at - timedelta(microseconds=end.ran_ns // 1_000)
            row = self._insert(finished.strategy, end.run, began)
        if row["ended"] is not None:
            return
        self._db.execute(
            "UPDATE runs SET ended = ?, failed = ?, code = ?, signal = ?, cause = ?, stopped = ?, unknown = ?,"
            " duration_s = ?, cpu_s = ?, peak_memory = ?, dropped_bytes = ?, log = coalesce(?, log),"
            " last_line = ? WHERE id = ?",
            (
                _text(end.at),
                failed,
                end.code,
                end.signal,
                _clean(end.cause),
                end.stopped,
                end.unknown,
                end.ran_ns / SECOND,
                None if finished.cpu_ns is None else finished.cpu_ns / SECOND,
                finished.peak_memory,
                finished.dropped,
                finished.log,
                _clean(end.last_line),
                row["id"],
            ),
        )

    def _find(self, strategy: str, run: int, began: datetime | None) -> sqlite3.Row | None:
        """The row of this run; `began` None: of the newest run with this number."""
        row: sqlite3.Row | None = self._db.execute(
            "SELECT id, began, ended FROM runs WHERE strategy = ? AND run = ? ORDER BY id DESC LIMIT 1",
            (strategy, run),
        ).fetchone()
        if row is None or began is None:
            return row
        return row if abs(datetime.fromisoformat(row["began"]) - began) <= SAME_RUN else None

    def _insert(self, strategy: str, run: int, began: datetime) -> sqlite3.Row:
        self._db.execute(
            "INSERT INTO runs (strategy, run, began) VALUES (?, ?, ?)", (strategy, run, _text(began))
        )
        row: sqlite3.Row = self._db.execute(
            "SELECT id, began, ended FROM runs WHERE id = last_insert_rowid()"
        ).fetchone()
        return row

    def _happened(self, event: Happened) -> None:
        self._db.execute(
            "INSERT INTO events (at, strategy, kind, who, body) VALUES (?, ?, ?, ?, ?)",
            (_text(event.at), event.strategy, event.kind, _clean(event.who), event.body),
        )

    def _prune(self, cutoff: datetime) -> None:
        """What is too old by when it ended, and what is beyond the number; a run that goes on is not old."""
        self._db.execute("DELETE FROM runs WHERE ended < ?", (_text(cutoff),))
        self._db.execute("DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?", (MAX_ROWS,))
        self._db.execute("DELETE FROM events WHERE at < ?", (_text(cutoff),))
        self._db.execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (MAX_ROWS,))


def _run_json(row: sqlite3.Row) -> Json:
    run = dict(row)
    del run["id"]
    for key in ("failed", "unknown", "dirty"):
        run[key] = None if run[key] is None else bool(run[key])
    return run


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _clean(text: str | None) -> str | None:
    """What sqlite takes: a strategy's last line may hold bytes that are no text."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()
