"""The page: templates filled with what the host says.

Everything is escaped; no template marks anything as safe. Nothing in a page is inline, so that the
Content-Security-Policy can forbid all that is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stratvisor import __version__
from stratvisor.http import formats
from stratvisor.http.access import Caller, caller_if_known
from stratvisor.http.assets import VERSIONS
from stratvisor.http.negotiate import HTML
from stratvisor.http.parameters import text, whole
from stratvisor.http.roles import Needs, may
from stratvisor.http.route import CSRF_FIELD

if TYPE_CHECKING:
    from collections.abc import Mapping

BACK = text("back", "For a page's form: the path of the page to show afterwards")

DAYS = whole("days", "For the page: how many days from today its picture shows", 1, 14, 1)

_VERBS = {
    "look": Needs.LOOK,
    "start": Needs.OPERATE,
    "stop": Needs.STOP,
    "restart": Needs.OPERATE,
    "reload": Needs.ADMINISTER,
}
"""What the pages' links and buttons take: one that would be refused is not there."""

_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A path on this host: no scheme, no host, no backslash that a browser reads as a slash."""


class Pages:
    """All pages under one base path."""

    def __init__(self, base: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(formats.FILTERS)
        self._environment.globals.update(
            base=base, assets=VERSIONS, csrf_field=CSRF_FIELD, buttons=formats.buttons
        )

    def answer(
        self,
        request: web.Request,
        template: str,
        facts: Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        """A page made of `facts`, for whoever asks."""
        who = caller_if_known(request)
        session = None if who is None else who.session
        content = self._environment.get_template(template).render(
            facts,
            csrf="" if session is None else session.csrf,
            logged_in=session is not None,
            version="" if who is None else __version__,
            may={verb: _may(who, needs) for verb, needs in _VERBS.items()},
            here=request.path_qs,
        )
        # A lone surrogate, from a file name that is not UTF-8, cannot be sent otherwise.
        body = content.encode("utf-8", "backslashreplace")
        return web.Response(body=body, status=status, headers=headers, content_type=HTML, charset="utf-8")


def _may(who: Caller | None, needs: Needs) -> bool:
    return who is not None and who.role is not None and may(who.role, needs)


def local_path(given: str | None, base: str) -> str | None:
    """A path to send a browser to, if it is one of ours; None: it is not, or none was given."""
    if given is None or not _LOCAL.fullmatch(given) or not f"{given}/".startswith(f"{base}/"):
        return None
    return given
