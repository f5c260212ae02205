"""A hundred programs under each daemon, side by side: idling, crashes, questions, one edit.

Side by side, so that what else the machine does meets all of them alike.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from findings import OURS, Measure
from post import listen
from processes import usage

if TYPE_CHECKING:
    from collections.abc import Mapping

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
BETWEEN_KILLS_S = 0.15
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
    """Kill one here and one there, at times that no daemon's own beat can be in step with."""
    dice = random.Random(1)
    killed: dict[str, dict[str, tuple[int, int]]] = {subject: {} for subject in up}
    for number in range(lab.effort.kills):
        for subject, instance in up.items():
            name = instance.programs[number].name
            killed[subject][name] = len(instance.post.words), instance.kill(name)
            _hear(up, BETWEEN_KILLS_S * (0.5 + dice.random()))
    for subject, instance in up.items():
        for name, (heard, at_ns) in killed[subject].items():
            with lab.excusing(subject, f"kill -9 of {name}"):
                back_ns = instance.wait_for_word(name, heard)
                lab.findings.add(CRASH, subject, (back_ns - at_ns) / 1e6)


def _hear(up: Mapping[str, Instance], seconds: float) -> None:
    """Hear each word when it is said, whoever says it."""
    deadline = time.monotonic() + seconds
    while (left_s := deadline - time.monotonic()) > 0:
        listen([instance.post for instance in up.values()], left_s)


def _edit(lab: Lab, subject: str, instance: Instance) -> None:
    heard, began_ns, edited = _write_edit(lab, instance)
    instance.host.reload()
    at_ns = instance.wait_for_word(edited, heard)
    lab.findings.add(RELOAD, subject, (at_ns - began_ns) / 1e6)
    others = [word for word in instance.post.words[heard:] if word.name != edited]
    lab.findings.add(RELOAD_OTHERS, subject, len(others))


def _edit_only(lab: Lab, instance: Instance) -> None:
    heard, began_ns, edited = _write_edit(lab, instance)
    at_ns = instance.wait_for_word(edited, heard)
    lab.findings.add(NOTICED, OURS, (at_ns - began_ns) / 1e6)


def _write_edit(lab: Lab, instance: Instance) -> tuple[int, int, str]:
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
