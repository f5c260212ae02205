"""state.json: whole or not at all, and nothing of it ever thrown away."""

from __future__ import annotations

import json
import os
import shutil
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from stratvisor.kept import Kept
from stratvisor.state import Backoff, Hold, Idle, Until, Wants
from stratvisor.store import Loaded, Lost, Store, StoreTooNew

if TYPE_CHECKING:
    from pathlib import Path

INSTANT = datetime(2026, 11, 23, 3, 45, tzinfo=UTC)
HELD = Kept(hold=Hold(Wants.DOWN, "phone", INSTANT, Until.OPERATOR), last_run=7, failures=(1, 2))
WAITING = Kept(Backoff(5, INSTANT, None), INSTANT, last_run=3, streak=2, failures=(4,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "state.json"


@pytest.fixture
def store(path: Path) -> Store:
    return Store(path, "boot-a")


def test_nothing_saved_is_nothing_loaded(store: Store) -> None:
    assert store.load() == Loaded()


def test_what_was_saved_is_loaded(store: Store) -> None:
    store.save({"ema": HELD, "orb": WAITING}, news_id=41)
    assert store.load() == Loaded({"ema": HELD, "orb": WAITING}, 41, "boot-a")


def test_a_save_replaces_the_one_before(store: Store) -> None:
    store.save({"ema": HELD}, news_id=1)
    store.save({"orb": WAITING}, news_id=2)
    assert store.load() == Loaded({"orb": WAITING}, 2, "boot-a")


def test_after_a_boot_instants_of_the_last_one_are_dropped(path: Path, store: Store) -> None:
    store.save({"ema": HELD, "orb": WAITING}, news_id=41)
    loaded = Store(path, "boot-b").load()
    assert loaded.boot_id == "boot-a"
    assert loaded.strategies["ema"].hold == HELD.hold
    assert (loaded.strategies["ema"].failures, loaded.strategies["orb"].failures) == ((), ())
    assert loaded.strategies["orb"].phase == Idle()


def test_only_the_owner_may_read_it(path: Path, store: Store) -> None:
    old = os.umask(0)
    try:
        store.save({}, news_id=0)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_save_leaves_nothing_beside_it(path: Path, store: Store) -> None:
    store.save({"ema": HELD}, news_id=1)
    store.save({"ema": HELD}, news_id=2)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["state.json", "state.json.copy"]


def test_a_save_that_fails_leaves_the_last_one(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save({"ema": HELD}, news_id=1)
    path.with_name("state.json.new").mkdir()  # the draft cannot be written
    with pytest.raises(OSError, match=r"state\.json\.new"):
        store.save({}, news_id=2)
    assert store.load() == Loaded({"ema": HELD}, 1, "boot-a")


def test_a_draft_of_a_daemon_that_died_is_no_news(path: Path, store: Store) -> None:
    store.save({"ema": HELD}, news_id=1)
    path.with_name("state.json.new").write_text('{"level": 1, "strat')
    assert store.load().problem is None
    store.save({"orb": WAITING}, news_id=2)
    assert store.load() == Loaded({"orb": WAITING}, 2, "boot-a")


def test_what_is_saved_is_synced_before_it_gets_its_name(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order in which a power cut is survived: content, name, folder."""
    real = os.fsync
    steps: list[str] = []

    def fsync(fd: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "content"
        steps.append(f"{kind} synced, named: {path.exists()}")
        assert os.fstat(fd).st_size > 0  # what waits in this process for a flush is not synced
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    store.save({"ema": HELD}, news_id=1)
    assert steps[:2] == ["content synced, named: False", "folder synced, named: True"]
    assert len(steps) == 4  # the same for the copy


# Damage.


def saved(store: Store, path: Path) -> bytes:
    """What a save wrote, without its copy."""
    store.save({"ema": HELD}, news_id=41)
    copy_of(path).unlink()
    return path.read_bytes()


def copy_of(path: Path) -> Path:
    return path.with_name("state.json.copy")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 4096,
        b"\xff\xfe garbage",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"level": "1", "boot_id": "boot-a", "news_id": 1, "strategies": {}}',
        b'{"level": 1, "boot_id": null, "news_id": 1, "strategies": {}}',
        b'{"level": 1, "boot_id": "boot-a", "news_id": 1.5, "strategies": {}}',
        b'{"level": 1, "boot_id": "boot-a", "news_id": 1, "strategies": []}',
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_file_of_garbage_is_set_aside_and_told(path: Path, store: Store, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    loaded = store.load()
    assert loaded.strategies == {}
    assert loaded.problem is not None
    assert "state.json.bad-1" in loaded.problem
    assert path.with_name("state.json.bad-1").read_bytes() == content
    assert loaded.lost.all
    assert "ema" in store.load().lost  # a daemon that dies before it has saved is not taken for the first
    store.save({"ema": HELD}, news_id=1)
    assert path.with_name("state.json.bad-1").read_bytes() == content


def test_a_file_torn_anywhere_is_set_aside_and_told(path: Path, store: Store) -> None:
    whole = saved(store, path).rstrip()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        loaded = store.load()
        assert loaded.problem is not None
        assert loaded.lost.all
    assert len(list(path.parent.glob("state.json.bad-*"))) == len(range(0, len(whole), 7))


def test_one_bad_file_does_not_bury_another(path: Path, store: Store) -> None:
    path.parent.mkdir()
    for content in ("first", "second"):
        path.write_text(content)
        store.load()
        path.unlink()
    assert path.with_name("state.json.bad-1").read_text() == "first"
    assert path.with_name("state.json.bad-2").read_text() == "second"


def test_a_damaged_entry_costs_no_other_its_hold(path: Path, store: Store) -> None:
    store.save({"ema": HELD, "orb": WAITING, "eod": Kept()}, news_id=41)
    content = json.loads(path.read_bytes())
    content["strategies"]["orb"]["streak"] = "two"
    content["strategies"]["eod"] = 5
    path.write_text(json.dumps(content))
    copy_of(path).unlink()
    loaded = store.load()
    assert loaded.strategies == {"ema": HELD}
    assert loaded.lost == Lost(frozenset({"orb", "eod"}))
    assert loaded.news_id == 41
    assert loaded.problem is not None
    assert "orb: streak: 'two' is no int" in loaded.problem
    assert "eod: entry: 5 is no dict" in loaded.problem
    assert json.loads(path.with_name("state.json.bad-1").read_bytes()) == content


def test_what_cannot_be_read_at_all_is_told(path: Path, store: Store) -> None:
    path.mkdir(parents=True)
    loaded = store.load()
    assert loaded.problem is not None
    assert "Is a directory" in loaded.problem
    assert path.with_name("state.json.bad-1").is_dir()


def test_what_cannot_even_be_set_aside_is_told(path: Path, store: Store, tmp_path: Path) -> None:
    path.parent.write_text("run/ is a file here")
    loaded = store.load()
    assert loaded.problem is not None
    assert "cannot set it aside" in loaded.problem


def test_a_file_of_a_newer_stratvisor_is_refused_and_untouched(path: Path, store: Store) -> None:
    path.parent.mkdir()
    path.write_text('{"level": 2, "all": "else is new"}')
    with pytest.raises(StoreTooNew, match=r"made by a newer stratvisor.*upgrade"):
        store.load()
    assert path.read_text() == '{"level": 2, "all": "else is new"}'


def test_a_run_folder_that_was_cleaned_away_is_made_again(path: Path, store: Store) -> None:
    store.save({"ema": HELD}, news_id=1)
    shutil.rmtree(path.parent)
    store.save({"ema": HELD}, news_id=2)
    assert store.load() == Loaded({"ema": HELD}, 2, "boot-a")


# The copy.


def test_the_copy_is_taken_where_the_file_is_damaged_or_gone(path: Path, store: Store) -> None:
    store.save({"ema": HELD}, news_id=41)
    path.write_bytes(b"torn")
    loaded = store.load()
    assert (loaded.strategies, loaded.lost) == ({"ema": HELD}, Lost())
    assert loaded.problem is not None
    path.unlink()
    assert store.load() == Loaded({"ema": HELD}, 41, "boot-a")


@pytest.mark.parametrize("name", ["", "\0", "../ema", "all of them"])
def test_an_entry_under_a_name_that_is_no_id_is_damage(path: Path, store: Store, name: str) -> None:
    store.save({"ema": HELD}, news_id=41)
    content = json.loads(path.read_bytes())
    content["strategies"][name] = content["strategies"]["ema"]
    path.write_text(json.dumps(content))
    copy_of(path).unlink()
    loaded = store.load()
    assert loaded.strategies == {"ema": HELD}
    assert loaded.problem is not None
    assert "no strategy has such an id" in loaded.problem
    assert loaded.problem.isprintable()


def test_a_damaged_entry_is_taken_from_the_copy(path: Path, store: Store) -> None:
    store.save({"ema": HELD, "orb": WAITING}, news_id=41)
    content = json.loads(path.read_bytes())
    content["strategies"]["ema"]["hold"] = "down"
    path.write_text(json.dumps(content))
    loaded = store.load()
    assert (loaded.strategies, loaded.lost) == ({"ema": HELD, "orb": WAITING}, Lost())


def test_an_older_file_that_was_put_in_its_place_does_not_count(path: Path, store: Store) -> None:
    store.save({}, news_id=3)
    older = path.read_bytes()
    store.save({"ema": HELD}, news_id=4)
    path.write_bytes(older)
    assert store.load() == Loaded({"ema": HELD}, 4, "boot-a")


def test_a_copy_that_was_not_written_any_more_does_not_count(path: Path, store: Store) -> None:
    store.save({}, news_id=3)
    older = path.read_bytes()
    store.save({"ema": HELD}, news_id=3)
    copy_of(path).write_bytes(older)
    assert store.load() == Loaded({"ema": HELD}, 3, "boot-a")


def test_a_copy_of_a_newer_stratvisor_is_refused(path: Path, store: Store) -> None:
    store.save({}, news_id=3)
    store.check()
    copy_of(path).write_text('{"level": 2}')
    with pytest.raises(StoreTooNew):
        store.load()
    with pytest.raises(StoreTooNew):
        store.check()
