"""The bytes of one file that people edit.

Whatever stands at the path (a FIFO, a folder, a file without end), reading it neither blocks nor takes
more than `LIMIT` bytes of memory.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1_000_000
"""Bytes. The largest real strategy file is a thousandth of it."""

# A FIFO without a writer blocks in open() but for O_NONBLOCK, which a regular file does not mind.
_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
)


class CannotReadError(Exception):
    """A file that cannot be read; the text says why and what to do."""


class MissingError(CannotReadError):
    """There is nothing at the path."""


def read(path: Path) -> bytes:
    """The whole content of a regular file, or of what a symlink to one points to.

    Raises:
        MissingError: nothing is there.
        CannotReadError: something is, but no readable regular file of at most `LIMIT` bytes.
    """
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            return _content(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        if path.is_symlink():
            raise CannotReadError("cannot be read: it is a symlink to nothing; remove or mend it") from error
        raise MissingError("no such file") from error
    except OSError as error:
        raise CannotReadError(f"cannot be read: {error.strerror or error}") from error


def _content(descriptor: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise CannotReadError("cannot be read: it is not a regular file; remove or rename it")
    content = bytearray()
    while chunk := os.read(descriptor, LIMIT + 1 - len(content)):
        content += chunk
    if len(content) > LIMIT:
        raise CannotReadError("is over 1 MB; no file of settings is that large")
    return bytes(content)
