"""`logs`: the end of a strategy's log, and what is added to it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.client import Client
from stratvisor.cli.failure import NO_DAEMON, Failure
from stratvisor.cli.verbs import add_one, count

if TYPE_CHECKING:
    import argparse

    from stratvisor.cli.verbs import Verbs


def add(verbs: Verbs) -> None:
    """The verb."""
    verb = verbs.add(
        "logs",
        _logs,
        does="print the end of a strategy's log",
        more="The files themselves lie in log/strategies.",
        examples=(
            "logs ema_crossover -f",
            "logs ema_crossover -n 1000 --grep BUY",
            "logs ema_crossover --run 7",
        ),
    )
    add_one(verb)
    verb.add_argument(
        "-f", "--follow", action="store_true", help="stay, and print what is added, over runs too"
    )
    verb.add_argument("-n", metavar="LINES", type=count, default=200, help="how many lines (default: 200)")
    verb.add_argument("--run", metavar="N", type=count, help="of this run alone (see `runs`)")
    verb.add_argument("--grep", metavar="TEXT", help="only lines that hold this text")


def _logs(arguments: argparse.Namespace) -> int:
    client = Client(home.find(arguments.home))
    return _follow(client, arguments) if arguments.follow else _tail(client, arguments)


def _query(arguments: argparse.Namespace) -> dict[str, object]:
    return {"tail": arguments.n, **({"run": arguments.run} if arguments.run else {})}


def _tail(client: Client, arguments: argparse.Namespace) -> int:
    query = _query(arguments)
    if arguments.grep:
        query["grep"] = arguments.grep
    what = f"show the log of {arguments.id}"
    with client.send(what, "GET", "logs", arguments.id, query=query, accept="text/plain") as reply:
        for piece in reply.chunks():
            print(piece.decode("utf-8", "replace"), end="")
    return 0


def _follow(client: Client, arguments: argparse.Namespace) -> int:
    """Lines as they come, until Ctrl-C, the end of the run that was named, or the end of the daemon."""
    what = f"follow the log of {arguments.id}"
    query = _query(arguments) | {"follow": 1}
    with client.send(
        what, "GET", "logs", arguments.id, query=query, accept="text/event-stream", wait_s=None
    ) as reply:
        for event in reply.events():
            if event.kind == "end":
                return 0
            lines = json.loads(event.data)["lines"]
            for line in lines:
                if not arguments.grep or arguments.grep in line:
                    print(line)
            sys.stdout.flush()
    raise Failure(f"the daemon for {client.home} ended; its strategies and their logs go on", NO_DAEMON)
