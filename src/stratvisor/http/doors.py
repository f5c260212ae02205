"""Who may come in by the TCP door: tokens, the one-time login codes, and the sessions they open.

Knows secrets and the time, nothing of requests. Codes and sessions live in memory alone, so a restart
of the daemon ends them all. Only their hashes are kept, which also makes looking one up take the same
time whether or not its beginning was right. A session ends with the token that opened it.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from stratvisor.http.keyring import Keyring, Token, digest_of
from stratvisor.http.roles import Role
from stratvisor.spec import HOUR, MINUTE

if TYPE_CHECKING:
    from stratvisor.ports import Clock

CODE_NS = 15 * MINUTE
SESSION_NS = 12 * HOUR
IDLE_NS = 2 * HOUR
"""How long a session lives without a request. An open page asks every few seconds, a hidden one does not."""

MOST = 256
"""Codes, and sessions, that stand at once; the oldest gives way."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Code:
    """A login link that nobody used yet."""

    role: Role
    by: str
    """Who had it made."""
    until_ns: int


@dataclass(slots=True, eq=False)
class Session:
    """One browser that logged in."""

    by: str
    """Who it acts for: the name of the token, or who had the login link made."""
    role: Role
    csrf: str = field(repr=False)
    """What its own pages know and other sites do not."""
    until_ns: int
    """CLOCK_BOOTTIME."""
    seen_ns: int
    token: Token | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set once it is over by somebody's word: whatever it holds open ends."""


class Doors:
    """The keys to one daemon."""

    def __init__(self, keyring: Keyring, clock: Clock) -> None:
        self.keyring = keyring
        self._clock = clock
        self._codes: dict[bytes, Code] = {}
        self._sessions: dict[bytes, Session] = {}

    def mint_code(self, role: Role = Role.ADMIN, by: str = "the daemon") -> str:
        """A code that opens one session within `CODE_NS`."""
        now_ns = self._clock.now().boot_ns
        self._codes = {key: code for key, code in self._codes.items() if code.until_ns > now_ns}
        _make_room(self._codes)
        text = secrets.token_urlsafe(24)
        self._codes[digest_of(text)] = Code(role, by, now_ns + CODE_NS)
        return text

    def log_in(self, secret: str) -> tuple[str, Session] | None:
        """A new session and its cookie, for a login code (now spent) or a token; None: it is neither."""
        now_ns = self._clock.now().boot_ns
        session = self._by_code(secret, now_ns) or self._by_token(secret, now_ns)
        if session is None:
            return None
        self._sessions = {key: kept for key, kept in self._sessions.items() if _lives(kept, now_ns)}
        for key in _make_room(self._sessions):
            key.over.set()
        cookie = secrets.token_urlsafe(32)
        self._sessions[digest_of(cookie)] = session
        return cookie, session

    def session(self, cookie: str) -> Session | None:
        """The session of a cookie, now seen; None: it is over, or never was."""
        now_ns = self._clock.now().boot_ns
        session = self._sessions.get(digest_of(cookie))
        if session is None or not _lives(session, now_ns):
            return None
        session.seen_ns = now_ns
        return session

    def stands(self, session: Session) -> bool:
        """Whether a session that was let in would be let in still; what it holds open counts as use."""
        now_ns = self._clock.now().boot_ns
        if _lives(session, now_ns):
            session.seen_ns = now_ns
            return True
        return False

    def log_out(self, cookie: str) -> None:
        """End a session, and what it holds open."""
        session = self._sessions.pop(digest_of(cookie), None)
        if session is not None:
            session.over.set()

    def revoke(self, name: str) -> Token:
        """Revoke a token, and end every session that it opened.

        Raises:
            KeyError: there is none of this name.
            TokenRefused: it cannot be revoked here.
        """
        token = self.keyring.remove(name)
        for session in self._sessions.values():
            if session.token is token:
                session.over.set()
        return token

    def _by_code(self, secret: str, now_ns: int) -> Session | None:
        code = self._codes.pop(digest_of(secret), None)
        if code is None or code.until_ns <= now_ns:
            return None
        return _session(code.by, code.role, now_ns)

    def _by_token(self, secret: str, now_ns: int) -> Session | None:
        token = self.keyring.find(secret)
        return None if token is None else _session(f"token '{token.name}'", token.role, now_ns, token)


def _session(by: str, role: Role, now_ns: int, token: Token | None = None) -> Session:
    return Session(by, role, secrets.token_urlsafe(32), now_ns + SESSION_NS, now_ns, token)


def _lives(session: Session, now_ns: int) -> bool:
    return not session.over.is_set() and now_ns < min(session.until_ns, session.seen_ns + IDLE_NS)


def _make_room(kept: dict[bytes, _T]) -> list[_T]:
    """Let the oldest go; the answer is who went."""
    return [kept.pop(next(iter(kept))) for _ in range(len(kept) - MOST + 1)]
