"""The forms in which an answer goes out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from stratvisor.http.negotiate import HTML, JSON, best

if TYPE_CHECKING:
    from collections.abc import Mapping


def wants_page(request: web.Request) -> bool:
    """Whether a person in a browser asks, and not a program."""
    return best(request.headers.get("Accept", "*/*"), JSON, HTML) == HTML


def json_answer(
    data: Any, status: int = 200, headers: Mapping[str, str] | None = None, content_type: str = JSON
) -> web.Response:
    """Compact JSON, with a newline for those who read it in a terminal."""
    body = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    # A lone surrogate, from a file name that is not UTF-8, cannot be sent otherwise.
    content = body.encode("utf-8", "backslashreplace")
    return web.Response(body=content, status=status, headers=headers, content_type=content_type)


def see(location: str) -> web.Response:
    """Send a browser on, after a POST, to a page it may reload."""
    return web.Response(status=303, headers={"Location": location})
