"""Files in keys/: read with suspicion, readable by their owner alone.

Knows rights, not what is in a file.
"""

from __future__ import annotations

import logging
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOST = 1_000_000

_LOG = logging.getLogger(__name__)


class KeyProblem(Exception):  # noqa: N818  its text is what the operator reads
    """A file of keys/ cannot be used; the text says why and what to do."""


def read(path: Path, cure: str) -> bytes:
    """The content; rights that are too wide are taken away. `cure` ends the sentence "remove it, and ...".

    Raises:
        KeyProblem: it is another's, or no plain file.
        OSError: it cannot be read.
    """
    # A link would let its target's owner choose the content; a pipe would hang the daemon.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyProblem(f"cannot use {path}: it is no plain file; move it away, and {cure}")
        if status.st_uid != os.geteuid():
            raise KeyProblem(
                f"cannot use {path}: it belongs to uid {status.st_uid}, who knows it; remove it, and {cure}"
            )
        content = file.read(MOST)
    tighten(path, 0o600)
    return content


def tighten(path: Path, mode: int) -> None:
    """Take away what `mode` does not grant."""
    has = stat.S_IMODE(path.stat().st_mode)
    if has & ~mode:
        _LOG.warning("%s had mode %o, open to others; now %o", path, has, has & mode)
        path.chmod(has & mode)
