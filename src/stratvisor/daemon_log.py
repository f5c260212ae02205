"""log/stratvisor.log and standard error: what the daemon says of itself, in its own time zone.

Knows files and lines. Rule: nothing here raises, and nobody waits: a folder or a disk that takes no line
costs that line, is shown as a trouble, and is tried again with the next. A file that was removed or
replaced under the daemon (`git clean -fdx`) is made anew.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path

    from stratvisor.settings import Settings
    from stratvisor.troubles import Troubles

NAME = "log/stratvisor.log"
MAX_SIZE = 10_000_000
PARTS = 5


class DaemonLog:
    """The log of one daemon. `verbose`: all of it, whatever the settings say."""

    def __init__(self, home: Path, troubles: Troubles, *, verbose: bool) -> None:
        self._verbose = verbose
        self._form = _Form()
        handlers = (logging.StreamHandler(sys.stderr), _File(home / NAME, troubles))
        for handler in handlers:
            handler.setFormatter(self._form)
        logging.raiseExceptions = False  # else a full disk prints a traceback a line
        logging.basicConfig(handlers=handlers, force=True)

    def obey(self, settings: Settings) -> None:
        """The level and the zone from now on."""
        self._form.zone = ZoneInfo(settings.timezone)
        logging.getLogger().setLevel("DEBUG" if self._verbose else settings.logging.level.upper())


class _Form(logging.Formatter):
    """One line a record, after its time as the daemon's sentences show it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self.zone = ZoneInfo("UTC")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """Local time to the millisecond, with the zone's name."""
        at = datetime.fromtimestamp(record.created, self.zone)
        return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} {at:%Z}"


class _File(logging.handlers.RotatingFileHandler):
    """The file, opened with the first line."""

    def __init__(self, path: Path, troubles: Troubles) -> None:
        super().__init__(path, maxBytes=MAX_SIZE, backupCount=PARTS, encoding="utf-8", delay=True)
        self._troubles = troubles
        self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or say that it cannot be written."""
        if not self._stands():
            self._let_go()
        self._failed = False
        super().emit(record)
        if not self._failed:
            self._troubles.over(NAME)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        """The line is lost; what is left of it in a buffer must not follow the next one."""
        error = sys.exception()
        why = error.strerror if isinstance(error, OSError) else repr(error)
        self._failed = True
        self._troubles.say(NAME, f"cannot be written: {why}; tried again with each line")
        self._let_go()

    def _stands(self) -> bool:
        if self.stream is None:
            return True
        try:
            now, ours = os.stat(self.baseFilename), os.fstat(self.stream.fileno())  # noqa: PTH116  as text
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino)

    def _open(self) -> TextIOWrapper:
        os.makedirs(os.path.dirname(self.baseFilename), 0o750, exist_ok=True)  # noqa: PTH103, PTH120  the same
        return super()._open()

    def _let_go(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
