"""`upgrade`: the running daemon gives its place to the code that is installed now.

It becomes that code by exec, in place: the same process for systemd and the terminal, with its orphans
and its environment, and the strategies notice nothing. Before, the new code shows in a process of its own
that it can: it imports all of itself, and reads what this daemon leaves. Where it cannot, nothing happens.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import stratvisor
from stratvisor import config, settings
from stratvisor.clock import SystemClock
from stratvisor.ports import Refused
from stratvisor.runner.folders import Folders
from stratvisor.store import Store, StoreTooNew

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratvisor.ports import Json

TRIAL_S = 60.0

PYTHON = (sys.executable, "-P")
"""Without the current folder in its path: a file there must not pass for a module."""


async def trial(home: Path, bad_now: Iterable[str]) -> Json:
    """Let the new code try itself on a home; its answer holds the `version` that is to come.

    `bad_now`: files that the running code finds bad, too.

    Raises:
        Refused: it must not take over, and why.
    """
    try:
        tried = await asyncio.create_subprocess_exec(
            *PYTHON,
            "-m",
            "stratvisor.succession",
            str(home),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(TRIAL_S):
            said, errors = await tried.communicate()
        found: Json = json.loads(said)
    except TimeoutError:
        tried.kill()
        raise Refused(f"the new code did not come to an end of its trial in {TRIAL_S:g} s") from None
    except OSError as error:
        raise Refused(f"cannot try the new code: {sys.executable}: {error.strerror}") from error
    except ValueError:
        last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2] or f"exit {tried.returncode}"
        raise Refused(f"the new code cannot start: {last}; install it again") from None
    unreadable = found["unreadable"] + [one["text"] for one in found["bad"] if one["file"] not in bad_now]
    if unreadable:
        raise Refused(f"the new code ({found['version']}) cannot take over: {'; '.join(unreadable)}")
    return found


def become(home: Path, *, verbose: bool) -> NoReturn:
    """Be the new code from now on, as the same process.

    Raises:
        OSError: there is no interpreter any more.
    """
    more = ["--verbose"] if verbose else []
    os.execv(sys.executable, [*PYTHON, "-m", "stratvisor", "--home", str(home), "up", *more])


def test_oneself(home: Path) -> dict[str, Any]:
    """In the trial's process: whether this code can be the daemon of a home that another one leaves."""
    for module in pkgutil.walk_packages(stratvisor.__path__, "stratvisor."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    known, problems = settings.read(home)
    read = config.read(home, known, {})
    return {
        "version": stratvisor.__version__,
        "bad": [{"file": one.file, "text": str(one)} for one in (*problems, *read.problems)],
        "unreadable": [*_too_new(home)],
    }


def _too_new(home: Path) -> Iterable[str]:
    """What was left by a newer stratvisor than this."""
    try:
        Store(home / "run" / "state.json", "").check()
    except StoreTooNew as error:
        yield str(error)
    folders = Folders(home, SystemClock())
    yield from (why for key in folders.keys() if (why := folders.too_new(key)))  # noqa: SIM118  no mapping


if __name__ == "__main__":
    sys.stdout.write(json.dumps(test_oneself(Path(sys.argv[1]))))
