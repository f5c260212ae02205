"""How a run ended: code or signal, and the cause where that is more than its code.

Knows wait statuses and where the kernel leaves word of a kill; no policy.
"""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from stratvisor.shim import kernel

if TYPE_CHECKING:
    from stratvisor.shim.stopping import Stopper


class Ending(NamedTuple):
    """The end of one run, as exit.json has it."""

    code: int | None
    signal: int | None
    cause: str | None
    unknown: bool
    cpu_ns: int | None
    peak_memory: int | None

    @classmethod
    def of_child(cls, pid: int, spec: dict[str, Any], stopper: Stopper, failure: str | None) -> Self:
        """Of a dead child that is not reaped yet."""
        status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        used = kernel.peek_exit(pid)
        code, number = None, None
        if status is not None and status.si_code == os.CLD_EXITED:
            code = status.si_status
        elif status is not None:
            number = status.si_status
        cause = failure or _cause_of(number, pid, spec, stopper)
        return cls(code, number, cause, False, used and used.cpu_ns, used and used.peak_memory)

    @classmethod
    def of_stranger(cls, status: int | None, stopper: Stopper) -> Self:
        """Of a process that was another's child, by its wait status; None: nobody can say."""
        if status is None:
            cause = "nobody saw it end: its shim had been killed"
            return cls(None, None, cause, True, None, None)
        if os.WIFEXITED(status):
            return cls(os.WEXITSTATUS(status), None, None, False, None, None)
        return cls(None, os.WTERMSIG(status), stopper.detail or None, False, None, None)


def describe_end(ending: Ending) -> str:
    """One phrase for the log's last line."""
    if ending.unknown:
        return "unknown"
    if ending.code is not None:
        text = f"exit {ending.code}"
    else:
        text = f"killed by {signal_name(ending.signal or 0)}"
    return f"{text}: {ending.cause}" if ending.cause else text


def signal_name(number: int) -> str:
    """`SIGTERM`; a number without a name as `signal 34`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _cause_of(number: int | None, pid: int, spec: dict[str, Any], stopper: Stopper) -> str | None:
    if stopper.because is not None:
        late = "still there at the end of its stop timeout" if stopper.killed and not stopper.detail else None
        return stopper.detail or (late if number == signal.SIGKILL else None)
    if number == signal.SIGXCPU:
        return f"CPU time over its limit {spec['rlimits'].get('cpu_time')}s"
    if number == signal.SIGKILL:
        return _oom_kill(pid, spec["oom_kills"])
    return None


def _oom_kill(pid: int, kills_before: int | None) -> str | None:
    """Whether the kernel killed it for want of memory.

    The kernel's log names the process ("Killed process 4711 (python3)", mm/oom_kill.c); where it may
    not be read, /proc/vmstat counts such kills of the whole machine.
    """
    if kills_before is None or (kills := oom_kills()) is None or kills == kills_before:
        return None
    said = _kernel_log()
    if said is None:
        return f"perhaps the kernel's OOM killer: it killed {kills - kills_before} processes during this run"
    if re.search(rb"[Kk]illed process %d\b" % pid, said):
        return "the kernel's OOM killer: the machine or its control group was out of memory"
    return None


def oom_kills() -> int | None:
    """How many processes the OOM killer has killed since boot (/proc/vmstat, kernel 4.13)."""
    try:
        with open("/proc/vmstat", "rb") as file:
            match = re.search(rb"^oom_kill (\d+)$", file.read(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) if match else None


def _kernel_log() -> bytes | None:
    """What /dev/kmsg holds now, one record a read; None: not for us."""
    try:
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    records = []
    try:
        while True:
            try:
                records.append(os.read(log, 8192))
            except BrokenPipeError:  # a record was overwritten meanwhile; the next read goes on
                continue
            except OSError:
                return b"".join(records)
    finally:
        os.close(log)
