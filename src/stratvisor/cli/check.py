"""`check` and `schema`: about config files, without a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.failure import FAILED

if TYPE_CHECKING:
    import argparse

    from stratvisor.cli.verbs import Verbs
    from stratvisor.config import Config
    from stratvisor.spec import Problem


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
        choices=["strategy", "settings", "calendar"],
        default="strategy",
        help="a file in conf.d (default), stratvisor.toml, or a file in calendars",
    )


def _check(arguments: argparse.Namespace) -> int:
    from stratvisor import config, settings  # noqa: PLC0415  YAML: no client may load it

    place = home.find(arguments.home)
    daemon, problems = settings.read(place)
    found = config.read(place, daemon, {})
    problems += found.problems
    warnings, ended = _ends_of_calendars(found)
    problems += ended
    for problem in problems:
        print(problem)
    for warning in warnings:
        print(f"warning: {warning}")
    files = len({problem.file for problem in problems})
    if problems:
        print(f"{_counted(len(problems), 'problem')} in {_counted(files, 'file')}")
        return FAILED
    print(f"no problems in {_counted(len(found.strategies), 'strategy', 'strategies')}")
    return 0


def _ends_of_calendars(found: Config) -> tuple[list[str], tuple[Problem, ...]]:
    """A warning of each calendar in use that ends soon; a problem of each strategy that it starts no more."""
    from stratvisor import why  # noqa: PLC0415
    from stratvisor.clock import SystemClock  # noqa: PLC0415
    from stratvisor.spec import Problem, Timed  # noqa: PLC0415
    from stratvisor.timetable import position  # noqa: PLC0415

    now = SystemClock().now().wall
    warnings: set[str] = set()
    ended: list[Problem] = []
    for strategy, spec in found.strategies.items():
        calendar = spec.schedule.calendar if isinstance(spec.schedule, Timed) else None
        if calendar is None or not why.ends_soon(calendar, now):
            continue
        place = position(spec.schedule, now)
        if place.inside or place.next:
            warnings.add(why.calendar_end(calendar))
        else:
            text = why.calendar_end(calendar)
            ended.append(Problem(f"conf.d/{strategy}.yaml", 1, 1, "schedule.calendar", text))
    return sorted(warnings), tuple(ended)


def _schema(arguments: argparse.Namespace) -> int:
    from stratvisor import schema  # noqa: PLC0415  YAML: no client may load it

    kinds = {"strategy": schema.strategy, "settings": schema.settings, "calendar": schema.calendar}
    print(json.dumps(kinds[arguments.of](), indent=2, ensure_ascii=False))
    return 0


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
