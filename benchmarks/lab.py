"""Where measurements are made: the folder, the subjects, how much of each, and the findings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from findings import Findings
from host import NotAnswering
from host_circus import Circus
from host_stratvisor import Stratvisor
from host_supervisor import Supervisor
from instance import Instance
from peers import Peers
from post import TooLate
from processes import end_all
from programs import Scripts

if TYPE_CHECKING:
    from host import Host
    from programs import Program


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured, and how often."""

    strategies: int = 100
    few: int = 20
    rounds: int = 3
    crash_s: float = 25.0
    idle_s: float = 20.0
    flood_bytes: int = 200_000_000


QUICK = Effort(rounds=1, crash_s=10.0, idle_s=5.0, flood_bytes=50_000_000)


@dataclass(slots=True)
class Lab:
    """One run of the benchmark."""

    folder: Path
    peers: Peers | None
    effort: Effort
    scripts: Scripts = field(init=False)
    findings: Findings = field(default_factory=Findings)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.scripts = Scripts(self.folder)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who is measured."""
        return ("stratvisor",) if self.peers is None else ("stratvisor", "supervisor", "circus")

    @contextmanager
    def instances(self, *subjects: str) -> Iterator[dict[str, Instance]]:
        """An instance of each, not started; afterwards every process that was started is ended.

        Their files stay until the end of all: ext4 is slow to make files where many were just deleted.
        """
        made = {subject: Instance(self._new_folder(), self._maker(subject)) for subject in subjects}
        try:
            yield made
        finally:
            end_all()
            for instance in made.values():
                instance.close()

    @contextmanager
    def excusing(self, subject: str, what: str) -> Iterator[None]:
        """A subject that does not get through a measurement goes without a figure there."""
        try:
            yield
        except (TooLate, NotAnswering, OSError) as failure:
            self.findings.failures.append(f"{subject}, {what}: {failure}")

    def sleepers(self, instance: Instance, count: int) -> list[Program]:
        """So many programs that only say that they are there."""
        return [self.scripts.sleeper(instance.post.path, f"s{number:04d}") for number in range(count)]

    def _new_folder(self) -> Path:
        return self.folder / str(next(self._numbers))

    def _maker(self, subject: str) -> type[Stratvisor] | _WithPeers:
        match subject:
            case "supervisor":
                return _WithPeers(Supervisor, self.peers)
            case "circus":
                return _WithPeers(Circus, self.peers)
            case _:
                return Stratvisor


@dataclass(frozen=True, slots=True)
class _WithPeers:
    kind: type[Supervisor | Circus]
    peers: Peers | None

    def __call__(self, folder: Path) -> Host:
        if self.peers is None:
            raise ValueError("not installed")
        return self.kind(folder, self.peers)
