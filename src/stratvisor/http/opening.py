"""How a daemon opens its doors: from its settings and its keys to a server that listens.

Whatever of it cannot be had costs TCP and is said; the Unix socket opens in any case.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from stratvisor.http import apitoken, app, server
from stratvisor.http.doors import Doors
from stratvisor.http.front import FRONT
from stratvisor.http.keyfile import KeyProblem
from stratvisor.http.keyring import FILE, Keyring
from stratvisor.http.roles import Role
from stratvisor.http.tls import Tls

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.audit import Audit
    from stratvisor.http.server import Server
    from stratvisor.ports import Clock, Host
    from stratvisor.settings import Http

log = logging.getLogger("stratvisor")


async def open_doors(home: Path, http: Http, host: Host, clock: Clock, audit: Audit) -> Server:
    """Listen on the socket of a home, and on TCP as its settings say.

    Raises:
        OSError: the Unix socket cannot be made.
    """
    keyring, usable = await asyncio.to_thread(_keys, home / "keys", clock)
    application = app.build(
        host, Doors(keyring, clock), audit, clock, base_path=http.base_path, public_urls=http.public_urls
    )
    path = home / "run" / "stratvisor.sock"
    address = _address(http) if usable else None
    listening = await server.serve(application, path, address, _tls(home, http))
    log.info("socket %s", path)
    link = application[FRONT].login_link(Role.ADMIN, "the daemon's first login link")
    if link is not None:
        log.info("page   %s (a login link, good once)", link)
    return listening


def _keys(keys: Path, clock: Clock) -> tuple[Keyring, bool]:
    """The tokens, and whether TCP may be opened with them."""
    usable = True
    try:
        api = apitoken.api_token(keys)
    except KeyProblem as problem:
        log.error("%s; until then the Unix socket is the only door", problem)  # noqa: TRY400
        api, usable = secrets.token_urlsafe(32), False
    keyring = Keyring(api, keys / FILE, clock)
    if keyring.problem is not None:
        log.error("%s; until then the tokens in it open nothing", keyring.problem)
    return keyring, usable


def _address(http: Http) -> tuple[str, int] | None:
    if not http.port:
        return None
    if not http.is_loopback and _tls_files(http) is None:
        log.error(
            "cannot listen on %s: tokens must not travel in the clear; add tls_cert and tls_key to [http] in "
            "stratvisor.toml, or write 127.0.0.1; until then the Unix socket is the only door",
            http.host,
        )
        return None
    return http.host, http.port


def _tls(home: Path, http: Http) -> Tls | None:
    files = _tls_files(http)
    return None if files is None else Tls(home / files[0], home / files[1])


def _tls_files(http: Http) -> tuple[str, str] | None:
    return (http.tls_cert, http.tls_key) if http.tls_cert and http.tls_key else None
