"""`plan` and `reload`: from files to what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratvisor.cli import home
from stratvisor.cli.client import Client
from stratvisor.cli.failure import FAILED
from stratvisor.cli.shown import clean, problem_line

if TYPE_CHECKING:
    import argparse

    from stratvisor.cli.verbs import Verbs

_DEEDS = {
    "start": "start",
    "stop": "stop",
    "restart": "restart",
    "live": "change, with the same PID",
}


def add(verbs: Verbs) -> None:
    """Both verbs."""
    verbs.add(
        "plan",
        _plan,
        does="show what a reload would start, stop, restart and change, and do none of it",
        more="Exit code 1 where a file has a problem or the reload would be refused.",
        examples=("plan", "plan && stratvisor reload"),
    )
    verb = verbs.add(
        "reload",
        _reload,
        does="read all config files again, now",
        more="They are also read by themselves a moment after an edit. A file with a problem keeps its "
        "last good version in force. Exit code 1 where a file has a problem or the reload was refused.",
        examples=("reload", "reload --force"),
    )
    verb.add_argument(
        "--force", action="store_true", help="also where conf.d is gone or empty and strategies would stop"
    )


def _plan(arguments: argparse.Namespace) -> int:
    return _report(Client(home.find(arguments.home)).get("plan", "plan"), "nothing would change")


def _reload(arguments: argparse.Namespace) -> int:
    form = {"force": "1"} if arguments.force else {}
    return _report(Client(home.find(arguments.home)).post("reload", "reload", form=form), "nothing changed")


def _report(plan: dict[str, Any], nothing: str) -> int:
    deeds = [f"{words}: {' '.join(plan[deed])}" for deed, words in _DEEDS.items() if plan[deed]]
    refused = [f"refused: {clean(plan['refused'])}"] if plan["refused"] else []
    problems = [problem_line(problem) for problem in plan["problems"]]
    print("\n".join([*problems, *refused, *(deeds or [nothing])]))
    return FAILED if refused or problems else 0
