"""Many strategies under stratvisor alone: start, rest, memory, questions, an edit, a storm, stop."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from findings import OURS, Measure
from host_stratvisor import command
from hosting import write_edit
from instance import PATIENCE_S
from post import TooLate
from processes import lives, pss, usage

if TYPE_CHECKING:
    from instance import Instance
    from lab import Lab

FIRST = Measure("{many} strategies: the first runs", digits=0)
ALL = Measure("{many} strategies: the last runs", digits=0)
CPU = Measure("{many} strategies: idle CPU in {idle} s")
SWITCHES = Measure("{many} strategies: idle context switches in {idle} s", "", digits=0)
MEMORY = Measure("{many} strategies: memory of daemon and helpers", "MiB")
EACH = Measure("{many} strategies: memory for each", "KiB", digits=0)
STATUS = Measure("{many} strategies: status")
EDIT = Measure("{many} strategies: reload of one edit, until its new run speaks", digits=0)
STORM = Measure("half of {many} strategies killed in one instant: until all are back", digits=0)
STORM_CPU = Measure("half of {many} strategies killed in one instant: CPU of the daemon for each")
STOP = Measure("{many} strategies: all stopped and the daemon ended", digits=0)

CALM_S = 5.0
ASKED = 10


def measure(lab: Lab, count: int) -> None:
    """Once: start, rest, ask, stop."""
    with lab.excusing(OURS, f"{count} strategies"), lab.instances(OURS) as made:
        instance = made[OURS]
        instance.patience_s = max(PATIENCE_S, count / 8)
        instance.start(lab.sleepers(instance, count))
        instance.settle()
        times = [word.at_ns for word in instance.post.words]
        _add(lab, FIRST, min(times) - instance.began_ns)
        _add(lab, ALL, max(times) - instance.began_ns)
        time.sleep(CALM_S)
        _rest(lab, instance)
        _weigh(lab, instance)
        for _ in range(ASKED):
            _add(lab, STATUS, instance.host.ask().took_ns)
        heard, began_ns, edited = write_edit(lab, instance)
        instance.host.reload()
        _add(lab, EDIT, instance.wait_for_word(edited, heard) - began_ns)
        _storm(lab, instance, count // 2)
        _add(lab, STOP, _stop(instance))


def _storm(lab: Lab, instance: Instance, count: int) -> None:
    instance.settle()
    heard, before = len(instance.post.words), usage([instance.pid])
    began_ns = instance.kill(*(program.name for program in instance.programs[:count]))
    _add(lab, STORM, instance.wait_for_words(count, heard) - began_ns)
    _add(lab, STORM_CPU, (usage([instance.pid]).cpu_ns - before.cpu_ns) // count)


def _add(lab: Lab, measure_: Measure, nanoseconds: int) -> None:
    lab.findings.add(measure_, OURS, nanoseconds / 1e6)


def _rest(lab: Lab, instance: Instance) -> None:
    helpers = instance.helpers()
    before = usage(helpers)
    time.sleep(lab.effort.idle_s)
    after = usage(helpers)
    _add(lab, CPU, after.cpu_ns - before.cpu_ns)
    lab.findings.add(SWITCHES, OURS, after.switches - before.switches)


def _weigh(lab: Lab, instance: Instance) -> None:
    memory = pss(instance.helpers())
    lab.findings.add(MEMORY, OURS, memory / 2**20)
    lab.findings.add(EACH, OURS, memory / len(instance.programs) / 2**10)


def _stop(instance: Instance) -> int:
    pids = list(instance.post.pids().values())
    began_ns = time.monotonic_ns()
    subprocess.run(command(instance.home, "shutdown", "--stop-strategies"), check=True, capture_output=True)
    deadline = time.monotonic() + instance.patience_s
    while any(map(lives, pids)) or lives(instance.pid):
        if time.monotonic() > deadline:
            raise TooLate(f"{len(pids)} programs to stop: not within {instance.patience_s:g} s")
        time.sleep(0.01)
    return time.monotonic_ns() - began_ns
