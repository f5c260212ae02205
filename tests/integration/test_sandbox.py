"""What a sandbox lets through and what it names: real processes under real shims."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest
from runs import Runs, running, wicked

from stratvisor.ports import LaunchRefused
from stratvisor.runner import reach
from stratvisor.shim import sandbox
from stratvisor.spec import Isolation, Process

CHILDREN = Path(__file__).parent.parent / "children"
ROOT = os.geteuid() == 0


def python(code: str, **made_of: object) -> Process:
    """A strategy that is this text."""
    process = Process(command=(sys.executable, "-u", "-c", f"exec({code!r})"), cwd="strategies")
    return replace(process, **made_of)  # type: ignore[arg-type]


async def said(runs: Runs, process: Process) -> list[str]:
    """What it printed until it ended."""
    await runs.launch(process)
    await runs.end()
    return runs.printed()


@pytest.mark.parametrize("level", [Isolation.STANDARD, Isolation.OFF])
async def test_an_honest_day_is_not_disturbed(home: Path, level: Isolation) -> None:
    process = Process(script=str(CHILDREN / "ordinary.py"), sandbox=level)
    if level is Isolation.OFF:
        process = replace(process, env=(("TMPDIR", str(home / "data" / "ema")),))
    async with running(home) as runs:
        assert await said(runs, process) == ["reopened", "the day is over"]


@pytest.mark.skipif(not ROOT, reason="another account needs root")
async def test_another_account_is_walled_in_too(open_home: Path) -> None:
    code = """import os
print(os.getuid(), sorted(os.listdir('.')))
open('book', 'w')
with open('/dev/stdout', 'w') as out:
    out.write('again\\n')
open('../../secrets.yaml')
"""
    (open_home / "secrets.yaml").write_text("open to all\n")
    process = Process(
        command=("/usr/bin/python3", "-u", "-c", f"exec({code!r})"), cwd="data/ema", user="nobody"
    )
    (open_home / "data" / "ema").mkdir(parents=True)
    async with running(open_home) as runs:
        lines = await said(runs, process)
    assert lines[:2] == ["65534 ['.cache', '.tmp']", "again"]
    assert lines[-1] == "PermissionError: [Errno 13] Permission denied: '../../secrets.yaml'"


async def test_a_read_only_view_has_no_capability_and_none_to_be_had(home: Path) -> None:
    code = (
        "print(*[line.split()[1] for line in open('/proc/self/status') if line[:3] in ('Cap', 'NoN', 'Sec')])"
    )
    if ROOT:  # exec would keep what may be inherited, whatever the bounding set says
        header = struct.pack("@Ii", 0x20080522, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        held = ctypes.create_string_buffer(24)
        assert libc.capget(header, held) == 0
        first, second, _, third, fourth, _ = struct.unpack("@6I", held.raw)
        inherits = struct.pack("@6I", first, second, 1 << 13, third, fourth, 0)
        assert libc.capset(header, inherits) == 0
    async with running(home) as runs:
        inheritable, permitted, effective, bounding, ambient, sealed, seccomp, _ = (
            await said(runs, python(code))
        )[0].split()
    assert {int(one, 16) for one in (inheritable, permitted, effective, ambient)} == {0}
    assert not ROOT or int(bounding, 16) == 0
    assert (sealed, seccomp) == ("1", "2")


async def test_paths_that_are_named_open_and_no_others(home: Path) -> None:
    for name in ("models/a.txt", "models/b.txt", "shared/c.txt", "other/d.txt"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(name)
    code = """
import os
def tried(what):
    try:
        print(what().__class__.__name__)
    except OSError as error:
        print(error.strerror)
home = os.environ["STRATEGY_DATA"] + "/../../"
tried(lambda: open(home + "models/a.txt").read())
tried(lambda: open(home + "models/b.txt").read())
tried(lambda: open(home + "models/a.txt", "w"))
tried(lambda: open(home + "shared/c.txt").read())
tried(lambda: open(home + "shared/c.txt", "w"))
tried(lambda: os.chmod(home + "shared/c.txt", 0o600))
tried(lambda: open(home + "other/d.txt").read())
"""
    async with running(home) as runs:
        lines = await said(runs, python(code, read=("models/a.txt",), write=("shared",)))
    assert lines == [
        "str",
        "Permission denied",
        lines[2],
        "str",
        "TextIOWrapper",
        "NoneType",
        "Permission denied",
    ]
    assert lines[2] in ("Permission denied", "Read-only file system")


async def test_a_command_reads_the_files_that_it_names_and_the_neighbours_of_the_first(
    home: Path, tmp_path: Path
) -> None:
    for name in ("bots/bot.py", "bots/helper.py", "data/ticks.csv", "data/other.csv"):
        (tmp_path / "apart" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "apart" / name).write_text("print('helped')\n")
    ticks = tmp_path / "apart" / "data" / "ticks.csv"
    (tmp_path / "apart" / "bots" / "bot.py").write_text(
        "import helper, sys\n"
        "open(sys.argv[1])\n"
        "try: open(sys.argv[1].replace('ticks', 'other'))\n"
        "except PermissionError: print('no more')\n"
    )
    bot = str(tmp_path / "apart" / "bots" / "bot.py")
    async with running(home) as runs:
        lines = await said(runs, Process(command=(sys.executable, "-u", bot, str(ticks))))
    assert lines == ["helped", "no more"]


async def test_a_script_in_the_home_itself_reads_its_neighbours_and_not_the_keys(home: Path) -> None:
    names = (
        "keys/k",
        "run/r",
        "secrets.yaml",
        ".env",
        "prod.env",
        "data/other/d",
        "log/l",
        "conf.d/c",
    )
    for name in (*names, "helper.py"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("print('helped')\n")
    (home / "ema.py").write_text(
        "import helper, os\n"
        f"for name in {names!r}:\n"
        "    try: print('GOT IN', open(name).read())\n"
        "    except PermissionError: pass\n"
        "open('data/ema/mine', 'w')\n"
    )
    async with running(home) as runs:
        assert await said(runs, Process(script="ema.py")) == ["helped"]


async def test_a_link_that_another_put_where_both_may_write_leads_nowhere(home: Path) -> None:
    for folder in ("keys", "shared"):
        (home / folder).mkdir()
    (home / "keys" / "k").write_text("secret")
    (home / "shared" / "feed").symlink_to(home / "keys")
    code = "import os; print(os.path.exists('../shared/feed/k')); open('../shared/feed/k')"
    async with running(home) as runs:
        lines = await said(runs, python(code, read=("shared/feed",), write=("shared/feed",)))
    assert (lines[0], lines[-1][:15]) == ("True", "PermissionError")


async def test_a_key_that_lies_elsewhere_is_kept_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "strategies" / "own.key").write_text("secret")
    (home / "strategies" / "neighbour.txt").write_text("seen")
    monkeypatch.setenv("STRATVISOR_KEY_FILE", "strategies/own.key")
    (home / "strategies" / "ema.py").write_text(
        "from pathlib import Path\nhere = Path(__file__).parent\n"
        "print((here / 'neighbour.txt').read_text())\nprint((here / 'own.key').read_text())\n"
    )
    async with running(home) as runs:
        lines = await said(runs, Process(script="strategies/ema.py", read=("strategies",)))
    assert lines[0] == "seen"
    assert lines[-1].startswith("PermissionError")


async def test_a_virtual_environment_in_the_home_is_read_and_the_home_is_not(home: Path) -> None:
    venv.create(home / ".venv", symlinks=True)
    (site,) = (home / ".venv" / "lib").glob("python3*/site-packages")
    elsewhere = home / "lib-of-mine"
    elsewhere.mkdir()
    (elsewhere / "mine.py").write_text("print('editable')\n")
    (site / "mine.pth").write_text(f"{elsewhere}\n")
    (site / "installed.py").write_text("print('installed')\n")
    (home / "strategies" / "ema.py").write_text("import installed, mine\n")
    async with running(home) as runs:
        process = Process(script="strategies/ema.py", python=".venv/bin/python")
        assert await said(runs, process) == ["installed", "editable"]


CONNECT = """
import socket, sys
def tried(what):
    try:
        what()
        print("connected")
    except OSError as error:
        print(error.strerror)
named, other = {named}, {other}
tried(lambda: socket.create_connection(("127.0.0.1", named)))
tried(lambda: socket.create_connection(("127.0.0.1", other)))
tried(lambda: socket.socket().sendto(b"x", 0x20000000, ("127.0.0.1", other)))
tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect(("127.0.0.1", other)))
"""


@pytest.mark.skipif(sandbox.landlock_abi() < sandbox.ABI_TCP, reason="a kernel without rules of ports")
async def test_strict_connects_to_the_ports_that_are_named_alone(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        named, other = (server.getsockname()[1] for server in (one, two))
        code = CONNECT.format(named=named, other=other)
        async with running(home) as runs:
            strict = await said(runs, python(code, sandbox=Isolation.STRICT, connect=(named,)))
            await runs.launch(python(code), number=2)
            await runs.end(number=2)
            standard = runs.printed()[len(strict) :]
    assert strict[0] == "connected"
    assert set(strict[1:]) <= {"Permission denied", "Operation not permitted"}
    assert standard[:2] == ["connected", "connected"]


UNIX = """
import socket, sys
def tried(what):
    try:
        what()
        print("made")
    except OSError as error:
        print(error.strerror)
tried(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
tried(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
"""


async def test_unix_sockets_are_for_those_who_name_one_and_datagrams_for_who_must_say_ready(
    home: Path,
) -> None:
    no = "Operation not permitted"
    async with running(home) as runs:
        assert await said(runs, python(UNIX)) == [no, no]
        await runs.launch(python(UNIX), number=2, notify=True)
        await runs.end(number=2)
        assert runs.printed()[2:] == [no, "made"]
        await runs.launch(python(UNIX, unix_sockets=("/run/postgresql",)), number=3)
        await runs.end(number=3)
        assert runs.printed()[4:] == ["made", "made"]


async def test_off_is_off(home: Path) -> None:
    code = "import socket; socket.socket(socket.AF_UNIX); open('../free', 'w'); print('free')"
    async with running(home) as runs:
        assert await said(runs, python(code, sandbox=Isolation.OFF)) == ["free"]
    assert "sandbox" not in runs.log().decode().splitlines()[1]


async def test_strict_does_not_start_on_a_kernel_without_landlock(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "walls", lambda: sandbox.Walls(landlock=0, view=False, filter=True))
    async with running(home) as runs:
        with pytest.raises(LaunchRefused, match="needs Landlock"):
            await runs.launch(wicked("leave", "0", sandbox=Isolation.STRICT))
        assert not (home / "run" / "ema" / "1").exists()
    (note, view) = reach.missing([Process()])
    assert "no Landlock" in note
    assert "mount namespace" in view


async def test_the_first_lines_of_a_log_say_what_may_be_reached(home: Path) -> None:
    (home / "models").mkdir()
    process = wicked("leave", "0", read=("models",), sandbox=Isolation.STRICT, connect=(443,))
    async with running(home) as runs:
        await said(runs, process)
        walls = runs.log().decode().splitlines()[1]
    assert walls.startswith("[stratvisor] sandbox: strict; reads ")
    assert walls.endswith("models; writes data/ema; TCP to 443")


# The filter by itself: what this machine cannot be made to ask.

NUMBERS = {
    "x86_64": {"clone": 56, "clone3": 435, "getpid": 39, "ioprio_set": 251, "prlimit64": 302, "ptrace": 101}
    | {"sched_setaffinity": 203, "sendto": 44, "setpriority": 141, "socket": 41, "socketpair": 53},
    "aarch64": {"clone": 220, "clone3": 435, "getpid": 172, "ioprio_set": 30, "prlimit64": 261, "ptrace": 117}
    | {"sched_setaffinity": 122, "sendto": 206, "setpriority": 140, "socket": 198, "socketpair": 199},
}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MAIN = 4711


def verdict(machine: str, call: str | int, *arguments: int, unix: str = "none", strict: bool = False) -> str:
    """What the filter says to a system call: the program is run as the kernel would."""
    number = NUMBERS[machine][call] if isinstance(call, str) else call
    data = struct.pack("<IIQ6Q", number, ARCHITECTURES[machine], 0, *arguments, *[0] * (6 - len(arguments)))
    plan = {"unix": unix, "connect": [443] if strict else None}
    return run_filter(sandbox.program_of(plan, machine, MAIN), data)


def run_filter(steps: list[sandbox.Step], data: bytes) -> str:
    place = accumulator = 0
    while True:
        operation, true, false, constant = steps[place]
        place += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, constant)
            case 0x54:
                accumulator &= constant
            case 0x15:
                place += true if accumulator == constant else false
            case 0x45:
                place += true if accumulator & constant else false
            case 0x06:
                return VERDICTS.get(constant) or errno.errorcode[constant & 0xFFFF]
            case _:
                raise AssertionError(f"no such operation: {operation}")


VERDICTS = {0x7FFF0000: "allow", 0x80000000: "kill"}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_tells_own_from_others(machine: str) -> None:
    for call in ("prlimit64", "sched_setaffinity"):
        assert verdict(machine, call, 0) == verdict(machine, call, MAIN) == "allow"
        assert verdict(machine, call, MAIN + 1) == "EPERM"
        assert verdict(machine, call, (1 << 32) + MAIN + 1) == "EPERM"
    for call, (process, account) in {"setpriority": (0, 2), "ioprio_set": (1, 3)}.items():
        assert verdict(machine, call, process, 0) == "allow"
        assert verdict(machine, call, process, MAIN + 1) == "EPERM"
        assert verdict(machine, call, account, 0) == "EPERM"
    assert verdict(machine, "ptrace") == "EPERM"
    assert verdict(machine, "getpid") == "allow"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_lets_threads_be_made_and_no_namespaces(machine: str) -> None:
    assert verdict(machine, "clone", 0x3D0F00) == "allow"
    for namespace in (0x00020000, 0x02000000, 0x10000000, 0x40000000):
        assert verdict(machine, "clone", namespace | 17) == "EPERM"
    assert verdict(machine, "clone3") == "ENOSYS"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_lets_sockets_of_few_families_be_made(machine: str) -> None:
    stream, datagram, close_on_exec = 1, 2, 0o2000000
    for family in (2, 10, 16):
        assert verdict(machine, "socket", family, stream) == "allow"
    for family in (1, 17, 38, 40, (1 << 32) + 1):
        assert verdict(machine, "socket", family, stream) == "EPERM"
    assert verdict(machine, "socketpair", 1, stream) == "allow"
    assert verdict(machine, "socket", 1, datagram | close_on_exec, unix="datagram") == "allow"
    assert verdict(machine, "socket", 1, stream | close_on_exec, unix="datagram") == "EPERM"
    assert verdict(machine, "socket", 1, stream, unix="all") == "allow"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_of_strict_lets_no_connection_past_the_rules_of_ports(machine: str) -> None:
    for protocol, said in {0: "allow", 6: "allow", 17: "allow", 132: "EPERM", 262: "EPERM"}.items():
        assert verdict(machine, "socket", 2, 1, protocol, strict=True) == said
        assert verdict(machine, "socket", 10, 1, protocol, strict=True) == said
        assert verdict(machine, "socket", 2, 1, protocol) == "allow"
    assert verdict(machine, "sendto", 3, 0, 0, 0x20000000, strict=True) == "EPERM"
    assert verdict(machine, "sendto", 3, 0, 0, 0x4000, strict=True) == "allow"
    assert verdict(machine, "sendto", 3, 0, 0, 0x20000000) == "allow"


def test_the_filter_takes_no_other_numbering() -> None:
    assert verdict("x86_64", 0x40000000 | 41, 1) == "ENOSYS"
    other = struct.pack("<IIQ6Q", 41, 0x40000003, 0, *[0] * 6)  # AUDIT_ARCH_I386
    assert run_filter(sandbox.program_of({"unix": "none", "connect": None}, "x86_64", MAIN), other) == "kill"
