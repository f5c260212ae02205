"""How keys get to where `keyring` reads them: made, replaced, and one change at a time.

Knows nothing of what they open.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from typing import TYPE_CHECKING

from stratvisor.replacing import replace
from stratvisor.vault.keyring import FINGERPRINT, FOLDER, KeyProblem, check_rights, place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stratvisor.vault.sealing import Ring


def make(home: Path) -> Ring:
    """The first key of a home.

    Raises:
        OSError: it cannot be written.
    """
    from stratvisor.vault.sealing import Ring, new_key  # noqa: PLC0415  see there

    ring = Ring([new_key()])
    place(home).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    put(home, ring)
    return ring


def put(home: Path, ring: Ring) -> None:
    """Replace the keys, whole or not at all.

    Raises:
        OSError: they cannot be written; those before stand.
    """
    head = "# Opens secrets.yaml. Keep it secret, and a copy of it elsewhere.\n"
    replace(place(home).resolve(), (head + "".join(f"{key}\n" for key in ring.keys)).encode())


def fingerprint_key(home: Path) -> bytes:
    """Made where it is missing: without it, each value only looks changed once.

    Raises:
        KeyProblem: it can be neither read nor made.
    """
    path = home / FOLDER / FINGERPRINT
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            with changing(home):
                if not path.exists():
                    replace(path, f"{secrets.token_hex(32)}\n".encode())
        check_rights(path)
        return path.read_bytes()
    except OSError as error:
        raise KeyProblem(f"cannot use {path}: {error.strerror}; mend its rights or make room") from None


@contextlib.contextmanager
def changing(home: Path) -> Iterator[None]:
    """One at a time changes the keys of a home, or what they open.

    Raises:
        OSError: there is no folder to lock.
    """
    (home / FOLDER).mkdir(mode=0o700, exist_ok=True)
    folder = os.open(home / FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
