"""`start`, `stop` and `restart`.

All that is named is told at once and only then waited for, so that one slow strategy does not keep
the stop from the next.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.client import Client
from stratvisor.cli.failure import Failure
from stratvisor.cli.shown import clean
from stratvisor.cli.verbs import Verbs, add_some, add_wait

if TYPE_CHECKING:
    import argparse

    from stratvisor.cli.client import Reply

_FAILED_STATES = frozenset({"backoff", "error"})
"""Of a strategy that was to start, and whose start was waited for."""


def add(verbs: Verbs) -> None:
    """The three verbs."""
    verb = verbs.add(
        "start",
        _order,
        does="start strategies",
        more="Inside its window this lifts a hold or a give-up; outside, it holds the strategy up "
        "until `stop` or the end of its next window.",
        examples=("start ema_crossover", "start @nifty opening_range", "start all --wait 0"),
    )
    add_some(verb)
    add_wait(verb)
    verb = verbs.add(
        "stop",
        _order,
        does="stop strategies, and hold them down",
        more="The hold lasts until `start`, over windows, edits and restarts of the daemon.",
        examples=("stop ema_crossover", "stop @nifty --until next", "stop all"),
    )
    add_some(verb)
    verb.add_argument("--until", choices=["next"], help="hold it only until its next window begins")
    add_wait(verb)
    verb = verbs.add(
        "restart",
        _order,
        does="stop strategies and start them again",
        more="Refused where nothing wants the strategy to run.",
        examples=("restart ema_crossover", "restart @nifty --wait 60"),
    )
    add_some(verb)
    add_wait(verb)


def _order(arguments: argparse.Namespace) -> int:
    client = Client(home.find(arguments.home))
    form = {"until": arguments.until} if getattr(arguments, "until", None) else {}
    with ExitStack() as replies:
        told = [replies.enter_context(_tell(client, arguments, name, form)) for name in arguments.ids]
        failures = [failure for reply in told for failure in _outcome(reply, arguments)]
    sys.stdout.flush()
    for failure in failures:
        print(failure, file=sys.stderr)
    return max((failure.code for failure in failures), default=0)


def _tell(client: Client, arguments: argparse.Namespace, selector: str, form: dict[str, str]) -> Reply:
    what = f"{arguments.verb} {selector}"
    query = {"wait": f"{arguments.wait:.3f}"} if arguments.wait else {}
    return client.send(what, "POST", arguments.verb, selector, query=query, form=form, wait_s=arguments.wait)


def _outcome(reply: Reply, arguments: argparse.Namespace) -> list[Failure]:
    """Print what became of the strategies of one selector, and return what did not go as it was meant."""
    try:
        answer = reply.json()
    except Failure as failure:
        return [failure]
    failures = {refused["id"]: refused["why"] for refused in answer.get("refused", [])}
    for one in answer.get("strategies", [answer]):
        if arguments.wait and arguments.verb != "stop" and one["state"] in _FAILED_STATES:
            failures[one["id"]] = one["why"]
        else:
            print(f"{one['id']} is {one['state']}: {clean(one['why'])}")
    return [Failure(f"cannot {arguments.verb} {name}: {clean(why)}") for name, why in failures.items()]
