"""Sees from outside what may not be while a chaos run goes on, and raises at once.

A look at /proc takes its time: two runs of one strategy in it need not have lived together. So who looks
like a second copy is looked at once more, and only if both are still the same processes it is one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cast import CAST, is_inside_window
from stage import Run, Stage, is_well, now_ns

from stratvisor.shim import rundir

SECOND_NS = 1_000_000_000
OUTSIDE_NS = 30 * SECOND_NS
"""How long a strategy may be seen outside its window while somebody lives who could stop it."""


class Violation(Exception):  # noqa: N818  what a chaos run is for
    """A promise was broken; the text says which, and how that was seen."""


class Bystanders:
    """Processes that look like the host's own in one way or another, and that nobody may signal."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "bystanders"
        self._folder.mkdir()
        marks: tuple[dict[str, str], ...] = (
            {},
            {"STRATVISOR_RUN": f"{home}x:steady_one/1"},
            {"STRATVISOR_RUN": "elsewhere:steady_one/1"},
        )
        self._processes = [self._start(name, mark) for name, mark in enumerate(marks)]

    def _start(self, name: int, mark: dict[str, str]) -> subprocess.Popen[bytes]:
        path = Path(__file__).parent / "bystander.py"
        return subprocess.Popen(
            [sys.executable, str(path), str(self._folder / str(name))], env=os.environ | mark
        )

    @property
    def pids(self) -> set[int]:
        """All of them."""
        return {one.pid for one in self._processes}

    def look(self) -> None:
        """Raises where one is gone or has heard a signal."""
        for one in self._processes:
            if one.poll() is not None:
                raise Violation(f"a bystander, pid {one.pid}, was ended: {one.returncode}")
        for path in self._folder.iterdir():
            if path.read_text("ascii") not in {"", "here\n"}:
                raise Violation(f"bystander {path.name} was signalled: {path.read_text('ascii')}")

    def close(self) -> None:
        """End them."""
        for one in self._processes:
            one.kill()
            one.wait()


class Witness:
    """What was seen so far."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.bystanders = Bystanders(stage.home)
        self.looks = 0
        self.most_copies = 0
        """Of any strategy at any time."""
        self.seen: set[Run] = set()
        self._outside_since: dict[str, int] = {}

    def look(self) -> dict[Run, list[rundir.Identity]]:
        """One look at everything that can be seen at once."""
        living = self._stage.living()
        self.looks += 1
        self.seen |= living.keys()
        self._count_copies(living)
        self._look_for_doubles()
        self._look_outside_windows(living)
        self.bystanders.look()
        return living

    def _count_copies(self, living: dict[Run, list[rundir.Identity]]) -> None:
        runs: dict[str, list[Run]] = {}
        for run in living:
            runs.setdefault(run.strategy, []).append(run)
        for strategy, together in runs.items():
            sure = [run for run in together if len(together) == 1 or any(map(_lives, living[run]))]
            self.most_copies = max(self.most_copies, len(sure))
            if len(sure) > 1:
                raise Violation(
                    f"{len(sure)} copies of {strategy} live: {[living[run] for run in sure]}, {sure}"
                )

    def _look_for_doubles(self) -> None:
        for role in CAST:
            doubles = self._stage.home / "data" / role.name / "doubles"
            if doubles.exists():
                raise Violation(f"a copy of {role.name} met another: {doubles.read_text('ascii')}")

    def _look_outside_windows(self, living: dict[Run, list[rundir.Identity]]) -> None:
        """By the home's clock; the time counts only while the daemon or the shim is there to act."""
        outside = not is_inside_window(self._stage.wall_s())
        for role in CAST:
            if not role.by_window:
                continue
            runs = [run for run in living if run.strategy == role.name]
            if not (outside and runs and self._somebody_could_act(runs[0])):
                self._outside_since.pop(role.name, None)
                continue
            since_ns = self._outside_since.setdefault(role.name, now_ns())
            if now_ns() - since_ns > OUTSIDE_NS:
                raise Violation(f"{role.name} lives outside its window: {runs}")

    def _somebody_could_act(self, run: Run) -> bool:
        """A shim that is stopped keeps everybody waiting; for one that is dead, the daemon makes another."""
        people = self._stage.people_of(run)
        if people is None or not _lives(people[0]):
            return self._stage.daemon_is_well()
        return is_well(people[0].pid)


def _lives(who: rundir.Identity) -> bool:
    return rundir.identify(who.pid) == who
