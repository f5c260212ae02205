"""Daemons that can be told to die at any point: `faulty_daemon.py HOME`, then a line on stdin for each.

One process imports everything and forks them, which saves most of their start; it also takes care of
orphans, as process 1 would, so that a dead daemon's strategies leave no zombies.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS.parent / "src"), str(TESTS / "support")]

import faultpoints

from stratvisor import daemon
from stratvisor.http import apitoken, app, doors, login, server  # noqa: F401  so that no daemon has to read them
from stratvisor.runner import zygote
from stratvisor.shim import kernel

HOME = Path(sys.argv[1])
SHIM = SimpleNamespace(__file__=str(Path(__file__).with_name("faulty_shim.py")))


def spawn_zygote(real: object, *arguments: object) -> subprocess.Popen[bytes]:
    """The real way, unless there is to be none."""
    if (HOME / "faults" / "no-zygote").exists():
        raise OSError(11, "Resource temporarily unavailable")
    return real(*arguments)  # type: ignore[operator, no-any-return]


def be_daemon() -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    errors = os.open(HOME / "daemon.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(errors, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os._exit(daemon.run(HOME))


def main() -> None:
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    vars(zygote).update(zygote_main=SHIM, shim_main=SHIM)
    real = zygote.Zygote._spawn_zygote
    zygote.Zygote._spawn_zygote = lambda self, stdin: spawn_zygote(real, self, stdin)  # type: ignore[method-assign]
    folder = str(HOME / "faults")
    status = kernel.pidfd_exit_status
    kernel.pidfd_exit_status = lambda pidfd: (
        None if (HOME / "faults" / "old-kernel").exists() else status(pidfd)
    )
    faultpoints.install(faultpoints.DAEMON_MODULES, lambda: folder, lambda: "daemon")
    faultpoints.install_whole(lambda: folder, lambda: "daemon")
    for _line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            be_daemon()
        print(pid, flush=True)


if __name__ == "__main__":
    main()
