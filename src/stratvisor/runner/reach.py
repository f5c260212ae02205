"""What a strategy's process may reach: the paths, ports and sockets of its sandbox, for spec.json.

Knows `Process`, the home and where Python keeps its parts; builds no wall (`shim.sandbox` does). Paths are
granted whole, with all that lies below. So a folder that holds what is stratvisor's own, as the home does,
is only granted to be listed (imports look into the folder of a script): its other children are granted, one
by one, as they stand when the run begins.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from stratvisor.ports import LaunchRefused
from stratvisor.shim import sandbox
from stratvisor.spec import Isolation, Process
from stratvisor.territory import GOVERNING, OWN, SECRET
from stratvisor.vault import keyring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SURVEY_TIMEOUT_S = 20

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/version"),
    *("/proc/filesystems", "/proc/sys"),
    sandbox.PROC_SELF,  # the process's own, as it is opened there; that of its children is another
    *("/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm"),
)
ETC = ("/etc",)
_NAMES_IN_ETC = """
    alternatives ca-certificates ca-certificates.conf crypto-policies debian_version
    fonts gai.conf group host.conf hostname hosts inputrc ld.so.cache ld.so.conf
    ld.so.conf.d locale.alias locale.conf localtime lsb-release machine-id magic
    mime.types nsswitch.conf os-release passwd pki/ca-trust pki/tls/certs pki/tls/cert.pem pki/tls/openssl.cnf
    profile protocols python3
    redhat-release resolv.conf rpc services ssl/cert.pem ssl/certs ssl/openssl.cnf
    system-release timezone
"""
ETC_OF_ROOT = tuple(f"/etc/{name}" for name in _NAMES_IN_ETC.split())
"""To root, which owns them, /etc/shadow and private keys are files like any other."""

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", sandbox.SHARED_MEMORY)
FOLDERS = {"TMPDIR": ".tmp", "XDG_CACHE_HOME": ".cache"}
"""Variables, and the folders in a strategy's data that they name: libraries write where they lead."""

PARTS = ("bin", "lib", "lib32", "lib64", "include", "share", "ssl", "pyvenv.cfg")
"""Of an installation, be it of Python or of something else that has a bin/."""


@lru_cache(maxsize=1)
def walls() -> sandbox.Walls:
    """What this kernel has for this account; asked once, in a process of its own."""
    if sys.platform != "linux":
        return sandbox.Walls(landlock=0, view=False, filter=False)
    program = [sys.executable, "-I", "-S", sandbox.__file__]
    try:
        done = subprocess.run(program, capture_output=True, check=True, timeout=SURVEY_TIMEOUT_S, env={})
        return sandbox.Walls(**json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise LaunchRefused(f"cannot ask the kernel about sandboxes: {error}") from error


def missing(processes: Iterable[Process]) -> Iterator[str]:
    """What the sandboxes of these cannot keep out on this machine, in a sentence each."""
    had = walls()
    if not had.landlock:
        yield "sandbox: this kernel has no Landlock, so strategies read what their account may read"
    elif had.landlock < sandbox.ABI_SCOPES:
        yield "sandbox: before Linux 6.12 strategies of one account can signal each other"
    if not had.view:
        yield (
            "sandbox: this machine gives this account no mount namespace, so strategies can change the mode "
            "and times of files of their account"
        )
    if not had.filter:
        yield "sandbox: no filter of system calls is known for this machine"
    if any(process.unix_sockets for process in processes):
        yield (
            "sandbox: the kernel cannot tell Unix sockets apart: with 'unix_sockets' a strategy opens any "
            "that its account may"
        )


def plan(
    home: Path, strategy: str, process: Process, argv: list[str], uid: int, *, notify: bool
) -> dict[str, Any] | None:
    """What spec.json says under "sandbox"; None: it is to have none.

    Raises:
        LaunchRefused: the kernel has none.
    """
    if process.sandbox is Isolation.OFF:
        return None
    strict = process.sandbox is Isolation.STRICT
    if strict and not walls().landlock:
        raise LaunchRefused("'sandbox: strict' needs Landlock, which this kernel has not; write standard")
    data = os.path.join(home, "data", strategy)
    named = [os.path.join(home, path) for path in process.read]
    changed = [os.path.join(home, path) for path in process.write]
    resolver = os.path.dirname(os.path.realpath("/etc/resolv.conf"))  # its files come and go by rename
    system = [*SYSTEM, *(ETC if uid else ETC_OF_ROOT), *([] if resolver == "/etc" else [resolver])]
    key = str(keyring.place(home))
    own, listed = _without(_home_of(home, process, argv), home, (*OWN, key))
    more, listed_too = _without(named, home, (*SECRET, key))
    # Not as the file was checked but as it is now: another strategy may have put a link where both may write.
    written, _ = _without(changed, home, (*GOVERNING, key))
    return {
        "level": process.sandbox.value,
        "view": walls().view,
        "read": sorted({*_apart_from(key, system), *own, *more}),
        "list": sorted({*listed, *listed_too}),
        "write": sorted({os.path.realpath(data), *written}),
        "devices": list(DEVICES),
        "make": [os.path.join(data, name) for name in FOLDERS.values()],
        "connect": list(process.connect) if strict else None,
        "unix": "all" if process.unix_sockets else "datagram" if notify else "none",
        "words": _words(home, process, strategy),
    }


def _words(home: Path, process: Process, strategy: str) -> str:
    """For the first lines of the log: who meets a wall looks there first."""
    script = [] if process.script is None else [os.path.dirname(process.script) or "."]
    reads = [os.path.relpath(os.path.join(home, path), home) for path in (*script, *process.read)]
    writes = [f"data/{strategy}", *process.write]
    level = process.sandbox.value
    said = f"sandbox: {level}; reads {', '.join(reads) or 'the system'}; writes {', '.join(writes)}"
    if process.sandbox is Isolation.STRICT:
        said += f"; TCP to {', '.join(map(str, process.connect)) or 'nowhere'}"
    return said


def _home_of(home: Path, process: Process, argv: list[str]) -> Iterator[str]:
    """What a program needs of the disk: its neighbours, its interpreter, and where that finds modules."""
    program = argv[0] if os.path.isabs(argv[0]) else _on_path(argv[0])
    yield from _installation(program)
    if process.script is None:
        yield os.path.join(home, process.cwd)
        yield from _named_by(argv[1:], os.path.join(home, process.cwd))
        return
    script = os.path.join(home, process.script)
    yield os.path.dirname(script)
    yield os.path.dirname(os.path.realpath(script))
    if os.path.realpath(os.path.join(home, process.cwd)) != os.path.realpath(home):
        yield os.path.join(home, process.cwd)


def _named_by(words: list[str], cwd: str) -> Iterator[str]:
    """The files that a command names; the first is its script, as far as one can tell, and has neighbours."""
    files = [path for path in (os.path.join(cwd, word) for word in words) if os.path.isfile(path)]
    for script in files[:1]:
        yield os.path.dirname(script)
        yield os.path.dirname(os.path.realpath(script))
    yield from files[1:]


def _on_path(program: str) -> str:
    found = (os.path.join(folder, program) for folder in os.environ.get("PATH", "").split(os.pathsep))
    return next((path for path in found if os.access(path, os.X_OK)), program)


def _installation(program: str) -> Iterator[str]:
    """A program, what was installed with it, and for that of a virtual environment also what lies beneath."""
    root = os.path.dirname(os.path.dirname(program))
    roots = {root, os.path.dirname(os.path.dirname(os.path.realpath(program)))}
    if os.path.exists(os.path.join(root, "pyvenv.cfg")):
        python = os.path.realpath(os.path.join(root, "bin", "python"))
        roots.add(os.path.dirname(os.path.dirname(python)))
    yield program
    yield os.path.realpath(program)
    for one in roots - {"/"}:
        yield from (os.path.join(one, part) for part in PARTS)
        yield from _used_in_place(one)
    own = os.path.join(os.environ.get("HOME", "/"), ".local")  # what `pip install --user` made
    yield os.path.join(own, "lib")
    yield from _used_in_place(own)


def _used_in_place(root: str) -> Iterator[str]:
    """The folders elsewhere that the packages of an installation are used from."""
    for site in glob.glob(os.path.join(glob.escape(root), "lib", "python3*", "*-packages")):
        yield from _editable(site, os.stat(site).st_mtime_ns)


@lru_cache(maxsize=64)
def _editable(site: str, changed_ns: int) -> tuple[str, ...]:  # noqa: ARG001  whoever installs changes the folder
    """Paths in *.pth (site), and the origins of editable installs (PEP 610)."""
    return tuple(_read_editable(site))


def _read_editable(site: str) -> Iterator[str]:
    for path in glob.glob(os.path.join(glob.escape(site), "*.pth")):
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file]
        yield from (line for line in lines if os.path.isabs(line) and os.path.isdir(line))
    for path in glob.glob(os.path.join(glob.escape(site), "*.dist-info", "direct_url.json")):
        with open(path, encoding="utf-8") as file:
            origin = json.load(file)
        if origin.get("dir_info", {}).get("editable"):
            yield unquote(urlsplit(origin["url"]).path)


def _without(paths: Iterable[str], home: Path, names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """What of the paths is granted, less what is named of the home; and those that are only listed."""
    kept = [os.path.realpath(os.path.join(home, name)) for name in names]
    granted, listed = [], []
    for path in {os.path.realpath(path) for path in paths}:
        parts = list(_around(path, kept))
        granted += parts
        if parts and parts != [path]:
            listed.append(path)
    return granted, listed


def _apart_from(key: str, paths: list[str]) -> Iterator[str]:
    """Paths that are meant as they are written, such as /proc/self, less a key that lies among them."""
    kept = [os.path.realpath(key)]
    for path in paths:
        yield from _around(path, kept)


def _around(path: str, kept: list[str]) -> Iterator[str]:
    if any(_holds(one, path) for one in kept):
        return
    if not any(_holds(path, one) for one in kept):
        yield path
        return
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        if not name.startswith(".") and not name.endswith(".env"):  # .git has conf.d too, .env has secrets
            yield from _around(os.path.join(path, name), kept)


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
