"""The names of log files, and which of them retention removes.

    ID_YYYYMMDD_HHMMSS_ZONE[-ORDINAL][.PART].log

Each run has its own files. The zone is upper case and an id is lower case, so the names of `a` and
of `a_b` cannot be taken for each other. A part, once written, is never renamed.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_NAME = re.compile(
    r"(?P<strategy>[a-z0-9][a-z0-9_-]{0,63})_(?P<stamp>\d{8}_\d{6})_(?P<zone>[A-Z]+(?:[+-]\d{2,4})?)"
    r"(?:-(?P<ordinal>\d+))?(?:\.(?P<part>\d+))?\.log"
)


class LogName(NamedTuple):
    """One log file's name, taken apart."""

    strategy: str
    stamp: str
    zone: str
    ordinal: int
    """1 for the first run of its second."""
    part: int
    """1 for the first part of its run."""

    @property
    def run(self) -> str:
        """The name of the run's first part, without its ending."""
        ordinal = f"-{self.ordinal}" if self.ordinal > 1 else ""
        return f"{self.strategy}_{self.stamp}_{self.zone}{ordinal}"

    def __str__(self) -> str:
        return self.run + (f".{self.part}" if self.part > 1 else "") + ".log"


def parse(name: str) -> LogName | None:
    """A file's name taken apart; None: it is no log of ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    strategy, stamp, zone, ordinal, part = match.groups()
    return LogName(strategy, stamp, zone, int(ordinal or 1), int(part or 1))


def of(folder: str | os.PathLike[str], strategy: str) -> list[str]:
    """Paths of the logs of this strategy alone, in order of their runs and parts.

    The stamps are local: in the one hour a year in which a zone's clock goes back, runs may trade places.
    """
    found = []
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    for name in names:
        parsed = parse(name) if name.startswith(strategy + "_") else None
        if parsed is not None and parsed.strategy == strategy:
            found.append((parsed.stamp, parsed.zone, parsed.ordinal, parsed.part, os.path.join(folder, name)))
    return [entry[-1] for entry in sorted(found)]


def zone_name(abbreviation: str) -> str:
    """How a zone stands in a log's name: `IST`; a zone without a name (`+04`) as `UTC+04`."""
    return abbreviation if abbreviation.isalpha() else "UTC" + abbreviation


def prune(
    folder: str, strategy: str, *, keep_files: int, keep_days: int, keep_total: int, now_s: float, spare: str
) -> list[str]:
    """Remove the oldest logs of a strategy that are past any of the three limits; `spare` stays.

    `now_s` is the wall clock in seconds since the epoch, compared with the files' modification times.
    Returns what was removed. A file that cannot be looked at or removed is left for the next time.
    """
    files: list[tuple[str, int, float]] = []
    for path in reversed(of(folder, strategy)):
        try:
            status = os.stat(path)
        except OSError:
            continue
        files.append((path, status.st_size, status.st_mtime))
    removed = []
    count = total = 0
    for path, size, modified in files:
        count, total = count + 1, total + size
        too_old = now_s - modified > keep_days * 86_400
        if os.path.basename(path) == spare or not (count > keep_files or total > keep_total or too_old):
            continue
        try:
            os.unlink(path)
        except OSError:
            continue
        removed.append(path)
    return removed
