"""What a counting strategy notes of itself where no kill can take it back: a page of memory that is a file.

Shared by the strategies of a chaos run and by whoever judges them. The standard library alone.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from pathlib import Path
from typing import NamedTuple

_FACTS = struct.Struct("<qqq")
_NONE = -1
LINE = re.compile(rb"(\d{5}) (\d{8}) x*\.")


def line(run: int, number: int) -> bytes:
    """Of a length of its own, so that no piece of a pipe ends where a line does for long."""
    return b"%05d %08d %s.\n" % (run, number, b"x" * (number * 7 % 90))


class Facts(NamedTuple):
    """What one run did, as far as it came."""

    begun: int
    """Lines that it set out to write."""
    written: int
    """Lines that it wrote for certain."""
    leaving: int | None
    """The code that it was about to exit with."""


class Ledger:
    """The notes of one run, open for writing."""

    def __init__(self, path: Path) -> None:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            file.write(_FACTS.pack(0, 0, _NONE))
            file.flush()
            self._page = mmap.mmap(file.fileno(), _FACTS.size)

    def note(self, begun: int, written: int, leaving: int | None = None) -> None:
        """Replace what is noted."""
        _FACTS.pack_into(self._page, 0, begun, written, _NONE if leaving is None else leaving)


def path_of(home: Path, strategy: str, run: int) -> Path:
    """Where the ledger of a run lies."""
    return home / "data" / strategy / f"{run}.ledger"


def read(path: Path) -> Facts | None:
    """What a run has noted; None: it did not come so far."""
    try:
        begun, written, leaving = _FACTS.unpack(path.read_bytes())
    except (FileNotFoundError, struct.error):
        return None
    return Facts(begun, written, None if leaving == _NONE else leaving)
