"""200 MB of numbered lines through a daemon into its log, and every line looked for there."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING

from findings import Measure
from post import TooLate
from processes import usage

if TYPE_CHECKING:
    from pathlib import Path

    from instance import Instance
    from lab import Lab

LINE = 100
"""Bytes, with its newline."""

SIZES = {
    65_536: (
        Measure("log throughput, {mb} MB in writes of 64 KiB", "MB/s", "more", 0),
        Measure("  CPU of daemon and helpers for these", digits=0),
    ),
    LINE: (
        Measure("log throughput, {mb} MB, a write a line of 100 B", "MB/s", "more", 0),
        Measure("  CPU of daemon and helpers for these lines", digits=0),
    ),
}
"""By the size of a write: bytes a second, and what they cost, which no other load on the machine changes."""
MISSING = Measure("  lines missing, torn or twice, of {lines}", "", "", 0)

PATIENCE_S = 60.0
OWN = b"[stratvisor] "


def measure(lab: Lab) -> None:
    """Both sizes of write, the subjects by turns."""
    source = lab.folder / "lines"
    write_lines(source, lab.effort.flood_bytes // LINE)
    turns = itertools.product(range(lab.effort.rounds), SIZES.items(), lab.subjects)
    for _round, (size, (speed, cost)), subject in turns:
        with lab.excusing(subject, "log throughput"):
            seconds, cpu_ms, wrong = _flood(lab, subject, source, size)
            lab.findings.add(speed, subject, lab.effort.flood_bytes / 1e6 / seconds)
            lab.findings.add(cost, subject, cpu_ms)
            lab.findings.add(MISSING, subject, wrong)


def write_lines(path: Path, count: int) -> None:
    """Numbered lines of `LINE` bytes."""
    filler = "x" * (LINE - 10)
    with path.open("w", encoding="ascii") as file:
        for start in range(0, count, 10_000):
            file.write("".join(f"{number:08d} {filler}\n" for number in range(start, start + 10_000)))


def _flood(lab: Lab, subject: str, source: Path, size: int) -> tuple[float, float, int]:
    """Seconds from the first write until all stands in the log, CPU in ms, and lines not right there."""
    with lab.instances(subject) as made:
        instance = made[subject]
        orders = instance.folder / "orders"
        os.mkfifo(orders)
        instance.start([lab.scripts.flooder(instance.post.path, "flood", source, orders)])
        instance.settle()
        helpers = instance.helpers()
        before, used = _logged(instance), usage(helpers)
        began = time.monotonic()
        orders.write_text(f"{size}\n", "ascii")
        _wait_for_bytes(instance, before + lab.effort.flood_bytes)
        seconds = time.monotonic() - began
        cpu_ms = (usage(helpers).cpu_ns - used.cpu_ns) / 1e6
        wrong = _count_wrong(instance, source)
        for path in instance.host.logs("flood"):
            path.unlink()  # a few files, but large ones
        return seconds, cpu_ms, wrong


def _wait_for_bytes(instance: Instance, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while _logged(instance) < count:
        if time.monotonic() > deadline:
            raise TooLate(f"only {_logged(instance)} of {count} bytes after {PATIENCE_S:g} s")
        time.sleep(0.002)


def _logged(instance: Instance) -> int:
    return sum(path.stat().st_size for path in instance.host.logs("flood") if path.exists())


def _count_wrong(instance: Instance, source: Path) -> int:
    """How many lines of the source do not stand in the log exactly once, and in order."""
    sent = source.read_bytes()
    found = b"".join(path.read_bytes() for path in instance.host.logs("flood"))
    head, _, rest = found.partition(sent[:LINE])
    if rest == sent[LINE:] and all(line.startswith(OWN) for line in head.splitlines()):
        return 0
    lines = [line for line in found.split(b"\n") if line and not line.startswith(OWN)]
    whole = set(sent.split(b"\n")) - {b""}
    return len(whole - set(lines)) + len(lines) - len(whole & set(lines))
