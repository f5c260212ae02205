"""Which instance a command is about, and where things lie in it.

Reads of stratvisor.toml only what a client must know, leniently: whether the file is right is for
`check` to say.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from stratvisor.cli.failure import USAGE, Failure

SETTINGS = "stratvisor.toml"
SOCKET = Path("run", "stratvisor.sock")
TOKEN = Path("keys", "api.token")
DEFAULT_BASE_PATH = "/python"


def find(given: str | None) -> Path:
    """The folder given, else the nearest one upwards that holds a stratvisor.toml, else the current one.

    Raises:
        Failure: the folder given is none.
    """
    if given is not None:
        home = Path(given).expanduser().resolve()
        if not home.is_dir():
            raise Failure(f"cannot use {home} as home: it is no folder; `stratvisor init` makes one", USAGE)
        return home
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / SETTINGS).is_file()), here)


def base_path(home: Path) -> str:
    """Where the daemon serves its routes, without a slash at the end."""
    try:
        http = tomllib.loads((home / SETTINGS).read_text(encoding="utf-8")).get("http")
    except (OSError, ValueError):
        return DEFAULT_BASE_PATH
    path = http.get("base_path") if isinstance(http, dict) else None
    return path.rstrip("/") if isinstance(path, str) else DEFAULT_BASE_PATH
