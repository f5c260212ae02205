"""The run directories of one home: where they lie, who holds their locks, what their files say.

Knows paths, locks and formats; starts, stops and watches nothing. All methods block on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from stratvisor.kept import get
from stratvisor.ports import Clock, Finished, Found, LaunchOrder, LaunchRefused
from stratvisor.runner import environment, logfolder
from stratvisor.runner.codec import (
    check_who,
    finished_from_json,
    from_ns,
    to_ns,
    want_from_json,
    want_to_json,
)
from stratvisor.shim import rundir
from stratvisor.spec import ID
from stratvisor.state import Exit, Run, Want

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GONE = ".gone"
"""Ends the name of a run directory that is being removed: renamed first, so that no half of it is seen."""

UNBORN = ".unborn"
"""The same of one that is looked at in between: it may turn out to live, and gets its name back."""

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_RENAMED = re.compile(_NUMBER.pattern + rf"({re.escape(GONE)}|{re.escape(UNBORN)})")


class Key(NamedTuple):
    """Names a run."""

    strategy: str
    number: int


class Folders:
    """run/ of one home."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self.home = home
        self.root = os.path.join(home, "run")
        self._clock = clock

    def path(self, key: Key, name: str = "") -> str:
        """A run directory, or a file in it."""
        return os.path.join(self.root, key.strategy, str(key.number), name).rstrip("/")

    def keys(self) -> Iterator[Key]:
        """Every run that has a directory, in order."""
        with contextlib.suppress(FileNotFoundError):
            for strategy in sorted(os.listdir(self.root)):
                if ID.fullmatch(strategy):
                    yield from (Key(strategy, number) for number in self.numbers(strategy))

    def numbers(self, strategy: str) -> list[int]:
        """The runs of one strategy that have a directory, in order."""
        folder = os.path.join(self.root, strategy)
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        numbers = [name for name in names if _NUMBER.fullmatch(name)]
        return sorted(int(name) for name in numbers if _is_ours(os.path.join(folder, name)))

    def lock(self, strategy: str, name: str, stack: contextlib.ExitStack) -> int:
        """Take one of a strategy's two locks; it is let go with the stack unless it was handed on.

        Raises:
            LaunchRefused: somebody holds it.
        """
        folder = os.path.join(self.root, strategy)
        os.makedirs(folder, 0o700, exist_ok=True)
        path = os.path.join(folder, name)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        stack.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LaunchRefused(f"a copy of it still lives: {path} is held") from None
        return lock

    def is_held(self, strategy: str, name: str) -> bool:
        """Whether somebody holds a lock."""
        try:
            with contextlib.ExitStack() as stack:
                self.lock(strategy, name, stack)
        except LaunchRefused:
            return True
        return False

    def furnish(self, key: Key, order: LaunchOrder) -> None:
        """Make the directory of a run to come, with everything in it that a shim reads."""
        folder = self.path(key)
        os.mkdir(folder, 0o700)
        now = self._clock.now()
        data = os.path.join(self.home, "data", order.strategy)
        os.makedirs(data, 0o700, exist_ok=True)
        rundir.reserve(folder)
        out = self.path(key, rundir.OUT)
        for name in (rundir.OUT, rundir.HELD, rundir.CTL):
            os.mkfifo(self.path(key, name), 0o600)
        log = logfolder.create(self.home, order.strategy, order.timezone, now.wall)
        spec = environment.spec_json(self.home, order, log, now.wall)
        if spec["user"] is not None:
            for one in (out, data):
                os.chown(one, spec["user"]["uid"], spec["user"]["gid"])
        rundir.write(self.path(key, rundir.SPEC), spec)
        self.write_want(key, order.want)

    def open_fifos(self, key: Key) -> list[int]:
        """Read ends of the FIFOs that a strategy's output goes through; no reader but to keep them.

        Raises:
            OSError: no descriptor for one of them.
        """
        with contextlib.ExitStack() as stack:
            opened = []
            for name in (rundir.OUT, rundir.HELD):
                with contextlib.suppress(FileNotFoundError):  # made by an older stratvisor, it has one
                    path = self.path(key, name)
                    opened.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
                    stack.callback(os.close, opened[-1])
            stack.pop_all()
        return opened

    def write_want(self, key: Key, want: Want) -> None:
        """Make `want` the truth for a run."""
        rundir.write(self.path(key, rundir.WANT), want_to_json(want))

    def remove(self, key: Key) -> None:
        """Remove a run directory, whole as far as anybody can see. One that cannot be renamed stays."""
        gone = self.path(key) + GONE
        with contextlib.suppress(OSError):
            os.rename(self.path(key), gone)
        if _is_ours(gone):
            shutil.rmtree(gone, ignore_errors=True)

    def remove_unborn(self, key: Key) -> None:
        """A launch that did not get as far as a process leaves nothing behind.

        It is renamed before it is looked at, and a shim looks where it is once pid.json stands: so one of
        the two sees the other, and no late shim begins a run that is taken for given up.
        """
        gone = self.path(key) + UNBORN
        try:
            os.rename(self.path(key), gone)
        except OSError:
            return
        if os.path.exists(os.path.join(gone, rundir.PID)):
            os.rename(gone, self.path(key))
        else:
            shutil.rmtree(gone, ignore_errors=True)

    def sweep(self) -> None:
        """Finish removals that a killed daemon left half done."""
        with contextlib.suppress(FileNotFoundError):
            for strategy in os.listdir(self.root):
                folder = os.path.join(self.root, strategy)
                if ID.fullmatch(strategy) and os.path.isdir(folder):
                    self._sweep(folder)

    @staticmethod
    def _sweep(folder: str) -> None:
        for name in filter(_RENAMED.fullmatch, os.listdir(folder)):
            path = os.path.join(folder, name)
            if name.endswith(UNBORN) and os.path.exists(os.path.join(path, rundir.PID)):
                with contextlib.suppress(OSError):  # something stands in its place
                    os.rename(path, path.removesuffix(UNBORN))
            elif _is_ours(path):
                shutil.rmtree(path, ignore_errors=True)

    # What the files say.

    def is_finished(self, key: Key) -> bool:
        """Whether its end is written down."""
        return os.path.exists(self.path(key, rundir.EXIT))

    def is_ready(self, key: Key) -> bool:
        """Whether it has said READY=1."""
        return os.path.exists(self.path(key, rundir.READY))

    def too_new(self, key: Key) -> str | None:
        """Why an unfinished run is for a newer stratvisor alone; None: it is not."""
        for name in (rundir.SPEC, rundir.WANT, rundir.PID):
            try:
                rundir.read(self.path(key, name))
            except rundir.TooNew as error:
                return str(error)
            except rundir.Unreadable:
                continue
        return None

    def who(self, key: Key) -> dict[str, Any] | None:
        """Its pid.json; None: it does not stand yet.

        Raises:
            Unreadable: it is torn or foreign.
        """
        path = self.path(key, rundir.PID)
        facts = rundir.read(path)
        if facts is not None:
            with _told_of(path):
                check_who(facts)
        return facts

    def check_own(self, key: Key) -> None:
        """See that a run directory was made for this run, here: people copy folders, and whole homes.

        By its mark; or, where the home was moved, by the lock that its shim holds.

        Raises:
            Unreadable: it was not, or its spec.json does not tell.
        """
        path = self.path(key, rundir.SPEC)
        spec = rundir.must_read(path)
        with _told_of(path):
            named = Key(get(spec, "strategy", str), get(spec, "run", int))
            mark = get(get(spec, "env", dict), "STRATVISOR_RUN", str)
        here = environment.run_mark(self.home, *key)
        if named != key or (mark != here and not self.is_held(key.strategy, rundir.LOCK)):
            raise rundir.Unreadable(f"{path} is of another run, {mark}: a copy, which nothing is done with")

    def found(self, key: Key) -> tuple[Found, rundir.Identity, rundir.Identity]:
        """A run whose pid.json stands, its shim and its strategy.

        Raises:
            Unreadable: its files do not tell.
        """
        who = self.who(key)
        if who is None:
            raise rundir.Unreadable(f"{self.path(key, rundir.PID)} is missing")
        spec = rundir.must_read(self.path(key, rundir.SPEC))
        want = rundir.must_read(self.path(key, rundir.WANT))
        with _told_of(self.path(key)):
            run = Run(
                number=key.number,
                pid=who["strategy"][0],
                began_ns=who["began_boot_ns"],
                began=from_ns(who["began_ns"]),
                fingerprint=get(spec, "fingerprint", str),
                told=want_from_json(want),
            )
        shim, strategy = rundir.Identity(*who["shim"]), rundir.Identity(*who["strategy"])
        log = os.path.relpath(who["log"], self.home)
        return Found(key.strategy, run, ready=self.is_ready(key), log=log), shim, strategy

    def end(self, key: Key) -> Finished | None:
        """How a run ended, as its exit.json has it; None: there is none.

        One that cannot be read is left as it stands, and its end is unknown.
        """
        path = self.path(key, rundir.EXIT)
        try:
            facts = rundir.read(path)
            if facts is None:
                return None
            with _told_of(path):
                finished = finished_from_json(key.strategy, facts)
        except rundir.Unreadable as error:
            return self._unseen(key, f"its {rundir.EXIT} cannot be read: {error}")
        if finished.exit.run != key.number:
            return self._unseen(key, f"its {rundir.EXIT} is of another run, {finished.exit.run}")
        return self._relative(finished)

    def lose(self, key: Key, why: str) -> Finished:
        """Write down that nobody saw a run end, so that the next daemon says the same."""
        finished = self._unseen(key, why)
        facts = _unknown_exit(finished)
        with contextlib.suppress(OSError):
            rundir.write(self.path(key, rundir.EXIT), facts)
        return finished

    def _unseen(self, key: Key, why: str) -> Finished:
        began, log = None, None
        with contextlib.suppress(rundir.Unreadable):
            who = self.who(key)
            if who is not None:
                began, log = from_ns(who["began_ns"]), who["log"]
        cause = f"nobody saw it end: {why}"
        end = Exit(key.number, self._clock.now().wall, 0, unknown=True, cause=cause)
        finished = Finished(key.strategy, end, cpu_ns=None, peak_memory=None, log=log, began=began)
        return self._relative(finished)

    def _relative(self, finished: Finished) -> Finished:
        log = None if finished.log is None else os.path.relpath(finished.log, self.home)
        return replace(finished, log=log)


def _is_ours(path: str) -> bool:
    """Whether a folder is a run directory, or one that was to become it; people keep things anywhere."""
    if os.path.islink(path):
        return False
    try:
        names = os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not names or not rundir.FILES.isdisjoint(names)


@contextlib.contextmanager
def _told_of(path: str) -> Iterator[None]:
    """What a file says wrongly, with its name: Unreadable."""
    try:
        yield
    except ValueError as error:
        raise rundir.Unreadable(f"{path}: {error}") from error


def _unknown_exit(finished: Finished) -> dict[str, Any]:
    return {
        "run": finished.exit.run,
        "code": None,
        "signal": None,
        "cause": finished.exit.cause,
        "unknown": True,
        "cpu_ns": None,
        "peak_memory": None,
        "began_ns": None if finished.began is None else to_ns(finished.began),
        "ended_ns": to_ns(finished.exit.at),
        "ran_ns": finished.exit.ran_ns,
        "stopped": None,
        "dropped": 0,
        "last_line": None,
        "log": finished.log,
    }
