"""timerfd_create(2): a timer of the kernel that an event loop can wait for like a socket.

Only timers of this kind go on through a suspend (CLOCK_BOOTTIME) and tell of a step of the wall
clock (TFD_TIMER_CANCEL_ON_SET); the timeouts of poll, and so asyncio's timers, do neither. Python has
them in `os` from 3.13; before that the C library is called.

Knows no event loop and no meaning of a time. Rule: one shot, absolute, in nanoseconds; 0 is disarmed.
"""

from __future__ import annotations

import ctypes
import os
import sys

SUPPORTED = sys.platform == "linux"

REALTIME = 0
BOOTTIME = 7
"""Clock ids of linux/time.h; `time` names the second one on Linux alone."""

_ABSTIME = 1
_CANCEL_ON_SET = 2
# TFD_NONBLOCK and TFD_CLOEXEC are these by definition; other systems get no timerfd, and never here.
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_SECOND = 1_000_000_000


def create(clock_id: int) -> int:
    """A disarmed timer on `clock_id`: a descriptor, non-blocking, closed on exec.

    Raises:
        OSError: there is no descriptor left, or no such clock.
    """
    return _create(clock_id)


def arm(fd: int, at_ns: int, *, cancel_on_set: bool = False) -> None:
    """Make `fd` readable once its clock shows `at_ns`; 0: never.

    With `cancel_on_set`, which CLOCK_REALTIME alone knows, also once the clock is stepped.

    Raises:
        OSError: with ECANCELED, the clock was stepped since `fd` was last armed with `cancel_on_set`.
            The kernel says so once, here or in read(2), and has armed it all the same.
    """
    _settime(fd, _ABSTIME | (_CANCEL_ON_SET if cancel_on_set else 0), at_ns)


if sys.platform == "linux" and sys.version_info >= (3, 13):

    def _create(clock_id: int) -> int:
        return os.timerfd_create(clock_id, flags=_FLAGS)

    def _settime(fd: int, flags: int, at_ns: int) -> None:
        os.timerfd_settime_ns(fd, flags=flags, initial=at_ns)

else:

    class _Timespec(ctypes.Structure):
        _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))

    class _Itimerspec(ctypes.Structure):
        _fields_ = (("interval", _Timespec), ("value", _Timespec))

    def _create(clock_id: int) -> int:
        return _checked(_libc().timerfd_create(clock_id, _FLAGS))

    def _settime(fd: int, flags: int, at_ns: int) -> None:
        new = _Itimerspec(value=_Timespec(*divmod(at_ns, _SECOND)))
        _checked(_libc().timerfd_settime(fd, flags, ctypes.byref(new), None))

    def _libc() -> ctypes.CDLL:
        return ctypes.CDLL(None, use_errno=True)

    def _checked(result: int) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result
