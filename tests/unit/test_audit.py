"""log/audit.jsonl on a real disk: written before it is told, and going on after crashes and cuts."""

from __future__ import annotations

import json
import logging
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from stratvisor import audit, trail
from stratvisor.audit import Audit, Change, read_head

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 11, 23, 6, 12, 10, tzinfo=UTC)


def change(what: str) -> Change:
    return Change(AT, "token 'phone'", "192.0.2.7", what, "ema", {"state": "running"}, {"state": "stopping"})


async def write(home: Path, *whats: str) -> None:
    one = Audit(home)
    for what in whats:
        await one.record(change(what))
    await one.close()


def lines(home: Path) -> list[bytes]:
    return (home / audit.FILE).read_bytes().splitlines(keepends=True)


def records(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(home)]


def findings(home: Path) -> tuple[str, ...]:
    return trail.check(lines(home), read_head(home / audit.HEAD)).findings


async def test_a_change_is_on_disk_once_its_future_is_done(tmp_path: Path) -> None:
    one = Audit(tmp_path)
    await one.record(change("stop"))
    (record,) = records(tmp_path)
    assert {key: record[key] for key in list(record)[:8]} == {
        "n": 1,
        "at": "2026-11-23T06:12:10.000+00:00",
        "who": "token 'phone'",
        "where": "192.0.2.7",
        "what": "stop",
        "strategy": "ema",
        "before": {"state": "running"},
        "after": {"state": "stopping"},
    }
    assert stat.S_IMODE((tmp_path / audit.FILE).stat().st_mode) == 0o600
    assert findings(tmp_path) == ()
    await one.close()


async def test_many_at_once_are_one_write_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    one = Audit(tmp_path)
    for number in range(500):
        one.record(change(str(number)))
    await one.close()
    assert [record["what"] for record in records(tmp_path)] == [str(number) for number in range(500)]
    assert len(synced) == 1
    assert findings(tmp_path) == ()


async def test_the_chain_goes_on_over_daemons(tmp_path: Path) -> None:
    await write(tmp_path, "a", "b")
    await write(tmp_path, "c")
    assert [record["n"] for record in records(tmp_path)] == [1, 2, 3]
    assert findings(tmp_path) == ()


async def test_a_line_torn_by_a_crash_is_dropped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await write(tmp_path, "a", "b")
    path = tmp_path / audit.FILE
    whole = path.read_bytes()
    for torn in (b'{"n":3,"at":"2026', b"x" * 200_000):
        path.write_bytes(whole + torn)
        caplog.clear()
        await write(tmp_path, "c")
        assert "torn by a crash" in caplog.text
        assert [record["what"] for record in records(tmp_path)] == ["a", "b", "c"]
        assert findings(tmp_path) == ()
        path.write_bytes(whole)
        (tmp_path / audit.HEAD).write_text(trail.head_text(trail.check(whole.splitlines(keepends=True)).head))


async def test_a_file_that_is_one_torn_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / audit.FILE).write_bytes(b'{"n":1')
    await write(tmp_path, "a")
    assert [record["n"] for record in records(tmp_path)] == [1]


async def test_a_crash_before_the_head_was_kept_is_no_finding(tmp_path: Path) -> None:
    await write(tmp_path, "a")
    head = (tmp_path / audit.HEAD).read_text()
    await write(tmp_path, "b")
    (tmp_path / audit.HEAD).write_text(head)
    assert findings(tmp_path) == ()
    await write(tmp_path, "c")
    assert [record["n"] for record in records(tmp_path)] == [1, 2, 3]
    assert findings(tmp_path) == ()


async def test_a_cut_end_is_said_at_the_start_and_stays_visible(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await write(tmp_path, "a", "b", "c")
    (tmp_path / audit.FILE).write_bytes(b"".join(lines(tmp_path)[:1]))
    await write(tmp_path, "d")
    assert "the end was cut off" in caplog.text
    assert [record["n"] for record in records(tmp_path)] == [1, 4]
    assert len(findings(tmp_path)) == 1


async def test_a_file_taken_from_under_a_living_daemon(tmp_path: Path) -> None:
    """`git clean -fdx` does it."""
    one = Audit(tmp_path)
    await one.record(change("a"))
    (tmp_path / audit.FILE).unlink()
    (tmp_path / "log").rmdir()
    await one.record(change("b"))
    await one.close()
    assert [record["n"] for record in records(tmp_path)] == [2]
    assert findings(tmp_path) == ("line 1, record 2: what came before it is missing",)


async def test_a_disk_that_takes_nothing_costs_records_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = Audit(tmp_path)
    await one.record(change("a"))
    write_all = os.write

    def half(descriptor: int, text: bytes) -> int:
        if not taken:
            taken.append(write_all(descriptor, text[: len(text) // 2]))
            return taken[0]
        raise OSError(28, "No space left on device")

    taken: list[int] = []
    monkeypatch.setattr(os, "write", half)
    await one.record(change("lost"))
    await one.record(change("lost too"))
    monkeypatch.undo()
    await one.record(change("b"))
    await one.close()
    assert "cannot write" in caplog.text
    assert [(record["what"], record.get("lost")) for record in records(tmp_path)] == [("a", None), ("b", 2)]
    assert findings(tmp_path) == ()


async def test_a_link_is_not_written_through(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "log").mkdir()
    target = tmp_path / "elsewhere"
    target.touch()
    (tmp_path / audit.FILE).symlink_to(target)
    await write(tmp_path, "a")
    assert target.read_bytes() == b""
    assert logging.ERROR in [record.levelno for record in caplog.records]


@pytest.mark.parametrize("content", [b"", b"\xff", b"nonsense"])
async def test_a_damaged_head_is_as_none(tmp_path: Path, content: bytes) -> None:
    await write(tmp_path, "a")
    (tmp_path / audit.HEAD).write_bytes(content)
    assert read_head(tmp_path / audit.HEAD) is None
    await write(tmp_path, "b")
    assert findings(tmp_path) == ()
