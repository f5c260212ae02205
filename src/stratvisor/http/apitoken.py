"""keys/api.token: the secret that opens the TCP door.

Knows one file. It is made once, whole or not at all, readable by its owner alone, and never written
over: who holds a copy of the token keeps access until the operator removes the file.
"""

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING

from stratvisor.http import keyfile
from stratvisor.http.keyfile import KeyProblem
from stratvisor.replacing import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

NAME = "api.token"

_CURE = "a new one is made at the next start"
_TOKEN = re.compile(r"[!-~]{16,1024}")
"""What a token may look like: it travels in a header."""


def api_token(keys: Path) -> str:
    """The token in the folder `keys`; both are made where they are missing.

    Raises:
        KeyProblem: it can be neither read nor made.
    """
    path = keys / NAME
    try:
        keys.mkdir(mode=0o700, exist_ok=True)
        keyfile.tighten(keys, 0o700)
        if not os.path.lexists(path):
            _make(path)
        text = keyfile.read(path, _CURE).decode("latin-1").strip()
    except OSError as error:
        raise KeyProblem(f"cannot use {path}: {error.strerror}; mend its rights or move it away") from error
    if not _TOKEN.fullmatch(text):
        raise KeyProblem(
            f"cannot use {path}: it holds no token (16 or more printable characters); remove it, and {_CURE}"
        )
    return text


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
    sync_folder(path.parent)
