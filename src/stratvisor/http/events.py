"""/events: every state change, as it happens."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from stratvisor.http.errors import RequestError
from stratvisor.http.front import front
from stratvisor.http.parameters import whole
from stratvisor.http.route import Answer, Asked, Route
from stratvisor.http.sse import CONTENT_TYPE, frame, stream

if TYPE_CHECKING:
    from aiohttp import web

    from stratvisor.ports import Host, News


async def events(request: web.Request, asked: Asked) -> web.StreamResponse:
    """The news after the one that the client saw last, and those to come."""
    return await stream(request, _frames(front(request).host, _after(request, asked)))


def _after(request: web.Request, asked: Asked) -> int | None:
    """A browser that comes back says in a header what it saw last; that is newer than what its URL says."""
    last = request.headers.get("Last-Event-ID")
    if last is None:
        after: int | None = asked["after"]
        return after
    if not re.fullmatch("[0-9]{1,18}", last):
        raise RequestError(422, "Last-Event-ID: must be an id that came with an event")
    return int(last)


async def _frames(host: Host, after: int | None) -> AsyncGenerator[bytes, None]:
    source, last = host.news(after), after
    try:
        async for news in source:
            if last is not None and news.id > last + 1:
                yield frame("missed", {"after": last, "before": news.id})
            last = news.id
            yield frame(news.kind, _written(news), news.id)
    finally:
        # A host forgets its listener when the generator is closed, not when it is collected.
        if isinstance(source, AsyncGenerator):
            await source.aclose()


def _written(news: News) -> dict[str, object]:
    return {
        "id": news.id,
        "at": news.at.isoformat(timespec="milliseconds"),
        "strategy": news.strategy,
        "kind": news.kind,
        "body": news.body,
    }


_STREAM = (
    "a stream of events `state`, `reload` and `problem`; after `missed`, news were not kept for so long: "
    "ask for /status"
)

ROUTES = (
    Route(
        "GET",
        "/events",
        events,
        "Every state change as a server-sent event, with an id to resume from (Last-Event-ID, or `after`)",
        {200: Answer(_STREAM, others=(CONTENT_TYPE,))},
        (
            whole(
                "after", "Begin after the event of this id; left out: with the next one", 0, 10**18 - 1, None
            ),
        ),
    ),
)
