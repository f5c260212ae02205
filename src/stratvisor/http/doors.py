"""Who may come in by the TCP door: the token, the one-time login codes, and the sessions they open.

Knows secrets and the time, nothing of requests. Codes and sessions live in memory alone, so a restart
of the daemon ends them all. Only their hashes are kept, which also makes looking one up take the same
time whether or not its beginning was right.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from stratvisor.spec import HOUR, MINUTE

if TYPE_CHECKING:
    from stratvisor.ports import Clock

CODE_NS = 15 * MINUTE
SESSION_NS = 12 * HOUR

MOST = 256
"""Codes, and sessions, that stand at once; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that logged in."""

    csrf: str
    """What its own pages know and other sites do not."""
    until_ns: int
    """CLOCK_BOOTTIME."""


class Doors:
    """The keys to one daemon."""

    def __init__(self, token: str, clock: Clock) -> None:
        self._token = _hash(token)
        self._clock = clock
        self._codes: dict[bytes, int] = {}
        self._sessions: dict[bytes, Session] = {}

    def is_token(self, text: str) -> bool:
        """Whether this is the API token; takes the same time for every wrong one."""
        return hmac.compare_digest(_hash(text), self._token)

    def mint_code(self) -> str:
        """A code that opens one session within `CODE_NS`."""
        now_ns = self._clock.now().boot_ns
        self._codes = {code: until for code, until in self._codes.items() if until > now_ns}
        _make_room(self._codes)
        code = secrets.token_urlsafe(24)
        self._codes[_hash(code)] = now_ns + CODE_NS
        return code

    def log_in(self, secret: str) -> str | None:
        """The cookie of a new session, for a login code (now spent) or the token; None: it is neither."""
        now_ns = self._clock.now().boot_ns
        until_ns = self._codes.pop(_hash(secret), None)
        if not self.is_token(secret) and (until_ns is None or until_ns <= now_ns):
            return None
        self._sessions = {key: kept for key, kept in self._sessions.items() if kept.until_ns > now_ns}
        _make_room(self._sessions)
        cookie = secrets.token_urlsafe(32)
        self._sessions[_hash(cookie)] = Session(secrets.token_urlsafe(32), now_ns + SESSION_NS)
        return cookie

    def session(self, cookie: str) -> Session | None:
        """The session of a cookie; None: it is over, or never was."""
        session = self._sessions.get(_hash(cookie))
        if session is None or session.until_ns <= self._clock.now().boot_ns:
            return None
        return session

    def log_out(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(_hash(cookie), None)


def _hash(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _make_room(kept: dict[bytes, int] | dict[bytes, Session]) -> None:
    while len(kept) >= MOST:
        del kept[next(iter(kept))]
