"""run/history.db: what happened, for people to look up; it may be deleted and never decides.

Records are handed over on the event loop and never waited for: one thread writes them, in order, those
of one turn of the loop in one transaction. A disk that takes no more, or another program that keeps the
file locked, costs patience, then the oldest records; it is tried again with the next records and at
times, and nobody who reads waits for it twice. A file that is damaged is set aside and begun anew.
Nothing here stops the daemon.

Knows when and where to write; what a row is stands in `history_rows`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from typing import TYPE_CHECKING, TypeVar

from stratvisor import history_rows
from stratvisor.history_db import HistoryDatabase, NotOurs
from stratvisor.history_rows import Happened, Record, RunBegan, RunEnded
from stratvisor.tasks import threads
from stratvisor.troubles import Troubles

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from stratvisor.ports import Finished, Json
    from stratvisor.provenance import MadeOf
    from stratvisor.state import Run
    from stratvisor.timeline import Bar

log = logging.getLogger(__name__)

BACKLOG = 10_000
"""Records kept in memory while the disk takes none."""

RETRY_S = 5.0
"""Between tries while it fails; the first one waits for as long, the others for nobody."""

NAME = "run/history.db"

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)

_T = TypeVar("_T")


class HistoryUnavailable(Exception):  # noqa: N818  a finding about a disk, not an error of the program
    """The history cannot be read now; the text says why."""


class History:
    """The history at `path`, opened with the first use. Everything public is for the event loop."""

    def __init__(self, path: Path, troubles: Troubles | None = None) -> None:
        self.lost = 0
        """Records that could not be written and were given up."""
        self._path = path
        self._troubles = troubles or Troubles()
        self._loop = asyncio.get_running_loop()
        self._thread = threads(1, "history")
        self._pending: list[Record] = []
        self._retry: asyncio.TimerHandle | None = None
        self._closed = False
        # Of the thread alone:
        self._database: HistoryDatabase | None = None
        self._backlog: list[Record] = []
        self._failing = False

    # Handing over.

    def record_start(
        self, strategy: str, run: Run, *, restarts: int, made_of: MadeOf, log_name: str | None = None
    ) -> None:
        """A run began. Told twice, or after its end, it is still one run."""
        self._hand_over(RunBegan(strategy, run, restarts, made_of, log_name))

    def record_end(self, finished: Finished, *, failed: bool) -> None:
        """A run is over; its beginning need not be known. The first word on how it ended counts."""
        self._hand_over(RunEnded(finished, failed))

    def record_event(
        self, at: datetime, strategy: str | None, kind: str, who: str | None, body: Json
    ) -> None:
        """Something happened at `at` (aware), and who did it."""
        self._hand_over(Happened(at, strategy, kind, who, json.dumps(body)))

    def _hand_over(self, record: Record) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(record)

    def _flush(self) -> None:
        batch, self._pending = self._pending, []
        if self._closed:
            self.lost += len(batch)
        elif batch:
            self._thread.submit(self._write, batch)

    # Asking.

    async def runs(self, strategy: str, limit: int) -> list[Json]:
        """The newest runs of one strategy first: all columns of the table; times are ISO 8601 in UTC.

        Raises:
            HistoryUnavailable: it cannot be read now.
        """
        return await self._ask(lambda db: history_rows.runs(db, strategy, limit))

    async def bars(self, since: datetime, until: datetime) -> dict[str, list[Bar]]:
        """Every strategy's runs with a part in the span (aware instants), in order.

        Raises:
            HistoryUnavailable: it cannot be read now.
        """
        return await self._ask(lambda db: history_rows.bars(db, since, until))

    async def events(self, after: int | None, limit: int) -> list[Json]:
        """The `limit` events that follow the one with id `after`; None: the newest. In order.

        Raises:
            HistoryUnavailable: it cannot be read now.
        """
        return await self._ask(lambda db: history_rows.events(db, after, limit))

    async def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        self._flush()  # whoever asks sees what was handed over before
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)

    async def close(self) -> None:
        """Write what was handed over, and close. Later records are lost, and counted."""
        if self._closed:
            return
        self._flush()
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown(wait=False)

    def _try_later(self) -> None:
        if self._retry is None and not self._closed:
            self._retry = self._loop.call_later(RETRY_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._thread.submit(self._write, [])

    # In the thread.

    def _write(self, batch: list[Record]) -> None:
        records = self._backlog + batch
        if not records:
            return
        self._backlog = []
        try:
            self._with_database(lambda database: database.write(records, patient=not self._failing))
        except Exception as error:  # noqa: BLE001  the thread's outermost edge: nobody waits for it
            self._not_written(records, error)
        else:
            self._written(len(records))

    def _not_written(self, records: list[Record], error: Exception) -> None:
        """Try again with the next records where that may help."""
        if _code(error) in _PASSING or isinstance(error, OSError):
            self._backlog = records[-BACKLOG:]
            self._loop.call_soon_threadsafe(self._try_later)
        self.lost += len(records) - len(self._backlog)
        told = f"cannot be written: {error}; tried again every {RETRY_S:g} s"
        self._troubles.say(NAME, told if self._backlog else f"{type(error).__name__}: {error}")
        if not self._failing:
            self._failing = True
            bug = None if self._backlog else error
            log.error(
                "cannot write the history to %s: %s; the daemon goes on", self._path, error, exc_info=bug
            )

    def _written(self, count: int) -> None:
        if self._failing:
            self._failing = False
            self._troubles.over(NAME)
            log.warning("the history is written again: %d records now, %d lost so far", count, self.lost)

    def _answer(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return self._with_database(lambda database: question(database.db))
        except (sqlite3.Error, OSError) as error:
            raise HistoryUnavailable(f"cannot read the history in {self._path}: {error}") from error

    def _with_database(self, work: Callable[[HistoryDatabase], _T]) -> _T:
        """Do it, with a new file if this one turns out to be damaged."""
        try:
            return work(self._open())
        except (sqlite3.DatabaseError, NotOurs) as error:
            if not isinstance(error, NotOurs) and _code(error) not in _DAMAGED:
                raise
            self._set_aside(error)
            return work(self._open())

    def _open(self) -> HistoryDatabase:
        if self._database is not None and not self._database.is_at(self._path):
            log.warning("%s was removed or replaced; going on with what is there", self._path)
            self._let_go()
        if self._database is None:
            self._database = HistoryDatabase(self._path)
        return self._database

    def _let_go(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _set_aside(self, why: Exception) -> None:
        self._let_go()
        count = 1
        while (aside := self._path.with_name(f"{self._path.name}.bad-{count}")).exists():
            count += 1
        self._path.rename(aside)  # sqlite takes a write-ahead log that is left without its file away
        log.warning("cannot use the history in %s: %s; kept as %s, begun anew", self._path, why, aside.name)


def _code(error: Exception) -> int | None:
    """The primary result code of sqlite; the rest of it is detail."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
