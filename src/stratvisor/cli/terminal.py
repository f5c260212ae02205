"""What stdout is: a terminal of some width that may show colours, or a file or pipe."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from stratvisor.cli.shown import clean

if TYPE_CHECKING:
    from collections.abc import Callable

NARROWEST = 20

_SGR = {
    "running": "32",
    "starting": "33",
    "stopping": "33",
    "waiting": "33",
    "backoff": "33",
    "error": "1;31",
}
"""ECMA-48 colours of the states that want to be seen; the others stay plain."""


def width() -> int | None:
    """Columns of the terminal, or what $COLUMNS says; None: stdout is none, a line has no end."""
    if os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty():
        return max(shutil.get_terminal_size().columns, NARROWEST)
    return None


def height() -> int | None:
    """Lines of the terminal; None where stdout is none."""
    return shutil.get_terminal_size().lines if sys.stdout.isatty() else None


def painter(state: str) -> Callable[[str], str]:
    """How to show a cell of a strategy in this state (https://no-color.org)."""
    code = _SGR.get(state)
    if (
        code is None
        or not sys.stdout.isatty()
        or os.environ.get("NO_COLOR")
        or os.environ.get("TERM") == "dumb"
    ):
        return clean
    return lambda text: f"\x1b[{code}m{text}\x1b[0m"
