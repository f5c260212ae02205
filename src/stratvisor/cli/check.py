"""`check` and `schema`: about config files, without a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.failure import FAILED

if TYPE_CHECKING:
    import argparse

    from stratvisor.cli.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Both verbs."""
    verbs.add(
        "check",
        _check,
        does="read all config files and print every problem in them",
        more="Needs no daemon and changes nothing. Exit code 1 where there is a problem.",
        examples=("check", "check --home ~/trading && git push"),
    )
    verb = verbs.add(
        "schema",
        _schema,
        does="print the JSON Schema of a config file, for editors",
        examples=("schema > strategy.schema.json", "schema settings"),
    )
    verb.add_argument(
        "of",
        nargs="?",
        choices=["strategy", "settings"],
        default="strategy",
        help="a file in conf.d (default), or stratvisor.toml",
    )


def _check(arguments: argparse.Namespace) -> int:
    from stratvisor import config, settings  # noqa: PLC0415  YAML: no client may load it

    place = home.find(arguments.home)
    daemon, problems = settings.read(place)
    found = config.read(place, daemon, {})
    problems += found.problems
    for problem in problems:
        print(problem)
    files = len({problem.file for problem in problems})
    if problems:
        print(f"{_counted(len(problems), 'problem')} in {_counted(files, 'file')}")
        return FAILED
    print(f"no problems in {_counted(len(found.strategies), 'strategy', 'strategies')}")
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    from stratvisor import schema  # noqa: PLC0415  YAML: no client may load it

    document = schema.strategy() if arguments.of == "strategy" else schema.settings()
    print(json.dumps(document, indent=2, ensure_ascii=False))
    return 0


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
