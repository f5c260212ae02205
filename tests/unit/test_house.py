"""What has to stand in the home, put back where it is gone."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from stratvisor.house import FOLDERS, House, owner
from stratvisor.troubles import Troubles


def modes(home: Path) -> dict[str, int]:
    return {name: stat.S_IMODE((home / name).stat().st_mode) for name in FOLDERS}


def test_all_is_made_with_its_rights(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        House(tmp_path, Troubles()).furnish()
    finally:
        os.umask(old)
    assert modes(tmp_path) == FOLDERS
    assert owner(tmp_path) == f" (pid {os.getpid()})"


def test_what_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    (tmp_path / "keys").mkdir(mode=0o755)
    House(tmp_path, Troubles()).furnish()
    assert modes(tmp_path)["run"] == modes(tmp_path)["keys"] == 0o700


def test_only_run_is_indispensable(tmp_path: Path) -> None:
    for name in ("keys", "log", "data"):
        (tmp_path / name).write_text("no folder")
    troubles = Troubles()
    House(tmp_path, troubles).furnish()
    assert [problem.file for problem in troubles.problems()] == ["data", "keys", "log"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run").write_text("no folder")
    with pytest.raises(OSError, match="File exists"):
        House(tmp_path / "other", troubles).furnish()


async def test_nothing_is_put_back_while_all_stands(tmp_path: Path) -> None:
    house, repaired = House(tmp_path, Troubles()), list[str]()

    async def repair() -> None:
        repaired.append("run")

    house.furnish()
    house.when_lost(repair)
    await house.look()
    assert repaired == []
    shutil.rmtree(tmp_path / "log")
    await house.look()
    assert (repaired, (tmp_path / "log").is_dir()) == ([], True)
    shutil.rmtree(tmp_path / "run")
    await house.look()
    assert repaired == ["run"]
    await house.look()
    assert repaired == ["run"]


async def test_what_could_not_be_put_back_is_tried_again(tmp_path: Path) -> None:
    troubles = Troubles()
    house, tries = House(tmp_path, troubles), list[int]()

    async def repair() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError(28, "No space left on device")

    house.furnish()
    house.when_lost(repair)
    shutil.rmtree(tmp_path / "run")
    await house.look()
    assert "No space left" in (troubles.grave() or "")
    await house.look()
    assert (len(tries), troubles.grave()) == (2, None)
