"""Which instance a command is about, and where things lie in it.

Reads of stratvisor.toml only what a client must know, leniently: whether the file is right is for
`check` to say.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from stratvisor.cli.failure import USAGE, Failure

SETTINGS = "stratvisor.toml"
CONFIG = "conf.d"
SOCKET = Path("run", "stratvisor.sock")
TOKEN = Path("keys", "api.token")
AUDIT = Path("log", "audit.jsonl")
AUDIT_HEAD = Path("run", "audit.head")
DEFAULT_BASE_PATH = "/python"


def find(given: str | None) -> Path:
    """The folder given, else the nearest one upwards: by its stratvisor.toml before any other sign.

    Raises:
        Failure: the folder given is no instance, or there is none upwards.
    """
    if given is not None:
        return _checked(expanded(given))
    here = Path.cwd()
    upwards = (here, *here.parents)
    for is_sign in (_has_settings, _is_instance):
        for folder in upwards:
            if is_sign(folder):
                return folder
    raise Failure(
        "no instance here or above: cd into one, use --home DIR, or make one with `stratvisor init DIR`",
        USAGE,
    )


def expanded(given: str) -> Path:
    """The whole path of one that somebody typed.

    Raises:
        Failure: it begins with ~ and no account.
    """
    try:
        return Path(given).expanduser().resolve()
    except RuntimeError:
        raise Failure(f"cannot use {given}: there is no such account; write the whole path", USAGE) from None


def _checked(home: Path) -> Path:
    if not home.is_dir():
        raise Failure(f"cannot use {home} as home: it is no folder; `stratvisor init` makes one", USAGE)
    if not _is_instance(home):
        why = f"it holds neither {SETTINGS} nor {CONFIG}; `stratvisor init {home}` makes it one"
        raise Failure(f"cannot use {home} as home: {why}", USAGE)
    return home


def _has_settings(folder: Path) -> bool:
    return (folder / SETTINGS).is_file()


def _is_instance(folder: Path) -> bool:
    # The socket too: a daemon whose files have vanished can still be asked why.
    return _has_settings(folder) or (folder / CONFIG).is_dir() or (folder / SOCKET).is_socket()


def base_path(home: Path) -> str:
    """Where the daemon serves its routes, without a slash at the end."""
    try:
        http = tomllib.loads((home / SETTINGS).read_text(encoding="utf-8")).get("http")
    except (OSError, ValueError, RecursionError):
        return DEFAULT_BASE_PATH
    path = http.get("base_path") if isinstance(http, dict) else None
    return path.rstrip("/") if isinstance(path, str) else DEFAULT_BASE_PATH
