"""The page's own files. They are few and read once, so no path of a request ever reaches the disk."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from aiohttp import web

from stratvisor.http.errors import RequestError
from stratvisor.http.parameters import text
from stratvisor.http.roles import Needs
from stratvisor.http.route import Answer, Asked, Route

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {
    path.name: path.read_bytes()
    for path in sorted((Path(__file__).parent / "static").iterdir())
    if path.suffix in _TYPES
}
VERSIONS = {name: sha256(content).hexdigest()[:12] for name, content in _FILES.items()}
"""By content: a page asks for exactly the file it was made for."""


async def asset(request: web.Request, _asked: Asked) -> web.Response:
    """One file."""
    name = request.match_info["name"]
    content = _FILES.get(name)
    if content is None:
        raise RequestError(404, f"the page has no file {name}")
    answer = web.Response(body=content, content_type=_TYPES[Path(name).suffix], charset="utf-8")
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer


ROUTES = (
    Route(
        "GET",
        "/static/{name}",
        asset,
        "The page's own files",
        {200: Answer("a file", others=tuple(_TYPES.values()))},
        (text("v", "Its version, for caches"),),
        needs=Needs.LOCAL_NAME,
    ),
)
