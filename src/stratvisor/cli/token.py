"""`token` and `open`: what a program, a telephone or a browser needs to use the HTTP port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratvisor.cli import home
from stratvisor.cli.client import Client
from stratvisor.cli.failure import USAGE, Failure
from stratvisor.cli.shown import clean, moment
from stratvisor.cli.table import Column, Row, table
from stratvisor.cli.terminal import width

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from stratvisor.cli.verbs import Verbs

ROLES = ("view", "operate", "admin", "panic")

_COLUMNS = (Column("TOKEN"), Column("ROLE"), Column("MADE"), Column("LAST USED"))
_MORE = (
    "Without more words it prints the one in keys/api.token, which may do everything. `new` makes another "
    "and prints it alone, this once: role view looks, operate starts and stops too, admin does everything, "
    "panic stops and nothing else (for a telephone). `rm` revokes one at once, with the sessions and streams "
    "it opened."
)


def add(verbs: Verbs) -> None:
    """Both verbs."""
    verb = verbs.add(
        "token",
        _token,
        does="print the API token, or make, list and revoke others",
        more=_MORE,
        examples=(
            "token",
            "token new phone --role panic",
            "token list",
            "token rm phone",
            'token | sed "s/^/Authorization: Bearer /" | curl -H @- http://127.0.0.1:9770/python/status',
        ),
    )
    verb.add_argument("what", nargs="?", choices=["new", "list", "rm"], help="what to do (default: print)")
    verb.add_argument("name", metavar="NAME", nargs="?", help="of the token to make or revoke")
    _add_role(verb, "what the new one may do")
    verb = verbs.add(
        "open",
        _open,
        does="print a link that opens the page in a browser, once and within minutes",
        examples=("open", "open --role view"),
    )
    _add_role(verb, "what its session may do (default: admin)")


def _add_role(verb: argparse.ArgumentParser, about: str) -> None:
    verb.add_argument("--role", metavar="ROLE", choices=ROLES, help=f"{about}: {', '.join(ROLES)}")


def _token(arguments: argparse.Namespace) -> int:
    place = home.find(arguments.home)
    _check(arguments)
    if arguments.what is None:
        print(_api_token(place))
        return 0
    client = Client(place)
    if arguments.what == "new":
        form = {"name": arguments.name, "role": arguments.role}
        print(client.post(f"make the token {arguments.name}", "tokens", form=form)["token"])
    elif arguments.what == "rm":
        client.post(f"revoke the token {arguments.name}", "tokens", arguments.name, "revoke")
        print(f"{clean(arguments.name)} is revoked")
    else:
        found = client.get("list the tokens", "tokens")["tokens"]
        print(*table(_COLUMNS, [_row(token) for token in found], width()), sep="\n")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    what = arguments.what
    needs_name, needs_role = what in {"new", "rm"}, what == "new"
    if needs_name != (arguments.name is not None) or needs_role != (arguments.role is not None):
        right = {
            None: "token",
            "new": "token new NAME --role ROLE",
            "rm": "token rm NAME",
            "list": "token list",
        }
        raise Failure(f"cannot do that with these words; write `stratvisor {right[what]}`", USAGE)


def _api_token(place: Path) -> str:
    path = place / home.TOKEN
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise Failure(
            f"cannot read {path}: the daemon makes it at its first start; `stratvisor up`"
        ) from None
    except PermissionError:
        raise Failure(
            f"cannot read {path}: no permission; run this as the user that runs the daemon"
        ) from None
    except UnicodeDecodeError:
        raise Failure(
            f"cannot read {path}: it holds no token; remove it, and the next start makes one"
        ) from None


def _row(token: dict[str, Any]) -> Row:
    made = moment(token["made"]) or "with the instance"
    return Row((clean(token["name"]), clean(token["role"]), made, moment(token["used"]) or "never"))


def _open(arguments: argparse.Namespace) -> int:
    form = {"role": arguments.role} if arguments.role else {}
    print(Client(home.find(arguments.home)).post("open the page", "open", form=form)["link"])
    return 0
