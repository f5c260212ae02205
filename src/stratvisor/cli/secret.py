"""`secret`: keeps what strategies must know and nobody may read, without a daemon.

A value comes by a hidden prompt or standard input, and is never printed. What a running daemon makes of
a change, it finds out by itself.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor.cli import home, terminal
from stratvisor.cli.failure import FAILED, USAGE, Failure
from stratvisor.cli.table import Column, Row, table

if TYPE_CHECKING:
    from stratvisor.cli.verbs import Verbs
    from stratvisor.vault.contents import Sealed, Spot

MOST_BYTES = 1_000_000
_COLUMNS = (Column("SECRET"), Column("FOR", 1), Column("CHANGED", 2), Column("USED BY"))


def add(verbs: Verbs) -> None:
    """The verb."""
    verb = verbs.add(
        "secret",
        _secret,
        does="keep secrets: API keys and the like, encrypted in secrets.yaml",
        more="`set` asks for the value, hidden, or reads it from standard input; `list` shows names and who "
        "uses them, never values; `rotate` changes the key that they are encrypted with; `import` takes in a "
        "file of NAME=VALUE lines. Needs no daemon; a running one restarts strategies whose values changed.",
        examples=(
            "secret set OPENALGO_API_KEY",
            "secret set OPENALGO_API_KEY --for ema_crossover",
            "secret list",
            "secret import .env",
            "secret rotate",
        ),
    )
    verb.add_argument("what", choices=list(_VERBS), help="what to do")
    verb.add_argument("name", metavar="NAME", nargs="?", help="the secret; for `import`, the file")
    verb.add_argument("value", nargs="*", help=argparse.SUPPRESS)
    verb.add_argument(
        "--for", dest="id", metavar="ID", help="for this strategy alone (default: for all that name it)"
    )


def _secret(arguments: argparse.Namespace) -> int:
    from stratvisor.vault.keeping import CannotKeep  # noqa: PLC0415  YAML and a cipher: no client may load it

    if arguments.value:
        raise Failure(
            "cannot take a value from the command line, where everybody sees it: leave it out, and it is "
            "asked for; it may be in your shell's history now, so have the broker give you another",
            USAGE,
        )
    if arguments.name is None and arguments.what in _NAMED:
        raise Failure(f"cannot {arguments.what}: say what, `stratvisor secret {arguments.what} NAME`", USAGE)
    if arguments.what not in _NAMED and (arguments.name or arguments.id):
        raise Failure(f"cannot {arguments.what} a part: `secret {arguments.what}` takes no more", USAGE)
    try:
        return _VERBS[arguments.what](home.find(arguments.home), arguments)
    except CannotKeep as problem:
        raise Failure(str(problem)) from None


def _set(place: Path, arguments: argparse.Namespace) -> int:
    from stratvisor.vault import keeping  # noqa: PLC0415

    spot = _spot(arguments.name, arguments.id)
    changed = keeping.put(place, {spot: _asked(spot)})
    print(f"kept {spot} in secrets.yaml" if changed else f"{spot} has this value already; nothing changed")
    _tell_use(place, [spot])
    return 0


def _import(place: Path, arguments: argparse.Namespace) -> int:
    from stratvisor.reading import env_file, source  # noqa: PLC0415
    from stratvisor.vault import keeping  # noqa: PLC0415

    path = Path(arguments.name)
    try:
        pairs, problems = env_file.read(source.read(path), str(path))
    except source.CannotReadError as error:
        raise Failure(f"cannot import {path}: {error}") from None
    if problems:
        places = ", ".join(f"line {problem.line}" for problem in problems)
        raise Failure(
            f"cannot import {path}: {places} is not NAME=VALUE as an env_file has it; nothing was kept"
        )
    spots = {_spot(name, arguments.id): value for name, value in pairs}
    changed = keeping.put(place, spots)
    print(f"kept {len(changed)} of {len(spots)} in secrets.yaml, the rest was there: {_listed(changed)}")
    print(f"{path} still holds them for everybody to read: remove it")
    _tell_use(place, changed)
    return 0


def _remove(place: Path, arguments: argparse.Namespace) -> int:
    from stratvisor.vault import keeping  # noqa: PLC0415

    spot = _spot(arguments.name, arguments.id)
    keeping.remove(place, spot)
    print(f"removed {spot} from secrets.yaml")
    users = _users(place).get(spot)
    if users:
        print(f"{', '.join(users)} named it: what runs goes on, and does not start again without it")
    return 0


def _rotate(place: Path, _arguments: argparse.Namespace) -> int:
    from stratvisor.vault import keeping, keyring  # noqa: PLC0415

    count = keeping.rotate(place)
    sealed = "1 value" if count == 1 else f"{count} values"
    print(f"changed the key, and sealed {sealed} anew; keep a copy of {keyring.place(place)} elsewhere")
    print(
        "what the old key opens (copies, the history of git) stays open to it: if it leaked, set new values"
    )
    return 0


def _list(place: Path, _arguments: argparse.Namespace) -> int:
    from stratvisor import settings  # noqa: PLC0415
    from stratvisor.vault import contents  # noqa: PLC0415

    vault = contents.read(place)
    for problem in vault.problems:
        print(problem, file=sys.stderr)
    zone = ZoneInfo(settings.read(place)[0].timezone)
    users = _users(place)
    spots = sorted(vault.values.keys() | users.keys(), key=lambda spot: (spot.name, spot.strategy or ""))
    rows = [
        Row(
            (
                spot.name,
                spot.strategy or "all",
                _changed(vault.values.get(spot), zone),
                ", ".join(users[spot]),
            )
        )
        for spot in spots
    ]
    if rows:
        print("\n".join(table(_COLUMNS, rows, terminal.width())))
    return FAILED if vault.problems else 0


def _changed(sealed: Sealed | None, zone: ZoneInfo) -> str:
    from stratvisor.vault import sealing  # noqa: PLC0415

    if sealed is None:
        return "no value"
    at = sealing.sealed_at(sealed.text)
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _users(place: Path) -> dict[Spot, list[str]]:
    """Who has each secret: its own where it has one, else the shared one."""
    from stratvisor import config, settings  # noqa: PLC0415
    from stratvisor.vault import contents  # noqa: PLC0415

    reader = config.Reader()
    reader.read(place, settings.read(place)[0], {})
    values = contents.read(place).values
    users: dict[Spot, list[str]] = defaultdict(list)
    for strategy, wanted in sorted(reader.wanted_secrets().items()):
        for _variable, name in wanted:
            own = contents.Spot(strategy, name)
            users[own if own in values else contents.Spot(None, name)].append(strategy)
    return users


def _tell_use(place: Path, spots: list[Spot]) -> None:
    users = _users(place)
    for spot in spots:
        if users[spot]:
            print(f"{spot.name}: used by {', '.join(users[spot])}")
        else:
            owner = spot.strategy or "a strategy"
            print(f"{spot.name}: not used yet; `secrets: [{spot.name}]` in the file of {owner} gives it")


def _spot(name: str, strategy: str | None) -> Spot:
    from stratvisor.reading.values import UnsuitableError  # noqa: PLC0415
    from stratvisor.reading.words import SECRET  # noqa: PLC0415
    from stratvisor.spec import ID  # noqa: PLC0415
    from stratvisor.vault.contents import Spot  # noqa: PLC0415

    if strategy is not None and not ID.fullmatch(strategy):
        raise Failure(f"cannot keep it for {strategy!r}: no strategy can have this id", USAGE)
    try:
        return Spot(strategy, SECRET.parse(name))
    except UnsuitableError as error:
        raise Failure(f"cannot keep {name!r}: a name {error}", USAGE) from None


def _asked(spot: Spot) -> str:
    """From whoever types it, unseen; or all of standard input but for the end of its last line."""
    if sys.stdin.isatty():
        return getpass.getpass(f"Value of {spot} (not shown): ")
    raw = sys.stdin.buffer.read(MOST_BYTES)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Failure(f"cannot keep {spot.name}: its value is not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _listed(spots: list[Spot]) -> str:
    return ", ".join(spot.name for spot in spots) or "nothing new"


_VERBS = {"set": _set, "list": _list, "rm": _remove, "rotate": _rotate, "import": _import}
_NAMED = {"set", "rm", "import"}
