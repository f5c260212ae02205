"""The tokens that open the TCP door: `api`, and those with names, kept hashed in keys/tokens.json.

A token is 256 random bits, which nobody finds by trying hashes, however fast: so SHA-256 does, where a
password would need a slow hash, and a wrong token costs no more work than a right one. The file gives
no token away and holds nothing that was not asked for by name.

Rule: what cannot be read opens nothing and is never written over.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from stratvisor.http import keyfile
from stratvisor.http.keyfile import KeyProblem
from stratvisor.http.roles import Role
from stratvisor.replacing import replace

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.ports import Clock

FILE = "tokens.json"
LEVEL = 1
"""Of the file's format."""

API = "api"
"""The name of the token in keys/api.token."""

MOST = 256
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_USE_KEPT = timedelta(hours=1)
"""How far the file's word on when a token was last used may lie behind."""


@dataclass(slots=True, eq=False)
class Token:
    """One token, without the token itself."""

    name: str
    role: Role
    digest: bytes = field(repr=False)
    made: datetime | None = None
    """None: of keys/api.token, whose file says so."""
    used: datetime | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set once it is revoked: whatever it holds open ends."""


class TokenRefused(Exception):  # noqa: N818  a refusal is no error of the program
    """The tokens stay as they are; the text says why and what to do."""


class Keyring:
    """All of them. Everything is for the event loop but `write`, which blocks on disk."""

    def __init__(self, api: str, file: Path | None, clock: Clock) -> None:
        """`file` None: there is `api` and no other."""
        self.problem: str | None = None
        """Why the file cannot be used; until it is mended its tokens open nothing."""
        self._file = file
        self._clock = clock
        self._known = {API: Token(API, Role.ADMIN, digest_of(api))}
        self._kept_use: dict[str, datetime | None] = {}
        try:
            self._known |= {token.name: token for token in _read(file)}
        except KeyProblem as problem:
            self.problem = str(problem)
        self._note_kept()

    def find(self, text: str) -> Token | None:
        """The token that a text is, now used; takes the same time whichever it is not."""
        digest = digest_of(text)
        # All are compared: neither which one comes close nor how far down the list shows in the time.
        found = [token for token in self._known.values() if hmac.compare_digest(token.digest, digest)]
        if not found:
            return None
        found[0].used = self._clock.now().wall
        return found[0]

    def listed(self) -> list[Token]:
        """All, by name."""
        return sorted(self._known.values(), key=lambda token: token.name)

    def make(self, name: str, role: Role) -> str:
        """A new token, in force at once; the answer is the only time that it is shown. `write` keeps it.

        Raises:
            TokenRefused: the name is taken or will not do.
        """
        self._check_file()
        if not NAME.fullmatch(name):
            raise TokenRefused(
                f"{name!r} is no name for a token: 32 small letters, digits, - and _ at most, no - or _ first"
            )
        if name in self._known:
            raise TokenRefused(f"there is a token {name}; `stratvisor token rm {name}` revokes it")
        if len(self._known) >= MOST:
            raise TokenRefused(f"there are {MOST} tokens; revoke one with `stratvisor token rm NAME`")
        text = secrets.token_urlsafe(32)
        self._known[name] = Token(name, role, digest_of(text), made=self._clock.now().wall)
        return text

    def remove(self, name: str) -> Token:
        """Revoke a token, at once. `write` makes it last.

        Raises:
            KeyError: there is none of this name.
            TokenRefused: it lies in a file of its own.
        """
        if name == API:
            raise TokenRefused(
                "`api` is the token in keys/api.token: remove the file and start the daemon again"
            )
        token = self._known[name]
        self._check_file()
        del self._known[name]
        token.over.set()
        return token

    def use_is_due(self) -> bool:
        """Whether the file lies too far behind on when tokens were used; said once: write it then."""
        due = self.problem is None and any(
            token.used - (self._kept_use.get(name) or _LONG_AGO) >= _USE_KEPT
            for name, token in self._known.items()
            if token.used is not None and name != API
        )
        if due:
            self._note_kept()
        return due

    def write(self) -> None:
        """Make the file say what is in force.

        Raises:
            OSError: it cannot be written; it says what it said.
        """
        if self._file is None or self.problem is not None:
            return
        rows = [_to_json(token) for token in self.listed() if token.name != API]
        content = {"level": LEVEL, "tokens": rows}
        replace(self._file, json.dumps(content, indent=1).encode("ascii") + b"\n")
        self._note_kept()

    def _note_kept(self) -> None:
        self._kept_use = {token.name: token.used for token in self._known.values()}

    def _check_file(self) -> None:
        if self.problem is not None:
            raise TokenRefused(self.problem)
        if self._file is None:
            raise TokenRefused("there is no file for tokens here")


def digest_of(text: str) -> bytes:
    """What is kept of a secret."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _read(file: Path | None) -> list[Token]:
    if file is None:
        return []
    cure = "its tokens are gone; `stratvisor token new` makes others"
    try:
        content = json.loads(keyfile.read(file, cure))
        if content["level"] > LEVEL:
            raise KeyProblem(
                f"cannot use {file}: made by a newer stratvisor (format {content['level']}, this one knows"
                f" {LEVEL}); upgrade stratvisor"
            )
        return [_from_json(row) for row in content["tokens"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyProblem(f"cannot use {file}: {error.strerror}; mend its rights") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KeyProblem(f"cannot use {file}: it is damaged ({error!r}); remove it, and {cure}") from error


def _to_json(token: Token) -> dict[str, Any]:
    return {
        "name": token.name,
        "role": token.role.value,
        "sha256": token.digest.hex(),
        "made": None if token.made is None else token.made.isoformat(),
        "used": None if token.used is None else token.used.isoformat(),
    }


def _from_json(row: dict[str, Any]) -> Token:
    if not NAME.fullmatch(row["name"]) or row["name"] == API:
        raise ValueError(f"no name for a token: {row['name']!r}")
    digest = bytes.fromhex(row["sha256"])
    if len(digest) != sha256().digest_size:
        raise ValueError(f"the hash of {row['name']} is cut")
    return Token(row["name"], Role(row["role"]), digest, _instant(row["made"]), _instant(row["used"]))


def _instant(text: str | None) -> datetime | None:
    at = None if text is None else datetime.fromisoformat(text)
    if at is not None and at.tzinfo is None:
        raise ValueError(f"no zone in {text}")
    return at
