"""The rows of history.db: what is recorded, the tables, and every statement on them.

Knows SQL and what a run and an event are made of; nothing of files, threads or transactions. Times are
text in UTC, ISO 8601 with microseconds, so that their order is that of the alphabet. A run is known by
its strategy, its number, and about when it began: numbers begin anew when run/ is lost.

Rule: news of a run may come twice, late, or its end before its beginning; the row is the same. A row that
no stratvisor wrote (the file is there for everybody's SQL) is passed over.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from stratvisor.kept import get_instant, of_kind
from stratvisor.ports import Finished, Json
from stratvisor.provenance import MadeOf
from stratvisor.spec import SECOND, as_span
from stratvisor.state import Run
from stratvisor.timeline import Bar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator

SCHEMA = """
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

_TIMES = frozenset({"at", "began", "ended"})
_REAL = frozenset({"duration_s", "cpu_s"})
_WHOLE = frozenset(
    {
        "id",
        "run",
        "pid",
        "failed",
        "code",
        "signal",
        "unknown",
        "peak_memory",
        "dropped_bytes",
        "dirty",
        "restarts",
    }
)
"""All other columns are text."""

SAME_RUN = timedelta(minutes=1)
"""How far two records of one run may differ in when it began: daemon and shim each read a clock."""


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


# Writing.


def write(db: sqlite3.Connection, record: Record) -> None:
    """Make the rows say so."""
    match record:
        case RunBegan():
            _write_began(db, record)
        case RunEnded():
            _write_ended(db, record)
        case Happened():
            values = (text(record.at), record.strategy, record.kind, _clean(record.who), record.body)
            db.execute("INSERT INTO events (at, strategy, kind, who, body) VALUES (?, ?, ?, ?, ?)", values)
        case never:
            assert_never(never)


def _write_began(db: sqlite3.Connection, record: RunBegan) -> None:
    run, made_of = record.run, record.made_of
    row = _row(db, record.strategy, run.number, run.began) or _new(db, record.strategy, run.number, run.began)
    values = {
        "id": row["id"],
        "pid": run.pid,
        "restarts": record.restarts,
        "sha256": made_of.script_sha256,
        "commit": made_of.commit,
        "dirty": made_of.dirty,
        "log": _clean(record.log),
    }
    db.execute(
        "UPDATE runs SET pid = :pid, restarts = :restarts, script_sha256 = :sha256,"
        ' "commit" = :commit, dirty = :dirty, log = coalesce(:log, log) WHERE id = :id',
        values,
    )


def _write_ended(db: sqlite3.Connection, record: RunEnded) -> None:
    finished, end = record.finished, record.finished.exit
    row = _row(db, finished.strategy, end.run, finished.began)
    if row is None:
        began = finished.began or end.at - as_span(end.ran_ns)
        row = _new(db, finished.strategy, end.run, began)
    if row["ended"] is not None:
        return
    values = {
        "id": row["id"],
        "ended": text(end.at),
        "failed": record.failed,
        "code": end.code,
        "signal": end.signal,
        "cause": _clean(end.cause),
        "stopped": end.stopped,
        "unknown": end.unknown,
        "duration_s": end.ran_ns / SECOND,
        "cpu_s": None if finished.cpu_ns is None else finished.cpu_ns / SECOND,
        "peak_memory": finished.peak_memory,
        "dropped": finished.dropped,
        "log": _clean(finished.log),
        "last_line": _clean(end.last_line),
    }
    db.execute(
        "UPDATE runs SET ended = :ended, failed = :failed, code = :code, signal = :signal, cause = :cause,"
        " stopped = :stopped, unknown = :unknown, duration_s = :duration_s, cpu_s = :cpu_s,"
        " peak_memory = :peak_memory, dropped_bytes = :dropped, log = coalesce(:log, log),"
        " last_line = :last_line WHERE id = :id",
        values,
    )


def _row(db: sqlite3.Connection, strategy: str, run: int, began: datetime | None) -> sqlite3.Row | None:
    """The row of this run; `began` None: of the newest run with this number."""
    row: sqlite3.Row | None = db.execute(
        "SELECT id, began, ended FROM runs WHERE strategy = ? AND run = ? ORDER BY id DESC LIMIT 1",
        (strategy, run),
    ).fetchone()
    if row is None or began is None:
        return row
    with suppress(ValueError):
        return row if abs(get_instant(dict(row), "began") - began) <= SAME_RUN else None
    return None


def _new(db: sqlite3.Connection, strategy: str, run: int, began: datetime) -> sqlite3.Row:
    values = (strategy, run, text(began))
    db.execute("INSERT INTO runs (strategy, run, began) VALUES (?, ?, ?)", values)
    found = db.execute("SELECT id, began, ended FROM runs WHERE id = last_insert_rowid()")
    row: sqlite3.Row = found.fetchone()
    return row


def prune(db: sqlite3.Connection, before: datetime, rows: int) -> None:
    """Forget what ended or happened before an instant, and all but the newest `rows` of each table."""
    db.execute("DELETE FROM runs WHERE ended < ?", (text(before),))  # one that goes on is not old
    db.execute("DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?", (rows,))
    db.execute("DELETE FROM events WHERE at < ?", (text(before),))
    db.execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (rows,))


# Reading.


def runs(db: sqlite3.Connection, strategy: str, limit: int) -> list[Json]:
    """The newest runs of one strategy first: all columns but the row's id."""
    found = db.execute(
        "SELECT * FROM runs WHERE strategy = ? ORDER BY began DESC, id DESC LIMIT ?", (strategy, limit)
    )
    return list(_sound(_run_json, found))


def bars(db: sqlite3.Connection, since: datetime, until: datetime) -> dict[str, list[Bar]]:
    """Runs with a part in the span, per strategy, in order."""
    found = db.execute(
        "SELECT strategy, run, began, ended, failed FROM runs"
        " WHERE began < ? AND (ended IS NULL OR ended > ?) ORDER BY began, id",
        (text(until), text(since)),
    )
    drawn: dict[str, list[Bar]] = {}
    for run in _sound(_checked, found):
        end = None if run["ended"] is None else datetime.fromisoformat(run["ended"])
        bar = Bar(datetime.fromisoformat(run["began"]), end, bool(run["failed"]), run["run"])
        drawn.setdefault(run["strategy"], []).append(bar)
    return drawn


def events(db: sqlite3.Connection, after: int | None, limit: int) -> list[Json]:
    """The `limit` events that follow id `after`; None: the newest. In order."""
    if after is None:
        found = db.execute("SELECT * FROM events ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        found.reverse()
    else:
        found = db.execute("SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?", (after, limit)).fetchall()
    return list(_sound(_event_json, found))


def _sound(read: Callable[[sqlite3.Row], Json], rows: Iterable[sqlite3.Row]) -> Iterator[Json]:
    for row in rows:
        with suppress(ValueError):
            yield read(row)


def _event_json(row: sqlite3.Row) -> Json:
    event = _checked(row)
    return {**event, "body": json.loads(event["body"])}


def _run_json(row: sqlite3.Row) -> Json:
    run = _checked(row)
    del run["id"]
    for key in ("failed", "unknown", "dirty"):
        run[key] = None if run[key] is None else bool(run[key])
    return run


def _checked(row: sqlite3.Row) -> Json:
    """The columns of a row as they were written; sqlite lets anything into any.

    Raises:
        ValueError: they were not.
    """
    facts: Json = dict(row)
    for key in facts.keys() & _TIMES:
        if facts[key] is not None:
            get_instant(facts, key)
    for key, value in facts.items():
        if value is None:
            continue
        of_kind(value, int if key in _WHOLE else float if key in _REAL else str, key)
        if key in _REAL and not math.isfinite(value):
            raise ValueError(f"{key}: {value} is no time that passed")
    return facts


def text(at: datetime) -> str:
    """An aware instant as the tables have it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _clean(words: str | None) -> str | None:
    """What sqlite takes: a strategy's last line, or a path, may hold bytes that are no text."""
    return None if words is None else words.encode("utf-8", "backslashreplace").decode()
