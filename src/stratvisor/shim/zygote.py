"""The process that shims are forked from: single-threaded, with nothing but a shim's own imports.

`python -I -S zygote.py`, its end of a SOCK_SEQPACKET pair as standard input. One request a packet:
JSON `{"dir": ...}` with the descriptors of a shim attached; no answer, the shim speaks for itself. It
ends when the daemon's end of the pair closes, and no shim notices. A fork costs 0.3 ms where an exec
of Python costs 16 ms, and shares its memory.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # -I leaves no other way to one's own package; last, so it shadows nothing
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import array
import gc
import json
import signal
import socket

from stratvisor.shim import kernel, main, rundir

MAX_REQUEST = 65_536
DESCRIPTORS = 4


def serve(daemon: socket.socket) -> None:
    """Fork a shim for each request until the daemon is gone.

    The fork comes first and the shim receives its own request: so this process never holds a run's locks,
    and writes to next to no memory between two forks, which keeps its pages shared with all of them.
    """
    while daemon.recv(1, socket.MSG_PEEK):
        taken, taking = os.pipe2(os.O_CLOEXEC)
        try:
            child = os.fork()
        except OSError as error:
            refuse(receive(daemon)[1], f"cannot make its shim's process: {error.strerror}")
            child = -1
        if child == 0:
            request, descriptors = receive(daemon)
            daemon.close()
            os.close(taken)
            os.close(taking)
            main.run(json.loads(request), descriptors)
        os.close(taking)
        os.read(taken, 1)  # the end of file, once the child has its request
        os.close(taken)


def refuse(descriptors: list[int], why: str) -> None:
    """There is no shim to answer: say why, and let go of the run."""
    if len(descriptors) > 1:
        rundir.say_why(descriptors[1], why)
    for descriptor in descriptors:
        os.close(descriptor)


def receive(daemon: socket.socket) -> tuple[bytes, list[int]]:
    """One request and the descriptors that came along."""
    size = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
    request, attached, _flags, _address = daemon.recvmsg(MAX_REQUEST, size)
    descriptors = array.array("i")
    for level, kind, data in attached:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return request, list(descriptors)


def _start() -> None:
    kernel.set_name("shim zygote")
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the daemon's end of the socket is what ends it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # its children are reaped by the kernel
    daemon = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    gc.collect()
    gc.freeze()  # what is frozen is not touched again, so its pages stay shared
    gc.disable()
    serve(daemon)


if __name__ == "__main__":
    _start()
