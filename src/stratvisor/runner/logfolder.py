"""Makes the log file of a run: its own, under a name that nothing else has.

The daemon makes the file and the shim fills it, so that a folder that takes no file refuses the start
instead of losing the log.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor.shim import lognames

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

FOLDER = os.path.join("log", "strategies")


def create(home: Path, strategy: str, timezone: str, at: datetime) -> str:
    """Make the first log file of a run that begins at `at` (UTC); returns its path.

    Raises:
        OSError: the folder takes no file.
    """
    folder = os.path.join(home, FOLDER)
    os.makedirs(folder, 0o750, exist_ok=True)
    local = at.astimezone(ZoneInfo(timezone))
    zone = lognames.zone_name(local.tzname() or "UTC")
    ordinal = 1
    while True:
        name = lognames.LogName(strategy, f"{local:%Y%m%d_%H%M%S}", zone, ordinal, 1)
        path = os.path.join(folder, str(name))
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))
        except FileExistsError:
            ordinal += 1
            continue
        return path
