"""The run directory: the contract between the daemon and the shim of one run.

    run/ID/lock, run/ID/lock.strategy   flocked while a shim, or a strategy, lives
    run/ID/N/spec.json    what to run
    run/ID/N/want.json    what the daemon wants now; `ctl` only says "look again"
    run/ID/N/pid.json     who runs
    run/ID/N/out          FIFO of the strategy's output
    run/ID/N/held         FIFO of what has left `out` and is not yet known to be in the log; held.record
    run/ID/N/ready        stands once the strategy said READY=1
    run/ID/N/exit.json    how it ended; preallocated as exit.tmp

Knows names, formats and identity; no policy. Files are replaced by rename, so a reader sees an old
or a new one and never a half. They are not synced: all but exit.json speak of processes, which do
not outlive the machine's memory either, and a run without exit.json after a reboot is known to
have ended with it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from typing import Any, NamedTuple

FORMAT = 1
"""Level of the JSON files. A reader refuses a higher one."""

LOCK = "lock"
LOCK_STRATEGY = "lock.strategy"
SPEC = "spec.json"
WANT = "want.json"
PID = "pid.json"
EXIT = "exit.json"
EXIT_TMP = "exit.tmp"
OUT = "out"
CTL = "ctl"
READY = "ready"
HELD = "held"
HELD_RECORD = "held.record"
NEWS = "news"
"""run/news: the daemon's datagram socket; a shim sends `ID N` there to say "look again"."""

WORD_UP = b"up"
"""What a shim says to the daemon that asked for it, once its run lives; any other word says why not."""

WORD_SIZE = 512

FILES = frozenset({SPEC, WANT, PID, EXIT, EXIT_TMP, OUT, CTL, READY, HELD, HELD_RECORD})
"""What a run directory may hold, beside drafts of these."""

MOST = 16_000_000
"""Bytes of one of the JSON files: more than the kernel takes for a process's arguments and environment."""

EXIT_SIZE = 8192
ROOM = {EXIT_TMP: EXIT_SIZE, HELD_RECORD: 32}
CTL_SIZE = 4096
"""Pipe buffers past 16,384 pages a user shrink for everybody (pipe(7)), and ctl needs few bytes."""


class Unreadable(Exception):  # noqa: N818  what is wrong is the file
    """A file that stands and cannot be understood: torn, foreign, or of a newer stratvisor."""


class TooNew(Unreadable):
    """A newer stratvisor made it: whatever it means, it is not ours to judge."""


class Identity(NamedTuple):
    """A process for certain: pids are given out again, start times are not."""

    pid: int
    start_time: int
    """Field 22 of /proc/PID/stat, in clock ticks since boot (proc(5))."""


def identify(pid: int) -> Identity | None:
    """The identity of the process that has this pid now; None: there is none, or it is a zombie."""
    found = _look(pid)
    return None if found is None or found[0] else found[1]


def is_alive(identity: Identity) -> bool:
    """Whether exactly this process is still there, and is no zombie."""
    return identify(identity.pid) == identity


def identify_dead_or_alive(pid: int) -> Identity | None:
    """The same, also of a zombie: its end is still to be asked for."""
    found = _look(pid)
    return None if found is None else found[1]


def _look(pid: int) -> tuple[bool, Identity] | None:
    """Whether it is a zombie, and its identity, by /proc/PID/stat.

    Of a process whose first thread has ended the others may still run: then it is none, for all its state.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return fields[0] in b"ZX" and int(fields[17]) <= 1, Identity(pid, int(fields[19]))


def boot_id() -> str:
    """Names this boot of the machine; another one after each reboot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What says nothing about a file, and passes."""


def read(path: str) -> dict[str, Any] | None:
    """One JSON file of a run directory; None where it does not stand.

    Raises:
        Unreadable: it stands and is not what it should be.
        OSError: it cannot be read just now: this process or the machine is out of something.
    """
    try:
        text = _content(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        raise Unreadable(f"{path}: {error.strerror}") from error
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable(f"{path} is torn: no JSON") from None
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise Unreadable(f"{path} is none of stratvisor's: no format level")
    if facts["format"] > FORMAT:
        raise TooNew(f"{path} was made by a newer stratvisor (format {facts['format']}, not {FORMAT})")
    return facts


def _content(path: str) -> bytes:
    """All of a regular file. Whatever else stands there neither blocks nor fills the memory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # open() waits for a FIFO's writer
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MOST:
            raise Unreadable(f"{path} is none of stratvisor's: no file, or one of more than {MOST} bytes")
        return os.read(descriptor, facts.st_size)
    finally:
        os.close(descriptor)


def must_read(path: str) -> dict[str, Any]:
    """The same, of a file that has to stand.

    Raises:
        Unreadable: it is missing, or not what it should be.
    """
    facts = read(path)
    if facts is None:
        raise Unreadable(f"{path} is missing")
    return facts


def write(path: str, facts: dict[str, Any]) -> None:
    """Replace one JSON file of a run directory by rename."""
    draft = path + ".new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(encode(facts))
    os.rename(draft, path)


def say_why(reply: int, why: str) -> None:
    """A shim cannot be; the daemon that asked for it, if it lives, is told why."""
    with contextlib.suppress(OSError):
        os.write(reply, why.encode()[:WORD_SIZE])


def reserve(folder: str) -> None:
    """Take the room for what a shim writes, so that a full disk refuses a start and never loses an end."""
    for name in (EXIT_TMP, HELD_RECORD):
        path = os.path.join(folder, name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, ROOM[name])
        finally:
            os.close(descriptor)


def write_exit(facts: dict[str, Any]) -> None:
    """Write exit.json of the run directory that is the working directory, into its reserved room."""
    text = encode(facts)
    if len(text) > EXIT_SIZE:
        text = encode({**facts, "last_line": None, "cause": None})
    descriptor = os.open(EXIT_TMP, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, text, 0)
        os.ftruncate(descriptor, len(text))
    finally:
        os.close(descriptor)
    os.rename(EXIT_TMP, EXIT)


def encode(facts: dict[str, Any]) -> bytes:
    """One line of JSON that carries its format level."""
    return json.dumps({"format": FORMAT, **facts}, separators=(",", ":")).encode() + b"\n"
