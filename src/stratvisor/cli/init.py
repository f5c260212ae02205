"""`init`: makes an instance out of nothing, and never writes over what is there."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.failure import USAGE, Failure

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from stratvisor.cli.verbs import Verbs

_FILES = {
    "stratvisor.toml": "stratvisor.toml",
    "conf.d/example.yaml": "example.yaml",
    "strategies/example.py": "example.py.txt",
    ".gitignore": "gitignore",
}
"""Where each goes, and where its content lies in the package."""


def add(verbs: Verbs) -> None:
    """The verb."""
    verb = verbs.add(
        "init",
        _init,
        does="make an instance: settings, an example strategy, a .gitignore",
        more="Files that are there already are left as they are.",
        examples=("init .", "init ~/trading"),
    )
    verb.add_argument("dir", metavar="DIR", help="the folder; made where it is missing")


def _init(arguments: argparse.Namespace) -> int:
    if arguments.home is not None:
        raise Failure("cannot use --home with init: DIR says where", USAGE)
    place = home.expanded(arguments.dir)
    try:
        for name, source in _FILES.items():
            made = _make(place / name, files("stratvisor.cli").joinpath("instance", source).read_bytes())
            print(f"{'made' if made else 'left as it is'}: {place / name}")
        (place / "keys").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Failure(f"cannot make {error.filename or place}: {error.strerror}") from None
    print(f"\nNext:\n  cd {place}\n  stratvisor check\n  stratvisor up")
    return 0


def _make(path: Path, content: bytes) -> bool:
    """Write a new file; False: there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True
