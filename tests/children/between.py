"""What a strategy's process does to itself between fork and exec, one thing at a time, told as JSON.

    between.py groups|limits|descriptors

`groups` wants root; the others do with any account, and are somebody else's where it is root.
"""

from __future__ import annotations

import codecs
import json
import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "src"))

from stratvisor.shim import child, kernel

NOBODY = 65_534


def groups() -> object:
    """Of root, who is in several, on its way to be somebody else."""
    os.setgroups([0, 4, NOBODY])
    child._change_user({"name": "nobody", "uid": NOBODY, "gid": NOBODY})
    return [os.getresuid(), os.getresgid(), os.getgroups()]


def limits() -> object:
    """Of an account whose own limits are lower, below a parent that is not dumpable."""
    codecs.lookup("ascii")  # libraries may lie where nobody may look
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    child._limit({"nice": 0, "rlimits": {"open_files": 1024, "core": 0}})
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def descriptors() -> object:
    """Where those that it was left lie in each other's places."""
    pipes = [os.pipe() for _ in range(5)]
    for place, (_, writer) in enumerate(pipes):
        os.dup2(writer, 20 + place)
    os.closerange(3, 20)
    told = os.dup2(1, 30)
    for place, number in enumerate((3, 4, 0, 1, 2)):
        os.dup2(20 + place, number)
    meant = [os.fstat(number).st_ino for number in (3, 0, 4)]  # out, lock_strategy, held
    errors, gate = child._arrange(child.Descriptors(out=3, lock_strategy=0, held=4, gate=1, errors=2))
    found = [os.fstat(number).st_ino for number in (1, child.LOCK_DESCRIPTOR, child.HELD_DESCRIPTOR)]
    apart = [os.fstat(number).st_ino for number in (gate, errors)]
    os.dup2(told, 1)
    return [found == meant, len({*found, *apart}), min(errors, gate) > 4]


if __name__ == "__main__":
    sys.stdout.write(
        json.dumps({"groups": groups, "limits": limits, "descriptors": descriptors}[sys.argv[1]]())
    )
