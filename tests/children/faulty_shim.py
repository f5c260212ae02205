"""A zygote, or a shim, that can be told to die at any point; `faulty_daemon` puts it in place of the real."""

from __future__ import annotations

import json
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path += [os.path.join(os.path.dirname(TESTS), "src"), os.path.join(TESTS, "support")]

import faultpoints

from stratvisor.shim import kernel, main, zygote

ZYGOTE = os.getpid()
_known: list[str] = []


def faults() -> str | None:
    """The orders lie beside run/, in which its own errors are written."""
    if not _known:
        run = os.path.dirname(os.readlink("/proc/self/fd/2"))
        _known.append(os.path.join(os.path.dirname(run), "faults"))
    return _known[0]


def who() -> str:
    """A shim is known by the directory that it works in; and so is its child until it changes that."""
    if os.getpid() == ZYGOTE and len(sys.argv) == 1:
        return "zygote"
    if len(_known) == 1:
        folder = os.getcwd().split("/")
        if folder[-1].isdigit():
            _known.append(folder[-2])
    return _known[-1] if len(_known) > 1 else "unborn"


def without_status(pidfd: int) -> int | None:
    """As a kernel before 6.15 answers."""
    return None


faultpoints.install(faultpoints.SHIM_MODULES, faults, who)
if os.path.exists(f"{faults()}/old-kernel"):
    kernel.pidfd_exit_status = without_status
if len(sys.argv) > 1:
    main.run(json.loads(sys.argv[1]), [int(number) for number in sys.argv[2:]])
zygote._start()
