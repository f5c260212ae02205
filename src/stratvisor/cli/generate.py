"""`calendar generate`: a calendar file for an exchange that is not shipped, of what a library knows.

Never writes over a file unasked. A file appears whole: a daemon that looks on reads all of it or nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.failure import USAGE, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.cli.verbs import Verbs

MOST_YEARS = 10
STDOUT = "-"


def add(verbs: Verbs) -> None:
    """The verb."""
    verb = verbs.add(
        "generate",
        _generate,
        does="make a calendar file of what the library exchange_calendars knows",
        more="Needs `pip install 'stratvisor[calendars]'`. The file is calendars/CODE.yaml of the instance; "
        "what it says has been compared with the library session by session. Years that the library "
        "does not know are refused.",
        examples=(
            "calendar generate XNYS --years 2026-2027",
            "calendar generate XNYS --years 2027 --name NYSE --force",
            "calendar generate XHKG --years 2027 --out -",
        ),
    )
    verb.add_argument("code", metavar="CODE", help="the exchange's code in the library, such as XNYS or XHKG")
    verb.add_argument(
        "--years", metavar="YEARS", type=_years, required=True, help="such as 2027 or 2026-2028"
    )
    where = verb.add_mutually_exclusive_group()
    where.add_argument("--name", metavar="NAME", help="the calendar's name (default: CODE)")
    where.add_argument("--out", metavar="FILE", help="write to this file; -: print it")
    verb.add_argument("--force", action="store_true", help="replace the file where there is one")


def _years(text: str) -> tuple[date, date]:
    """The first and the last day."""
    found = re.fullmatch("([0-9]{4})(?:-([0-9]{4}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1900 <= first <= last < first + MOST_YEARS:
        what = f"must be a year or up to {MOST_YEARS} of them, such as 2027 or 2026-2028"
        raise argparse.ArgumentTypeError(f"{what}, not {text!r}")
    return date(first, 1, 1), date(last, 12, 31)


def _generate(arguments: argparse.Namespace) -> int:
    path = _path(arguments)
    name = path.stem if path else arguments.code
    _check_name(name, path)
    if path and not arguments.force:
        _check_free(path)
    today = _today()
    text = _text(arguments, name, today)
    if path is None:
        print(text, end="")
    else:
        _put(path, text, replace=arguments.force)
        print(f"made: {path}")
    first, last = arguments.years
    if first > today:
        hint = f"`--years {today.year}-{last.year}` takes in the days until then"
        print(f"nothing starts by it before {first}; {hint}", file=sys.stderr)
    return 0


def _path(arguments: argparse.Namespace) -> Path | None:
    """Where to write; None: print it."""
    if arguments.out == STDOUT:
        return None
    if arguments.out is not None:
        return home.expanded(arguments.out)
    from stratvisor.almanac import FOLDER, SUFFIX  # noqa: PLC0415  YAML: no client may load it
    from stratvisor.calendar import NAME  # noqa: PLC0415

    name = arguments.code if arguments.name is None else arguments.name
    if not NAME.fullmatch(name):
        raise Failure(
            f"cannot name a calendar {name!r}: letters, digits, _ and -, at most 32; give another --name",
            USAGE,
        )
    instance: Path = home.find(arguments.home)
    return instance / FOLDER / f"{name}{SUFFIX}"


def _check_name(name: str, path: Path | None) -> None:
    from stratvisor import almanac  # noqa: PLC0415

    if path and name in almanac.shipped():
        why = f"a {name} is shipped, and the file would be laid over it day by day"
        raise Failure(f"cannot make {path}: {why}; give another --name")


def _check_free(path: Path) -> None:
    if path.exists():
        raise _taken(path)


def _taken(path: Path) -> Failure:
    return Failure(f"cannot make {path}: it is there already; use --force to replace it")


def _text(arguments: argparse.Namespace, name: str, today: date) -> str:
    from stratvisor.generate import library, record, text  # noqa: PLC0415

    try:
        return text.generated(library.ask(arguments.code, *arguments.years), name, today)
    except record.CannotGenerateError as error:
        raise Failure(f"cannot generate {arguments.code}: {error}") from None


def _put(path: Path, content: str, *, replace: bool) -> None:
    """Whole or not at all; the draft's name is hidden, so that no calendar is seen in it."""
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            path.hardlink_to(draft)  # a rename would bury what came there meanwhile
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise Failure(f"cannot make {path}: {error.strerror}; use --out FILE for another place") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def _today() -> date:
    from stratvisor.clock import SystemClock  # noqa: PLC0415

    return SystemClock().now().wall.date()
