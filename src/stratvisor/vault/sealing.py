"""Values under lock and key: Fernet (AES-128-CBC with HMAC-SHA256), by any of several keys.

The only file that knows `cryptography`, which weighs 7 MB: whoever has no secrets does not import this.
A sealed value tells without the key when it was sealed, and keeps that through a change of the key:
https://github.com/fernet/spec.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ring:
    """Keys, the newest first: that one seals, and any of them opens.

    Raises:
        ValueError: one of them is no key, or there is none.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, value: str) -> str:
        """The value as secrets.yaml holds it; never the same twice."""
        return self._fernet.encrypt(value.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """The value; None: it is damaged, or was sealed with another key than these."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except (InvalidToken, UnicodeDecodeError):
            return None

    def reseal(self, sealed: str) -> str:
        """A value that opens, under the newest key."""
        return self._fernet.rotate(sealed).decode()


def new_key() -> str:
    """A key that nobody has had before."""
    return Fernet.generate_key().decode()


def sealed_at(sealed: str) -> datetime | None:
    """When the value was set, to the second; None: it is no sealed value."""
    try:
        seconds = int.from_bytes(base64.urlsafe_b64decode(sealed)[1:9])
        return _EPOCH + timedelta(seconds=seconds)
    except (binascii.Error, ValueError, OverflowError):
        return None
