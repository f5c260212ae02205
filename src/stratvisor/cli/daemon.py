"""`up`, `upgrade` and `shutdown`: the life of the daemon itself."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.client import Client
from stratvisor.cli.failure import Failure
from stratvisor.cli.verbs import Verbs, add_wait

if TYPE_CHECKING:
    import argparse

TRIAL_S = 60.0
"""How long the new code may take to try itself."""

STEP_S = 0.05


def add(verbs: Verbs) -> None:
    """All three verbs."""
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
        "upgrade",
        _upgrade,
        does="let the running daemon go on as the code that is installed now",
        more="The strategies keep running, under the same PIDs. First the new code shows that it starts and "
        "can read what this one leaves; where it cannot, the daemon stays as it is and exit code 1 says so. "
        "It also puts a changed [http] of stratvisor.toml in force.",
        examples=("upgrade", "upgrade --wait 60"),
    )
    add_wait(verb)
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


def _upgrade(arguments: argparse.Namespace) -> int:
    what = "upgrade"
    client = Client(home.find(arguments.home))
    with client.send(what, "POST", "upgrade", wait_s=TRIAL_S) as reply:
        told = reply.json()
    change = f"from {told['was']} to {told['version']}" if told["was"] != told["version"] else told["version"]
    if arguments.wait and not _came(client, told["began"], arguments.wait):
        raise Failure(f"cannot {what}: not back after {arguments.wait:g} s; see log/stratvisor.log")
    print(f"upgraded: {change}" if arguments.wait else f"the daemon is upgrading: {change}")
    return 0


def _came(client: Client, before: str, patience_s: float) -> bool:
    """Whether a daemon that began later than that answers within the time."""
    for _ in range(int(patience_s / STEP_S)):
        with suppress(Failure):  # the moment between the two
            if client.get("upgrade", "status")["began"] != before:
                return True
        threading.Event().wait(STEP_S)
    return False


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
