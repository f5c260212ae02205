"""kill -9 of the daemon: who lives on, whose words are kept, and who runs twice once it is back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from findings import Measure

if TYPE_CHECKING:
    from pathlib import Path

    from instance import Instance
    from lab import Lab

EACH = 10
"""So many that print fifty lines a second, and so many that sleep."""

PRINTING = Measure("kill -9 of the daemon: of 10 that print, alive after 2 s", "", "", 0)
SLEEPING = Measure("  of 10 that sleep, alive after 2 s", "", "", 0)
KEPT = Measure("  lines printed in those 2 s that are in a log in the end", "", "", 0)
LOST = Measure("  lines printed at any time that are in none", "", "", 0)
SAME = Measure("  daemon started again: of the 20, the same process still", "", "", 0)
TWICE = Measure("  daemon started again: of the 20, alive in two copies", "", "", 0)

WITHOUT_DAEMON_S = 2.0
BACK_S = 3.0
"""What the new daemon gets to do what it does."""


def measure(lab: Lab) -> None:
    """Once each: this is no matter of chance."""
    for subject in lab.subjects:
        with lab.excusing(subject, "kill -9 of the daemon"), lab.instances(subject) as made:
            _orphan(lab, subject, made[subject])


def _orphan(lab: Lab, subject: str, instance: Instance) -> None:
    add = lab.findings.add
    post = instance.post.path
    printers = [
        lab.scripts.printer(post, f"p{number}", instance.folder / f"p{number}") for number in range(EACH)
    ]
    sleepers = [lab.scripts.sleeper(post, f"s{number}") for number in range(EACH)]
    instance.start([*printers, *sleepers])
    instance.settle()
    first = instance.post.pids()
    before = _printed(instance)
    instance.kill_daemon()
    time.sleep(WITHOUT_DAEMON_S)
    meanwhile = _printed(instance) - before
    add(PRINTING, subject, _count_alive(instance, "p"))
    add(SLEEPING, subject, _count_alive(instance, "s"))
    instance.start_daemon()
    instance.settle()
    time.sleep(BACK_S)
    copies = {program.name: instance.alive(program.name) for program in instance.programs}
    printed = _printed(instance)
    time.sleep(0.2)  # what was printed by then is read by now
    logged = _logged(instance)
    add(KEPT, subject, len(meanwhile & logged))
    add(LOST, subject, len(printed - logged))
    add(SAME, subject, sum(first[name] in pids for name, pids in copies.items()))
    add(TWICE, subject, sum(len(pids) > 1 for pids in copies.values()))


def _count_alive(instance: Instance, kind: str) -> int:
    return sum(bool(instance.alive(one.name)) for one in instance.programs if one.name.startswith(kind))


def _printed(instance: Instance) -> set[str]:
    """Every line that a printer has noted as printed."""
    return {line for number in range(EACH) for line in _lines(instance.folder / f"p{number}")}


def _logged(instance: Instance) -> set[str]:
    return {
        line for number in range(EACH) for path in instance.host.logs(f"p{number}") for line in _lines(path)
    }


def _lines(path: Path) -> list[str]:
    """The whole lines of a file that may still grow."""
    text = path.read_text("utf-8") if path.exists() else ""
    return text.split("\n")[:-1]
