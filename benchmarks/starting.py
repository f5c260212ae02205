"""From nothing to a hundred programs, and what the daemon then weighs.

One daemon at a time: pages that two daemons of one Python share would count half for each.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from findings import Measure
from processes import pss

if TYPE_CHECKING:
    from instance import Instance
    from lab import Lab

FIRST = Measure("cold start: first strategy runs")
ALL = Measure("cold start: the last of {n} runs", digits=0)
ANSWERS = Measure("cold start: status is answered", digits=0)
MEMORY = Measure("memory of daemon and helpers, {n} strategies", "MiB")
FURTHER = Measure("memory per further strategy", "KiB", digits=0)

CALM_S = 1.0
"""What a daemon gets to end its own starting before it is weighed."""


def measure(lab: Lab) -> None:
    """All rounds, the subjects by turns; once before that, so that files are in memory and compiled."""
    for subject in lab.subjects:
        with lab.excusing(subject, "starting"):
            _start(lab, subject, lab.effort.few, timed=False)
    for _ in range(lab.effort.rounds):
        for subject in lab.subjects:
            with lab.excusing(subject, "starting"):
                many = _start(lab, subject, lab.effort.strategies, timed=True)
                few = _start(lab, subject, lab.effort.few, timed=False)
                lab.findings.add(MEMORY, subject, many / 2**20)
                further = (many - few) / (lab.effort.strategies - lab.effort.few)
                lab.findings.add(FURTHER, subject, further / 2**10)


def _start(lab: Lab, subject: str, count: int, *, timed: bool) -> int:
    """Start so many; returns the memory in bytes."""
    with lab.instances(subject) as made:
        instance = made[subject]
        instance.start(lab.sleepers(instance, count))
        answered_ns = instance.settle()
        if timed:
            _note_times(lab, subject, instance, answered_ns)
        time.sleep(CALM_S)
        return pss(instance.helpers())


def _note_times(lab: Lab, subject: str, instance: Instance, answered_ns: int) -> None:
    times = [word.at_ns for word in instance.post.words]
    for measure_, at_ns in ((FIRST, min(times)), (ALL, max(times)), (ANSWERS, answered_ns)):
        lab.findings.add(measure_, subject, (at_ns - instance.began_ns) / 1e6)
