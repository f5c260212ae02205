"""A strategy that counts: each line once in its log, and the count beside it in its data.

It takes a lock of its own; whoever finds it taken is a second copy and says so. Ends with the exit code
that it finds in `leave`. Arguments: `family` leaves other processes behind it, `notify` says READY=1 again
and again and `once` says it once, `flood` takes no rest and keeps in `blocked` how long a write took at most.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time


def be_alone() -> None:
    lock = os.open("alone", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with open(f"violation.{os.getpid()}", "w", encoding="ascii") as file:
            file.write(os.environ["STRATVISOR_RUN"])


HELD = 4
"""Kept by every strategy, so that no byte is lost while one of its processes lives."""


def found_a_family() -> None:
    """One that stays, with all that a fork would leave it, and one that is orphaned and ends."""
    subprocess.Popen(["/bin/sleep", "600"], start_new_session=True, pass_fds=(HELD,))
    subprocess.Popen(["/bin/sh", "-c", "sleep 0.2 & exit 0"])


def say_ready() -> None:
    """Again and again, for nobody hears it whose shim is just dead."""
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server, contextlib.suppress(OSError):
        server.sendto(b"READY=1\n", "\0" + address[1:])


def leave() -> None:
    try:
        with open("leave", encoding="ascii") as file:
            code = int(file.read())
        os.unlink("leave")
    except (FileNotFoundError, ValueError):
        return
    sys.exit(code)


def main() -> None:
    os.chdir(os.environ["STRATEGY_DATA"])
    be_alone()
    if "family" in sys.argv:
        found_a_family()
    run = os.environ["STRATVISOR_RUN"].rpartition("/")[2]
    counter = os.open(f"count.{run}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    number = longest_ns = 0
    while True:
        before_ns = time.monotonic_ns()
        os.write(1, f"run {run} line {number}\n".encode())
        took_ns = time.monotonic_ns() - before_ns
        number += 1
        if took_ns > longest_ns:
            longest_ns = took_ns
            with open("blocked", "w", encoding="ascii") as file:
                file.write(str(longest_ns))
        os.pwrite(counter, f"{number:09d}".encode(), 0)
        leave()
        if ("notify" in sys.argv and number % 50 == 1) or ("once" in sys.argv and number == 1):
            say_ready()
        if "flood" not in sys.argv:
            time.sleep(0.003)


if __name__ == "__main__":
    main()
