"""Run directories that no daemon of this home would have left so: one regression test a way to go wrong."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from fuzzing import bounded
from left_runs import LeftRuns, harmless_runner, let_go, order

from stratvisor.ports import LaunchRefused, Survey
from stratvisor.runner import local, secrets, strays
from stratvisor.runner.folders import GONE, UNBORN, Key
from stratvisor.runner.local import LocalRunner
from stratvisor.runner.survey import Surveyor
from stratvisor.shim import rundir

EMA = Key("ema", 1)
ORB = Key("orb", 1)


@pytest.fixture
def left(tmp_path: Path) -> LeftRuns:
    """One of two strategies ended as it should."""
    made = LeftRuns(tmp_path)
    for key in (EMA, ORB):
        made.leave(key)
    made.end(ORB)
    return made


@pytest.fixture
def runner(left: LeftRuns, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalRunner]:
    made = harmless_runner(left.home, monkeypatch)
    yield made
    let_go(made)


def edit(left: LeftRuns, name: str, **facts: Any) -> None:
    """Of the run of ema."""
    path = left.path(EMA, name)
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def cause(survey: Survey) -> str:
    """Why nobody knows how ema ended; the other one is as it was."""
    ends = {finished.strategy: finished.exit for finished in survey.ended}
    assert ends["orb"].code == 3
    assert ends["ema"].unknown
    return ends["ema"].cause or ""


@pytest.mark.parametrize("name", [rundir.PID, rundir.SPEC, rundir.EXIT])
def test_a_fifo_in_place_of_a_file_does_not_hold_up_the_survey(
    left: LeftRuns, runner: LocalRunner, name: str
) -> None:
    left.path(EMA, name).unlink(missing_ok=True)
    os.mkfifo(left.path(EMA, name))
    with bounded():
        assert "none of stratvisor's: no file" in cause(runner.survey())


def test_a_file_without_end_is_not_read_into_memory(left: LeftRuns, runner: LocalRunner) -> None:
    os.truncate(left.path(EMA, rundir.PID), 2**36)
    with bounded():
        assert "none of stratvisor's: no file, or one of more than" in cause(runner.survey())


def test_a_file_nested_past_any_end_is_torn(left: LeftRuns, runner: LocalRunner) -> None:
    left.path(EMA, rundir.PID).write_text("[" * 100_000)
    assert "is torn" in cause(runner.survey())


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"began_ns": 10**40}, "began_ns: 1000000000000000000000000000000000000000 is beyond 64 bits"),
        ({"strategy": ["../self", 5]}, "strategy: '../self' is no int"),
        ({"shim": [2**40, 5]}, "shim: 1099511627776 is no pid"),
        ({"shim": [5]}, "shim: is no pid and start time"),
        ({"boot_id": []}, "boot_id: [] is no str"),
    ],
)
def test_a_pid_json_that_names_no_process_is_told(
    left: LeftRuns, runner: LocalRunner, facts: dict[str, Any], why: str
) -> None:
    edit(left, rundir.PID, **facts)
    assert why in cause(runner.survey())


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"code": "0"}, "code: '0' is no int"),
        ({"ended_ns": 10**40}, "is beyond 64 bits"),
        ({"stopped": "boredom"}, "'boredom' is not a valid Because"),
        ({"run": 2}, "its exit.json is of another run, 2"),
    ],
)
def test_an_exit_json_that_no_shim_wrote_is_an_unknown_end(
    left: LeftRuns, runner: LocalRunner, facts: dict[str, Any], why: str
) -> None:
    left.end(EMA, **facts)
    assert why in cause(runner.survey())


def test_a_run_of_an_earlier_boot_went_down_with_the_machine(left: LeftRuns, runner: LocalRunner) -> None:
    """Whoever has its pids now, to the tick."""
    own = rundir.identify(os.getpid())
    assert own is not None
    edit(left, rundir.PID, boot_id="of another boot", shim=own, strategy=own)
    assert "the machine went down while it ran" in cause(runner.survey())


def test_a_home_that_was_moved_knows_its_runs_by_the_lock_that_their_shims_hold(left: LeftRuns) -> None:
    edit(left, rundir.SPEC, env={"STRATVISOR_RUN": "/where/it/was:ema/1"})
    with contextlib.ExitStack() as shim:
        left.folders.lock("ema", rundir.LOCK, shim)
        left.folders.check_own(EMA)
    with pytest.raises(rundir.Unreadable, match="a copy, which nothing is done with"):
        left.folders.check_own(EMA)


def test_a_lock_is_one_holders(left: LeftRuns) -> None:
    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        left.folders.lock("ema", rundir.LOCK_STRATEGY, first)
        with pytest.raises(LaunchRefused, match="a copy of it still lives"):
            left.folders.lock("ema", rundir.LOCK_STRATEGY, second)


def test_a_launch_that_is_given_up_has_no_place_any_more_when_it_is_looked_at(
    left: LeftRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shim that comes to it later sees that, as it looks where it is."""
    left.path(EMA, rundir.PID).unlink()
    stood: list[bool] = []
    monkeypatch.setattr(os.path, "exists", lambda _path: stood.append(left.path(EMA).is_dir()))
    left.folders.remove_unborn(EMA)
    assert stood == [False]


@pytest.mark.parametrize("shim", ["at work", "just done"])
def test_a_launch_that_outlived_its_daemon_is_seen(
    left: LeftRuns, monkeypatch: pytest.MonkeyPatch, shim: str
) -> None:
    path = str(left.path(EMA, rundir.PID))
    who = rundir.must_read(path)
    Path(path).unlink()

    def born(*_arguments: object) -> bool:
        rundir.write(path, who)
        return False

    with contextlib.ExitStack() as stack:
        if shim == "at work":
            left.folders.lock("ema", rundir.LOCK, stack)
            monkeypatch.setattr("select.select", born)
        else:
            monkeypatch.setattr(left.folders, "is_held", born)
        assert Surveyor(left.folders, Mock(), Mock())._when_done(EMA, left.folders.who) == who


@pytest.mark.parametrize("name", [rundir.LOCK, rundir.LOCK_STRATEGY])
def test_no_run_begins_while_either_lock_is_held(left: LeftRuns, runner: LocalRunner, name: str) -> None:
    with contextlib.ExitStack() as holder:
        left.folders.lock("new", name, holder)
        with pytest.raises(LaunchRefused, match=f"/{name} is held"):
            runner.launch(order("new", 1))


def test_a_shim_is_replaced_in_several_tries_while_anything_of_its_run_lives(
    runner: LocalRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in few where nothing lives."""
    monkeypatch.setattr(local, "FIRST_RETRY_S", 0)
    exhausted = OSError(24, "Too many open files")
    unsure = [exhausted] + [True] * local.DEAD_TRIES
    monkeypatch.setattr(strays, "living", Mock(side_effect=unsure))
    resume = Mock(side_effect=[*([exhausted] * len(unsure)), "found"])
    monkeypatch.setattr(runner, "resume", resume)
    assert runner._resume_in_time(EMA, None, 99) == "found"  # type: ignore[comparison-overlap]
    monkeypatch.setattr(strays, "living", Mock(return_value=False))
    resume.side_effect = exhausted
    resume.reset_mock()
    with pytest.raises(OSError, match="Too many open files"):
        runner._resume_in_time(EMA, None, 99)
    assert resume.call_count == local.DEAD_TRIES


def test_no_half_of_a_removal_is_seen(left: LeftRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    removed = Mock()
    monkeypatch.setattr(shutil, "rmtree", removed)
    left.folders.remove(ORB)
    assert removed.call_args.args == (f"{left.path(ORB)}{GONE}",)
    assert list(left.folders.keys()) == [EMA]


def test_a_disk_that_takes_no_unseen_end_ends_no_survey(
    left: LeftRuns, runner: LocalRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rundir, "write", Mock(side_effect=OSError(28, "No space left on device")))
    edit(left, rundir.PID, boot_id="of another boot")
    assert "the machine went down" in cause(runner.survey())


def test_a_run_without_an_end_is_not_forgotten(left: LeftRuns, runner: LocalRunner) -> None:
    runner.forget("ema", 3000)
    runner.forget("orb", 3000)
    assert (left.path(EMA).exists(), left.path(ORB).exists()) == (True, False)


def test_where_nobody_can_look_a_run_may_live(runner: LocalRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays, "living", Mock(side_effect=OSError(24, "Too many open files")))
    assert runner._may_live(EMA)


def test_a_run_that_lives_is_held_on_to_in_several_tries(
    runner: LocalRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that cannot be is not left to live unwatched."""
    monkeypatch.setattr(local, "RETRY_S", 0)
    exhausted = OSError(24, "Too many open files")
    monkeypatch.setattr(runner, "hold", Mock(side_effect=[exhausted, rundir.Unreadable("torn"), "found"]))
    tell = Mock()
    monkeypatch.setattr(runner, "tell", tell)
    assert runner._hold_on(EMA) == "found"  # type: ignore[comparison-overlap]
    monkeypatch.setattr(runner, "hold", Mock(side_effect=exhausted))
    tell.assert_not_called()
    with pytest.raises(LaunchRefused, match=r"could not be watched and is stopped: .*Too many open files"):
        runner._hold_on(EMA)
    assert tell.call_args.args[2].stop is not None


def test_a_word_to_a_shim_that_has_not_listened_for_long_is_no_error(
    left: LeftRuns, runner: LocalRunner
) -> None:
    ctl = os.open(left.path(EMA, rundir.CTL), os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(ctl, b"!" * 4096)
    with bounded():
        runner._poke(EMA)
    os.close(ctl)


def test_nobody_listens_for_a_word(left: LeftRuns, runner: LocalRunner) -> None:
    with bounded():
        runner._poke(EMA)


def test_a_process_with_bytes_for_text_has_no_secrets_for_a_new_shim(left: LeftRuns) -> None:
    environment = {b"API_KEY": b"\xff"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as odd:
        edit(left, rundir.PID, strategy=[odd.pid, 5])
        found = list(secrets._candidates(left.folders, EMA, {"API_KEY": "API_KEY"}))
        odd.communicate(b"\n")
    assert found == []


def test_a_want_json_of_other_kinds_is_not_adopted(left: LeftRuns) -> None:
    edit(left, rundir.WANT, logs={"max_size": "10MB"})
    with pytest.raises(rundir.Unreadable, match=r"max_size: '10MB' is no int"):
        left.folders.found(EMA)


def test_a_copied_home_neither_adopts_nor_stops_the_runs_of_the_one_it_was_copied_from(
    left: LeftRuns, runner: LocalRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        there = rundir.identify(other.pid)
        assert there is not None
        original = LeftRuns(tmp_path / "original")
        original.leave(EMA, strategy=there, shim=there)
        shutil.rmtree(left.path(EMA))
        shutil.copytree(original.path(EMA), left.path(EMA), copy_function=copied)
        survey = runner.survey()
        assert [found.strategy for found in survey.live] == []
        with pytest.raises(LaunchRefused):
            runner.launch(order("ema", 2))
        monkeypatch.undo()
        assert rundir.identify(other.pid) == there
        other.communicate(b"\n")


def copied(source: str, target: str) -> None:
    """As `cp -a` does it: a FIFO is another FIFO."""
    if Path(source).is_fifo():
        os.mkfifo(target)
    else:
        shutil.copy2(source, target)


@pytest.mark.parametrize("name", ["2024", "1.gone", "007", "x.gone"])
def test_a_folder_that_somebody_else_keeps_in_run_stays(
    left: LeftRuns, runner: LocalRunner, name: str
) -> None:
    report = left.path(EMA).parent / name / "report.csv"
    report.parent.mkdir()
    report.write_text("mine")
    left.end(EMA)
    runner.survey()
    with pytest.raises(LaunchRefused):
        runner.launch(order("ema", 3000))
    runner.forget("ema", 3000)
    assert report.read_text() == "mine"


@pytest.mark.parametrize("name", ["ema/5", "my copies/1.gone"])
def test_a_run_of_elsewhere_that_is_led_to_or_kept_stays_as_it_is(
    left: LeftRuns, runner: LocalRunner, tmp_path: Path, name: str
) -> None:
    """A link to it is no run of this home; a folder that is no strategy's has no removals to finish."""
    elsewhere = LeftRuns(tmp_path / "elsewhere")
    elsewhere.leave(EMA)
    before = sorted(path.name for path in elsewhere.path(EMA).iterdir())
    there = left.home / "run" / name
    there.parent.mkdir(exist_ok=True)
    if name == "ema/5":
        there.symlink_to(elsewhere.path(EMA))
    else:
        elsewhere.path(EMA).rename(there)
    left.end(EMA)
    runner.survey()
    runner.forget("ema", 3000)
    assert sorted(path.name for path in there.iterdir()) == before


def test_a_launch_that_was_looked_at_keeps_its_place_beside_what_took_its_name(
    left: LeftRuns, runner: LocalRunner
) -> None:
    unborn = Path(f"{left.path(EMA)}{UNBORN}")
    left.path(EMA).rename(unborn)
    left.leave(EMA)
    assert "no process can be had" in cause(runner.survey())
    assert unborn.exists()


def test_a_removal_that_was_broken_off_is_finished(left: LeftRuns, runner: LocalRunner) -> None:
    left.path(EMA).rename(f"{left.path(EMA)}{GONE}")
    runner.survey()
    assert not Path(f"{left.path(EMA)}{GONE}").exists()
