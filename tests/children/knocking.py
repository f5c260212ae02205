"""A strategy that asks the control socket to stop its neighbour, in every way it can think of.

Arguments: the socket, and the neighbour. It knocks once, and again with every SIGUSR1; each
answer is a line. Standard library only.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

PATH, NEIGHBOUR = sys.argv[1:3]
REQUEST = (
    f"POST /python/stop/{NEIGHBOUR} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


def connect() -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    folder = os.open(os.path.dirname(PATH), os.O_PATH)
    sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(PATH)}")  # the path may be too long for sun_path
    os.close(folder)
    return sock


def ask(way: str, sock: socket.socket) -> None:
    sock.sendall(REQUEST.encode())
    head = sock.makefile("rb").readline().split()
    status = head[1].decode() if len(head) > 1 else "nothing"
    os.write(1, f"{way} {status}\n".encode())


def knock() -> None:
    """Each way in a process of its own, but the first."""
    ask("itself", connect())
    for way in (child, orphan, stripped, inherited):
        pid = os.fork()
        if pid == 0:
            try:
                way()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)


def child() -> None:
    ask("child", connect())


def orphan() -> None:
    """A daemon of its own: another session, and a parent that is gone."""
    os.setsid()
    heard, said = os.pipe()
    if os.fork() == 0:
        os.close(said)
        os.read(heard, 1)  # its parent has ended
        ask("orphan", connect())
        os._exit(0)
    os._exit(0)


def stripped() -> None:
    """Without anything in its environment that says whose it is."""
    code = (
        f"import runpy, sys; sys.argv[1:] = {[PATH, NEIGHBOUR]!r}; runpy.run_path({__file__!r})['plainly']()"
    )
    subprocess.run([sys.executable, "-c", code], env={}, check=False, start_new_session=True)


def plainly() -> None:
    ask("stripped", connect())


def inherited() -> None:
    """By a connection whose maker is gone."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        made = connect()
        socket.send_fds(theirs, [b"x"], [made.fileno()])
        os._exit(0)
    os.waitpid(pid, 0)
    descriptor = socket.recv_fds(ours, 1, 1)[1][0]
    ask("inherited", socket.socket(fileno=descriptor))


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    while True:
        knock()
        signal.sigwait({signal.SIGUSR1})
