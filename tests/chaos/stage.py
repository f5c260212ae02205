"""The home of a chaos run and everything alive in it, seen and reached from outside.

Knows how to find the daemon, its zygote, shims and strategies through /proc, and signals none of them
by a bare pid. Decides nothing.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import stepped
from cast import CAST, Role
from hosted import Instance
from waiting import comm, until

from stratvisor.clock import SystemClock
from stratvisor.shim import rundir, tree

HERE = Path(__file__).parent
CLOCK = SystemClock()


def now_ns() -> int:
    """A clock that only goes on."""
    return CLOCK.now().boot_ns


class Run(NamedTuple):
    """Names one run."""

    strategy: str
    number: int


def is_well(pid: int) -> bool:
    """Whether it lives and is not stopped."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_bytes()
        return text[text.rindex(b")") + 2 :][:1] not in b"TtZX"
    return False


def signal_exactly(who: rundir.Identity, number: int) -> bool:
    """Signal this process and no other; False: it is gone."""
    try:
        pidfd = os.pidfd_open(who.pid)
    except OSError:
        return False
    try:
        if rundir.identify(who.pid) != who:
            return False
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


class Stage(Instance):
    """A home with the whole cast, and a daemon that may be there or not."""

    def __init__(self, home: Path, seed: int) -> None:
        for name in ("run", "conf.d", ".git", "data"):
            (home / name).mkdir(parents=True, exist_ok=True)
        super().__init__(home)
        self._seed = seed
        self._mark = re.compile(
            rb"(?:^|\0)STRATVISOR_RUN=" + re.escape(os.fsencode(home)) + rb":([^/\0]+)/(\d+)\0"
        )
        self.served = False
        """Whether the daemon that was started last has answered once."""
        self.texts = {role.name: role.yaml(seed, 0, timestamps=False, max_size="10MB") for role in CAST}
        self.write_all()

    # Its config.

    def text_of(self, role: Role, generation: int, *, timestamps: bool, max_size: str) -> str:
        """Its file with these settings."""
        return role.yaml(self._seed, generation, timestamps=timestamps, max_size=max_size)

    def path_of(self, name: str) -> Path:
        """Where its file lies."""
        return self.home / "conf.d" / f"{name}.yaml"

    def write_all(self) -> None:
        """Every file as it should be now."""
        for name, text in self.texts.items():
            self.path_of(name).write_text(text)

    # The daemon.

    def begin(self) -> None:
        """Start it, and do not wait."""
        self.served = False
        with (self.home / "daemon.err").open("ab") as errors:
            self.daemon = subprocess.Popen(
                [sys.executable, str(HERE / "stepped_daemon.py"), str(self.home)],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )

    def up(self) -> Self:
        """Start it, and wait until it serves."""
        self.begin()
        until(self.answers, "the daemon serves")
        return self

    @property
    def has_daemon(self) -> bool:
        """Whether it lives; it may be starting, or stopped."""
        return self.daemon is not None and self.daemon.poll() is None

    def daemon_signal(self, number: int) -> None:
        """Signal it, and do not wait."""
        if self.daemon is not None:
            self.daemon.send_signal(number)

    def daemon_is_well(self) -> bool:
        """Whether it lives, serves, and is not stopped."""
        return self.has_daemon and self.served and self.daemon is not None and is_well(self.daemon.pid)

    def answers(self) -> bool:
        """Whether it serves."""
        with suppress(OSError):
            self.served = self.has_daemon and self.ask("GET", "/healthz", raw=True)[0] == 200
            return self.served
        return False

    def second_daemon(self) -> tuple[int, str]:
        """What becomes of another one on the same home: its exit code, and what it says."""
        second = subprocess.run(
            [sys.executable, "-m", "stratvisor", "--home", str(self.home), "up"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return second.returncode, second.stderr

    # Its clock.

    def step_clock(self, offset_ns: int) -> None:
        """Set it, and tell everybody as the kernel would."""
        stepped.set_offset_ns(self.home, offset_ns)
        self.tell_of_step()

    def tell_of_step(self) -> None:
        """Have daemon and shims look at their clock."""
        if (
            self.has_daemon and self.served and self.daemon is not None
        ):  # one that starts reads its clock anyway
            self.daemon.send_signal(stepped.SIGNAL)
        for ctl in (self.home / "run").glob("*/*/ctl"):
            with suppress(OSError):
                descriptor = os.open(ctl, os.O_WRONLY | os.O_NONBLOCK)
                try:
                    os.write(descriptor, b"!")
                finally:
                    os.close(descriptor)

    def wall_s(self) -> float:
        """The time of day of this home, in seconds since the epoch."""
        return CLOCK.now().wall.timestamp() + self.offset_ns / 1e9

    @property
    def offset_ns(self) -> int:
        """How far its clock is ahead of the machine's."""
        return stepped.offset_ns(self.home / stepped.FILE)

    # Who lives.

    def living(self) -> dict[Run, list[rundir.Identity]]:
        """Every process of a strategy by its run; one look at /proc, which takes its time."""
        found: dict[Run, list[rundir.Identity]] = {}
        for pid, match in self._marked():
            who = rundir.identify(pid)
            if who is not None:
                found.setdefault(Run(os.fsdecode(match[1]), int(match[2])), []).append(who)
        return found

    def _marked(self) -> Iterator[tuple[int, re.Match[bytes]]]:
        for name in os.listdir("/proc"):
            if name.isdigit():
                with suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                    match = self._mark.search(file.read())
                    if match:
                        yield int(name), match

    def runs_of(self, strategy: str) -> list[Run]:
        """Those that have a directory, in order."""
        with suppress(FileNotFoundError):
            names = os.listdir(self.home / "run" / strategy)
            return [Run(strategy, number) for number in sorted(int(name) for name in names if name.isdigit())]
        return []

    def is_finished(self, run: Run) -> bool:
        """Whether its end is written down, or so long past that it has no directory any more."""
        folder = self.home / "run" / run.strategy / str(run.number)
        return (folder / rundir.EXIT).exists() or not folder.exists()

    def people_of(self, run: Run) -> tuple[rundir.Identity, rundir.Identity] | None:
        """Shim and strategy of a run, as its pid.json has them; None: it tells nothing now."""
        path = self.home / "run" / run.strategy / str(run.number) / rundir.PID
        try:
            who = rundir.read(str(path))
        except rundir.Unreadable:
            return None
        return None if who is None else (rundir.Identity(*who["shim"]), rundir.Identity(*who["strategy"]))

    def zygotes(self) -> list[rundir.Identity]:
        """Of the daemon that lives, or of one that died just now."""
        parents = [os.getpid(), *([self.daemon.pid] if self.daemon else [])]
        found = [
            rundir.identify(pid)
            for parent in parents
            for pid in tree.children(parent)
            if comm(pid) == "shim zygote"
        ]
        return [one for one in found if one is not None]

    def kill_all(self) -> None:
        """The end of every strategy, shim and zygote of this home."""
        while living := self.living():
            for one in itertools.chain(self.zygotes(), *living.values()):
                signal_exactly(one, signal.SIGKILL)
            self.reap()

    def reap(self) -> None:
        """Take leave of orphans: whatever this run made comes to this process, a subreaper, in the end."""
        own = {self.daemon.pid} if self.daemon else set()
        for pid in tree.children(os.getpid()):
            if pid not in own and os.getsid(pid) != os.getsid(0):
                with suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
