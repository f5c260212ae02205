"""Who may do what: looked at before any handler runs.

The Unix socket is guarded by its file's rights: who could open it may use it, as an admin, but for the
strategies themselves, which run as the same user. The TCP door can be knocked at by every local user, by
every web page in a local browser and by the strategies too. So there:

- The Host header must be a name of ours. A foreign name that was made to resolve to our address (DNS
  rebinding) comes with its own.
- An unsafe request whose Origin is not our own is refused, whatever it brings.
- Everything but /healthz, the login and the page's own files needs a token or a session, before anything
  is said of what there is; and then a role that may do it.
- An unsafe request by session must also bring that session's CSRF token.
"""

from __future__ import annotations

import hmac
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from stratvisor.http.doors import Session
from stratvisor.http.errors import RequestError
from stratvisor.http.front import Front, front
from stratvisor.http.keyring import Token
from stratvisor.http.names import connection, local_port
from stratvisor.http.parameters import form
from stratvisor.http.roles import NEED_NOBODY, Needs, Role, may, roles_for
from stratvisor.http.route import CSRF_FIELD, CSRF_HEADER

if TYPE_CHECKING:
    import asyncio

    from aiohttp.typedefs import Handler

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FAILED_PAUSE_S = 0.1
"""What every failed attempt costs at least."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    by: str
    """As `hold.by`, the history and the audit trail show it."""
    where: str
    """From which address, or as which process."""
    role: Role | None
    """None: nobody asked."""
    session: Session | None = None
    token: Token | None = field(default=None, repr=False)

    @property
    def over(self) -> asyncio.Event | None:
        """Set once the caller is to be let in no longer; None: that cannot come to pass."""
        known = self.session or self.token
        return None if known is None else known.over


CALLER = web.RequestKey("caller", Caller)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler, or raise what it lacks."""
    who = await _admit(request)
    request[CALLER] = who
    needs = _needs(request)
    if who.role is not None and not may(who.role, needs):
        *others, last = roles_for(needs)
        enough = f"{', '.join(others)} or {last}" if others else last
        raise RequestError(403, f"the role {who.role} may not {needs.value}; it takes {enough}")
    return await handler(request)


def caller(request: web.Request) -> Caller:
    """Who makes this request."""
    return request[CALLER]


def caller_if_known(request: web.Request) -> Caller | None:
    """Who it is that a page is made for; None: nobody who showed who he is."""
    found = request.get(CALLER)
    return None if found is None or found.role is None else found


def where_from(request: web.Request) -> str:
    """Where a request on TCP comes from, and by which proxy."""
    address, proxy = front(request).names.client(request)
    return address if proxy is None else f"{address} by {proxy}"


def may_look(request: web.Request) -> bool:
    """Whether who makes this request may be shown what there is."""
    role = caller(request).role
    return role is not None and may(role, Needs.LOOK)


def cookie_name(request: web.Request) -> str:
    """With the port in it: browsers send a cookie of one port of a host to all its others."""
    return f"stratvisor-{local_port(request)}"


async def wrong_secret(request: web.Request, detail: str, *, for_people: bool) -> RequestError:
    """The answer to a wrong token or code, once what it costs is paid; to be raised."""
    here = front(request)
    wait_s = here.throttle.failed(here.names.client(request)[0])
    await here.pause(FAILED_PAUSE_S)
    if wait_s is None:
        return _unknown(detail, for_people=for_people)
    return RequestError(
        429,
        f"too many wrong tokens and codes; try again in {wait_s} s (a good one is never kept waiting)",
        {"Retry-After": str(wait_s)},
    )


def _needs(request: web.Request) -> Needs:
    """Of a path that does not exist: as much as to look, so that strangers learn nothing by trying."""
    route = front(request).routes.get(request.match_info.route)
    return Needs.LOGIN if route is None else route.role_needed


async def _admit(request: web.Request) -> Caller:
    here = front(request)
    peer = connection(request)
    if peer is not None and peer.family == socket.AF_UNIX:
        return Caller(*here.peers.admit(peer), Role.ADMIN)
    # A connection that is gone already passes for TCP: hanging up at once must not open the door.
    anyone = Caller("anyone", where_from(request), None)
    needs = _needs(request)
    if needs is Needs.NOTHING:
        return anyone
    here.names.check_host(request)
    if request.method not in SAFE:
        here.names.check_origin(request)
    if needs in NEED_NOBODY:
        return anyone
    return await _by_token(request, here) or await _by_session(request, here)


async def _by_token(request: web.Request, here: Front) -> Caller | None:
    """None: no token was brought. A wrong one is an error, whatever else the request brings."""
    given = request.headers.get("Authorization")
    if given is None:
        return None
    scheme, _, text = given.partition(" ")
    keyring = here.doors.keyring
    token = keyring.find(text.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise await wrong_secret(
            request, "the token is wrong or revoked; `stratvisor token` prints a good one", for_people=False
        )
    if keyring.use_is_due():
        here.later(keyring.write)
    return Caller(f"token '{token.name}'", where_from(request), token.role, token=token)


async def _by_session(request: web.Request, here: Front) -> Caller:
    """A cookie of a session that is over is no try to break in: every tab that was left open sends one."""
    cookie = request.cookies.get(cookie_name(request))
    session = None if cookie is None else here.doors.session(cookie)
    if session is None:
        raise _unknown(
            "send the token that `stratvisor token` prints as 'Authorization: Bearer TOKEN', "
            "or log in with the link that `stratvisor open` prints",
            for_people=False,
        )
    if request.method not in SAFE and not hmac.compare_digest(
        (await _csrf(request)).encode("utf-8", "surrogatepass"), session.csrf.encode()
    ):
        raise RequestError(
            403, f"the form is out of date; load the page again ({CSRF_FIELD} is missing or wrong)"
        )
    return Caller(session.by, where_from(request), session.role, session)


async def _csrf(request: web.Request) -> str:
    header = request.headers.get(CSRF_HEADER)
    if header is not None:
        return header
    return dict(await form(request)).get(CSRF_FIELD, "")


def _unknown(detail: str, *, for_people: bool) -> RequestError:
    """A challenge; a person who only asked for a page is shown the login form, and not told of headers."""
    return RequestError(401, detail, {"WWW-Authenticate": 'Bearer realm="stratvisor"'}, for_people=for_people)
