"""System calls that Python 3.11 does not offer, by ctypes.

Knows the kernel's numbers and structures, each with its source, and no policy. Every function
raises OSError with errno as the standard library does. Linux only; `os.name` decides elsewhere.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import struct
from typing import NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_DUMPABLE = 4  # linux/prctl.h
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

SPLICE_F_NONBLOCK = 2  # linux/splice.h

_FIONREAD = 0x541B  # asm-generic/ioctls.h; `termios` has it too, and is a library to load

_P_PID = 1  # linux/wait.h
_WEXITED = 4
_WNOWAIT = 0x01000000
_WNOHANG = 1
_SYS_WAITID = {"x86_64": 247, "aarch64": 95, "riscv64": 95}  # arch/*/syscall tables

_PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, struct pidfd_info), linux/pidfd.h, kernel 6.13
_PIDFD_INFO_EXIT = 1 << 3  # kernel 6.15


class Usage(NamedTuple):
    """What a process and the children it waited for have used."""

    cpu_ns: int
    peak_memory: int
    """Bytes, of the largest single process."""


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process."""
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def set_name(name: str) -> None:
    """What `ps` and `top` call this process; the kernel keeps 15 bytes (prctl(2), PR_SET_NAME)."""
    _check(_libc.prctl(PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0))


def tee(source: int, target: int, size: int) -> int:
    """Copy up to `size` bytes from one pipe to another without consuming them; both non-blocking."""
    return _check(
        _libc.tee(ctypes.c_int(source), ctypes.c_int(target), ctypes.c_size_t(size), SPLICE_F_NONBLOCK)
    )


def unread(pipe: int) -> int:
    """How many bytes lie in a pipe (pipe(7), FIONREAD)."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, _FIONREAD, bytes(4)))[0])


def peek_exit(pid: int) -> Usage | None:
    """The usage of a child that ended and was not reaped, which it still is not afterwards.

    waitid(2): the raw system call takes a rusage that the C library's wrapper hides. None where the
    number of the call is not known for this machine.
    """
    number = _SYS_WAITID.get(platform.machine())
    if number is None:
        return None
    info = ctypes.create_string_buffer(128)
    usage = (ctypes.c_long * 18)()
    flags = _WEXITED | _WNOWAIT | _WNOHANG
    _check(_libc.syscall(ctypes.c_long(number), _P_PID, pid, info, flags, usage))
    user_s, user_us, system_s, system_us, max_rss_kib = usage[:5]
    cpu_ns = (user_s + system_s) * 1_000_000_000 + (user_us + system_us) * 1_000
    return Usage(cpu_ns, max_rss_kib * 1024)


def pidfd_exit_status(pidfd: int) -> int | None:
    """The wait status of a process that somebody else has reaped; None where the kernel does not say.

    ioctl PIDFD_GET_INFO with PIDFD_INFO_EXIT, kernel 6.15.
    """
    request = bytearray(struct.pack("@Q56x", _PIDFD_INFO_EXIT))
    buffer = (ctypes.c_char * len(request)).from_buffer(request)
    if _libc.ioctl(pidfd, ctypes.c_ulong(_PIDFD_GET_INFO), buffer) < 0:
        return None
    mask, status = struct.unpack_from("@Q", request)[0], struct.unpack_from("@i", request, 60)[0]
    return int(status) if mask & _PIDFD_INFO_EXIT else None


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno() or errno.EIO
        raise OSError(code, os.strerror(code))
    return int(result)
