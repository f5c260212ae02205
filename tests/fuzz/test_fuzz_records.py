"""state.json and history.db after any accident: the daemon comes up, and goes on with what is left."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from filing import BASE
from fuzzing import ODD_BYTES, ODD_TEXT, a_folder, bounded, damaged, damaged_json, examples
from hypothesis import given
from hypothesis import strategies as st

from stratvisor import history_rows, machine, view
from stratvisor.history import History, HistoryUnavailable
from stratvisor.kept import Kept, from_kept, to_kept
from stratvisor.last_good import LastGood
from stratvisor.ports import Finished
from stratvisor.settings import Settings
from stratvisor.spec import At, Jobs, Schedule, Spec
from stratvisor.state import (
    Agenda,
    Backoff,
    Because,
    Exit,
    Exited,
    GaveUp,
    Hold,
    Job,
    Look,
    Now,
    OperatorStart,
    PassedOver,
    Until,
    Wants,
)
from stratvisor.store import Store, StoreTooNew

if TYPE_CHECKING:
    pass

AT = datetime(2026, 11, 23, 4, tzinfo=UTC)
NOW = Now(10**12, AT)
END = Exit(3, AT, 5, code=1, cause="c", stopped=Because.WINDOW, last_line="bye")
AGENDA = Agenda(AT, Job(AT, 5), AT, PassedOver(AT, Because.LATE))
KEPT = {
    "backoff": Kept(
        Backoff(5, AT, "no disk", "key"), AT, last_run=3, streak=2, failures=(1, 2), last_exit=END
    ),
    "gave-up": Kept(GaveUp(AT, 3, "key"), AT, last_exit=END, admitted=AT),
    "held": Kept(Exited(AT), AT, Hold(Wants.DOWN, "phone", AT, Until.NEXT_WINDOW), agenda=AGENDA),
}
SCHEDULES: tuple[Schedule, ...] = (
    BASE.schedule,
    Jobs("Asia/Kolkata", At("0 16 * * mon-fri"), timeout_ns=10**12),
)


def good_state() -> Any:
    with a_folder() as folder:
        Store(folder / "state.json", "boot").save(KEPT, 41)
        return json.loads((folder / "state.json").read_bytes())


STATE = good_state()


@examples(400)
@given(
    content=damaged_json(STATE).map(lambda value: json.dumps(value).encode())
    | ODD_TEXT.map(
        lambda name: json.dumps(STATE | {"strategies": {name: STATE["strategies"]["held"]}}).encode()
    )
    | damaged([json.dumps(STATE).encode()])
    | ODD_BYTES,
    boot=st.sampled_from(["boot", "another"]),
)
def test_any_state_lets_the_daemon_come_up_and_costs_nobody_else_his_hold(content: bytes, boot: str) -> None:
    with a_folder() as folder, bounded():
        path = folder / "state.json"
        path.write_bytes(content)
        store = Store(path, boot)
        try:
            loaded = store.load()
        except StoreTooNew:
            assert path.read_bytes() == content
            return
        assert LastGood(folder).strategies(loaded.strategies, Settings(folder)) == {}
        for name, kept in loaded.strategies.items():
            for schedule in SCHEDULES:
                goes_on(Spec(name, BASE.process, schedule=schedule), kept)
        store.save(loaded.strategies, loaded.news_id + 1)
        assert store.load().strategies == loaded.strategies
        if loaded.problem:
            assert loaded.problem.isprintable()
            assert any(entry.read_bytes() == content for entry in folder.iterdir())


def goes_on(spec: Spec, kept: Kept) -> None:
    """What was loaded can be judged, shown, and kept again."""
    state = from_kept(kept)
    for event in (Look(), OperatorStart("x")):
        state, _actions = machine.step(NOW, spec, state, event)
        machine.wake_at(NOW, spec, state)
        shown = view.strategy(NOW, spec, state, view.Facts())
        assert json.loads(json.dumps(shown)) == shown
    to_kept(state)


def good_history() -> bytes:
    with a_folder() as folder:
        import asyncio

        asyncio.run(write_something(folder / "history.db"))
        database = sqlite3.connect(folder / "history.db")
        database.execute("PRAGMA journal_mode = DELETE")
        database.close()
        return (folder / "history.db").read_bytes()


async def write_something(path: Path) -> History:
    history = History(path)
    for number in range(1, 40):
        end = Exit(number, AT, 5, code=1, last_line="x" * 200)
        history.record_end(Finished("ema", end, 1, 2), failed=True)
        history.record_event(AT, "ema", "state", None, {"state": "running"})
    await history.runs("ema", 1)
    await history.close()
    return history


@st.composite
def damaged_history(draw: st.DrawFn) -> bytes:
    """Pages overwritten, cut off, doubled; the header more often than chance would."""
    content = bytearray(HISTORY)
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, 120) | st.integers(0, len(content)))
        put = draw(st.binary(min_size=1, max_size=64) | st.sampled_from([b"\0" * 5_000, b"\xff" * 5_000]))
        content[start : start + len(put)] = put
    return bytes(content[: draw(st.integers(0, len(content)) | st.just(len(content)))])


HISTORY = good_history()


@examples(80)
@given(
    content=damaged_history() | damaged([HISTORY]) | ODD_BYTES,
    journal=st.none() | st.binary(max_size=200) | damaged([HISTORY]),
)
async def test_any_history_is_read_or_said_to_be_unreadable(content: bytes, journal: bytes | None) -> None:
    with a_folder() as folder, bounded():
        path = folder / "history.db"
        path.write_bytes(content)
        if journal is not None:
            (folder / "history.db-wal").write_bytes(journal)
        for _life in range(2):
            await used(History(path))


async def used(history: History) -> None:
    """Whatever it holds, it answers or says that it cannot, and records are counted if they are lost."""
    try:
        for question in (
            history.runs("ema", 50),
            history.events(None, 50),
            history.bars(AT - timedelta(days=9999), AT + timedelta(days=9999)),
        ):
            with suppress(HistoryUnavailable):
                shown(await question)
        history.record_end(Finished("ema", END, 1, 2), failed=True)
    finally:
        await history.close()


def columns() -> list[tuple[str, str]]:
    """Of every table of the history."""
    database = sqlite3.connect(":memory:")
    database.executescript(history_rows.SCHEMA)
    tables = ("runs", "events")
    return [(table, row[1]) for table in tables for row in database.execute(f"PRAGMA table_info({table})")]


VALUES = ODD_TEXT.filter(lambda text: text.isprintable()) | st.sampled_from(
    [
        None,
        2**63 - 1,
        -1,
        1.5,
        b"\xff",
        "9999-12-31T23:59:59.999999+00:00",
        "0001-01-01T00:00:00+00:00",
        "2026-11-23",
        "nan",
        "{",
    ]
)


@examples(120)
@given(
    edits=st.lists(
        st.sampled_from(columns()).flatmap(lambda place: VALUES.map(lambda value: (*place, value))),
        min_size=1,
        max_size=3,
    )
)
async def test_a_history_that_somebody_edited_is_shown_as_far_as_it_can_be(
    edits: list[tuple[str, str, Any]],
) -> None:
    with a_folder() as folder, bounded():
        path = folder / "history.db"
        path.write_bytes(HISTORY)
        database = sqlite3.connect(path)
        for table, column, value in edits:
            with suppress(sqlite3.IntegrityError):
                database.execute(f'UPDATE {table} SET "{column}" = ? WHERE id % 2', (value,))  # noqa: S608
        database.commit()
        database.close()
        await used(History(path))


def shown(found: Any) -> None:
    """As the doors show it."""
    for row in found if isinstance(found, list) else ():
        json.dumps(view.run_json(row, ZoneInfo("Asia/Kolkata")) if "began" in row else row, allow_nan=False)
    for bar in (bar for bars in found.values() for bar in bars) if isinstance(found, dict) else ():
        assert bar.start.astimezone(ZoneInfo("Asia/Kolkata"))
        assert bar.end is None or bar.end.astimezone(ZoneInfo("Asia/Kolkata"))
