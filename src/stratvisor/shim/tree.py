"""The processes of one run, and the end of all of them.

Knows /proc and wait, no policy. The shim is a subreaper: whatever a strategy starts, however it
forks away, is a descendant of the shim and becomes its child when its own parent ends. So a tree is
cleared by killing children until none but the main process is left.
"""

from __future__ import annotations

import contextlib
import os
import signal


def children(pid: int) -> list[int]:
    """The pids of the living and dead children of a process that is ours or this one."""
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
        except FileNotFoundError:  # the thread ended, or a kernel without CONFIG_PROC_CHILDREN
            if os.path.exists(f"/proc/{pid}/task/{task}"):
                return _children_by_scan(pid)
    return found


def _children_by_scan(parent: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                text = file.read()
        except OSError:
            continue
        if int(text[text.rindex(b")") + 2 :].split()[1]) == parent:
            found.append(int(name))
    return found


def reap_strays(main: int) -> None:
    """Take leave of dead children other than the main process, which is to be reaped last."""
    for pid in children(os.getpid()):
        if pid != main:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def clear(main: int) -> None:
    """KILL every descendant but the main process, which is dead or dies of its own KILL.

    Ends when no other child is left. What cannot be killed (it changed its user) is left alone.
    """
    spared = {main}
    while True:
        targets = [pid for pid in children(os.getpid()) if pid not in spared]
        if not targets:
            return
        for pid in targets:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except PermissionError:
                spared.add(pid)
            except (ProcessLookupError, ChildProcessError):
                continue


def clear_marked(run: str) -> None:
    """KILL every process that carries this run's $STRATVISOR_RUN, until none is left.

    For a shim that took over: what its predecessor's death orphaned is the daemon's child, not its own.
    """
    spared: set[int] = set()
    while targets := [pid for pid in marked(run) if pid not in spared]:
        for pid in targets:
            try:
                os.kill(pid, signal.SIGKILL)
            except PermissionError:
                spared.add(pid)
            except ProcessLookupError:
                continue


def marked(run: str) -> list[int]:
    """The living processes whose environment names this run. Others' environments need not be readable."""
    needle = b"STRATVISOR_RUN=" + os.fsencode(run) + b"\0"
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                environment = file.read()
        except OSError:
            continue
        if environment.startswith(needle) or b"\0" + needle in environment:
            found.append(int(name))
    return found
