"""How a request that cannot be served is answered: RFC 9457 for programs, a small page for people.

The error middleware is the outermost edge of every request: what nobody foresaw is logged there with
its traceback, and the client is told no more than that it happened.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from stratvisor.http.answers import json_answer, wants_page
from stratvisor.http.front import front
from stratvisor.ports import Json, Refused, UnknownStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

_LOG = logging.getLogger(__name__)

STARTED: web.RequestKey[web.StreamResponse] = web.RequestKey("started", web.StreamResponse)
"""An answer whose first part has left: no other can follow."""

_DETAILS = {
    404: "there is nothing at {path}; /openapi.json lists what there is",
    405: "{path} does not take {method}, only {allow}",
    413: "the body is over 1 MB",
}


class RequestError(Exception):
    """The request is answered with this status; `detail` says what is wrong and what would be right."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        facts: Json | None = None,
        *,
        for_people: bool = True,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.facts = facts or {}
        """Further members of the problem, for programs."""
        self.for_people = for_people
        """Whether the detail tells something to a person, too."""


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised into an answer."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001  the outermost edge of a request
        started = request.get(STARTED)
        if started is not None:
            return _cut(request, started, error)
        return error_answer(request, _understood(request, error))


def error_answer(request: web.Request, error: RequestError) -> web.Response:
    """The answer in the form that was asked for."""
    title = HTTPStatus(error.status).phrase
    if wants_page(request):
        page = "login.html" if error.status == HTTPStatus.UNAUTHORIZED else "error.html"
        detail = error.detail if error.for_people else ""
        facts = {"status": error.status, "title": title, "detail": detail, "code": ""}
        return front(request).pages.answer(request, page, facts, error.status, error.headers)
    problem = {
        "type": "about:blank",
        "title": title,
        "status": error.status,
        "detail": error.detail,
        "instance": request.path,
    }
    return json_answer(problem | error.facts, error.status, error.headers, "application/problem+json")


def _understood(request: web.Request, error: Exception) -> RequestError:
    match error:
        case RequestError():
            return error
        case UnknownStrategy():
            return RequestError(404, str(error))
        case Refused():
            return RequestError(409, str(error))
        case web.HTTPException():
            allow = error.headers.get("Allow", "")
            detail = _DETAILS.get(error.status, error.reason)
            detail = detail.format(path=request.path, method=request.method, allow=allow)
            return RequestError(error.status, detail, {"Allow": allow} if allow else {})
        case ConnectionError():
            return RequestError(400, "the connection ended before the request did")
        case _:
            _LOG.error("cannot answer %s %s", request.method, request.path, exc_info=error)
            return RequestError(500, "something went wrong here; log/stratvisor.log says what")


def _cut(request: web.Request, started: web.StreamResponse, error: Exception) -> web.StreamResponse:
    """Break the connection: an answer that ended early must not look whole."""
    if not isinstance(error, ConnectionResetError):  # the client left: nothing to tell
        _LOG.error("cannot go on answering %s %s", request.method, request.path, exc_info=error)
    if request.transport is not None:
        request.transport.abort()
    return started
