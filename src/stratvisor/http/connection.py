"""One client's connection: aiohttp's, but for its answer to what is no HTTP or fails outside a handler."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

_LOG = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """Tells clients no version and no traceback, and the log nothing of noise that any process can send."""

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
