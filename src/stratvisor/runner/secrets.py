"""The secrets that a run is given: at its start, and once more to a shim that takes over and has to redact.

They are opened for the one moment, and leave by a pipe. Which values a run was given, its spec.json can
prove by their fingerprint, without having them.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import os
import select
from typing import TYPE_CHECKING, Any

from stratvisor.ports import LaunchRefused
from stratvisor.shim import rundir
from stratvisor.vault import contents, keymaking, keyring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import IO

    from stratvisor.runner.folders import Folders, Key
    from stratvisor.spec import Process

log = logging.getLogger(__name__)

Values = dict[str, str]
"""By variable."""


def to_json(process: Process) -> dict[str, Any] | None:
    """What spec.json tells of a run's secrets; None: it has none."""
    if not process.secrets:
        return None
    return {"variables": dict(process.secrets), "fingerprint": process.secrets_fingerprint}


def for_launch(home: Path, strategy: str, process: Process) -> Values:
    """The values that a new run is to have.

    Raises:
        LaunchRefused: they cannot be had, or are not those that the config in force speaks of.
    """
    if not process.secrets:
        return {}
    vault = contents.read(home, keymaking.fingerprint_key)
    try:
        values = vault.all(strategy, process.secrets)
    except contents.NoValue as error:
        raise LaunchRefused(f"its {error}") from None
    if contents.fingerprint(values, vault.fingerprint_key) != process.secrets_fingerprint:
        raise LaunchRefused("its secrets changed a moment ago; it starts with them once they are read")
    return values


def for_resume(folders: Folders, key: Key) -> Values | None:
    """The values that a live run was given; None: nobody has them any more.

    They are still in its process, and most often in secrets.yaml; which of the two is right, the
    fingerprint says. A value may have changed since, and a process may write over its environment.

    Raises:
        Unreadable: its spec.json does not tell.
    """
    told = rundir.must_read(folders.path(key, rundir.SPEC)).get("secrets")
    if told is None:
        return {}
    with contextlib.suppress(keyring.KeyProblem):
        by = keymaking.fingerprint_key(folders.home)
        for values in _candidates(folders, key, told["variables"]):
            if hmac.compare_digest(contents.fingerprint(values, by), told["fingerprint"]):
                return values
    log.error("the secrets of %s, run %d, are not to be had any more: its output is withheld", *key)
    return None


def hand_over(values: Mapping[str, str] | None, pipe: IO[bytes], timeout_ms: int) -> None:
    """Write the values into a shim's pipe and close it. What went wrong with the shim is heard elsewhere."""
    text = json.dumps(values).encode()
    os.set_blocking(pipe.fileno(), False)
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    with pipe, contextlib.suppress(BrokenPipeError):
        while text and poll.poll(timeout_ms):
            text = text[os.write(pipe.fileno(), text) :]


def _candidates(folders: Folders, key: Key, variables: Mapping[str, str]) -> Iterator[Values]:
    with contextlib.suppress(contents.NoValue):
        yield contents.read(folders.home).all(key.strategy, tuple(variables.items()))
    with contextlib.suppress(rundir.Unreadable, OSError, KeyError, TypeError, UnicodeDecodeError):
        who = folders.who(key) or {}
        given = _environment(who["strategy"][0])
        yield {variable: given[variable] for variable in variables}


def _environment(pid: int) -> Values:
    with open(f"/proc/{pid}/environ", "rb") as file:
        pairs = (entry.decode().partition("=") for entry in file.read().split(b"\0") if b"=" in entry)
        return {name: value for name, _, value in pairs}
