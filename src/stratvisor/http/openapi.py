"""/openapi.json: OpenAPI 3.1, made from the same routes as the router: neither can lie about the other."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from stratvisor import __version__
from stratvisor.http.roles import NEED_NOBODY, Needs, roles_for
from stratvisor.http.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratvisor.http.parameters import Param
    from stratvisor.http.route import Route
    from stratvisor.ports import Json

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_PATH_ABOUT = {
    "id": "A strategy's id; for start, stop and restart also @TAG or `all`",
    "name": "A file's or a token's name",
}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_BEARER = (
    "What `stratvisor token` or `stratvisor token new` prints. Each operation lists the roles that may do it"
)
_SESSION = (
    "What a login sets. An unsafe request must also bring the CSRF token of its pages, "
    "as X-CSRF-Token or `csrf`"
)
_DESCRIPTION = (
    "Hosts automated Python trading strategies on your own server. On the Unix socket no token is needed; "
    "on TCP every request but /healthz needs one. What answers text/html does so where Accept prefers it."
)


def describe(routes: Iterable[Route], base: str) -> Json:
    """The whole description. HEAD goes wherever GET does and is not listed."""
    paths: dict[str, Json] = {}
    for route in routes:
        if route.method != "HEAD":
            path = route.path if route.at_root else base + route.path
            paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "stratvisor", "version": __version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": _BEARER},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "stratvisor-PORT",
                    "description": _SESSION,
                },
            },
        },
    }


def _operation(route: Route) -> Json:
    in_path = [_path_parameter(name) for name in _PATH_PARAMETER.findall(route.path)]
    in_query = [_query_parameter(param) for param in route.takes if route.method == "GET"]
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.about,
        "security": _security(route),
        "parameters": in_path + in_query,
        "responses": _responses(route),
    }
    if route.method == "POST":
        operation["requestBody"] = _body(route)
    return operation


def _security(route: Route) -> list[Json]:
    """Either of the two, each with the roles that are enough (OpenAPI 3.1, Security Requirement Object)."""
    roles = [str(role) for role in roles_for(route.role_needed)]
    return [{"token": roles}, {"session": roles}] if roles else []


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", route.path) or (["root"] if route.at_root else ["dashboard"])
    return "_".join([route.method.lower(), *words])


def _path_parameter(name: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _PATH_ABOUT[name],
        "schema": {"type": "string"},
    }


def _query_parameter(param: Param) -> Json:
    return {"name": param.name, "in": "query", "description": param.about, "schema": param.schema}


def _body(route: Route) -> Json:
    """A form or JSON; the query does as well."""
    properties = {param.name: param.schema | {"description": param.about} for param in route.takes}
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    kinds = ("application/x-www-form-urlencoded", "application/json")
    return {
        "required": False,
        "description": "Each of these may stand in the query instead",
        "content": {kind: {"schema": schema} for kind in kinds},
    }


def _responses(route: Route) -> Json:
    found: Json = {}
    for status, answer in sorted(route.answers.items()):
        content: Json = {kind: {"schema": {"type": "string"}} for kind in answer.others}
        if answer.schema is not None:
            schema = {"$ref": f"#/components/schemas/{answer.schema}"}
            content = {"application/json": {"schema": schema}} | content
        found[str(status)] = {"description": answer.about} | ({"content": content} if content else {})
    for status, about in sorted((_errors(route) | dict(route.refuses)).items()):
        found[str(status)] = {"description": about, "content": _PROBLEM}
    return found


def _errors(route: Route) -> dict[int, str]:
    """Those that follow from what the route is."""
    found = {
        422: "a parameter is wrong; the detail names each",
        500: "something went wrong here; the log says what",
    }
    if route.role_needed is not Needs.NOTHING:
        found[421] = "the Host header is no name of this daemon"
    if route.role_needed not in NEED_NOBODY:
        found[401] = "no token, or a wrong one"
        found[403] = "the role may not do this"
        found[429] = "too many wrong tokens; Retry-After says when the next may be tried"
    if route.method == "POST":
        found |= {
            403: "the role may not do this, or the Origin or the CSRF token is wrong",
            413: "the body is over 1 MB",
            415: "an unknown kind of body",
        }
    if "{" in route.path:
        found[404] = "there is none of this id"
    return {status: f"{HTTPStatus(status).phrase}: {about}" for status, about in found.items()}
