"""What redaction costs: the same lines through a FIFO into a log, moved, stamped and redacted, by turns.

In this process, with the shim's own code and no daemon, by the CPU time that it takes: it is the ratio
that counts, and that another load on the machine leaves alone.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import select
import subprocess
import time
from typing import TYPE_CHECKING

from findings import OURS, Measure
from flooding import LINE, write_lines

from stratvisor.shim.logfile import Limits, Log
from stratvisor.shim.redaction import Redactor

if TYPE_CHECKING:
    from pathlib import Path

    from lab import Lab

NAME = "flood_20261123_091500_IST"
PLAIN = Limits(max_size=10**12, keep_files=9, keep_days=9, keep_total=10**12, timestamps=False)
WAYS: dict[tuple[bool, int], Measure] = {
    (False, 0): Measure("log alone, {mb} MB, unchanged", "MB/CPU s", "more", 0),
    (True, 0): Measure("log alone, {mb} MB, with times", "MB/CPU s", "more", 0),
    (False, 1): Measure("log alone, {mb} MB, redacted of 1 secret", "MB/CPU s", "more", 0),
    (False, 5): Measure("log alone, {mb} MB, redacted of 5 secrets", "MB/CPU s", "more", 0),
}
"""By whether lines are stamped, and how many secrets of 32 characters are looked for."""


def measure(lab: Lab) -> None:
    """Every way as often as there are rounds."""
    source = lab.folder / "redacting"
    write_lines(source, lab.effort.flood_bytes // LINE)
    for number, ((stamped, count), speed) in itertools.product(range(lab.effort.rounds), WAYS.items()):
        folder = lab.folder / f"redacting-{number}-{stamped}-{count}"
        folder.mkdir()
        redactor = Redactor({f"S{one}": secrets.token_urlsafe(24) for one in range(count)}) if count else None
        seconds = _pump(folder, source, PLAIN._replace(timestamps=stamped), redactor)
        lab.findings.add(speed, OURS, lab.effort.flood_bytes / 1e6 / seconds)


def _pump(folder: Path, source: Path, limits: Limits, redactor: Redactor | None) -> float:
    """CPU seconds from the first byte to the last."""
    path = folder / f"{NAME}.log"
    path.touch()
    os.mkfifo(folder / "out")
    writer = os.open(folder / "out", os.O_RDWR)
    reader = os.open(folder / "out", os.O_RDONLY | os.O_NONBLOCK)
    with contextlib.chdir(folder), subprocess.Popen(["cat", str(source)], stdout=writer) as cat:
        log = Log(str(path), limits, "flood", resumed=False, redactor=redactor)
        began = time.process_time()
        while cat.poll() is None:
            select.select([reader], [], [], 0.1)
            log.pump(reader)
        log.finish(reader)
        seconds = time.process_time() - began
        log.close()
    os.close(writer)
    os.close(reader)
    path.unlink()
    return seconds
