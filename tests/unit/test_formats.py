"""What a stratvisor of an earlier day wrote is read for ever: samples captured from real runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stratvisor.clock import SystemClock
from stratvisor.runner.folders import Folders, Key
from stratvisor.shim import rundir
from stratvisor.state import Because, Wants
from stratvisor.store import Store

FIXTURES = Path(__file__).parent.parent / "fixtures"
KEY = Key("ema", 1)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    folder = tmp_path / "run" / "ema" / "1"
    folder.parent.mkdir(parents=True)
    shutil.copytree(FIXTURES / "format_1", folder)
    return Folders(tmp_path, SystemClock())


def test_a_live_run_of_level_1_can_be_adopted(folders: Folders) -> None:
    found, shim, *_ = folders.found(KEY)
    assert (found.run.number, found.run.pid, shim) == (1, 32215, rundir.Identity(32214, 1442379))
    assert found.run.began.isoformat() == "2026-11-23T05:28:36.840276+00:00"
    assert found.run.told.stop is not None
    assert found.run.told.stop.because is Because.HELD
    assert found.run.told.logs.keep_total == 500_000_000
    assert folders.too_new(KEY) is None


def test_an_end_of_level_1_is_known(folders: Folders) -> None:
    finished = folders.end(KEY)
    assert finished is not None
    assert (finished.exit.signal, finished.exit.stopped) == (15, Because.HELD)
    assert (finished.exit.last_line, finished.peak_memory) == ("line 15", 12_177_408)


def test_a_state_json_of_level_1_holds_what_it_held() -> None:
    path = FIXTURES / "format_1" / "state.json"
    loaded = Store(path, "another boot").load()
    assert loaded.problem is None
    hold = loaded.strategies["ema"].hold
    assert hold is not None
    assert (hold.wants, hold.by, loaded.news_id) == (Wants.DOWN, "uid 0", 4)


@pytest.mark.parametrize("name", ["spec.json", "want.json", "pid.json"])
def test_a_newer_level_is_named_and_judged_by_nobody(folders: Folders, name: str) -> None:
    path = Path(folders.path(KEY, name))
    path.write_text(path.read_text().replace('{"format":1', '{"format":2'))
    why = folders.too_new(KEY)
    assert why is not None
    assert f"{name} was made by a newer stratvisor (format 2, not 1)" in why
