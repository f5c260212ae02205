"""`status`: all strategies in a table, or all about one; once, or live."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from stratvisor.cli import home, terminal
from stratvisor.cli.client import Client
from stratvisor.cli.shown import clean, ending, moment, percent, problem_line, size, span
from stratvisor.cli.table import Column, Row, table
from stratvisor.cli.verbs import named

if TYPE_CHECKING:
    import argparse

    from stratvisor.cli.verbs import Verbs

_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("PID", need=1, right=True),
    Column("UPTIME", need=6, right=True),
    Column("RESTARTS", need=2, right=True),
    Column("CPU", need=3, right=True),
    Column("MEMORY", need=4, right=True),
    Column("NEXT", need=5),
    Column("WHY"),
)
_STATE = 1
_UNTIL = {"next": "its next window", "window-end": "the end of its window"}


def add(verbs: Verbs) -> None:
    """The verb."""
    verb = verbs.add(
        "status",
        _status,
        does="show every strategy, or all about one",
        examples=(
            "status",
            "status ema_crossover",
            "status --watch",
            "status --json | jq -r '.strategies[].id'",
        ),
    )
    verb.add_argument("id", metavar="ID", nargs="?", type=named, help="one strategy")
    verb.add_argument("--watch", action="store_true", help="stay, and draw again whenever something changes")
    verb.add_argument(
        "--json", action="store_true", help="print the daemon's JSON; with --watch, one document a line"
    )


def _status(arguments: argparse.Namespace) -> int:
    client = Client(home.find(arguments.home))
    if arguments.watch:
        from stratvisor.cli.watch import watch  # noqa: PLC0415  threads are for who watches

        watch(client, lambda: _fetch(client, arguments.id), as_json=arguments.json, draw=lines_of)
    answer = _fetch(client, arguments.id)
    print(json.dumps(answer, indent=2, ensure_ascii=False) if arguments.json else "\n".join(lines_of(answer)))
    return 0


def _fetch(client: Client, strategy: str | None) -> Any:
    what = f"show {strategy}" if strategy else "show the status"
    return client.get(what, "status", *([strategy] if strategy else []))


def lines_of(answer: dict[str, Any]) -> list[str]:
    """The page, of all strategies or of one."""
    return _all(answer) if "strategies" in answer else _one(answer)


def _all(answer: dict[str, Any]) -> list[str]:
    strategies = answer["strategies"]
    lines = (
        table(_COLUMNS, [_row(one, answer["now"]) for one in strategies], terminal.width())
        if strategies
        else []
    )
    listed = [*answer["problems"], *(problem for one in strategies for problem in one["problems"])]
    problems = list({problem_line(problem): problem for problem in listed}.values())
    return [*lines, *_problems(problems), *([""] if lines or problems else []), *_wrapped(_summary(answer))]


def _row(one: dict[str, Any], now: str) -> Row:
    cells = (
        one["id"],
        one["state"],
        str(one["pid"] or ""),
        span(one["uptime_s"]),
        str(one["restarts"] or ""),
        percent(one["cpu_percent"]),
        size(one["memory_bytes"]),
        _next(one, now),
        clean(one["why"]) + "".join(f"; {mark}" for mark in _marks(one)),
    )
    return Row(cells, _STATE, terminal.painter(one["state"]))


def _next(one: dict[str, Any], now: str) -> str:
    """What its schedule has in store, soonest first."""
    coming = [(one[key], verb) for key, verb in (("next_start", "start"), ("next_stop", "stop")) if one[key]]
    return " ".join(f"{verb} {moment(when, now)}" for when, verb in sorted(coming)[:1])


def _marks(one: dict[str, Any]) -> list[str]:
    return [
        *(["its script changed since it started"] if one["stale"] else []),
        *(["an edit waits for its next run"] if one["restart_pending"] else []),
    ]


def _summary(answer: dict[str, Any]) -> str:
    counts = ", ".join(f"{number} {state}" for state, number in answer["counts"].items() if number)
    number = len(answer["strategies"])
    known = (
        f"{number} strateg{'y' if number == 1 else 'ies'}: {counts}" if number else "no strategies in conf.d"
    )
    waits = "" if answer["ready"] else f"; not ready: {clean(answer['why_not_ready'])}"
    now = f"{moment(answer['now'], answer['now'])} {answer['timezone']}"
    return f"stratvisor {answer['version']}, {now}, {known}{waits}"


def _problems(problems: list[Any]) -> list[str]:
    if not problems:
        return []
    listed = [line for problem in problems for line in _wrapped(problem_line(problem), "  ")]
    return ["", f"{len(problems)} problem{'' if len(problems) == 1 else 's'}:", *listed]


def _wrapped(text: str, indent: str = "") -> list[str]:
    wide = terminal.width()
    if wide is None:
        return [indent + text]
    return textwrap.wrap(text, wide, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _one(one: dict[str, Any]) -> list[str]:
    paint = terminal.painter(one["state"])
    facts = {
        "title": one["title"],
        "tags": " ".join(one["tags"]),
        "since": moment(one["since"]),
        "pid": str(one["pid"] or ""),
        "run": str(one["run"] or ""),
        "uptime": span(one["uptime_s"]),
        "restarts": str(one["restarts"] or ""),
        "cpu": percent(one["cpu_percent"]),
        "memory": size(one["memory_bytes"]),
        "last exit": _exit(one["last_exit"]),
        "hold": _hold(one["hold"]),
        "retry": moment(one["retry_at"]),
        "kill": moment(one["kill_at"]),
        "next start": moment(one["next_start"]),
        "next stop": moment(one["next_stop"]),
        "log": one["log"],
        "commit": (one["commit"] or "")[:12],
        "script": (one["script_sha256"] or "")[:12],
        "note": "; ".join(_marks(one)),
    }
    listed = [f"  {name:<10} {clean(fact)}" for name, fact in facts.items() if fact]
    head = f"{one['id']}  {paint(one['state'])}"
    return [head, *_wrapped(clean(one["why"]), "  "), "", *listed, *_problems(one["problems"])]


def _exit(last: dict[str, Any] | None) -> str:
    return f"{ending(last)} (run {last['run']}, {moment(last['at'])})" if last else ""


def _hold(hold: dict[str, Any] | None) -> str:
    if hold is None:
        return ""
    until = f", until {_UNTIL.get(hold['until'], hold['until'])}" if hold["until"] else ""
    return f"{hold['wants']} by {hold['by']} since {moment(hold['since'])}{until}"
