"""What /proc says of processes, and the end of all that the benchmark started.

The benchmark is a subreaper: whatever it starts stays its descendant, however far it forks away and
whoever was killed in between. So everything can be ended by pid, and nothing else ever is.
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What processes have used since they began."""

    cpu_ns: int
    switches: int
    """Context switches, voluntary and not, of all threads."""


def become_subreaper() -> None:
    """Inherit every orphan among the descendants of this process."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root: int, *, but: Collection[int] = ()) -> list[int]:
    """The pids below `root`, parents first; without zombies, and without those in `but` and theirs."""
    children: dict[int, list[int]] = {}
    for pid in (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()):
        state, parent = _state(pid)
        if state not in "ZX" and pid not in but:
            children.setdefault(parent, []).append(pid)
    found, next_ones = [], [root]
    while next_ones:
        below = [pid for parent in next_ones for pid in children.get(parent, ())]
        found += below
        next_ones = below
    return found


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    return _state(pid)[0] not in "ZX"


def usage(pids: Iterable[int]) -> Usage:
    """Of these processes together, all their threads that live."""
    cpu_ns = switches = 0
    for pid in pids:
        with suppress(OSError):
            for task in os.scandir(f"/proc/{pid}/task"):
                cpu_ns += int(_read(f"{task.path}/schedstat").split()[0])
                lines = _read(f"{task.path}/status").splitlines()
                switches += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return Usage(cpu_ns, switches)


def pss(pids: Iterable[int]) -> int:
    """Bytes of memory these processes hold together, where a page that n share counts 1/n for each.

    Raises:
        PermissionError: one of them is not this user's to look into.
    """
    total = 0
    for pid in pids:
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def end_all() -> None:
    """KILL every descendant of this process and take leave of each, until none is left.

    Daemons come before what they would start again: parents first.
    """
    while pids := descendants(os.getpid()):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _state(pid: int) -> tuple[str, int]:
    """The state letter and the parent's pid; X for a process that is gone (proc(5), /proc/PID/stat)."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(") ")[2].split()
    except OSError:
        return "X", 0
    return fields[0], int(fields[1])


def _read(path: str) -> str:
    return Path(path).read_text("utf-8", "replace")
