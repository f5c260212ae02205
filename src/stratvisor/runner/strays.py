"""Copies that nobody watches: processes that carry this home's $STRATVISOR_RUN without a run directory.

They come to be where run/ was removed under living strategies. Such a copy blocks the start of its
strategy, and is never signalled: whose it is, only the operator knows.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from stratvisor.runner import environment
from stratvisor.shim import rundir, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stratvisor.runner.folders import Folders, Key


class Copy(NamedTuple):
    """One process that must be gone before its strategy starts."""

    strategy: str
    process: rundir.Identity
    why: str

    def lives(self) -> bool:
        """Whether exactly this process is still there."""
        return rundir.is_alive(self.process)


def living(folders: Folders, key: Key) -> bool:
    """Whether anything of a run lives: its main process by identity, or any by the mark it carries."""
    try:
        who = folders.who(key)
        strategy = None if who is None else rundir.Identity(*who["strategy"])
    except rundir.Unreadable:
        strategy = None
    if strategy is not None and rundir.is_alive(strategy):
        return True
    return bool(tree.marked(environment.run_mark(folders.home, *key)))


def find(home: Path, known: set[str]) -> Iterator[Copy]:
    """The living processes of this home that belong to none of the known runs.

    A process whose environment cannot be read belongs to another user and is none of ours, unless the
    daemon is root, and then it can be read.
    """
    mark = re.compile(rb"(?:^|\0)STRATVISOR_RUN=(" + re.escape(os.fsencode(home)) + rb":([^/\0]+)/\d+)\0")
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                match = mark.search(file.read())
        except OSError:
            continue
        if match is None or os.fsdecode(match[1]) in known:
            continue
        identity = rundir.identify(int(name))
        if identity is not None:
            strategy = os.fsdecode(match[2])
            yield Copy(
                strategy, identity, f"a copy that nobody watches still runs as pid {name}; end it first"
            )
