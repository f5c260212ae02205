"""One client's connection: aiohttp's, but for deadlines, and for its answer to what is no HTTP.

aiohttp waits for the rest of a request, and for a client to read, for ever. Here each has its time; then
the connection is cut, for a client that does neither would not read a farewell.
"""

from __future__ import annotations

import asyncio
import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.streams import StreamReader
    from aiohttp.web_request import BaseRequest

    from stratvisor.http.limits import Limits

_LOG = logging.getLogger(__name__)
_NO_LOG = logging.getLogger("stratvisor.http.requests")
"""Requests are not logged one by one; orders stand in the history, with who gave them."""
_NO_LOG.disabled = True

MOST_LINE = 8190
MOST_HEADERS = 64


class Connection(web.RequestHandler):
    """Tells clients no version and no traceback, and the log nothing of noise that any process can send."""

    def __init__(self, server: web.Server, limits: Limits) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            server,
            auto_decompress=False,  # what is broken raises wherever it is read, also after the answer
            loop=loop,
            access_log=_NO_LOG,
            keepalive_timeout=limits.idle_s,
            max_line_size=MOST_LINE,
            max_field_size=MOST_LINE,
            max_headers=MOST_HEADERS,
        )
        self.lost = asyncio.Event()
        """Set once the connection is gone."""
        self._limits = limits
        self._asked = 0
        self._body: StreamReader | None = None
        """Of the newest request, while it is on its way."""
        self._wire: asyncio.Transport | None = None
        """aiohttp lets go of its own when it closes, and then nobody could cut what does not drain."""
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there, and has to say what it wants."""
        # Told of any byte that waits, not of 64 KiB only. 1, for with TLS 0 would be reached by nothing.
        self._wire = cast("asyncio.Transport", transport)
        self._wire.set_write_buffer_limits(high=1, low=0)
        super().connection_made(transport)
        self._wait_for_client(self._limits.head_s)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody is there any more."""
        self._cancel(self._reading)
        self._cancel(self._writing)
        self.lost.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """More of a request: its deadline is that of the part that is still missing."""
        super().data_received(data)
        if self._request_count > self._asked:
            self._asked = self._request_count
            self._body = self._messages[-1][1] if self._messages else None
            self._wait_for_client(self._limits.body_s)
        if self._body is not None and self._body.is_eof():
            self._body = None
            self._cancel(self._reading)
            self._reading = None
        elif self._body is None and self._reading is None and data:
            self._wait_for_client(self._limits.head_s)

    def pause_writing(self) -> None:
        """Something waits for the client to read."""
        super().pause_writing()
        self._writing = self._loop.call_later(self._limits.write_s, self._cut)

    def resume_writing(self) -> None:
        """Nothing does."""
        super().resume_writing()
        self._cancel(self._writing)

    def _wait_for_client(self, seconds: float) -> None:
        self._cancel(self._reading)
        self._reading = self._loop.call_later(seconds, self._cut)

    @staticmethod
    def _cancel(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()

    def _cut(self) -> None:
        if self._wire is not None:
            self._wire.abort()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  repeats the noise
    ) -> web.StreamResponse:
        """The last answer on this connection."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _LOG.error("cannot answer %s %s", request.method, request.path, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("cannot answer: part of another answer has left already")
        phrase = HTTPStatus(status).phrase
        problem = {
            "type": "about:blank",
            "title": phrase,
            "status": status,
            "detail": "this is no HTTP request",
        }
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            problem["detail"] = "something went wrong here; log/stratvisor.log says what"
        answer = web.Response(
            text=json.dumps(problem), status=status, content_type="application/problem+json"
        )
        # aiohttp names itself and its version only where no name is given.
        answer.headers["Server"] = "stratvisor"
        answer.force_close()
        return answer
