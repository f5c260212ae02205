"""The shapes of the JSON that goes out, as JSON Schema 2020-12 for openapi.json. Facts alone.

All keys of a strategy are always there; null where nothing is to say. Times are ISO 8601 with offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.http.roles import Role

if TYPE_CHECKING:
    from stratvisor.ports import Json

STATES = (
    "pending",
    "scheduled",
    "waiting",
    "starting",
    "running",
    "backoff",
    "stopping",
    "exited",
    "stopped",
    "error",
)


def _object(about: str, properties: Json) -> Json:
    return {"type": "object", "description": about, "properties": properties, "required": list(properties)}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _either(*options: Json) -> Json:
    return {"anyOf": [*options, {"type": "null"}]}


def _maybe(kind: str) -> Json:
    return {"type": [kind, "null"]}


_TEXT: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer"}
_FLAG: Json = {"type": "boolean"}
_TIME: Json = {"type": "string", "format": "date-time"}
_MAYBE_TIME: Json = {"type": ["string", "null"], "format": "date-time"}

_LAST_EXIT = _object(
    "How its last run ended",
    {
        "code": _maybe("integer"),
        "signal": _maybe("string"),
        "cause": _maybe("string"),
        "at": _TIME,
        "run": _WHOLE,
    },
)

_HOLD = _object(
    "The operator's word against the schedule",
    {
        "by": _TEXT,
        "since": _TIME,
        "until": {"enum": ["next", "window-end", None]},
        "wants": {"enum": ["up", "down"]},
    },
)

_STRATEGY = _object(
    "One strategy",
    {
        "id": _TEXT,
        "title": _TEXT,
        "tags": _list(_TEXT),
        "state": {"type": "string", "enum": list(STATES)},
        "why": _TEXT,
        "since": _MAYBE_TIME,
        "pid": _maybe("integer"),
        "run": _maybe("integer"),
        "uptime_s": _maybe("number"),
        "restarts": _WHOLE,
        "last_exit": _either(_LAST_EXIT),
        "retry_at": _MAYBE_TIME,
        "kill_at": _MAYBE_TIME,
        "next_start": _MAYBE_TIME,
        "next_stop": _MAYBE_TIME,
        "hold": _either(_HOLD),
        "cpu_percent": _maybe("number"),
        "memory_bytes": _maybe("integer"),
        "log": _maybe("string"),
        "script_sha256": _maybe("string"),
        "commit": _maybe("string"),
        "stale": _FLAG,
        "restart_pending": _FLAG,
        "problems": _list(_ref("ConfigProblem")),
    },
)

_RUN = _object(
    "One run",
    {
        "strategy": _TEXT,
        "run": _WHOLE,
        "pid": _maybe("integer"),
        "began": _TIME,
        "ended": _MAYBE_TIME,
        "how": {"type": "string", "description": "How it ended, in words; empty while it runs"},
        "failed": _maybe("boolean"),
        "code": _maybe("integer"),
        "signal": _maybe("string"),
        "cause": _maybe("string"),
        "stopped": _maybe("string"),
        "unknown": _maybe("boolean"),
        "duration_s": _maybe("number"),
        "cpu_s": _maybe("number"),
        "peak_memory": {"type": ["integer", "null"], "description": "Bytes of its largest single process"},
        "dropped_bytes": _maybe("integer"),
        "commit": _maybe("string"),
        "dirty": _maybe("boolean"),
        "script_sha256": _maybe("string"),
        "log": _maybe("string"),
        "restarts": _maybe("integer"),
        "last_line": _maybe("string"),
    },
)

_ROLE: Json = {"type": "string", "enum": [role.value for role in Role]}

_TOKEN = _object(
    "A token, without what it is",
    {"name": _TEXT, "role": _ROLE, "made": _MAYBE_TIME, "used": _MAYBE_TIME},
)

SCHEMAS: Json = {
    "Any": {"type": "object"},
    "Problem": _object(
        "RFC 9457",
        {"type": _TEXT, "title": _TEXT, "status": _WHOLE, "detail": _TEXT, "instance": _TEXT},
    ),
    "ConfigProblem": _object(
        "A mistake in a file",
        {"file": _TEXT, "line": _WHOLE, "column": _WHOLE, "key": _TEXT, "message": _TEXT},
    ),
    "Strategy": _STRATEGY,
    "Status": _object(
        "Everything about all",
        {
            "version": _TEXT,
            "began": _TIME,
            "now": _TIME,
            "timezone": _TEXT,
            "ready": _FLAG,
            "why_not_ready": _maybe("string"),
            "counts": {"type": "object", "additionalProperties": _WHOLE},
            "problems": _list(_ref("ConfigProblem")),
            "strategies": _list(_ref("Strategy")),
        },
    ),
    "Ordered": {
        "anyOf": [
            _ref("Strategy"),
            _object(
                "Where @TAG or `all` was named",
                {
                    "strategies": _list(_ref("Strategy")),
                    "refused": _list(_object("One that did not obey", {"id": _TEXT, "why": _TEXT})),
                },
            ),
        ]
    },
    "Plan": _object(
        "What a reload does; each a list of ids",
        {
            "start": _list(_TEXT),
            "stop": _list(_TEXT),
            "restart": _list(_TEXT),
            "live": _list(_TEXT),
            "problems": _list(_ref("ConfigProblem")),
            "refused": _maybe("string"),
        },
    ),
    "Why": _object("One sentence", {"id": _TEXT, "state": _TEXT, "since": _MAYBE_TIME, "why": _TEXT}),
    "Next": _object(
        "The coming windows, and jobs: those stop as they start",
        {"id": _TEXT, "next": _list(_object("A window", {"start": _MAYBE_TIME, "stop": _MAYBE_TIME}))},
    ),
    "Runs": _object("Newest first", {"id": _TEXT, "runs": _list(_RUN)}),
    "Logs": {
        "anyOf": [
            _object(
                "The files, oldest first",
                {
                    "id": _TEXT,
                    "files": _list(
                        _object("A file", {"name": _TEXT, "run": _TEXT, "part": _WHOLE, "size": _WHOLE})
                    ),
                },
            ),
            _object("The last lines", {"id": _TEXT, "lines": _list(_TEXT), "position": _maybe("string")}),
            _object(
                "Lines that hold the text",
                {
                    "id": _TEXT,
                    "matches": _list(_object("A line", {"log": _TEXT, "line": _WHOLE, "text": _TEXT})),
                },
            ),
        ]
    },
    "Link": _object("A login link", {"link": _TEXT, "role": _ROLE, "good_for_s": _WHOLE}),
    "Token": _TOKEN,
    "NewToken": _object("Shown this once", {"name": _TEXT, "role": _ROLE, "token": _TEXT}),
    "Tokens": _object("By name", {"tokens": _list(_ref("Token"))}),
    "Shutdown": _object("What was told", {"stop_strategies": _FLAG}),
    "Upgrade": _object(
        "The code to come, and what it follows", {"version": _TEXT, "was": _TEXT, "began": _TIME}
    ),
    "Ready": _object("Readiness", {"ready": _FLAG, "why_not_ready": _maybe("string")}),
}
