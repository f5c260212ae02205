"""What a strategy's process is given: argv, environment, working directory, user, limits, as spec.json.

Knows `Process` and the home; makes nothing. The daemon's own environment is not passed on: only what
`inherit_env` names, and the few variables that every program expects.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import sys
import zoneinfo
from typing import TYPE_CHECKING, Any

from stratvisor.ports import LaunchOrder, LaunchRefused
from stratvisor.runner import reach, secrets
from stratvisor.shim import ending
from stratvisor.spec import SECOND, THREAD_VARIABLES, Isolation, Process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

NO_CORE = 1
"""A core dump would hold the secrets, and one that goes to a program (core(5)) takes no notice of a limit but
of this one: fs/coredump.c, "Aborting core"."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def spec_json(home: Path, order: LaunchOrder, log: str, began: datetime) -> dict[str, Any]:
    """The content of spec.json.

    Raises:
        LaunchRefused: a user or folder is not there now.
    """
    process = order.process
    user = _user(process.user)
    words = argv(home, process)
    uid = user["uid"] if user else os.geteuid()
    return {
        "strategy": order.strategy,
        "run": order.number,
        "fingerprint": process.fingerprint,
        "argv": words,
        "env": _environment(home, order, user, began),
        "secrets": secrets.to_json(process),
        "cwd": os.path.join(home, process.cwd),
        "user": user,
        "sandbox": reach.plan(home, order.strategy, process, words, uid, notify=order.notify),
        "nice": process.nice,
        "rlimits": {
            "open_files": process.open_files,
            "cpu_time": None if process.cpu_time_ns is None else max(1, process.cpu_time_ns // SECOND),
            "core": NO_CORE if process.secrets else process.core,
        },
        "oom_kills": ending.oom_kills(),
        "log": log,
    }


def argv(home: Path, process: Process) -> list[str]:
    """The command line, with every relative path made absolute by the home and no link resolved.

    A virtual environment's interpreter is a link, and is only that environment's under its own name.

    Raises:
        LaunchRefused: the script is not there.
    """
    if process.command is not None:
        program = process.command[0]
        return [os.path.join(home, program) if "/" in program else program, *process.command[1:]]
    script = os.path.join(home, process.script or "")
    if not os.path.isfile(script):
        raise LaunchRefused(f"its script {process.script} is missing")
    python = sys.executable if process.python is None else os.path.join(home, process.python)
    if not os.access(python, os.X_OK, effective_ids=True):  # as exec will ask
        raise LaunchRefused(f"its interpreter {process.python or python} is missing or cannot be executed")
    return [python, "-u", script, *process.args]


def run_mark(home: Path, strategy: str, number: int) -> str:
    """$STRATVISOR_RUN: names home, strategy and run, and with them every process of the run."""
    return f"{home}:{strategy}/{number}"


def _environment(
    home: Path, order: LaunchOrder, user: Mapping[str, Any] | None, began: datetime
) -> dict[str, str]:
    process = order.process
    host = {
        "PATH": os.environ.get("PATH", PATH),
        "HOME": user["home"] if user else os.environ.get("HOME", "/"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TZ": time_zone(order.timezone, began),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
    }
    own = {
        "STRATEGY_ID": order.strategy,
        "STRATEGY_NAME": order.title,
        "STRATEGY_DATA": os.path.join(home, "data", order.strategy),
        "STRATVISOR_RUN": run_mark(home, order.strategy, order.number),
        "STRATVISOR_RESTARTS": str(order.restarts),
    }
    if order.notify:
        # Abstract (unix(7)): no path that is too long for sun_path, and nothing to leave behind.
        name = hashlib.sha256(own["STRATVISOR_RUN"].encode()).hexdigest()
        own["NOTIFY_SOCKET"] = f"@stratvisor/{name}"
    if process.sandbox is not Isolation.OFF:
        host |= {name: os.path.join(own["STRATEGY_DATA"], folder) for name, folder in reach.FOLDERS.items()}
    threads = dict.fromkeys(THREAD_VARIABLES, str(process.threads)) if process.threads else {}
    return {**host, **threads, **order.inherited, **dict(process.env), **own}


def time_zone(name: str, at: datetime) -> str:
    """A value of $TZ that the C library understands, also where the system has no zone files.

    There it is the zone's offset of this moment (POSIX 8.3: with its sign turned round).
    """
    if any(os.path.isfile(os.path.join(root, name)) for root in zoneinfo.TZPATH):
        return name
    local = at.astimezone(zoneinfo.ZoneInfo(name))
    offset = local.utcoffset()
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"<{local.tzname()}>{'-' if minutes >= 0 else '+'}{hours:02d}:{rest:02d}"


def _user(name: str | None) -> dict[str, Any] | None:
    if name is None:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise LaunchRefused(f"its user {name} is unknown to this machine") from None
    return {"name": name, "uid": entry.pw_uid, "gid": entry.pw_gid, "home": entry.pw_dir}
