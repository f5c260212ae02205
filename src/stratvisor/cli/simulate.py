"""`simulate`: the verb, and how its arguments are written; what it does is in `foretelling`."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from stratvisor.cli import home
from stratvisor.cli.verbs import named

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratvisor.cli.verbs import Verbs

DEFAULT_DAYS = 7
MOST_DAYS = 400
_YEARS = range(1990, 2200)
"""Of dates that are meant: farther off, arithmetic with dates and zones comes to its ends."""

_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d(:\d\d)?"

_T = TypeVar("_T")


class Crash(NamedTuple):
    """A `--crash`, as it was written."""

    text: str
    selector: str
    at: time | datetime
    """Local and naive; without a date: on every day."""


def add(verbs: Verbs) -> None:
    """The verb."""
    verb = verbs.add(
        "simulate",
        _simulate,
        does="play the coming days ahead: what starts, stops and is skipped, and why",
        more="Needs no daemon and changes nothing. It plays what the files say, by the daemon's own rules on "
        "a fake clock. Holds and what runs now are not in it; every run goes on until it is stopped, or "
        "crashes as asked; restarts come without jitter. Exit code 1 where a file has a problem; the good "
        "ones are played.",
        examples=(
            "simulate",
            "simulate --from 2026-11-06 --days 5 @nifty",
            "simulate ema_crossover --crash ema_crossover@10:03 --crash ema_crossover@2026-11-09T11:30",
            "simulate --days 90 --json | jq -r 'select(.event == \"skip\").why'",
        ),
    )
    verb.add_argument(
        "ids", metavar="ID", nargs="*", type=named, help="a strategy or @TAG (default: all of them)"
    )
    verb.add_argument(
        "--from",
        dest="first",
        metavar="DATE",
        type=_moment,
        help="from this date, or local time such as 2026-11-06T09:00, by the zone of stratvisor.toml "
        "(default: today)",
    )
    verb.add_argument(
        "--days",
        metavar="COUNT",
        type=_days,
        default=DEFAULT_DAYS,
        help=f"how many days, {MOST_DAYS} at most (default: {DEFAULT_DAYS})",
    )
    verb.add_argument(
        "--crash",
        dest="crashes",
        metavar="ID@TIME",
        type=_crash,
        action="append",
        default=[],
        help="let it exit with code 1 at this time of its own zone: 10:03 on every day, 2026-11-06T10:03 "
        "once; may be given again",
    )
    verb.add_argument("--json", action="store_true", help="print one object a line: at, id, event, why")


def _simulate(arguments: argparse.Namespace) -> int:
    from stratvisor.cli.foretelling import foretell  # noqa: PLC0415  YAML: no client may load it

    return foretell(
        home.find(arguments.home),
        arguments.ids,
        arguments.first,
        arguments.days,
        arguments.crashes,
        as_json=arguments.json,
    )


def _moment(text: str) -> datetime:
    """A local time; of a date, its midnight."""
    wrong = "must be a date or a local time, such as 2026-11-06 or 2026-11-06T09:00"
    at = _read(datetime.fromisoformat, f"{_DATE}([T ]{_CLOCK})?", text, wrong)
    if at.year not in _YEARS:
        raise argparse.ArgumentTypeError(f"must be of the years {_YEARS[0]} to {_YEARS[-1]}, not {at.year}")
    return at


def _days(text: str) -> int:
    if re.fullmatch("[0-9]{1,9}", text) and 1 <= int(text) <= MOST_DAYS:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number, 1 to {MOST_DAYS}, not {text!r}")


def _crash(text: str) -> Crash:
    selector, sign, when = text.rpartition("@")
    if not sign or not selector:
        raise argparse.ArgumentTypeError(f"must be ID@TIME, such as ema_crossover@10:03, not {text!r}")
    if "-" in when:
        return Crash(text, selector, _moment(when))
    wrong = "TIME must be such as 10:03, or 2026-11-06T10:03 for one day alone"
    return Crash(text, selector, _read(time.fromisoformat, _CLOCK, when, wrong))


def _read(read: Callable[[str], _T], grammar: str, text: str, wrong: str) -> _T:
    """What the text says; stricter than the library, which reads ISO weeks and offsets too."""
    try:
        if re.fullmatch(grammar, text, re.ASCII):
            return read(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{wrong}, not {text!r}")
