"""keys/api.token: the secret that opens the TCP door.

Knows one file. It is made once, whole or not at all, readable by its owner alone, and never written
over: who holds a copy of the token keeps access until the operator removes the file.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "api.token"

_LOG = logging.getLogger(__name__)
_TOKEN = re.compile(r"[!-~]{16,1024}")
"""What a token may look like: it travels in a header."""


class KeyProblem(Exception):  # noqa: N818  its text is what the operator reads
    """The token cannot be had; the text says why and what to do."""


def api_token(keys: Path) -> str:
    """The token in the folder `keys`; both are made where they are missing.

    Raises:
        KeyProblem: it can be neither read nor made.
    """
    path = keys / NAME
    try:
        keys.mkdir(mode=0o700, exist_ok=True)
        _tighten(keys, 0o700)
        if not os.path.lexists(path):
            _make(path)
        return _read(path)
    except OSError as error:
        raise KeyProblem(f"cannot use {path}: {error.strerror}; mend its rights or move it away") from error


def _make(path: Path) -> None:
    """Write aside and link into place: a link, unlike a rename, never replaces a token that came first."""
    aside = path.with_name(f".{NAME}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return
    finally:
        aside.unlink()
    _sync_folder(path.parent)


def _read(path: Path) -> str:
    # A link would let its target's owner choose the token; a pipe would hang the daemon.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyProblem(f"cannot use {path}: it is no plain file; move it away, and a token is made")
        if status.st_uid != os.geteuid():
            raise KeyProblem(
                f"cannot use {path}: it belongs to uid {status.st_uid}, who knows it; "
                "remove it, and a new one is made"
            )
        text = file.read(4096).decode("latin-1").strip()
    if not _TOKEN.fullmatch(text):
        raise KeyProblem(
            f"cannot use {path}: it holds no token (16 or more printable characters); "
            "remove it, and a new one is made"
        )
    _tighten(path, 0o600)
    return text


def _tighten(path: Path, mode: int) -> None:
    """Take away what `mode` does not grant."""
    has = stat.S_IMODE(path.stat().st_mode)
    if has & ~mode:
        _LOG.warning("%s had mode %o, open to others; now %o", path, has, has & mode)
        path.chmod(has & mode)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
