"""`token`: what a program needs to use the HTTP port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.failure import Failure

if TYPE_CHECKING:
    import argparse

    from stratvisor.cli.verbs import Verbs


def add(verbs: Verbs) -> None:
    """The verb."""
    verbs.add(
        "token",
        _token,
        does="print the API token, and nothing else",
        more="Whoever has it may do over HTTP what you may do here.",
        examples=(
            "token",
            'token | sed "s/^/Authorization: Bearer /" | curl -H @- http://127.0.0.1:9770/python/status',
        ),
    )


def _token(arguments: argparse.Namespace) -> int:
    path = home.find(arguments.home) / home.TOKEN
    try:
        print(path.read_text(encoding="ascii").strip())
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
    return 0
