"""Who may do what: looked at before any handler runs.

The Unix socket is guarded by its file's rights: who could open it may use it. The TCP door can be
knocked at by every local user, by every web page in a local browser and by the strategies themselves.
So there:

- The Host header must be a loopback name or address with our port. A foreign name that was made to
  resolve to 127.0.0.1 (DNS rebinding) comes with its own.
- An unsafe request whose Origin is not our own is refused, whatever it brings.
- Everything but /healthz, the login and the page's own files needs the token or a session.
- An unsafe request by session must also bring that session's CSRF token.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from stratvisor.http.doors import Session
from stratvisor.http.errors import RequestError
from stratvisor.http.front import Front, front
from stratvisor.http.route import CSRF_FIELD, CSRF_HEADER, Needs

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler


SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FAILED_PAUSE_S = 0.1
"""What every failed attempt costs; a token of 256 bits needs no more."""

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, as `hold.by` and the history show it."""

    by: str
    session: Session | None = None


CALLER = web.RequestKey("caller", Caller)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler, or raise what it lacks."""
    request[CALLER] = await _admit(request)
    return await handler(request)


def caller(request: web.Request) -> Caller:
    """Who makes this request."""
    return request[CALLER]


def session_of(request: web.Request) -> Session | None:
    """The session that a page is made for, if it is made for one."""
    known = request.get(CALLER)
    return None if known is None else known.session


def cookie_name(request: web.Request) -> str:
    """With the port in it: browsers send a cookie of one port of a host to all its others."""
    return f"stratvisor-{_port(request)}"


async def _admit(request: web.Request) -> Caller:
    here = front(request)
    peer = _socket(request)
    if peer is not None and peer.family == socket.AF_UNIX:
        return Caller(_peer_name(peer))
    # A connection that is gone already passes for TCP: hanging up at once must not open the door.
    route = here.routes.get(request.match_info.route)
    needs = Needs.CREDENTIALS if route is None else route.needs
    if needs is Needs.NOTHING:
        return Caller("anyone")
    _check_host(request)
    if request.method not in SAFE:
        _check_origin(request)
    if needs is Needs.LOCAL_NAME:
        return Caller("anyone")
    try:
        return _by_token(request, here) or await _by_session(request, here)
    except RequestError:
        await here.pause(FAILED_PAUSE_S)
        raise


def _by_token(request: web.Request, here: Front) -> Caller | None:
    """None: no token was brought. A wrong one is an error, whatever else the request brings."""
    given = request.headers.get("Authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not here.doors.is_token(token.strip()):
        raise _unknown("the token is wrong; `stratvisor token` prints it")
    return Caller("token 'api'")


async def _by_session(request: web.Request, here: Front) -> Caller:
    cookie = request.cookies.get(cookie_name(request))
    session = None if cookie is None else here.doors.session(cookie)
    if session is None:
        raise _unknown(
            "send the token that `stratvisor token` prints as 'Authorization: Bearer TOKEN', "
            "or log in with the link that `stratvisor up` prints"
        )
    if request.method not in SAFE and not hmac.compare_digest(
        (await _csrf(request)).encode("utf-8", "surrogatepass"), session.csrf.encode()
    ):
        raise RequestError(
            403, f"the form is out of date; load the page again ({CSRF_FIELD} is missing or wrong)"
        )
    return Caller("page", session)


async def _csrf(request: web.Request) -> str:
    header = request.headers.get(CSRF_HEADER)
    if header is not None:
        return header
    # post() leaves a body of any other type alone.
    field = (await request.post()).get(CSRF_FIELD, "")
    return field if isinstance(field, str) else ""


def _check_host(request: web.Request) -> None:
    given = request.headers.getall("Host", [])
    match = _HOST.fullmatch(given[0]) if len(given) == 1 else None
    port = _port(request)
    if match is None or not _is_loopback(match["name"]) or int(match["port"] or 80) != port:
        raise RequestError(
            421,
            f"this answers to localhost:{port}, 127.0.0.1:{port} and [::1]:{port}, "
            f"not to {', '.join(given) or 'no name'}; a proxy must send one of these as Host",
        )


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() != f"http://{request.headers['Host']}".lower():
        raise RequestError(
            403, f"a page of {origin} may not do this; use the one served here; a proxy must send no Origin"
        )


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _unknown(detail: str) -> RequestError:
    """A challenge, which is for programs: a person who is asked for by a page is shown the login form."""
    return RequestError(401, detail, {"WWW-Authenticate": 'Bearer realm="stratvisor"'})


def _socket(request: web.Request) -> socket.socket | None:
    """Of the connection; None: it is gone."""
    return None if request.transport is None else request.transport.get_extra_info("socket")


def _port(request: web.Request) -> int:
    here = _socket(request)
    return 0 if here is None or here.family == socket.AF_UNIX else int(here.getsockname()[1])


def _peer_name(peer: socket.socket) -> str:
    if sys.platform != "linux":
        return "socket"
    # struct ucred: pid, uid, gid (unix(7))
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return f"uid {struct.unpack('iII', credentials)[1]}"
