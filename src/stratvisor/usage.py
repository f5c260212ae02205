"""What strategies use of the machine: CPU, memory and processes of whole process trees.

A sample of all is one pass over the process table: /proc where there is one, else psutil. A tree is
all that descends from its root, a shim, which adopts what forks away. The shim is no part of what a
strategy uses, but the CPU time of what it waited for is. Processes come and go while we look: who is
gone is not counted, and that is no error.

Knows no limits. Rule: nothing here is a reason to signal a pid; it may be somebody else's by now.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stratvisor.spec import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PROC = Path("/proc/self/stat")
"""Where this exists, the process table is read there."""

if sys.platform != "win32":
    _TICK_NS = SECOND // os.sysconf("SC_CLK_TCK")
    _PAGE = os.sysconf("SC_PAGE_SIZE")
else:  # which has no /proc to read in ticks and pages
    _TICK_NS = _PAGE = 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one tree without its root."""

    cpu_percent: float | None
    """Since the sample before; 100 is one core. None: this is the first one."""
    memory_bytes: int
    """RSS summed: pages that processes share count once for each, see `pss`."""
    pids: tuple[int, ...]
    """Of the living."""

    @property
    def processes(self) -> int:
        """How many live."""
        return len(self.pids)


class Process(NamedTuple):
    """One row of the process table."""

    parent: int
    cpu_ns: int
    """Its own and that of the children it waited for, of all its threads."""
    own_cpu_ns: int
    memory_bytes: int
    alive: bool
    """Not a zombie."""
    began: int
    """With the pid, who it is: in some unit, at some time of the boot."""


class Sampler:
    """Takes samples, and remembers the last one for the CPU share."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], int] = {}
        self._last_ns = 0

    def sample(self, roots: Mapping[str, int], now_ns: int) -> dict[str, Usage]:
        """What the tree under each root uses; of a root that is gone, nothing is said.

        Blocks for some 20 us a process of the machine. `now_ns` is CLOCK_BOOTTIME.
        """
        table = processes()
        children = _children(table)
        used: dict[str, Usage] = {}
        spent: dict[tuple[int, int], int] = {}
        for strategy, root in roots.items():
            if root in table:
                tree = {pid: table[pid] for pid in _descendants(root, children)}
                who = (root, table[root].began)
                spent[who] = _spent(table[root], tree.values())
                used[strategy] = _usage(tree, self._share(who, spent[who], now_ns))
        self._last, self._last_ns = spent, now_ns
        return used

    def _share(self, who: tuple[int, int], spent_ns: int, now_ns: int) -> float | None:
        elapsed_ns = now_ns - self._last_ns
        if who not in self._last or elapsed_ns <= 0:
            return None
        # Less than before: children of one that ignores SIGCHLD leave without their time being passed on.
        return round(100 * max(spent_ns - self._last[who], 0) / elapsed_ns, 1)


def _usage(tree: Mapping[int, Process], cpu_percent: float | None) -> Usage:
    memory = sum(process.memory_bytes for process in tree.values())
    return Usage(cpu_percent, memory, tuple(pid for pid, process in tree.items() if process.alive))


def _children(table: Mapping[int, Process]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for pid, process in table.items():
        children.setdefault(process.parent, []).append(pid)
    return children


def _descendants(root: int, children: Mapping[int, list[int]]) -> list[int]:
    found: list[int] = []
    below = [root]
    while below:
        below = [child for pid in below for child in children.get(pid, ())]
        found += below
    return found


def _spent(root: Process, tree: Iterable[Process]) -> int:
    """What a tree has used so far, by those that ended too: each one's time goes to who waits for it."""
    return root.cpu_ns - root.own_cpu_ns + sum(process.cpu_ns for process in tree)


def pss(pids: Iterable[int]) -> int:
    """The memory of these processes in bytes, pages shared by n counted as an nth for each.

    Who is gone counts nothing; where the kernel doesn't say, or may not tell us, its RSS counts.
    """
    return sum(_pss(pid) for pid in pids)


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _rss(pid)


def _rss(pid: int) -> int:
    process = _from_proc(pid) if PROC.exists() else _by_psutil().get(pid)
    return process.memory_bytes if process else 0


def processes() -> dict[int, Process]:
    """The process table, as far as we may see it."""
    return _by_proc() if PROC.exists() else _by_psutil()


def _by_proc() -> dict[int, Process]:
    with os.scandir("/proc") as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdigit()]
    rows = ((pid, _from_proc(pid)) for pid in pids)
    return {pid: row for pid, row in rows if row is not None}


def _from_proc(pid: int) -> Process | None:
    """proc_pid_stat(5); the name in parentheses may hold spaces and parentheses."""
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        try:
            line = os.read(file, 4096)
        finally:
            os.close(file)
    except OSError:
        return None
    fields = line[line.rindex(b")") + 2 :].split(b" ", 22)
    own = (int(fields[11]) + int(fields[12])) * _TICK_NS
    waited = (int(fields[13]) + int(fields[14])) * _TICK_NS
    return Process(
        parent=int(fields[1]),
        cpu_ns=own + waited,
        own_cpu_ns=own,
        memory_bytes=int(fields[21]) * _PAGE,
        alive=fields[0] not in b"ZX",
        began=int(fields[19]),
    )


def _by_psutil() -> dict[int, Process]:
    import psutil  # noqa: PLC0415  where there is /proc the daemon does without it

    table: dict[int, Process] = {}
    for process in psutil.process_iter(["ppid", "cpu_times", "memory_info", "status", "create_time"]):
        facts = process.info
        cpu, memory = facts["cpu_times"], facts["memory_info"]
        own = cpu.user + cpu.system if cpu else 0.0
        waited = getattr(cpu, "children_user", 0.0) + getattr(cpu, "children_system", 0.0)
        table[process.pid] = Process(
            parent=facts["ppid"] or 0,
            cpu_ns=int((own + waited) * SECOND),
            own_cpu_ns=int(own * SECOND),
            memory_bytes=memory.rss if memory else 0,
            alive=facts["status"] != psutil.STATUS_ZOMBIE,
            began=int((facts["create_time"] or 0) * 1000),
        )
    return table
