"""An instance whose daemon and shims die on order, and what must hold of it all the same."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from hosted import Instance
from waiting import DEADLINE_S, alive, comm, until

from stratvisor.shim import rundir, tree

CHILDREN = Path(__file__).parent.parent / "children"
COUNTING = CHILDREN / "counting.py"
LINE = re.compile(r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} )?run (\d+) line (\d+)")
LOST = re.compile(r"(?m)^\[stratvisor\] run (\d+) of .* what it printed last may be lost$")
YAML = """
command: [{python}, -S, -E, {script}, {arguments}]
sandbox: off
restart: {{when: always, delay: 10ms, max_delay: 50ms, jitter: 0%, give_up: none}}
stop: {{timeout: 5s, to: {to}}}
start: {start}
logs: {{timestamps: {timestamps}, max_size: {max_size}, keep_files: 10000}}
"""


Step = Callable[[dict[str, Any]], bool]


@dataclass
class Temper:
    """What a strategy file says that a point may need."""

    arguments: list[str] = field(default_factory=list)
    timestamps: bool = False
    max_size: str = "10MB"
    to: str = "group"

    def yaml(self) -> str:
        start = (
            "{ready: notify, timeout: 60s}" if {"notify", "once"} & {*self.arguments} else "{ready_after: 0s}"
        )
        return YAML.format(
            python=sys.executable,
            script=COUNTING,
            arguments=", ".join(self.arguments or ["alone"]),
            to=self.to,
            start=start,
            timestamps=str(self.timestamps).lower(),
            max_size=self.max_size,
        )


class Faulty(Instance):
    """A home whose daemons are forked from one process that has imported everything."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        (home / "faults").mkdir()
        self._forge = subprocess.Popen(
            [sys.executable, str(CHILDREN / "faulty_daemon.py"), str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._pid = 0
        self.bystander = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
        self.watcher = Watcher(home)

    # The daemon.

    def begin(self) -> Self:
        """Start a daemon, which may have its order to die at once."""
        assert self._forge.stdin is not None
        assert self._forge.stdout is not None
        self._forge.stdin.write(b"up\n")
        self._forge.stdin.flush()
        self._pid = int(self._forge.stdout.readline())
        return self

    def up(self) -> Self:
        self.begin()
        until(lambda: self.answers() or not self.lives(), "the daemon answers or dies")
        assert self.lives(), (self.home / "daemon.err").read_text()[-3000:]
        return self

    def lives(self) -> bool:
        """Until all its threads are gone: the first may be a zombie while the last holds the home's lock."""
        return Path(f"/proc/{self._pid}").exists()

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.ask("GET", "/healthz", raw=True)[0] == 200)
        return False

    @property
    def daemon_pid(self) -> int:
        return self._pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self._pid and self.lives():
            os.kill(self._pid, number)
        until(lambda: not self.lives(), "the daemon is gone")

    def close(self) -> None:
        if self._pid:
            self.kill()
        self.watcher.close()
        assert self._forge.stdin is not None
        assert self._forge.stdout is not None
        self._forge.stdin.close()
        self._forge.stdout.close()
        self._forge.wait(DEADLINE_S)
        self.bystander.kill()
        self.bystander.wait()

    # Orders to die.

    def order(self, who: str, *orders: str) -> None:
        path = self.home / "faults" / f"orders.{who}"
        draft = path.with_suffix(".draft")
        draft.write_text("\n".join(orders))
        draft.rename(path)

    def orders_left(self, who: str) -> str:
        return (self.home / "faults" / f"orders.{who}").read_text()

    def reached(self) -> set[str]:
        return set((self.home / "faults" / "reached").read_text().splitlines())

    # Strategies.

    def add(self, strategy: str, temper: Temper | None = None) -> None:
        (self.home / "conf.d" / f"{strategy}.yaml").write_text((temper or Temper()).yaml())

    def try_post(self, path: str) -> None:
        """As somebody who does not know that the daemon may be dying."""
        with contextlib.suppress(OSError):
            self.ask("POST", f"/python/{path}", raw=True)

    def shown(self) -> dict[str, Any]:
        """All strategies by id; nothing, where the daemon does not answer."""
        try:
            status, body = self.ask("GET", "/python/status")
        except OSError:
            return {}
        return {one["id"]: one for one in body["strategies"]} if status == 200 else {}

    def who(self, strategy: str, run: int) -> dict[str, Any]:
        with contextlib.suppress(rundir.Unreadable):
            return rundir.read(str(self.home / "run" / strategy / str(run) / rundir.PID)) or {}
        return {}

    def folder(self, strategy: str) -> Path:
        """The run directory of its newest run."""
        folder = self.home / "run" / strategy
        return folder / str(
            max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=0)
        )

    def kill_of(self, strategy: str, *names: str) -> None:
        """KILL to the `shim` or the `strategy` of its newest run, or to both."""
        who = self.who(strategy, int(self.folder(strategy).name))
        for name in names:
            pid, start_time = who.get(name, (0, 0))
            if rundir.identify(pid) == (pid, start_time):
                os.kill(pid, signal.SIGKILL)

    def kill_zygote(self) -> None:
        for pid in tree.children(self._pid):
            if comm(pid) == "shim zygote":
                os.kill(pid, signal.SIGKILL)

    def write_comment(self, strategy: str) -> None:
        """An edit that changes nothing but the file."""
        with (self.home / "conf.d" / f"{strategy}.yaml").open("a") as file:
            file.write("# edited\n")

    def count(self, strategy: str, run: int) -> int:
        """How many lines a run has written, as it says itself."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.data(strategy) / f"count.{run}").read_bytes())
        return 0

    def data(self, strategy: str) -> Path:
        return self.home / "data" / strategy

    def counting(self, strategy: str, not_run: int = 0) -> Step:
        """Whether it runs, under a live shim, and has counted on since this was asked first."""
        goal: dict[int, int] = {}

        def counts(shown: dict[str, Any]) -> bool:
            run = shown["run"]
            if run in {None, not_run} or shown["state"] != "running":
                return False
            goal.setdefault(run, self.count(strategy, run) + 20)
            shim = self.who(strategy, run).get("shim", [0])[0]
            return self.count(strategy, run) >= goal[run] and alive(shim)

        return counts

    def all_counting(self, strategies: Sequence[str]) -> Callable[[], bool]:
        """The same of several."""
        left = {strategy: self.counting(strategy) for strategy in strategies}

        def count() -> bool:
            shown = self.shown()
            for strategy in list(left):
                if strategy in shown and left[strategy](shown[strategy]):
                    del left[strategy]
            return not left

        return count

    # What must hold.

    def findings(self, strategy: str) -> list[str]:
        """What is wrong with one strategy's lines, copies and ends. It is stopped."""
        found = [f"a second copy: {path.read_text()}" for path in self.data(strategy).glob("violation.*")]
        found += self.watcher.findings[strategy]
        found += self._lines(strategy)
        found += self._ends(strategy)
        found += self._leftovers(strategy)
        return found

    def seen(self, strategy: str) -> str:
        """How its runs ended, in order, for people."""
        rows = self.get(f"runs/{strategy}?n=1000")["runs"]
        return "; ".join(f"{row['run']}: {row['how']}" for row in reversed(rows))

    def _lines(self, strategy: str) -> list[str]:
        printed: dict[int, list[int]] = defaultdict(list)
        found = []
        for line in self.printed(strategy):
            match = LINE.fullmatch(line)
            if match is None:
                found.append(f"a torn line: {line!r}")
            else:
                printed[int(match[1])].append(int(match[2]))
        for path in self.data(strategy).glob("count.*"):
            run = int(path.suffix[1:])
            numbers, count = printed[run], self.count(strategy, run)
            # The count follows the line: who is killed in between has printed one more.
            fewest = 0 if run in self._said_to_be_lost(strategy) else count
            if numbers != list(range(len(numbers))) or not fewest <= len(numbers) <= count + 1:
                found.append(f"run {run} counted to {count}, its log has {_summary(numbers)}")
        return found

    def _said_to_be_lost(self, strategy: str) -> set[int]:
        """Runs that were without daemon, shim and strategy at once: what was in the pipe went with them."""
        logs = (self.home / "log" / "strategies").glob(f"{strategy}_*")
        return {int(match[1]) for path in logs for match in LOST.finditer(path.read_text())}

    def _ends(self, strategy: str) -> list[str]:
        rows = {row["run"]: row for row in self.get(f"runs/{strategy}?n=1000")["runs"]}
        found = []
        for path in self.data(strategy).glob("count.*"):
            row = rows.get(int(path.suffix[1:]))
            if row is None or row["ended"] is None:
                found.append(f"the end of run {path.suffix[1:]} is not in the history: {row}")
            elif row["code"] is None and row["signal"] is None and not row["cause"]:
                found.append(f"nobody says why the end of run {row['run']} is unknown")
            elif row["code"] not in {None, 7} or row["signal"] not in {None, "SIGTERM", "SIGKILL", 15, 9}:
                found.append(f"run {row['run']} ended in a way that it did not: {row}")
        return found

    def _leftovers(self, strategy: str) -> list[str]:
        folder = self.home / "run" / strategy
        kept = sorted(path.name for path in folder.iterdir() if path.is_dir())
        found = [f"run directories left behind: {kept}"] if len(kept) != 1 else []
        found += [f"a draft left behind: {path}" for path in folder.glob("*.new")]
        for name in (rundir.LOCK, rundir.LOCK_STRATEGY):
            with (folder / name).open("rb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    found.append(f"{name} is held")
        return found

    def descriptors_left(self) -> list[str]:
        """What a daemon whose strategies have all stopped still holds of them."""
        return [name for name in _open_files(self._pid) if f"{self.home}/run/" in name and _of_a_run(name)]

    def processes_left(self) -> list[str]:
        """Who still works in this home, or carries its mark. No daemon lives."""
        found = []
        for pid in _pids():
            names = [*_open_files(pid), _link(f"/proc/{pid}/cwd")]
            works = any(f"{self.home}/run" in name for name in names) or _mark(pid, self.home) is not None
            if works and pid not in {os.getpid(), self._forge.pid}:
                found.append(f"{pid}: {comm(pid)}")
        return found


class Watcher:
    """Looks at /proc all the time for two runs of one strategy."""

    def __init__(self, home: Path) -> None:
        self.findings: dict[str, list[str]] = defaultdict(list)
        self.looks = 0
        self._home = home
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join(DEADLINE_S)

    def _watch(self) -> None:
        while not self._ending.wait(0.02):
            self.looks += 1
            seen: dict[str, tuple[str, rundir.Identity]] = {}
            for pid in _pids():
                mark = _mark(pid, self._home)
                identity = rundir.identify(pid)
                if (
                    mark is not None
                    and identity is not None
                    and str(COUNTING) in _text(f"/proc/{pid}/cmdline")
                ):
                    self._compare(mark, identity, *seen.setdefault(mark.partition("/")[0], (mark, identity)))

    def _compare(self, mark: str, found: rundir.Identity, other: str, before: rundir.Identity) -> None:
        """One that was seen before this one and lives now has lived beside it."""
        if mark != other and rundir.identify(before.pid) == before:
            strategy = mark.partition("/")[0]
            self.findings[strategy].append(f"{mark} runs as pid {found.pid} beside {other}, {before.pid}")


class Life:
    """What happens to one strategy, in order; each step waits until all is well again."""

    def __init__(self, host: Faulty, strategy: str) -> None:
        self.host = host
        self.strategy = strategy
        self._script = self._live()
        self._waiting: Step | None = next(self._script)
        self.stage = ""

    def turn(self, shown: dict[str, Any]) -> bool:
        """Whether it is over."""
        while self._waiting is not None and self.strategy in shown and self._waiting(shown[self.strategy]):
            self._waiting = next(self._script, None)
        return self._waiting is None

    def _live(self) -> Iterator[Step]:
        yield from self._counts("begins")
        self.host.kill_of(self.strategy, "shim")
        yield from self._counts("has lost its shim")
        self.host.try_post(f"stop/{self.strategy}")
        yield from self._is("stopped", "is stopped under its second shim")
        self.host.try_post(f"start/{self.strategy}")
        yield from self._counts("is started again")
        self._leave()
        yield from self._counts("left by itself", anew=True)
        self.host.kill_of(self.strategy, "shim")
        self._leave()
        yield from self._counts("left as its shim died", anew=True)
        self.host.kill_of(self.strategy, "shim", "strategy")
        yield from self._counts("was killed with its shim", anew=True)
        self.host.kill_of(self.strategy, "strategy")
        yield from self._counts("was killed", anew=True)
        self.host.try_post(f"stop/{self.strategy}")
        yield from self._is("stopped", "is stopped")

    def _counts(self, stage: str, *, anew: bool = False) -> Iterator[Step]:
        """It runs, under a live shim, and goes on counting; `anew`: in another run than now."""
        self.stage = stage
        yield self.host.counting(self.strategy, int(self.host.folder(self.strategy).name) if anew else 0)

    def _is(self, state: str, stage: str) -> Iterator[Step]:
        self.stage = stage
        yield lambda shown: bool(shown["state"] == state)

    def _leave(self) -> None:
        (self.host.data(self.strategy) / "leave").write_text("7")


def live(host: Faulty, strategies: list[str]) -> list[str]:
    """Let all of them live their lives at once; returns who did not come to the end."""
    lives = [Life(host, strategy) for strategy in strategies]

    def over() -> bool:
        shown = host.shown()
        return not [one for one in lives if not one.turn(shown)]

    with contextlib.suppress(AssertionError):
        until(over)
    shown = host.shown()
    return [
        f"{one.strategy} {one.stage} and stays {shown.get(one.strategy, {}).get('state')}: "
        f"{shown.get(one.strategy, {}).get('why')}"
        for one in lives
        if not one.turn(shown)
    ]


@contextlib.contextmanager
def faulty(home: Path) -> Iterator[Faulty]:
    made = Faulty(home)
    try:
        yield made
    finally:
        made.close()


def _mark(pid: int, home: Path) -> str | None:
    """`ID/N` of a process of this home."""
    needle = f"STRATVISOR_RUN={home}:"
    return next(
        (one[len(needle) :] for one in _text(f"/proc/{pid}/environ").split("\0") if one.startswith(needle)),
        None,
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _open_files(pid: int) -> list[str]:
    try:
        return [_link(str(path)) for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


def _of_a_run(name: str) -> bool:
    return bool(re.search(r"/run/[^/]+/(\d+/|lock)", name))


def _summary(numbers: list[int]) -> str:
    breaks = [place for place, number in enumerate(numbers) if number != place]
    return f"{len(numbers)} lines" + (
        f", wrong from line {breaks[0]} on: {numbers[breaks[0] :][:5]}" if breaks else ""
    )
