"""The tokens of people and programs: listed, made and revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.http.answers import json_answer
from stratvisor.http.audited import note
from stratvisor.http.errors import RequestError
from stratvisor.http.front import front
from stratvisor.http.keyring import TokenRefused
from stratvisor.http.parameters import choice, text
from stratvisor.http.roles import Needs, Role
from stratvisor.http.route import Answer, Asked, Route
from stratvisor.wording import did_you_mean

if TYPE_CHECKING:
    from aiohttp import web

    from stratvisor.http.keyring import Token
    from stratvisor.ports import Json

NAME = text("name", "What it is called, in lists and wherever something was done with it")
ROLE = choice("role", "What it may do", *Role)


async def listed(request: web.Request, _asked: Asked) -> web.Response:
    """All, without what they are."""
    return json_answer({"tokens": [_shown(token) for token in front(request).doors.keyring.listed()]})


async def make(request: web.Request, asked: Asked) -> web.Response:
    """A new one, shown this once."""
    here = front(request)
    keyring = here.doors.keyring
    name, role = asked["name"], asked["role"]
    if name is None or role is None:
        raise RequestError(422, f"{'name' if name is None else 'role'}: must be given")
    try:
        secret = keyring.make(name, Role(role))
    except TokenRefused as refused:
        raise RequestError(409, f"cannot make it: {refused}") from refused
    try:
        await here.read(keyring.write)
    except OSError as error:
        here.doors.revoke(name)
        raise RequestError(
            503, f"cannot make it: keys/tokens.json cannot be written: {error.strerror}"
        ) from error
    note(request, f"make token {name}", after={"role": role})
    return json_answer({"name": name, "role": role, "token": secret}, 201)


async def revoke(request: web.Request, _asked: Asked) -> web.Response:
    """At once, with its sessions and what they hold open."""
    here = front(request)
    name = request.match_info["name"]
    try:
        token = here.doors.revoke(name)
    except KeyError:
        known = [token.name for token in here.doors.keyring.listed()]
        raise RequestError(404, f"no token {name}{did_you_mean(name, known)}") from None
    except TokenRefused as refused:
        raise RequestError(409, f"cannot revoke it: {refused}") from refused
    note(request, f"revoke token {name}", before={"role": token.role})
    try:
        await here.read(here.doors.keyring.write)
    except OSError as error:
        raise RequestError(
            503,
            f"{name} is revoked now, but keys/tokens.json cannot be written ({error.strerror}): it would be "
            "good again after the next start of the daemon; mend that, and make or revoke another",
        ) from error
    return json_answer(_shown(token))


def _shown(token: Token) -> Json:
    return {
        "name": token.name,
        "role": token.role,
        "made": None if token.made is None else token.made.isoformat(timespec="seconds"),
        "used": None if token.used is None else token.used.isoformat(timespec="seconds"),
    }


ROUTES = (
    Route(
        "GET",
        "/tokens",
        listed,
        "The tokens by name, with their roles and when they were last used",
        {200: Answer("the tokens", "Tokens")},
        needs=Needs.ADMINISTER,
    ),
    Route(
        "POST",
        "/tokens",
        make,
        "Make a token; the answer is the only time that it is shown",
        {201: Answer("the token", "NewToken")},
        (NAME, ROLE),
        {409: "there is one of this name, or the name will not do", 503: "it cannot be kept"},
    ),
    Route(
        "POST",
        "/tokens/{name}/revoke",
        revoke,
        "Revoke a token: at once, with its sessions and the streams they hold open",
        {200: Answer("what it was", "Token")},
        (),
        {409: "it lies in a file of its own", 503: "it cannot be kept"},
    ),
)
