"""Requests made from openapi.json, and what the document promises of their answers.

Knows the document and nothing of the routes: a route, a parameter or a status that is added there is
asked for from then on.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema
from fuzzing import ODD_JSON, ODD_TEXT, damaged
from hypothesis import strategies as st

Json = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
IDS = [
    "ema",
    "orb",
    "report",
    "nobody",
    "all",
    "@nifty",
    "@none",
    "app.js",
    "favicon.svg",
    "..",
    "%",
    "ema/",
    ".",
]
ACCEPTS = [
    "*/*",
    "application/json",
    "text/html",
    "text/plain",
    "text/event-stream",
    "text/html;q=0.1, */*;q=0",
    ";;,",
]
KINDS = [
    "application/json",
    "application/json; charset=utf-16",
    FORM,
    f"{FORM}; charset=nonsense",
    f"{FORM}; charset=utf-16",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain",
    "",
    "a/b;c",
]
HEADERS: dict[str, list[str]] = {
    "Accept": ACCEPTS,
    "Host": ["localhost", "evil.example", "127.0.0.1:1", "[::1]", "a:b:c", "localhost:99999"],
    "Origin": ["null", "http://evil.example", "http://localhost", ""],
    "Cookie": ["stratvisor-0=x", "a=b; c", ";", "stratvisor-1=\xe9"],
    "Last-Event-ID": ["0", "1", "9" * 18, "-1", "x"],
    "If-None-Match": ["*", '"x"', "x"],
    "Range": ["bytes=0-", "bytes=5-1", "x"],
    "Accept-Encoding": ["gzip", "identity;q=0"],
    "X-CSRF-Token": ["x", "\xe9"],
    "Content-Encoding": ["gzip", "deflate", "x"],
}


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent; `operation` is its operationId."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    operation: str
    is_wrong: bool
    """Whether it asks for a parameter that the document does not know."""

    def wire(self, host: str, more: Iterable[tuple[str, str]] = ()) -> bytes:
        """As HTTP/1.1 has it; the headers of its own win."""
        headers = {"Host": host, "Connection": "close", **dict(more), **self.headers}
        if self.body or self.method == "POST":
            headers["Content-Length"] = str(len(self.body))
        head = f"{self.method} {self.target} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return head.encode("latin-1") + b"\r\n" + self.body


@dataclass(frozen=True)
class Reply:
    """What came back. Of a stream, its head alone."""

    status: int
    kind: str
    body: bytes


def requests(document: Json, without: frozenset[str] = frozenset()) -> st.SearchStrategy[Request]:
    """Any request to any operation; `without`: ends of paths that are left alone."""
    known = operations(document)
    ids = [
        name for name, (_method, path, _operation) in known.items() if path.rpartition("/")[2] not in without
    ]
    return st.sampled_from(ids).flatmap(lambda name: _requests(*known[name]))


def operations(document: Json) -> dict[str, tuple[str, str, Json]]:
    """Method, path and description of each, by operationId."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


@st.composite
def _requests(draw: st.DrawFn, method: str, path: str, operation: Json) -> Request:
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            value = draw(st.sampled_from(IDS) | ODD_TEXT)
            path = path.replace(
                f"{{{parameter['name']}}}", quote(value.encode("utf-8", "replace"), safe="@%")
            )
    known = {one["name"]: one["schema"] for one in operation["parameters"] if one["in"] == "query"} | _fields(
        operation
    )
    pairs = draw(_pairs(known))
    is_wrong = any(name not in known for name, _value in pairs) or len(dict(pairs)) < len(pairs)
    headers = draw(st.dictionaries(st.sampled_from(sorted(HEADERS)), st.just(""), max_size=3))
    headers = {name: draw(st.sampled_from(HEADERS[name])) for name in headers}
    body = b""
    if method == "POST" and draw(st.booleans()):
        kind, body = draw(_bodies(known))
        headers["Content-Type"] = kind
    query = (
        urlencode(pairs, errors="replace") if pairs else draw(st.sampled_from(["", "", "", "&&", "%zz", "="]))
    )
    return Request(
        draw(st.sampled_from([method, method, method, "HEAD"])) if method == "GET" else method,
        path + (f"?{query}" if query else ""),
        headers,
        body,
        operation["operationId"],
        is_wrong,
    )


def _fields(operation: Json) -> dict[str, Json]:
    contents = operation.get("requestBody", {}).get("content", {})
    return {
        name: schema
        for one in contents.values()
        for name, schema in one["schema"].get("properties", {}).items()
    }


def _pairs(known: dict[str, Json]) -> st.SearchStrategy[list[tuple[str, str]]]:
    good = [st.tuples(st.just(name), _values(schema)) for name, schema in known.items()]
    bad = st.tuples(st.sampled_from([*known, "unknown"]) | ODD_TEXT, ODD_TEXT | ODD_JSON.map(str))
    return st.lists(st.one_of(*good, *good, bad) if good else bad, max_size=4)


def _values(schema: Json) -> st.SearchStrategy[str]:
    """What the schema allows, as a query has it."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"]).map(str)
    if schema.get("type") in {"integer", "number"}:
        # Waiting and long lists are for other tests.
        bounds = (schema.get("minimum", 0), min(schema.get("maximum", 50), 50))
        return st.integers(*bounds).map(str)
    return st.text(st.characters(codec="utf-8"), max_size=schema.get("maxLength", 20) % 40)


@st.composite
def _bodies(draw: st.DrawFn, known: dict[str, Json]) -> tuple[str, bytes]:
    """A body and the type it says to be of; often another than it is, or no longer whole."""
    fields = dict(draw(_pairs(known)))
    kind, body = draw(st.sampled_from([_as_json, _as_form, _in_parts]))(fields)
    body = draw(
        st.just(body) | damaged([body, _LONG]) | ODD_JSON.map(lambda value: json.dumps(value).encode())
    )
    return draw(st.sampled_from([kind, kind, kind, *KINDS])), body


_LONG = b"a=" + b"b" * 1_100_000


def _as_json(fields: dict[str, str]) -> tuple[str, bytes]:
    return "application/json", json.dumps(fields).encode()


def _as_form(fields: dict[str, str]) -> tuple[str, bytes]:
    return FORM, urlencode(fields, errors="replace").encode()


def _in_parts(fields: dict[str, str]) -> tuple[str, bytes]:
    names = [quote(name.encode(errors="replace")) for name in fields] or ["a"]
    heads = [
        "",
        "; filename=f",
        "\r\nContent-Encoding: gzip",
        "\r\nContent-Transfer-Encoding: x",
        "\r\nContent-Type: a/b",
    ]
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"{heads[len(name) % len(heads)]}\r\n\r\n1\r\n'
        for name in names
    ]
    return "multipart/form-data; boundary=x", "".join([*parts, "--x--\r\n"]).encode()


def ask(
    connect: Callable[[], socket.socket], wire: bytes, method: str = "GET", *, is_all: bool = False
) -> Reply | None:
    """Send the bytes and take the answer; None: there was no whole one. `is_all`: say that no more comes."""
    with connect() as door:
        try:
            with suppress(
                ConnectionError
            ):  # what it says of a body that it does not want is there all the same
                door.sendall(wire)
                if is_all:
                    door.shutdown(socket.SHUT_WR)
            return _taken(http.client.HTTPResponse(door, method=method))
        except (http.client.HTTPException, ConnectionError):
            return None


def _taken(answer: http.client.HTTPResponse) -> Reply:
    try:
        answer.begin()
        kind = (answer.getheader("Content-Type") or "").partition(";")[0]
        return Reply(answer.status, kind, b"" if kind == "text/event-stream" else answer.read())
    finally:
        answer.close()


def complaints(document: Json, request: Request, reply: Reply | None) -> list[str]:
    """What the answer has that the document does not promise."""
    if reply is None:
        return ["no answer"]
    answers = operations(document)[request.operation][2]["responses"]
    promised = answers.get(str(reply.status))
    if promised is None:
        return [f"status {reply.status} is not among {sorted(answers)}: {reply.body[:200]!r}"]
    if reply.status in {500, 501, 502}:
        return [f"status {reply.status}"]
    if request.is_wrong and reply.status < 300:
        return [f"takes a parameter that it does not have, with {reply.status}"]
    if request.method == "HEAD":
        return ["an answer to HEAD has a body"] if reply.body else []
    return _unlike(document, promised, reply, request.headers.get("Accept", ""))


def _unlike(document: Json, promised: Json, reply: Reply, accept: str) -> list[str]:
    content = promised.get("content", {})
    if reply.kind == "text/html" and "text/html" in accept:
        return []  # the same, for people
    if reply.kind not in content and (reply.body or content):
        return [f"{reply.status} is {reply.kind!r}, not among {sorted(content)}"]
    if not reply.kind.endswith("json"):
        return []
    schema = content[reply.kind]["schema"] | {"components": document["components"]}
    found = jsonschema.Draft202012Validator(schema, format_checker=_FORMATS).iter_errors(
        json.loads(reply.body)
    )
    return [f"{error.json_path}: {error.message}" for error in found]


_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None
