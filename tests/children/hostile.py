"""A strategy that tries to get at everything that is not its own. Standard library only.

    hostile.py FACTS    tries all, and prints a line for each: refused and by which errno, or that it got in
    hostile.py table    prints the table of SECURITY.md

An attempt ends with OSError where it was refused, and returns what it got where it was not.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

Attempt = Callable[[], object]


class Tried(NamedTuple):
    """One way to do harm."""

    way: str
    stop: str
    """What stops it."""
    attempt: Attempt


WAYS: list[Tried] = []
FACTS: dict[str, str] = {}
"""Paths: home, key of encryption, the victim's log and memory, own script. Pids: daemon, shim, victim."""

LANDLOCK = "Landlock"
VIEW = "the read-only view"
SECCOMP = "seccomp"
SIGNALS = "Landlock's scope of signals"
TRACING = "Landlock: nobody outside is traced"
NO_RIGHTS = "no capabilities, no_new_privs"


def way(text: str, stop: str) -> Callable[[Attempt], Attempt]:
    def add(attempt: Attempt) -> Attempt:
        WAYS.append(Tried(text, stop, attempt))
        return attempt

    return add


def home(*names: str) -> str:
    return os.path.join(FACTS["home"], *names)


def data(name: str) -> str:
    return os.path.join(os.environ["STRATEGY_DATA"], name)


def victim() -> int:
    return int(FACTS["victim"])


def shim() -> int:
    return int(FACTS["shim"])


def daemon() -> int:
    return int(FACTS["daemon"])


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(4096) or b"(empty)"


def write(path: str, text: bytes = b"mine\n") -> str:
    with open(path, "ab") as file:
        file.write(text)
    return f"wrote {path}"


# System calls that Python does not offer.

libc = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"


def call(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def syscall(number: int, *arguments: object) -> int:
    return call(libc.syscall(ctypes.c_long(number), *arguments))


def pick(x86: int, arm: int) -> int:
    return arm if ARM else x86


# Keys, and what governs.


@way("read the key of encryption", LANDLOCK)
def _key() -> object:
    return read(FACTS["key"])


@way("read the token of the API", LANDLOCK)
def _token() -> object:
    return read(home("keys", "api.token"))


@way("list the folder of keys", LANDLOCK)
def _list_keys() -> object:
    return os.listdir(home("keys"))


@way("read the sealed secrets", LANDLOCK)
def _secrets() -> object:
    return read(home("secrets.yaml"))


@way("read the key by a symbolic link in its data", LANDLOCK)
def _key_by_symlink() -> object:
    os.symlink(FACTS["key"], data("innocent"))
    return read(data("innocent"))


@way("read the key by a hard link in its data", f"{LANDLOCK}: no link across folders")
def _key_by_link() -> object:
    os.link(FACTS["key"], data("book"))
    return read(data("book"))


@way("read the key through /proc/self/root", LANDLOCK)
def _key_by_root() -> object:
    return read("/proc/self/root" + FACTS["key"])


@way("read the key through the daemon's /proc/PID/root", f"{LANDLOCK}, /proc is not granted")
def _key_by_daemon() -> object:
    return read(f"/proc/{daemon()}/root" + FACTS["key"])


@way("read the key by its file handle", SECCOMP)
def _key_by_handle() -> object:
    return syscall(pick(304, 265), -100, bytes(64), 0)


@way("move the folder of keys away", LANDLOCK)
def _move_keys() -> object:
    os.rename(home("keys"), data("keys"))
    return "moved"


@way("open the keys to all by chmod", VIEW)
def _chmod_keys() -> object:
    os.chmod(FACTS["key"], 0o644)
    return "changed"


@way("give the keys away by chown", VIEW)
def _chown_keys() -> object:
    os.chown(FACTS["key"], os.getuid(), os.getgid())
    return "changed"


@way("add a strategy without a sandbox to conf.d", LANDLOCK)
def _add_strategy() -> object:
    return write(home("conf.d", "free.yaml"), b"command: [id]\nsandbox: 'off'\n")


@way("read what conf.d gives to others", LANDLOCK)
def _read_config() -> object:
    return read(home("conf.d", "victim.yaml"))


@way("change stratvisor.toml", LANDLOCK)
def _settings() -> object:
    return write(home("stratvisor.toml"))


@way("change its own script", LANDLOCK)
def _own_script() -> object:
    return write(FACTS["own"], b"")


@way("plant a module in the interpreter", LANDLOCK)
def _plant() -> object:
    return write(json.__file__, b"")


@way("read /etc/shadow", f"{LANDLOCK}, as root; else its mode")
def _shadow() -> object:
    return read("/etc/shadow")


@way("write to /tmp", LANDLOCK)
def _tmp() -> object:
    return write(f"/tmp/stratvisor-hostile-{os.getpid()}")


@way("set a sysctl, as root may without a capability", f"{LANDLOCK}, {VIEW}")
def _sysctl() -> object:
    return write("/proc/sys/kernel/core_pattern", b"")


# Others' files.


@way("read another's log", LANDLOCK)
def _read_log() -> object:
    return read(FACTS["log"])


@way("add a line to another's log", LANDLOCK)
def _write_log() -> object:
    return write(FACTS["log"])


@way("remove another's log", LANDLOCK)
def _remove_log() -> object:
    os.unlink(FACTS["log"])
    return "removed"


@way("empty another's log", LANDLOCK)
def _empty_log() -> object:
    os.truncate(FACTS["log"], 0)
    return "emptied"


@way("make another's log old, so that retention removes it", VIEW)
def _age_log() -> object:
    os.utime(FACTS["log"], (0, 0))
    return "aged"


@way("put a link into the folder of logs", LANDLOCK)
def _link_in_logs() -> object:
    os.symlink(FACTS["key"], home("log", "strategies", "hostile_20260101_000000_IST.log"))
    return "linked"


@way("list the logs", LANDLOCK)
def _list_logs() -> object:
    return os.listdir(home("log", "strategies"))


@way("read another's data", LANDLOCK)
def _read_data() -> object:
    return read(home("data", "victim", "book.txt"))


@way("change another's data", LANDLOCK)
def _write_data() -> object:
    return write(home("data", "victim", "book.txt"))


@way("put a link in place of its own data folder", LANDLOCK)
def _swap_data() -> object:
    os.rename(home("data", "hostile"), home("data", "gone"))
    os.symlink("/etc", home("data", "hostile"))
    return "swapped"


@way("map another's shared memory", VIEW)
def _shared_memory() -> object:
    return read(FACTS["memory"])


# Run directories.


@way("read what another runs", LANDLOCK)
def _read_run() -> object:
    return read(home("run", "victim", "1", "spec.json"))


@way("tell its own shim that nobody wants it to stop", LANDLOCK)
def _write_want() -> object:
    return write(home("run", "hostile", "1", "want.json"))


@way("write down an end of its own", LANDLOCK)
def _write_exit() -> object:
    return write(home("run", "hostile", "1", "exit.json"))


@way("wake another's shim through its FIFO", LANDLOCK)
def _poke() -> object:
    return os.open(home("run", "victim", "1", "ctl"), os.O_WRONLY | os.O_NONBLOCK)


@way("print into another's output", LANDLOCK)
def _forge_output() -> object:
    return os.open(home("run", "victim", "1", "out"), os.O_WRONLY | os.O_NONBLOCK)


@way("swallow another's output", LANDLOCK)
def _swallow_output() -> object:
    return os.open(home("run", "victim", "1", "out"), os.O_RDONLY | os.O_NONBLOCK)


@way("take another's lock", LANDLOCK)
def _take_lock() -> object:
    return os.open(home("run", "victim", "lock"), os.O_RDWR)


@way("read the history", LANDLOCK)
def _history() -> object:
    return read(home("run", "history.db"))


# Others' processes: what they know.


@way("read another's environment", TRACING)
def _environment() -> object:
    return read(f"/proc/{victim()}/environ")


@way("read another's arguments", f"{LANDLOCK}, /proc is not granted")
def _arguments() -> object:
    return read(f"/proc/{victim()}/cmdline")


@way("list all processes", f"{LANDLOCK}, /proc is not granted")
def _processes() -> object:
    return os.listdir("/proc")


@way("open another's files by its descriptors", TRACING)
def _descriptors() -> object:
    return os.open(f"/proc/{victim()}/fd/1", os.O_RDONLY | os.O_NONBLOCK)


@way("read another's memory", TRACING)
def _memory() -> object:
    return os.open(f"/proc/{victim()}/mem", os.O_RDWR)


@way("read the shim's memory, which knows its secrets", TRACING)
def _memory_of_shim() -> object:
    return os.open(f"/proc/{shim()}/mem", os.O_RDWR)


@way("read the daemon's memory", TRACING)
def _memory_of_daemon() -> object:
    return os.open(f"/proc/{daemon()}/mem", os.O_RDWR)


@way("read the daemon's environment", TRACING)
def _environment_of_daemon() -> object:
    return read(f"/proc/{daemon()}/environ")


@way("read another's memory by process_vm_readv", SECCOMP)
def _vm_read() -> object:
    return syscall(pick(310, 270), victim(), None, 0, None, 0, 0)


@way("trace another", SECCOMP)
def _trace() -> object:
    return syscall(pick(101, 117), 0x4206, victim(), 0, 0)


@way("take a descriptor of the daemon's", SECCOMP)
def _take_descriptor() -> object:
    return syscall(438, os.pidfd_open(daemon()), 3, 0)


@way("compare what others have open", SECCOMP)
def _compare() -> object:
    return syscall(pick(312, 272), os.getpid(), victim(), 0, 1, 1)


# Others' processes: what becomes of them.


def _victims() -> Iterator[int]:
    yield from (victim(), shim(), daemon())


@way("kill another, its shim and the daemon", SIGNALS)
def _kill() -> object:
    return every(lambda pid: os.kill(pid, signal.SIGTERM))


@way("kill a whole group of others", SIGNALS)
def _kill_group() -> object:
    os.killpg(victim(), signal.SIGTERM)
    return "killed"


@way("kill others by their pidfds", SIGNALS)
def _kill_by_pidfd() -> object:
    return every(lambda pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGTERM))


@way("have the kernel signal another when a pipe is ready", SIGNALS)
def _kill_by_io() -> object:
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, victim())
    fcntl.fcntl(reader, 10, signal.SIGTERM)  # F_SETSIG
    fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(writer, b"x")
    raise PermissionError(1, "it is seen from outside whether the victim lives")


@way("end others by a limit of CPU time", SECCOMP)
def _limit() -> object:
    return every(lambda pid: syscall(pick(302, 261), pid, 0, struct.pack("@2Q", 0, 0), None))


@way("slow others down by their priority", SECCOMP)
def _priority() -> object:
    return every(lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 19))


@way("slow all of its account down", SECCOMP)
def _priority_of_account() -> object:
    os.setpriority(os.PRIO_USER, 0, 0)
    return "could be slowed"


@way("starve others of the disk", SECCOMP)
def _disk_priority() -> object:
    return every(lambda pid: syscall(pick(251, 30), 1, pid, 3 << 13))


@way("move others to one processor", SECCOMP)
def _affinity() -> object:
    return every(lambda pid: os.sched_setaffinity(pid, {0}))


@way("give others the scheduling of idle tasks", SECCOMP)
def _scheduling() -> object:
    return every(lambda pid: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)))


@way("have the kernel, short of memory, take others first", LANDLOCK)
def _oom() -> object:
    return write(f"/proc/{victim()}/oom_score_adj", b"1000")


@way("page others out", SECCOMP)
def _page_out() -> object:
    return syscall(440, os.pidfd_open(victim()), None, 0, 21, 0)


def every(harm: Callable[[int], object]) -> object:
    """Refused only where all refuse."""
    for pid in _victims():
        try:
            harm(pid)
        except PermissionError as error:
            refused = error
        else:
            return f"harmed {pid}"
    raise refused


# Doors.


@way("open the control socket", SECCOMP)
def _control() -> object:
    os.chdir("/")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(home("run", "stratvisor.sock"))
        return "connected"


@way("tell the daemon news of another", SECCOMP)
def _news() -> object:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"victim 1", home("run", "news"))


@way("say READY=1 for another", SECCOMP)
def _notify() -> object:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"READY=1", "\0stratvisor/any")


@way("have systemd or Docker run something", SECCOMP)
def _systemd() -> object:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect("/run/systemd/private")
        return "connected"


@way("make its calls through io_uring", SECCOMP)
def _uring() -> object:
    return syscall(425, 8, bytes(120))


@way("make its calls by the numbers of x32", f"{SECCOMP}; elsewhere there are none")
def _x32() -> object:
    return "a socket" if ARM else syscall(0x40000000 | 41, 1, 1, 0)


@way("sniff the network", f"{SECCOMP}, {NO_RIGHTS}")
def _sniff() -> object:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW):
        return "listening"


# More rights.


@way("become root by a setuid program", NO_RIGHTS)
def _setuid() -> object:
    for program in ("/usr/bin/su", "/bin/su"):
        if os.path.exists(program) and os.geteuid() != 0:
            done = subprocess.run(
                [program, "-c", "id"], stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
            if done.returncode == 0:
                return done.stdout
    with open("/proc/self/status", encoding="ascii") as file:
        if "NoNewPrivs:\t1" in file.read():
            raise PermissionError(1, "no_new_privs")
    return "new privileges may be had"


@way("take capabilities again", NO_RIGHTS)
def _capabilities() -> object:
    header, wanted = struct.pack("@Ii", 0x20080522, 0), struct.pack("@6I", *(0xFFFFFFFF,) * 6)
    return call(libc.capset(header, wanted)) or "capabilities"


@way("have capabilities in a namespace of its own", SECCOMP)
def _namespace() -> object:
    return call(libc.unshare(0x10020000)) or "a namespace"


@way("enter the daemon's namespaces", SECCOMP)
def _enter() -> object:
    return syscall(pick(308, 268), os.pidfd_open(daemon()), 0x00020000) or "entered"


@way("make its view writable again", SECCOMP)
def _remount() -> object:
    return syscall(442, -100, b"/", 0x8000, struct.pack("@4Q", 0, 1, 0, 0), 32) or "remounted"


@way("mount something over its walls", SECCOMP)
def _mount() -> object:
    return call(libc.mount(b"tmpfs", os.environ["STRATEGY_DATA"].encode(), b"tmpfs", 0, None)) or "mounted"


@way("change its root", f"{SECCOMP}, {NO_RIGHTS}")
def _chroot() -> object:
    os.chroot(os.environ["STRATEGY_DATA"])
    return "changed"


@way("load a program into the kernel", SECCOMP)
def _bpf() -> object:
    return syscall(pick(321, 280), 0, bytes(128), 128)


@way("measure others by performance counters", SECCOMP)
def _perf() -> object:
    return syscall(pick(298, 241), bytes(128), victim(), -1, -1, 0)


@way("hold the kernel up by page faults", SECCOMP)
def _userfaultfd() -> object:
    return syscall(pick(323, 282), 1)


@way("read the account's keyring", SECCOMP)
def _keyring() -> object:
    return syscall(pick(250, 219), 0, -4, 0)


@way("meet others in System V shared memory", SECCOMP)
def _system_v() -> object:
    return syscall(pick(29, 194), 0x5712A7, 4096, 0o1600)


@way("take all descriptors of the machine", "`limits.open_files`")
def _hoard() -> object:
    hoard = []
    try:
        while True:
            hoard.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for one in hoard:
            os.close(one)


@way("meet others in a message queue", SECCOMP)
def _queue() -> object:
    return syscall(pick(240, 180), b"stratvisor", os.O_CREAT | os.O_RDWR, 0o600, None)


def play_tricks() -> None:
    """With what it was handed on purpose: its lock and its own output. They harm nobody but itself."""
    fcntl.flock(3, fcntl.LOCK_UN)
    os.fchmod(3, 0)
    os.ftruncate(3, 0)
    fcntl.fcntl(1, 1031, 4096)  # F_SETPIPE_SZ
    reader = os.open("/dev/stdout", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(1, False)
    os.set_blocking(1, True)
    os.close(reader)
    print("\x1b[2J\x1b]0;owned\x07<script>alert(1)</script> \u202emoc.live")


def errno_name(error: OSError) -> str:
    import errno

    return errno.errorcode.get(error.errno or 0, str(error.errno))


def table() -> str:
    rows = [f"| {one.way} | {one.stop} |" for one in WAYS]
    return "\n".join(["| A strategy that tries to | is stopped by |", "|---|---|", *rows]) + "\n"


def main(facts: str) -> None:
    FACTS.update(json.loads(facts))
    play_tricks()
    for one in WAYS:
        try:
            got = one.attempt()
        except OSError as error:
            print(f"refused\t{one.way}\t{errno_name(error)}")
        else:
            print(f"GOT IN\t{one.way}\t{got!r}")
    print("tried all")
    time.sleep(600)


if __name__ == "__main__":
    if sys.argv[1] == "table":
        sys.stdout.write(table())
    else:
        main(sys.argv[1])
