"""Run directories that are torn, foreign, or no directories: each harms its own strategy at most.

The survey of a new daemon neither fails nor hangs, signals nobody, and removes nothing that is not its
own; and whatever it makes of them can be judged, shown and recorded.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filing import BASE
from fuzzing import ODD_BYTES, a_folder, bounded, damaged, damaged_json, examples
from hypothesis import given
from hypothesis import strategies as st
from left_runs import CLOCK, NOBODY, LeftRuns, harmless_runner, let_go, order

from stratvisor import history_rows, machine, view
from stratvisor.kept import kept_from_json, kept_to_json, to_kept
from stratvisor.ports import LaunchRefused, Survey
from stratvisor.provenance import MadeOf
from stratvisor.runner.codec import want_from_json, want_to_json
from stratvisor.runner.folders import Key
from stratvisor.runner.local import LocalRunner
from stratvisor.shim import rundir
from stratvisor.spec import Spec
from stratvisor.state import Ended, Event, Launched, State

if TYPE_CHECKING:
    from collections.abc import Iterator

FACTS = (rundir.SPEC, rundir.WANT, rundir.PID, rundir.EXIT)
OTHERS = (rundir.OUT, rundir.CTL, rundir.READY, rundir.EXIT_TMP)
VICTIMS = ("ema", "orb", "fin")
HEALTHY = "sound"


@dataclass(frozen=True)
class Fate:
    """What became of one file of one run."""

    run: Key
    file: str
    how: str
    content: Any


def good() -> dict[str, Any]:
    """The files of ema/2, with a home that is called /HOME."""
    with a_folder() as folder:
        left = LeftRuns(folder)
        left.leave(Key("ema", 2))
        left.end(Key("ema", 2))
        texts = {name: left.path(Key("ema", 2), name).read_text() for name in FACTS}
        return {name: json.loads(text.replace(str(folder), "/HOME")) for name, text in texts.items()}


GOOD = good()


@st.composite
def fates(draw: st.DrawFn) -> Fate:
    file = draw(st.sampled_from([*FACTS, *FACTS, *OTHERS]))
    hows = ["json", "json", "json", "level"] if file in FACTS else []
    how = draw(st.sampled_from([*hows, "bytes", "missing", "thing"]))
    content = {
        "json": damaged_json(GOOD.get(file)),
        "level": st.sampled_from([0, -1, 2, 999, 2**70, True, "1", None, 1.0]),
        "bytes": damaged([json.dumps(GOOD.get(file)).encode()]) | ODD_BYTES,
        "missing": st.none(),
        "thing": st.sampled_from(["folder", "fifo", "file", "link", "loop", "huge", "full"]),
    }[how]
    return Fate(Key(draw(st.sampled_from(VICTIMS)), draw(st.integers(1, 2))), file, how, draw(content))


FOLDER_NAMES = st.sampled_from(
    [
        "0",
        "007",
        "2024",
        "-1",
        "1.gone",
        "x.gone",
        "1.gone.gone",
        "²",
        "٣",
        "lock",
        "lock.strategy",
        "conf.yaml",
    ]
) | st.sampled_from(["9" * 30, "9" * 200, "notes"])


class House:
    """A home with runs of some strategies, of which one stays sound, and a file that is nobody's to touch.

    The process that `orb` is said to be lives, and the one that is said to be the shim of `fin`.
    """

    def __init__(self, home: Path, process: rundir.Identity) -> None:
        self.home = home
        self.left = LeftRuns(home)
        self.foreign = home / "foreign" / "1" / "report.csv"
        self.foreign.parent.mkdir(parents=True)
        self.foreign.write_text("mine")
        for strategy in (*VICTIMS, HEALTHY):
            for number in (1, 2):
                key = Key(strategy, number)
                self.left.leave(
                    key, process if strategy == "orb" else NOBODY, process if strategy == "fin" else NOBODY
                )
                if strategy == HEALTHY or number == 1:
                    self.left.end(key)

    def befall(self, fate: Fate) -> None:
        """Let it happen."""
        path = self.left.path(fate.run, fate.file)
        if path.is_dir() and not path.is_symlink():
            return
        path.unlink(missing_ok=True)
        if fate.how in {"json", "level"}:
            content = {**GOOD[fate.file], "format": fate.content} if fate.how == "level" else fate.content
            path.write_text(json.dumps(content).replace("/HOME", str(self.home)))
        elif fate.how == "bytes":
            path.write_bytes(fate.content)
        elif fate.how == "thing":
            self.put(path, fate.content)

    def put(self, path: Path, thing: str) -> None:
        """Something that is no file, or no small one."""
        match thing:
            case "folder":
                path.mkdir()
            case "fifo":
                os.mkfifo(path)
            case "link":
                path.symlink_to(self.foreign)
            case "loop":
                path.symlink_to(path)
            case "huge":
                path.touch()
                os.truncate(path, 2**36)
            case "full":
                path.write_bytes(b"[" * 3_000_000)
            case _:
                path.write_text("{}")


@pytest.fixture(scope="module")
def process() -> Iterator[rundir.Identity]:
    """One that lives, and goes on to do so."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    foreign = rundir.identify(child.pid)
    assert foreign is not None
    yield foreign
    assert rundir.identify(child.pid) == foreign
    child.communicate(b"\n")


@examples(80)
@given(happened=st.lists(fates(), min_size=1, max_size=4), names=st.lists(FOLDER_NAMES, max_size=2))
def test_any_run_directory_harms_its_own_strategy_at_most(
    process: rundir.Identity, happened: list[Fate], names: list[str]
) -> None:
    with a_folder() as folder, pytest.MonkeyPatch.context() as patch:
        house = House(folder, process)
        for fate in happened:
            house.befall(fate)
        for name in names:
            foreign_folder(house.home / "run" / "ema" / name)
        for _life in range(2):
            survey_and_launch(harmless_runner(house.home, patch))
        assert house.foreign.read_text() == "mine"
        for name in names:
            assert (house.home / "run" / "ema" / name / "report.csv").exists()


def survey_and_launch(runner: LocalRunner) -> None:
    """What the life of a daemon has to do with run directories; no process can be had for the launches."""
    try:
        with bounded():
            accounted(runner.survey())
            for strategy in VICTIMS:
                with pytest.raises(LaunchRefused):
                    runner.launch(order(strategy, 3))
                runner.forget(strategy, 3)
    finally:
        let_go(runner)


def foreign_folder(path: Path) -> None:
    with suppress(FileExistsError):
        path.mkdir()
    if path.is_dir():
        (path / "report.csv").write_text("mine")


def accounted(survey: Survey) -> None:
    """All is judged, shown and recorded; of the healthy strategy what happened."""
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    database.executescript(history_rows.SCHEMA)
    for finished in survey.ended:
        judged(finished.strategy, Ended(finished.exit))
        history_rows.write(database, history_rows.RunEnded(finished, failed=True))
    for found in survey.live:
        judged(found.strategy, Launched(found.run))
        made_of = MadeOf(None, None, None)
        history_rows.write(database, history_rows.RunBegan(found.strategy, found.run, 0, made_of, found.log))
        assert want_from_json(want_to_json(found.run.told)) == found.run.told
    for name in (HEALTHY, *VICTIMS):
        rows = history_rows.runs(database, name, 10)
        assert json.loads(json.dumps(rows)) == rows
    told = {finished.exit.run: finished for finished in survey.ended if finished.strategy == HEALTHY}
    assert {number: finished.exit.code for number, finished in told.items()} == {1: 3, 2: 3}


def judged(strategy: str, event: Event) -> None:
    now = CLOCK.now()
    spec = Spec(strategy, BASE.process)
    state, _actions = machine.step(now, spec, State(last_run=2), event)
    machine.wake_at(now, spec, state)
    shown = view.strategy(now, spec, state, view.Facts())
    assert json.loads(json.dumps(shown)) == shown
    kept = to_kept(state)
    assert kept_from_json(json.loads(json.dumps(kept_to_json(kept)))) == kept
