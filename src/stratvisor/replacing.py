"""A file that is replaced whole or not at all, also through a power cut: written new, synced, renamed.

Knows rename and fsync, not what is in a file nor where it lies.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace(path: Path, content: bytes, mode: int = 0o600, draft: Path | None = None) -> None:
    """Put `content` at `path`. `draft` is where it is written first, beside it; hidden, if nobody says.

    Raises:
        OSError: it could not be written; what stood there stands.
    """
    aside = draft or path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        aside.chmod(mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or a link in it outlive a power cut."""
    if sys.platform == "win32":  # which opens no folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
