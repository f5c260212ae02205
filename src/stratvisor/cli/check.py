"""`check` and `schema`: about config files, without a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.failure import FAILED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import datetime

    from stratvisor.cli.verbs import Verbs
    from stratvisor.config import Config, Reader
    from stratvisor.spec import Problem

MOST_NAMED = 5
"""Strategies that share a note and are named in it."""


def add(verbs: Verbs) -> None:
    """Both verbs."""
    verbs.add(
        "check",
        _check,
        does="read all config files and print every problem in them",
        more="Also looks at what the next 400 days have in store. Needs no daemon and changes nothing. Exit "
        "code 1 where there is a problem; warnings and notes are none.",
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
    from stratvisor.clock import SystemClock  # noqa: PLC0415

    place = home.find(arguments.home)
    now = SystemClock().now().wall
    daemon, problems = settings.read(place)
    reader = config.Reader()
    found = reader.read(place, daemon, {})
    warnings, ended = _ends_of_calendars(found, reader, now)
    problems = tuple(dict.fromkeys((*problems, *found.problems, *ended, *_unstopped(found, reader, now))))
    for problem in problems:
        print(problem)
    for warning in warnings:
        print(f"warning: {warning}")
    for note in (*_notes(found, now), *_missing_walls(found)):
        print(f"note: {note}")
    files = len({problem.file for problem in problems})
    if problems:
        print(f"{_counted(len(problems), 'problem')} in {_counted(files, 'file')}")
        return FAILED
    print(f"no problems in {_counted(len(found.strategies), 'strategy', 'strategies')}")
    return 0


def _ends_of_calendars(found: Config, reader: Reader, now: datetime) -> tuple[list[str], list[Problem]]:
    """A warning of each calendar in use that ends soon; a problem of each strategy that it starts no more."""
    from stratvisor import why  # noqa: PLC0415
    from stratvisor.spec import Timed  # noqa: PLC0415
    from stratvisor.timetable import position  # noqa: PLC0415

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
            ended.append(reader.problem(strategy, "schedule.calendar", why.calendar_end(calendar)))
    return sorted(warnings), ended


def _unstopped(found: Config, reader: Reader, now: datetime) -> Iterator[Problem]:
    """A problem of each cron pair some of whose starts have no stop."""
    from stratvisor import lookahead  # noqa: PLC0415

    for strategy, spec in found.strategies.items():
        for pair in lookahead.unstopped(spec.schedule, now):
            more = f", nor of {pair.more} more" if pair.more else ""
            message = (
                f"does not fire within 24h of the start on {pair.start}{more}, so that the window ends "
                "after 24h; give each start a stop, or write 'for' instead of 'stop'"
            )
            yield reader.problem(strategy, f"schedule.windows[{pair.form}].stop", message)


def _notes(found: Config, now: datetime) -> Iterator[str]:
    """What else the coming days bring; strategies to which the same applies share a line."""
    from stratvisor import lookahead  # noqa: PLC0415

    concerned: dict[str, list[str]] = {}
    for strategy, spec in found.strategies.items():
        for note in lookahead.notes(spec.schedule, now):
            concerned.setdefault(note, []).append(strategy)
    for note, strategies in concerned.items():
        more = f" and {len(strategies) - MOST_NAMED} more" if len(strategies) > MOST_NAMED else ""
        yield f"{', '.join(strategies[:MOST_NAMED])}{more}: {note}"


def _missing_walls(found: Config) -> Iterator[str]:
    """What this machine lacks of the sandboxes that strategies are to have."""
    from stratvisor.ports import LaunchRefused  # noqa: PLC0415
    from stratvisor.runner import reach  # noqa: PLC0415
    from stratvisor.spec import Isolation  # noqa: PLC0415

    processes = [spec.process for spec in found.strategies.values()]
    if all(process.sandbox is Isolation.OFF for process in processes):
        return
    try:
        yield from reach.missing(processes)
    except LaunchRefused as refused:
        yield str(refused)


def _schema(arguments: argparse.Namespace) -> int:
    from stratvisor import schema  # noqa: PLC0415  YAML: no client may load it

    kinds = {"strategy": schema.strategy, "settings": schema.settings, "calendar": schema.calendar}
    print(json.dumps(kinds[arguments.of](), indent=2, ensure_ascii=False))
    return 0


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
