"""Whose a process is: the strategy that it or an ancestor of it belongs to.

By descent, since a process chooses neither its ancestors nor who adopts it: a strategy's family hangs from
its shim, or from the daemon once the shim is dead. And by the mark in its environment, for the family of a
shim that died while no daemon lived to adopt it. Who changes that mark and has such a shim is not found.

Rule: a pid names a process for one look; whoever is said to be a parent must be older than its child. That
the process itself lives while it is looked at, the caller makes sure of by a pidfd.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

TRIES = 5
"""An ancestor may end while it is looked at; whoever is adopted then has another chain."""

SOMEBODY = "?"
"""Of a process whose strategy, or whose descent, cannot be told."""


class _Known(NamedTuple):
    parent: int
    started: int
    """In clock ticks since the boot (proc(5), field 22)."""


def strategy_of(pid: int, shims: Mapping[int, str], daemon: int, home: str) -> str | None:
    """The strategy of a process; None: it belongs to none. `shims` are roots of families, by their pid."""
    for _ in range(TRIES):
        chain = _chain(pid)
        if chain is not None:
            return _owner(chain, shims, daemon, home)
    return SOMEBODY


def _owner(chain: list[int], shims: Mapping[int, str], daemon: int, home: str) -> str | None:
    for one in chain:
        found = shims.get(one) or _marked(one, home)
        if found is not None:
            return found
    return SOMEBODY if daemon in chain[1:] else None


def _chain(pid: int) -> list[int] | None:
    """The process and its ancestors, as far as they may be seen; None: one of them ended meanwhile."""
    found: list[int] = []
    youngest: int | None = None
    while pid > 0:
        known = _look(pid)
        if known is None:
            return found if _is_hidden(pid, found) else None
        if youngest is not None and known.started > youngest:
            return None
        found.append(pid)
        pid, youngest = known
    return found


def _is_hidden(pid: int, found: list[int]) -> bool:
    """Whether it is another user's, which hidepid keeps from us (proc(5)), and so none of our shims.

    A parent that ended is no parent any more.
    """
    child = _look(found[-1]) if found else None
    return not found or (child is not None and child.parent == pid)


def _look(pid: int) -> _Known | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return _Known(int(fields[1]), int(fields[19]))


def _marked(pid: int, home: str) -> str | None:
    """The strategy that a process's environment names; of another user's, which cannot be read, none."""
    needle = b"STRATVISOR_RUN=" + os.fsencode(home) + b":"
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
    except OSError:
        return None
    for variable in environment.split(b"\0"):
        if variable.startswith(needle):
            return os.fsdecode(variable[len(needle) :]).partition("/")[0]
    return None
