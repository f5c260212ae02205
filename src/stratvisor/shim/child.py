"""Between fork and exec: what the new process does to itself before it becomes the strategy.

Knows spec.json and the descriptors it was left; decides nothing. It execs only after a byte on the
gate pipe, which the shim sends once pid.json stands: so no strategy runs that nobody could find. Any
failure is one line of JSON on the error pipe, which closes by itself when exec succeeds.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
from typing import Any, NamedTuple, NoReturn

from stratvisor.shim import kernel, sandbox

OOM_SCORE_ADJ = 500
"""The kernel, short of memory, takes a strategy before the daemon (proc(5); -1000 to 1000)."""

UMASK = 0o077

_RLIMITS = (
    ("open_files", resource.RLIMIT_NOFILE, 0),
    ("cpu_time", resource.RLIMIT_CPU, 1),  # at the hard limit the kernel sends KILL, and XCPU never came
    ("core", resource.RLIMIT_CORE, 0),
)
LOCK_DESCRIPTOR = 3
HELD_DESCRIPTOR = 4
OWN = b"s"
"""On the error pipe: it has its own session and signals, so that a stop reaches it as one."""


class Descriptors(NamedTuple):
    """What the child needs of its parent's open files."""

    out: int
    lock_strategy: int
    held: int
    gate: int
    errors: int


def become(spec: dict[str, Any], descriptors: Descriptors) -> NoReturn:
    """Become the strategy, or say why not and end."""
    step = "set up"
    try:
        _leave_parent()
        errors, gate = _arrange(descriptors)
        os.write(errors, OWN)
        step = "set limits for"
        _limit(spec)
        step = "isolate"
        if spec["sandbox"]:
            sandbox.isolate(spec["sandbox"])
        step = "change to the user of"
        _change_user(spec["user"])
        step = f"enter {spec['cwd']} for"
        os.chdir(spec["cwd"])
        if os.read(gate, 1) != b"g":
            os._exit(125)
        step = "isolate"
        if spec["sandbox"]:
            sandbox.confine(spec["sandbox"])
        step = f"execute {spec['argv'][0]} for"
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])
    except BaseException as error:  # noqa: BLE001  nothing may return into the shim's own code
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        with contextlib.suppress(OSError, NameError):
            os.write(errors, json.dumps({"step": step, "why": text}).encode())
        os._exit(126)


def _leave_parent() -> None:
    """A session and signals of its own: an ignored or blocked signal is not inherited."""
    os.setsid()
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _arrange(descriptors: Descriptors) -> tuple[int, int]:
    """0 /dev/null, 1 and 2 the FIFO, 3 the strategy's lock, 4 keeps `held`; the rest closes on exec."""
    # Out of the way of 0 to 4 first: any of them may lie there.
    out, lock, held, gate, errors = (_above(10, one) for one in descriptors)
    null = _above(10, os.open(os.devnull, os.O_RDONLY))
    places = ((null, 0), (out, 1), (out, 2), (lock, LOCK_DESCRIPTOR), (held, HELD_DESCRIPTOR))
    for source, target in places:
        os.dup2(source, target, inheritable=True)
    for one in (out, lock, held, null):
        os.close(one)
    return errors, gate


def _above(lowest: int, descriptor: int) -> int:
    import fcntl  # noqa: PLC0415  loaded by the zygote already; not on every platform

    moved: int = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    os.close(descriptor)
    return moved


def _limit(spec: dict[str, Any]) -> None:
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # the zygote is not, and /proc/self would be root's
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(str(OOM_SCORE_ADJ))
    os.umask(UMASK)
    if spec["nice"]:
        os.setpriority(os.PRIO_PROCESS, 0, spec["nice"])
    for name, number, grace in _RLIMITS:
        limit = spec["rlimits"].get(name)
        if limit is not None:
            _, hard = resource.getrlimit(number)
            free = os.geteuid() == 0 or hard == resource.RLIM_INFINITY
            resource.setrlimit(number, (limit, limit + grace) if free else (min(limit, hard), hard))


def _change_user(user: dict[str, Any] | None) -> None:
    if user is None:
        return
    os.initgroups(user["name"], user["gid"])
    os.setgid(user["gid"])
    os.setuid(user["uid"])
