"""A hundred programs under each daemon, side by side: idling, crashes, questions, one edit.

Side by side, so that what else the machine does meets all of them alike.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING

from findings import OURS, Measure
from post import listen
from processes import usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from instance import Instance
    from lab import Lab

IDLE_CPU = Measure("idle: CPU of daemon and helpers in {idle} s")
IDLE_SWITCHES = Measure("idle: their context switches in {idle} s", "", digits=0)
CRASH = Measure("kill -9 of one: until a new process runs")
CRASH_ALL = Measure("kill -9 of all {n}: until all run again", digits=0)
STATUS = Measure("status of {n}", digits=2)
RELOAD = Measure("one of {n} edited, reload: until in effect", digits=0)
RELOAD_OTHERS = Measure("  others restarted by that", "", digits=0)
NOTICED = Measure("  with no command: it notices by itself", digits=0)

ASKED = 30
PAUSE_NS = 5_000_000_000
"""At most, between two kills: the longest beat that any of them has, circus' check_delay."""
CALM_S = 3.0


def measure(lab: Lab) -> None:
    """Everything that needs a hundred running programs."""
    with lab.instances(*lab.subjects) as made:
        up: dict[str, Instance] = {}
        for subject, instance in made.items():
            with lab.excusing(subject, "hosting"):
                instance.start(lab.sleepers(instance, lab.effort.strategies))
                instance.settle()
                up[subject] = instance
        time.sleep(CALM_S)
        _idle(lab, up)
        _ask(lab, up)
        _crash(lab, up)
        for _ in range(lab.effort.rounds):
            for subject, instance in up.items():
                with lab.excusing(subject, "hosting"):
                    _edit(lab, subject, instance)
                    if subject == OURS:
                        _edit_only(lab, instance)
                    _crash_all(lab, subject, instance)


def _idle(lab: Lab, up: Mapping[str, Instance]) -> None:
    helpers = {subject: instance.helpers() for subject, instance in up.items()}
    before = {subject: usage(pids) for subject, pids in helpers.items()}
    time.sleep(lab.effort.idle_s)
    after = {subject: usage(pids) for subject, pids in helpers.items()}
    for subject in up:
        cpu_ns = after[subject].cpu_ns - before[subject].cpu_ns
        lab.findings.add(IDLE_CPU, subject, cpu_ns / 1e6)
        lab.findings.add(IDLE_SWITCHES, subject, after[subject].switches - before[subject].switches)


def _ask(lab: Lab, up: Mapping[str, Instance]) -> None:
    for _ in range(ASKED):
        for subject, instance in up.items():
            with lab.excusing(subject, "status"):
                lab.findings.add(STATUS, subject, instance.host.ask().took_ns / 1e6)


def _crash(lab: Lab, up: Mapping[str, Instance]) -> None:
    """Kill one, wait until it is back, pause by chance; with each daemon at its own pace, all at once.

    One at a time, because the next death would wake a daemon that had slept through the last; by
    chance, because a daemon that looks only now and then would else always be met at the same point.
    """
    dice = random.Random(1)
    victims = {subject: _Victims(instance, dice) for subject, instance in up.items()}
    deadline = time.monotonic() + lab.effort.crash_s
    while (now := time.monotonic()) < deadline:
        for subject, victim in victims.items():
            for took_ms in victim.turn():
                lab.findings.add(CRASH, subject, took_ms)
        listen([instance.post for instance in up.values()], min(deadline - now, 0.01))


class _Victims:
    """The programs of one daemon, killed one after the other."""

    def __init__(self, instance: Instance, dice: random.Random) -> None:
        self._instance = instance
        self._dice = dice
        self._names = itertools.cycle([program.name for program in instance.programs])
        self._next_ns = time.monotonic_ns()
        self._name: str | None = None
        self._killed_ns = self._heard = 0

    def turn(self) -> Iterator[float]:
        """Do what is due; yields the milliseconds that a kill took to be made good."""
        if self._name is None and time.monotonic_ns() >= self._next_ns:
            self._name, self._heard = next(self._names), len(self._instance.post.words)
            self._killed_ns = self._instance.kill(self._name)
        for word in self._instance.post.words[self._heard :]:
            if word.name == self._name:
                self._name = None
                self._next_ns = time.monotonic_ns() + int(self._dice.random() * PAUSE_NS)
                yield (word.at_ns - self._killed_ns) / 1e6


def _edit(lab: Lab, subject: str, instance: Instance) -> None:
    heard, began_ns, edited = write_edit(lab, instance)
    instance.host.reload()
    at_ns = instance.wait_for_word(edited, heard)
    lab.findings.add(RELOAD, subject, (at_ns - began_ns) / 1e6)
    others = [word for word in instance.post.words[heard:] if word.name != edited]
    lab.findings.add(RELOAD_OTHERS, subject, len(others))


def _edit_only(lab: Lab, instance: Instance) -> None:
    heard, began_ns, edited = write_edit(lab, instance)
    at_ns = instance.wait_for_word(edited, heard)
    lab.findings.add(NOTICED, OURS, (at_ns - began_ns) / 1e6)


def write_edit(lab: Lab, instance: Instance) -> tuple[int, int, str]:
    """Change the last program's environment in its file.

    Returns how many words had been heard, when it was written, and its name.
    """
    instance.settle()
    name = instance.programs[-1].name
    edited = lab.scripts.sleeper(instance.post.path, name, str(time.monotonic_ns()))
    instance.programs = [*instance.programs[:-1], edited]
    instance.host.configure(instance.programs)
    return len(instance.post.words), time.monotonic_ns(), name


def _crash_all(lab: Lab, subject: str, instance: Instance) -> None:
    instance.settle()
    heard = len(instance.post.words)
    began_ns = instance.kill(*(program.name for program in instance.programs))
    at_ns = instance.wait_for_words(len(instance.programs), heard)
    lab.findings.add(CRASH_ALL, subject, (at_ns - began_ns) / 1e6)
