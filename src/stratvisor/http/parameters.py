"""What may be asked of a route beside its path: from the query, a form or a JSON object alike.

Rule: a parameter that a route does not know, that comes twice or that cannot be understood is
refused; `?utnil=next` must not hold a strategy for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp.http_exceptions import HttpProcessingError

from stratvisor.http.errors import RequestError
from stratvisor.ports import Json
from stratvisor.wording import did_you_mean, quoted

if TYPE_CHECKING:
    from aiohttp import web

_NO_FORM = (ValueError, LookupError, RuntimeError, HttpProcessingError)
"""What aiohttp raises where a part, a charset or an encoding is not what it should be."""

_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_FLAGS = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. `read` raises ValueError with what would be right."""

    name: str
    about: str
    schema: Json
    read: Callable[[str], Any]
    default: Any = None


def text(name: str, about: str, longest: int = 1024) -> Param:
    """Any text; an empty one, as forms send it, is the same as none."""

    def read(value: str) -> str | None:
        if len(value) > longest:
            raise ValueError(f"must have at most {longest} characters")
        return value or None

    return Param(name, about, {"type": "string", "maxLength": longest}, read)


def choice(name: str, about: str, *options: str) -> Param:
    """One of some words."""

    def read(value: str) -> str:
        if value not in options:
            raise ValueError(f"must be {' or '.join(options)}")
        return value

    return Param(name, about, {"type": "string", "enum": list(options)}, read)


def flag(name: str, about: str) -> Param:
    """1 or 0; left out it is 0."""

    def read(value: str) -> bool:
        if value not in _FLAGS:
            raise ValueError("must be 1 or 0")
        return _FLAGS[value]

    return Param(name, about, {"type": "string", "enum": list(_FLAGS)}, read, default=False)


def whole(name: str, about: str, least: int, most: int, default: int | None) -> Param:
    """A whole number within bounds."""

    def read(value: str) -> int:
        if not re.fullmatch("[0-9]{1,18}", value) or not least <= int(value) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    schema: Json = {"type": "integer", "minimum": least, "maximum": most}
    return Param(name, about, schema if default is None else schema | {"default": default}, read, default)


def seconds(name: str, about: str, most: int) -> Param:
    """Seconds, with decimals; left out they are 0."""

    def read(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", value) or float(value) > most:
            raise ValueError(f"must be seconds from 0 to {most}")
        return float(value)

    schema: Json = {"type": "number", "minimum": 0, "maximum": most, "default": 0}
    return Param(name, about, schema, read, default=0.0)


async def asked(request: web.Request, params: Iterable[Param]) -> dict[str, Any]:
    """What the request asks, checked; a parameter left out has its default.

    Raises:
        RequestError: 422 with every mistake in it, or 415 for a body of another kind.
    """
    known = {param.name: param for param in params}
    given = list(request.query.items())
    if request.method == "POST":
        given += await _body(request)
    values: dict[str, Any] = {}
    wrong = []
    for name, value in given:
        if name not in known:
            wrong.append(f"{quoted(name)}: unknown parameter{did_you_mean(name, known)}")
        elif name in values:
            wrong.append(f"{quoted(name)}: given twice")
        else:
            try:
                values[name] = known[name].read(value)
            except ValueError as error:
                wrong.append(f"{quoted(name)}: {error}")
    if wrong:
        raise RequestError(422, "; ".join(wrong))
    return {name: param.default for name, param in known.items()} | values


async def _body(request: web.Request) -> list[tuple[str, str]]:
    if not request.body_exists:
        return []
    if request.content_type in _FORMS:
        return await form(request)
    _refuse_compressed(request)
    content = await request.read()
    if not content:
        return []
    if request.content_type != "application/json":
        raise RequestError(415, f"cannot read a body of type {request.content_type}; send a form or JSON")
    try:
        fields = json.loads(content, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise RequestError(422, f"the body is not JSON: {error}") from error
    if content.lstrip()[:1] != b"{":
        raise RequestError(422, "the body must be a JSON object of parameters")
    return [(name, _written(name, value)) for name, value in fields]


async def form(request: web.Request) -> list[tuple[str, str]]:
    """The fields of a body that is a form; none, where it is of another kind.

    Raises:
        RequestError: 422 where it is none, 415 where it is compressed.
    """
    _refuse_compressed(request)
    try:
        posted = await request.post()
    except _NO_FORM as error:
        raise RequestError(422, f"the body is not the form that its Content-Type says: {error}") from error
    fields = [(name, value) for name, value in posted.items() if isinstance(value, str)]
    if len(fields) < len(posted):
        raise RequestError(422, "a field of the form is a file; each must be text")
    return fields


def _refuse_compressed(request: web.Request) -> None:
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise RequestError(415, f"cannot read a body in {quoted(encoding)}; send it as it is")


def _written(name: str, value: object) -> str:
    """A JSON value as a query would write it."""
    match value:
        case str():
            return value
        case bool() | int() | float():
            return json.dumps(value)
        case _:
            raise RequestError(422, f"{quoted(name)}: must be text, a number, true or false")
