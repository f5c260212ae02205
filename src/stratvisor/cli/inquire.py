"""`why`, `next` and `runs`: questions about one strategy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stratvisor.cli import home, terminal
from stratvisor.cli.client import Client
from stratvisor.cli.shown import clean, moment, size, span
from stratvisor.cli.table import Column, Row, table
from stratvisor.cli.verbs import add_one, count

if TYPE_CHECKING:
    import argparse

    from stratvisor.cli.verbs import Verbs

_COLUMNS = (
    Column("RUN", right=True),
    Column("BEGAN", need=5),
    Column("LASTED", need=4, right=True),
    Column("CPU", need=2, right=True),
    Column("PEAK", need=3, right=True),
    Column("COMMIT", need=1),
    Column("END"),
)


def add(verbs: Verbs) -> None:
    """The three verbs."""
    verb = verbs.add(
        "why",
        _why,
        does="say in one sentence why a strategy is in its state",
        examples=("why ema_crossover",),
    )
    add_one(verb)
    verb = verbs.add(
        "next",
        _next,
        does="list the windows to come",
        examples=("next opening_range", "next opening_range -n 20"),
    )
    add_one(verb)
    verb.add_argument("-n", metavar="COUNT", type=count, default=5, help="how many (default: 5)")
    verb = verbs.add(
        "runs",
        _runs,
        does="list the last runs: when, how long, how each ended",
        examples=("runs ema_crossover", "runs ema_crossover -n 1 --json"),
    )
    add_one(verb)
    verb.add_argument("-n", metavar="COUNT", type=count, default=20, help="how many (default: 20)")
    verb.add_argument("--json", action="store_true", help="print the daemon's JSON")


def _client(arguments: argparse.Namespace) -> Client:
    return Client(home.find(arguments.home))


def _why(arguments: argparse.Namespace) -> int:
    answer = _client(arguments).get(f"say why of {arguments.id}", "why", arguments.id)
    print(clean(answer["why"]))
    return 0


def _next(arguments: argparse.Namespace) -> int:
    what = f"list the windows of {arguments.id}"
    answer = _client(arguments).get(what, "next", arguments.id, query={"n": arguments.n})
    for window in answer["next"]:
        start, stop = window["start"], window["stop"]
        print(moment(start) if start == stop else f"{moment(start)} to {moment(stop, start)}")
    if not answer["next"]:
        print(f"nothing to come; `stratvisor why {arguments.id}` says how it runs")
    return 0


def _runs(arguments: argparse.Namespace) -> int:
    what = f"list the runs of {arguments.id}"
    answer = _client(arguments).get(what, "runs", arguments.id, query={"n": arguments.n})
    if arguments.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    elif answer["runs"]:
        print("\n".join(table(_COLUMNS, [_row(run) for run in answer["runs"]], terminal.width())))
    else:
        print("no runs yet")
    return 0


def _row(run: dict[str, Any]) -> Row:
    return Row(
        (
            str(run["run"]),
            moment(run["began"]),
            span(run["duration_s"]),
            span(run["cpu_s"]),
            size(run["peak_memory"]),
            f"{run['commit'][:10]}{'+' if run['dirty'] else ''}" if run["commit"] else "",
            _end(run),
        )
    )


def _end(run: dict[str, Any]) -> str:
    if run["ended"] is None:
        return "still running"
    # Whoever exits has often just said why; whoever was killed was in the middle of something else.
    spoke = run["failed"] and run["code"] and not run["cause"] and run["last_line"]
    return clean(f"{run['how']}: {run['last_line']}" if spoke else run["how"])
