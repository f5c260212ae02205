"""The files of a run directory, at their limits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from waiting import alive, until

from stratvisor.shim import rundir


def test_an_exit_json_never_outgrows_its_room_and_has_no_tail_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk may have no room beyond: then the cause is lost, and never the code."""
    monkeypatch.chdir(tmp_path)
    rundir.reserve(str(tmp_path))
    assert (tmp_path / rundir.EXIT_TMP).stat().st_blocks * 512 >= rundir.EXIT_SIZE
    rundir.write_exit({"code": 7, "cause": "x" * rundir.EXIT_SIZE, "last_line": "bye"})
    path = tmp_path / rundir.EXIT
    assert path.stat().st_size < 100
    assert rundir.must_read(str(path))["code"] == 7


def test_a_file_stands_until_its_successor_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / rundir.WANT)
    rundir.write(path, {"stop": None})
    with monkeypatch.context() as disk:
        disk.setattr(rundir, "encode", Mock(side_effect=OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            rundir.write(path, {"stop": 1})
    assert rundir.must_read(path)["stop"] is None


def test_a_zombie_is_nobody_whose_end_can_be_asked_for() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as child:
        until(lambda: not alive(child.pid), "it has ended")
        assert rundir.identify(child.pid) is None
        assert rundir.identify_dead_or_alive(child.pid) is not None


@pytest.mark.parametrize("text", ['{"code": 7}', '{"format": "1"}', "[1]", '"text"'])
def test_a_file_without_a_level_is_none_of_ours(tmp_path: Path, text: str) -> None:
    path = tmp_path / rundir.PID
    path.write_text(text)
    with pytest.raises(rundir.Unreadable, match="no format level"):
        rundir.read(str(path))


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / rundir.PID
    path.symlink_to(path)
    with pytest.raises(rundir.Unreadable, match="Too many levels of symbolic links"):
        rundir.read(str(path))


def test_a_word_for_a_daemon_that_is_gone_is_no_error() -> None:
    heard, said = os.pipe()
    os.close(heard)
    rundir.say_why(said, "no process to be had")
    os.close(said)


@pytest.mark.parametrize("number", sorted(rundir.EXHAUSTED))
def test_what_the_machine_has_run_out_of_says_nothing_about_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "open", Mock(side_effect=OSError(number, "it passes")))
    with pytest.raises(OSError, match="it passes"):
        rundir.read(str(tmp_path / rundir.PID))
