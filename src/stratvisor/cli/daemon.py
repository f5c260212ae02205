"""`up` and `shutdown`: the life of the daemon itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.client import Client
from stratvisor.cli.failure import Failure
from stratvisor.cli.verbs import Verbs, add_wait

if TYPE_CHECKING:
    import argparse


def add(verbs: Verbs) -> None:
    """Both verbs."""
    verb = verbs.add(
        "up",
        _up,
        does="run the daemon, in the foreground",
        more="It takes over the strategies that an earlier daemon left running. SIGTERM and Ctrl-C end it "
        "and leave them running for the next one; `stratvisor shutdown --stop-strategies` stops them too.",
        examples=("up", "up --home ~/trading --verbose"),
    )
    verb.add_argument(
        "-v", "--verbose", action="store_true", help="log at level debug, whatever the settings say"
    )
    verb = verbs.add(
        "shutdown",
        _shutdown,
        does="end the daemon; the strategies go on unless told otherwise",
        more="What runs is still stopped at the end of its window; starts and restarts wait for the "
        "next daemon.",
        examples=("shutdown", "shutdown --stop-strategies"),
    )
    verb.add_argument("--stop-strategies", action="store_true", help="stop every strategy first")
    add_wait(verb)


def _up(arguments: argparse.Namespace) -> int:
    place = home.find(arguments.home)
    from stratvisor.daemon import run  # noqa: PLC0415  the server: no other verb may load it

    return run(place, verbose=arguments.verbose)


def _shutdown(arguments: argparse.Namespace) -> int:
    what = "shut down"
    form = {"stop_strategies": "1"} if arguments.stop_strategies else {}
    client = Client(home.find(arguments.home))
    with client.send(what, "POST", "shutdown", form=form) as reply, reply.peer() as daemon:
        reply.json()
        if arguments.wait and not daemon.gone_within(arguments.wait):
            raise Failure(f"cannot {what}: still at it after {arguments.wait:g} s; see log/stratvisor.log")
    print("the daemon has ended" if arguments.wait else "the daemon is ending")
    return 0
