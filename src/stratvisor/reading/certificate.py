"""A TLS certificate and its key: whether they can be used, and the context that uses them.

Looks at the two files, every time anew. `check` and the server ask the same question here, so a pair that
passes the one passes the other.
"""

from __future__ import annotations

import os
import ssl
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TOO_WIDE = 0o037
"""Reading by the group is left alone: it is how a key is shared on purpose, as Debian's ssl-cert does."""


class Unusable(Exception):  # noqa: N818  a finding about files, not an error of the program
    """The pair cannot be used."""

    def __init__(self, which: str, message: str) -> None:
        super().__init__(message)
        self.which = which
        """`cert` or `key`: whose problem it is."""


def context(cert: Path, key: Path) -> ssl.SSLContext:
    """What a server needs to speak TLS as the one that the certificate names.

    Raises:
        Unusable: it cannot; the text completes the sentence that begins with the key of stratvisor.toml.
    """
    _check_file("cert", cert)
    _check_rights(_check_file("key", key))
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    load(made, cert, key)
    return made


def load(into: ssl.SSLContext, cert: Path, key: Path) -> None:
    """Have a context use this pair for the connections to come.

    Raises:
        Unusable: the two are no pair, or no PEM.
    """
    try:
        # Without a password at hand OpenSSL would ask for one on the terminal.
        into.load_cert_chain(cert, key, password=_refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise Unusable(
                "key", "is not the key of this certificate; name the two that belong together"
            ) from None
        raise Unusable(
            "cert", f"cannot be used with this key: {error.reason or error}; give PEM files"
        ) from None
    except _PasswordError:
        raise Unusable(
            "key", "is encrypted with a password; give one that is not, readable by you alone"
        ) from None
    except OSError as error:
        raise Unusable("cert", f"cannot be read: {error.strerror}") from None


class _PasswordError(Exception):
    """OpenSSL asks for a password."""


def _refuse_password() -> str:
    raise _PasswordError


def _check_file(which: str, path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except OSError as error:
        raise Unusable(which, f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        raise Unusable(which, "is not a file")
    if not os.access(path, os.R_OK):
        raise Unusable(which, "cannot be read by the user that runs this")
    return status


def _check_rights(status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & _TOO_WIDE:
        raise Unusable(
            "key", f"others can read or change it (mode {mode:o}); chmod 600 it, and have it made anew"
        )
    if os.name == "posix" and status.st_uid not in {0, os.geteuid()}:
        raise Unusable(
            "key", f"belongs to uid {status.st_uid}, who knows it; have one that is yours or root's"
        )
