"""What a route is: the one description that the router, the checks and openapi.json are made from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from stratvisor.http.parameters import Param, text
from stratvisor.http.roles import NEED_NOBODY, Needs

Asked = Mapping[str, Any]
"""The checked parameters of a request; each the route has is there."""

CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"
_CSRF = text(
    CSRF_FIELD, f"With a session's cookie: the token of its pages; may come as {CSRF_HEADER} instead"
)

Handler = Callable[[web.Request, Asked], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One way a request ends well."""

    about: str
    schema: str | None = None
    """Its name in openapi.json; None: not JSON."""
    others: tuple[str, ...] = ()
    """Further media types it comes in."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path."""

    method: str
    path: str
    """As aiohttp and OpenAPI both write it."""
    handler: Handler
    about: str
    answers: Mapping[int, Answer]
    params: tuple[Param, ...] = ()
    refuses: Mapping[int, str] = field(default_factory=dict)
    """Statuses of its own that are errors, beyond those that every route has."""
    needs: Needs | None = None
    """None: a GET asks to look, and whatever changes something for an admin."""
    at_root: bool = False
    """Outside the base path."""

    @property
    def role_needed(self) -> Needs:
        """What the caller must be allowed."""
        by_method = Needs.LOOK if self.method in {"GET", "HEAD"} else Needs.ADMINISTER
        return self.needs or by_method

    @property
    def takes(self) -> tuple[Param, ...]:
        """Its parameters, and what `access` looks at."""
        unsafe = self.method == "POST" and self.role_needed not in NEED_NOBODY
        return (*self.params, _CSRF) if unsafe else self.params
