"""What happened, written down: whole, in order, and never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, Mock

import pytest
from waiting import DEADLINE_S, until_async

from stratvisor import history as history_module
from stratvisor import history_db, history_rows
from stratvisor.history import History, HistoryUnavailable
from stratvisor.host import LocalHost
from stratvisor.ports import Finished, Refused
from stratvisor.provenance import MadeOf
from stratvisor.spec import SECOND, Logs, Stop
from stratvisor.state import Because, Exit, Run, Want
from stratvisor.timeline import Bar
from stratvisor.troubles import Troubles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NINE = datetime(2026, 11, 23, 3, 45, tzinfo=UTC)
MADE_OF = MadeOf("ab" * 32, "c0ffee", dirty=True)
UNKNOWN = MadeOf(None, None, None)


def run(number: int = 1, began: datetime = NINE, pid: int = 4711) -> Run:
    told = Want(stop=None, deadline=None, plan=Stop(), logs=Logs())
    return Run(number, pid, began_ns=0, began=began, fingerprint="f", told=told)


def finished(
    strategy: str = "ema", number: int = 1, began: datetime | None = NINE, after_s: int = 60, **end: Any
) -> Finished:
    at = (began or NINE) + timedelta(seconds=after_s)
    exit_ = Exit(number, at, after_s * SECOND, **({"code": 0} | end))
    return Finished(strategy, exit_, cpu_ns=1_500_000_000, peak_memory=42_000_000, began=began)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "history.db"


@pytest.fixture
async def history(path: Path) -> AsyncIterator[History]:
    made = History(path)
    yield made
    await made.close()


def sql(path: Path, statement: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(path)
    try:
        with db:
            return db.execute(statement).fetchall()
    finally:
        db.close()


# Runs.


async def test_a_run_is_one_row_with_all_that_is_known(history: History) -> None:
    history.record_start("ema", run(), restarts=2, made_of=MADE_OF)
    end = Exit(
        1,
        NINE + timedelta(seconds=90),
        90 * SECOND,
        code=None,
        signal=9,
        cause="memory 1.1GB over its limit 1GB",
        stopped=Because.LIMIT,
        last_line="buying",
    )
    log = "log/strategies/ema_20261123_091500_IST.log"
    history.record_end(Finished("ema", end, 1_500_000_000, 42_000_000, 7, log, NINE), failed=True)
    assert await history.runs("ema", 10) == [
        {
            "strategy": "ema",
            "run": 1,
            "pid": 4711,
            "began": "2026-11-23T03:45:00.000000+00:00",
            "ended": "2026-11-23T03:46:30.000000+00:00",
            "failed": True,
            "code": None,
            "signal": 9,
            "cause": "memory 1.1GB over its limit 1GB",
            "stopped": "limit",
            "unknown": False,
            "duration_s": 90.0,
            "cpu_s": 1.5,
            "peak_memory": 42_000_000,
            "dropped_bytes": 7,
            "commit": "c0ffee",
            "dirty": True,
            "script_sha256": "ab" * 32,
            "log": log,
            "restarts": 2,
            "last_line": "buying",
        }
    ]


async def test_a_run_that_goes_on_has_no_end(history: History) -> None:
    history.record_start("ema", run(), restarts=0, made_of=UNKNOWN, log_name="log/a.log")
    (row,) = await history.runs("ema", 10)
    assert (row["ended"], row["failed"], row["unknown"], row["code"], row["dirty"]) == (None,) * 5
    assert row["log"] == "log/a.log"


async def test_an_end_that_nobody_saw_is_said_to_be_unknown(history: History) -> None:
    history.record_end(finished(code=None, unknown=True, cause="the machine went down"), failed=True)
    (row,) = await history.runs("ema", 10)
    assert (row["unknown"], row["code"], row["cause"]) == (True, None, "the machine went down")


async def test_an_end_without_a_beginning_is_a_run(history: History) -> None:
    history.record_end(finished(began=None, after_s=60), failed=False)
    (row,) = await history.runs("ema", 10)
    assert row["began"] == "2026-11-23T03:45:00.000000+00:00"
    assert (row["ended"], row["pid"]) == ("2026-11-23T03:46:00.000000+00:00", None)


async def test_an_end_told_twice_is_one(history: History) -> None:
    history.record_start("ema", run(), restarts=0, made_of=MADE_OF)
    history.record_end(finished(code=1), failed=True)
    await history.runs("ema", 1)
    history.record_end(finished(code=None, unknown=True, after_s=99), failed=True)
    history.record_end(finished(began=None, code=3), failed=True)
    (row,) = await history.runs("ema", 10)
    assert (row["code"], row["unknown"], row["duration_s"]) == (1, False, 60.0)


async def test_a_beginning_told_twice_is_one(history: History) -> None:
    history.record_start("ema", run(), restarts=0, made_of=MADE_OF)
    history.record_start("ema", run(began=NINE + timedelta(seconds=1)), restarts=0, made_of=MADE_OF)
    assert len(await history.runs("ema", 10)) == 1


async def test_a_beginning_told_after_the_end_completes_the_row(history: History) -> None:
    history.record_end(finished(code=1, began=NINE + timedelta(milliseconds=20)), failed=True)
    history.record_start("ema", run(), restarts=3, made_of=MADE_OF)
    (row,) = await history.runs("ema", 10)
    assert (row["code"], row["pid"], row["restarts"], row["commit"]) == (1, 4711, 3, "c0ffee")


async def test_a_number_given_out_again_later_is_another_run(history: History) -> None:
    later = NINE + timedelta(days=7)
    history.record_start("ema", run(), restarts=0, made_of=MADE_OF)
    history.record_end(finished(code=1), failed=True)
    history.record_start("ema", run(began=later, pid=8), restarts=0, made_of=MADE_OF)
    history.record_end(finished(began=later, code=2), failed=True)
    assert [(row["pid"], row["code"]) for row in await history.runs("ema", 10)] == [(8, 2), (4711, 1)]


async def test_the_newest_runs_come_first_and_only_those_of_the_strategy(history: History) -> None:
    for number in range(1, 6):
        history.record_start("ema", run(number, NINE + timedelta(hours=number)), restarts=0, made_of=MADE_OF)
    history.record_start("ema_2", run(9), restarts=0, made_of=MADE_OF)
    assert [row["run"] for row in await history.runs("ema", 3)] == [5, 4, 3]


async def test_bytes_that_are_no_text_do_not_cost_the_row(history: History) -> None:
    line = b"price \xff".decode("utf-8", "surrogateescape")
    history.record_end(finished(code=1, last_line=line, cause=line), failed=True)
    (row,) = await history.runs("ema", 10)
    assert row["last_line"] == row["cause"] == "price \\udcff"


# The picture of a day.


async def test_bars_are_the_runs_with_a_part_in_the_span(history: History) -> None:
    def at(hour: int) -> datetime:
        return NINE.replace(hour=0, minute=0) + timedelta(hours=hour)

    def record(strategy: str, number: int, begin: int, end: int | None, *, failed: bool = False) -> None:
        history.record_start(strategy, run(number, at(begin)), restarts=0, made_of=UNKNOWN)
        if end is not None:
            hours = (end - begin) * 3600
            history.record_end(finished(strategy, number, at(begin), hours, code=int(failed)), failed=failed)

    record("ema", 1, -5, -1)
    record("ema", 2, -1, 1, failed=True)
    record("ema", 3, 2, 3)
    record("ema", 4, 23, None)
    record("orb", 1, -100, None)
    record("orb", 2, 24, 25)
    assert await history.bars(at(0), at(24)) == {
        "orb": [Bar(at(-100), None, failed=False, run=1)],
        "ema": [
            Bar(at(-1), at(1), failed=True, run=2),
            Bar(at(2), at(3), failed=False, run=3),
            Bar(at(23), None, failed=False, run=4),
        ],
    }


async def test_spans_may_be_asked_for_in_any_zone(history: History) -> None:
    history.record_end(finished(after_s=60), failed=False)
    india = datetime.fromisoformat("2026-11-23T09:15:30+05:30")
    assert (await history.bars(india, india + timedelta(hours=1)))["ema"][0].run == 1
    assert await history.bars(india + timedelta(hours=1), india + timedelta(hours=2)) == {}


# Events.


async def test_events_come_back_in_order_with_who_and_what(history: History) -> None:
    history.record_event(NINE, "ema", "stop", "token 'phone'", {"until": "next"})
    history.record_event(NINE, None, "reload", None, {"start": ["orb"]})
    assert await history.events(None, 10) == [
        {
            "id": 1,
            "at": "2026-11-23T03:45:00.000000+00:00",
            "strategy": "ema",
            "kind": "stop",
            "who": "token 'phone'",
            "body": {"until": "next"},
        },
        {
            "id": 2,
            "at": "2026-11-23T03:45:00.000000+00:00",
            "strategy": None,
            "kind": "reload",
            "who": None,
            "body": {"start": ["orb"]},
        },
    ]


async def test_events_can_be_read_on_from_one(history: History) -> None:
    for number in range(10):
        history.record_event(NINE, "ema", f"kind{number}", None, {})
    assert [event["kind"] for event in await history.events(None, 3)] == ["kind7", "kind8", "kind9"]
    assert [event["kind"] for event in await history.events(4, 3)] == ["kind4", "kind5", "kind6"]
    assert await history.events(10, 3) == []


# The file.


async def test_it_is_there_for_the_next_daemon(path: Path) -> None:
    first = History(path)
    first.record_start("ema", run(), restarts=0, made_of=MADE_OF)
    await first.close()
    second = History(path)
    second.record_end(finished(code=1), failed=True)
    (row,) = await second.runs("ema", 10)
    await second.close()
    assert (row["pid"], row["code"]) == (4711, 1)


async def test_nothing_is_opened_before_the_first_use(path: Path) -> None:
    history = History(path)
    await history.close()
    assert not path.exists()


async def test_readers_and_writer_do_not_wait_for_each_other(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_db, "BUSY_S", 10 * DEADLINE_S)
    history.record_event(NINE, None, "first", None, {})
    await history.events(None, 1)
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM events").fetchall()
    history.record_event(NINE, None, "second", None, {})
    assert len(await asyncio.wait_for(history.events(None, 10), DEADLINE_S)) == 2
    reader.close()


async def test_records_of_one_turn_share_a_transaction(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write = history_db.HistoryDatabase.write

    def counted(self: history_db.HistoryDatabase, records: list[Any], *, patient: bool) -> None:
        sizes.append(len(records))
        write(self, records, patient=patient)

    monkeypatch.setattr(history_db.HistoryDatabase, "write", counted)
    for number in range(100):
        history.record_start(f"s{number}", run(), restarts=0, made_of=MADE_OF)
    assert len(await history.runs("s99", 1)) == 1
    assert sizes == [100]


async def test_what_is_handed_over_is_written_without_being_asked_for(path: Path, history: History) -> None:
    history.record_event(NINE, None, "only", None, {})
    async with asyncio.timeout(30):
        while not (path.exists() and _events(path)):
            await asyncio.get_running_loop().run_in_executor(None, path.exists)


def _events(path: Path) -> list[tuple[Any, ...]]:
    try:
        return sql(path, "SELECT kind FROM events")
    except sqlite3.OperationalError:
        return []


async def test_old_rows_are_forgotten_and_open_runs_are_not(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_db, "PRUNE_EVERY", 1)
    old = NINE - timedelta(days=401)
    history.record_end(finished(number=1, began=old), failed=False)
    history.record_start("ema", run(2, old), restarts=0, made_of=MADE_OF)
    history.record_end(finished(number=3, began=NINE - timedelta(days=399)), failed=False)
    history.record_event(old, None, "old", None, {})
    assert len(await history.runs("ema", 10)) == 3
    history.record_event(NINE, None, "new", None, {})
    assert [row["run"] for row in await history.runs("ema", 10)] == [3, 2]
    assert [event["kind"] for event in await history.events(None, 10)] == ["new"]


async def test_rows_beyond_the_number_are_forgotten(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_db, "PRUNE_EVERY", 1)
    monkeypatch.setattr(history_db, "MAX_ROWS", 3)
    for number in range(1, 6):
        history.record_start("ema", run(number, NINE + timedelta(hours=number)), restarts=0, made_of=MADE_OF)
        history.record_event(NINE, None, f"kind{number}", None, {})
    assert [row["run"] for row in await history.runs("ema", 10)] == [5, 4, 3]
    assert [event["kind"] for event in await history.events(None, 10)] == ["kind3", "kind4", "kind5"]


async def test_pruning_is_rare(path: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    prunes: list[int] = []
    monkeypatch.setattr(history_rows, "prune", lambda *_args: prunes.append(1))
    for _ in range(4):
        for _ in range(400):
            history.record_event(NINE, None, "tick", None, {})
        await history.events(None, 1)
    assert len(prunes) == 2


# What goes wrong.


async def test_a_damaged_file_is_set_aside_and_begun_anew(
    path: Path, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)
    history.record_start("ema", run(), restarts=0, made_of=MADE_OF)
    assert len(await history.runs("ema", 10)) == 1
    assert path.with_name("history.db.bad-1").read_bytes().startswith(b"this is no database")
    assert "kept as history.db.bad-1" in caplog.text
    assert history.lost == 0


async def test_a_file_damaged_within_is_set_aside_and_begun_anew(path: Path) -> None:
    first = History(path)
    for number in range(500):
        first.record_event(NINE, "ema", f"kind{number}", None, {"text": "x" * 100})
    await first.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    second = History(path)
    second.record_event(NINE, "ema", "after", None, {})
    assert [event["kind"] for event in await second.events(None, 10)] == ["after"]
    await second.close()
    assert path.with_name("history.db.bad-1").exists()


async def test_one_damaged_file_does_not_bury_another(path: Path) -> None:
    path.parent.mkdir()
    for number in (1, 2):
        path.write_bytes(b"no database %d" % number * 100)
        history = History(path)
        await history.events(None, 1)
        await history.close()
        assert path.with_name(f"history.db.bad-{number}").read_bytes().startswith(b"no database %d" % number)


async def test_a_damaged_file_found_by_a_reader_is_set_aside(path: Path, history: History) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)
    assert await history.events(None, 10) == []
    assert path.with_name("history.db.bad-1").exists()


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 99", "CREATE TABLE runs (mine TEXT)"])
async def test_a_file_that_is_not_ours_is_set_aside_whole(path: Path, statement: str) -> None:
    path.parent.mkdir()
    sql(path, statement)
    history = History(path)
    history.record_event(NINE, None, "new", None, {})
    assert len(await history.events(None, 10)) == 1
    await history.close()
    aside = path.with_name("history.db.bad-1")
    assert sql(aside, "PRAGMA user_version") == [(99,)] or sql(aside, "SELECT * FROM runs") == []


async def test_a_file_deleted_under_it_is_begun_anew(path: Path, history: History) -> None:
    history.record_event(NINE, None, "before", None, {})
    await history.events(None, 10)
    for part in path.parent.iterdir():
        part.unlink()
    path.parent.rmdir()
    history.record_event(NINE, None, "after", None, {})
    assert [event["kind"] for event in await history.events(None, 10)] == ["after"]
    assert path.exists()


async def test_while_the_disk_takes_nothing_records_wait_in_order(
    path: Path, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.write_text("no folder can be made here")
    with caplog.at_level(logging.WARNING):
        history.record_event(NINE, None, "first", None, {})
        with pytest.raises(HistoryUnavailable, match="cannot read the history in"):
            await history.events(None, 10)
        history.record_event(NINE, None, "second", None, {})
        with pytest.raises(HistoryUnavailable):
            await history.events(None, 10)
        assert caplog.text.count("cannot write the history") == 1
        path.parent.unlink()
        history.record_event(NINE, None, "third", None, {})
        assert [event["kind"] for event in await history.events(None, 10)] == ["first", "second", "third"]
    assert "the history is written again: 3 records now, 0 lost so far" in caplog.text
    assert history.lost == 0


async def test_every_outage_is_told_once(
    path: Path, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    for outage in (1, 2):
        path.mkdir(parents=True, exist_ok=True)  # where the file should be
        for _ in range(2):
            history.record_event(NINE, None, "waits", None, {})
            with pytest.raises(HistoryUnavailable):
                await history.events(None, 10)
        path.rmdir()
        history.record_event(NINE, None, "comes through", None, {})
        assert len(await history.events(None, 10)) == 3
        assert caplog.text.count("cannot write the history") == outage
        path.unlink()
    assert history.lost == 0


async def test_a_locked_file_is_waited_for(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_db, "BUSY_S", 0.01)
    history.record_event(NINE, None, "first", None, {})
    await history.events(None, 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    history.record_event(NINE, None, "second", None, {})
    assert [event["kind"] for event in await history.events(None, 10)] == ["first"]
    other.close()
    history.record_event(NINE, None, "third", None, {})
    assert [event["kind"] for event in await history.events(None, 10)] == ["first", "second", "third"]


async def test_what_is_locked_is_written_later_by_itself_and_shown_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_db, "BUSY_S", 0.01)
    monkeypatch.setattr(history_module, "RETRY_S", 0.01)
    troubles = Troubles()
    history = History(path, troubles)
    await history.events(None, 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    history.record_event(NINE, None, "first", None, {})
    await until_async(troubles.problems, "it is shown")
    assert "database is locked; tried again" in troubles.problems()[0].message
    other.close()
    await until_async(lambda: not troubles.problems(), "it is over")
    assert [event["kind"] for event in await history.events(None, 10)] == ["first"]
    await history.close()


async def test_only_the_first_try_waits_for_a_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[bool] = []
    write = history_db.HistoryDatabase.write

    def counted(database: history_db.HistoryDatabase, records: list[Any], *, patient: bool) -> None:
        waits.append(patient)
        write(database, records, patient=patient)

    monkeypatch.setattr(history_db, "BUSY_S", 0.01)
    monkeypatch.setattr(history_db.HistoryDatabase, "write", counted)
    history = History(path)
    await history.events(None, 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for number in range(3):
        history.record_event(NINE, None, f"kind{number}", None, {})
        await history.events(None, 1)
    other.close()
    await history.close()
    assert waits == [True, False, False]


async def test_a_full_disk_keeps_only_so_much_in_memory(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "BACKLOG", 2)
    path.parent.write_text("no folder can be made here")
    for number in range(5):
        history.record_event(NINE, None, f"kind{number}", None, {})
        with pytest.raises(HistoryUnavailable):
            await history.events(None, 10)
    assert history.lost == 3
    path.parent.unlink()
    history.record_event(NINE, None, "last", None, {})
    assert [event["kind"] for event in await history.events(None, 10)] == ["kind3", "kind4", "last"]


async def test_a_record_that_can_never_be_written_blocks_no_later_one(
    history: History, caplog: pytest.LogCaptureFixture
) -> None:
    history.record_end(finished(code=2**80), failed=True)
    assert await history.runs("ema", 10) == []
    history.record_event(NINE, None, "after", None, {})
    assert [event["kind"] for event in await history.events(None, 10)] == ["after"]
    assert history.lost == 1
    assert "OverflowError" in caplog.text


async def test_a_batch_that_fails_leaves_no_half_of_it(history: History) -> None:
    history.record_event(NINE, None, "good", None, {})
    history.record_end(finished(code=2**80), failed=True)
    assert await history.events(None, 10) == []
    assert history.lost == 2


def test_a_full_disk_is_named_although_sqlite_has_rolled_back_by_itself(path: Path) -> None:
    database = history_db.HistoryDatabase(path)
    (pages,) = database.db.execute("PRAGMA page_count").fetchone()
    database.db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="disk is full"):
        database.write([history_rows.Happened(NINE, None, "long", None, "x" * 5000)] * 100)
    database.close()


async def test_who_asks_for_runs_is_told_that_nobody_can_read_them() -> None:
    history = Mock(runs=AsyncMock(side_effect=HistoryUnavailable("it is locked")))
    with pytest.raises(Refused, match="the history cannot be read now: it is locked"):
        await LocalHost.runs(Mock(_history=history), "ema", 5)


def test_a_file_that_is_not_ours_is_let_go_of(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    sqlite3.connect(path).execute("CREATE TABLE theirs (x)").connection.close()
    with pytest.raises(history_db.NotOurs) as why:
        history_db.HistoryDatabase(path)
    assert path not in {link.readlink() for link in Path("/proc/self/fd").iterdir() if link.exists()}
    assert why.value.__traceback__ is not None  # which keeps alive what nobody closed


async def test_what_comes_after_the_end_is_lost_and_counted(history: History) -> None:
    await history.close()
    history.record_event(NINE, None, "late", None, {})
    turn = asyncio.Event()
    asyncio.get_running_loop().call_soon(turn.set)
    await turn.wait()
    assert history.lost == 1


async def test_closing_writes_what_was_handed_over(path: Path) -> None:
    history = History(path)
    history.record_event(NINE, None, "last", None, {})
    await history.close()
    await history.close()
    assert sql(path, "SELECT kind FROM events") == [("last",)]


@pytest.mark.parametrize(
    "edit",
    [
        "began = 'yesterday'",
        "began = '2026-11-23T09:15:00'",
        "ended = '9999-12-31T23:59:59+00:00'",
        "code = 'one'",
        "duration_s = 9e999",
        "last_line = x'ff'",
    ],
)
async def test_a_row_that_somebody_edited_is_passed_over(path: Path, history: History, edit: str) -> None:
    for number in (1, 2):
        history.record_end(finished(number=number), failed=True)
    await history.runs("ema", 1)
    db = sqlite3.connect(path)
    db.execute(f"UPDATE runs SET {edit} WHERE run = 2")  # noqa: S608
    db.commit()
    db.close()
    assert [found["run"] for found in await history.runs("ema", 9)] == [1]
    history.record_end(finished(number=2), failed=True)
    assert await history.runs("ema", 9)
    assert history.lost == 0


async def test_a_log_in_a_folder_whose_name_is_no_text_is_recorded(history: History) -> None:
    history.record_end(replace(finished(), log="../\udcff/ema.log"), failed=True)
    assert [found["log"] for found in await history.runs("ema", 9)] == ["../\\udcff/ema.log"]
    assert history.lost == 0


async def test_an_event_that_somebody_edited_is_passed_over(path: Path, history: History) -> None:
    for number in (1, 2):
        history.record_event(NINE, "ema", "state", None, {"number": number})
    await history.events(None, 1)
    db = sqlite3.connect(path)
    db.execute("UPDATE events SET body = '{' WHERE id = 2")
    db.commit()
    db.close()
    assert [found["body"] for found in await history.events(None, 9)] == [{"number": 1}]
