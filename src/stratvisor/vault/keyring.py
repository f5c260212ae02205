"""The keys: where they lie, and who may read them. `keymaking` puts them there.

The encryption key is in $STRATVISOR_KEY_FILE, else in systemd's $CREDENTIALS_DIRECTORY, else in
keys/encryption.key: a key a line, the newest first, more than one only while they are being changed.
The fingerprint key, always in keys/, makes what is told of a value's identity useless to guess it by,
and is no part of a change of keys: that must not look like a change of values.

Rule: as ssh has it, a key that others may read or replace is refused, not mended: somebody may have it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from stratvisor.reading import source

if TYPE_CHECKING:
    from stratvisor.vault.sealing import Ring

FOLDER = "keys"
NAME = "encryption.key"
FINGERPRINT = "fingerprint.key"
KEY_FILE = "STRATVISOR_KEY_FILE"
CREDENTIALS = "CREDENTIALS_DIRECTORY"


class KeyProblem(Exception):  # noqa: N818  its text is what people read
    """The key cannot be had; the text says why and what to do."""


class NoKey(KeyProblem):
    """There is none."""


def place(home: Path) -> Path:
    """Where the encryption key of a home lies, or is to be made."""
    named = os.environ.get(KEY_FILE)
    if named:
        return Path(home, named)
    folder = os.environ.get(CREDENTIALS)
    credential = Path(folder, NAME) if folder else None
    return credential if credential and credential.exists() else home / FOLDER / NAME


def read(home: Path) -> Ring:
    """The keys that open what is sealed.

    Raises:
        KeyProblem: they cannot be had.
    """
    from stratvisor.vault.sealing import Ring  # noqa: PLC0415  see there

    path = place(home)
    try:
        check_rights(path)
        text = source.read(path).decode("ascii")
        lines = [line.strip() for line in text.splitlines()]
        return Ring([line for line in lines if line and not line.startswith("#")])
    except (FileNotFoundError, source.MissingError):
        raise NoKey(f"the key {path} is missing; bring it back from where you keep a copy") from None
    except ValueError:  # which UnicodeDecodeError is, too
        raise KeyProblem(
            f"{path} holds no key; bring back the right one from where you keep a copy"
        ) from None
    except (source.CannotReadError, OSError) as error:
        why = getattr(error, "strerror", None) or error
        raise KeyProblem(f"{path}: {why}; the user that runs stratvisor must be able to read it") from None


def check_rights(path: Path) -> None:
    """Refuse what others may read or have put there.

    A credential is systemd's to guard: it shows the mask of an access list as the rights of its group.
    """
    status = path.stat()
    if path.parent == Path(os.environ.get(CREDENTIALS) or os.devnull):
        return
    if status.st_uid not in {os.geteuid(), 0}:
        raise KeyProblem(
            f"{path} belongs to uid {status.st_uid}, who may read and replace it; take it over with chown"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyProblem(
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}, open to others; `chmod 600` it, and give "
            "new values to the secrets if anybody may have read it"
        )
