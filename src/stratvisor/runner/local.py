"""Runs on this machine: makes run directories, has shims forked for them, and reads how they ended.

Knows the run directory's contract and nothing of policy. Every wish goes into a file and every end
comes out of one, so it makes no difference whether the daemon that made a run is the one that sees it
end. While either lock of a strategy is held, no copy of it starts.

`launch`, `tell` and `survey` block on disk and are called from worker threads; `watch` and what it
calls belong to the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import select
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from stratvisor.ports import (
    Clock,
    Finished,
    Found,
    LaunchOrder,
    LaunchRefused,
    Stray,
    Survey,
)
from stratvisor.runner import environment, logfolder, orphans, strays
from stratvisor.runner.codec import finished_from_json, from_ns, to_ns, want_from_json, want_to_json
from stratvisor.runner.zygote import Zygote
from stratvisor.shim import rundir
from stratvisor.spec import ID
from stratvisor.state import Exit, Run, Want

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

SHIM_TIMEOUT_MS = 20_000
"""A shim that has not spoken by then is stuck; only a machine out of memory was seen to take a second."""


class Key(NamedTuple):
    """Names a run."""

    strategy: str
    number: int


@dataclass(slots=True)
class Handle:
    """What the daemon holds of a live run."""

    shim: int
    """A pidfd."""
    spare: int
    """A read end of the output FIFO: what is in it outlives shim and strategy together."""
    ended: Callable[[Finished], None] | None = None


class LocalRunner:
    """Runs under shims of this machine."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._home = home
        self._folder = os.path.join(home, "run")
        self._clock = clock
        self._zygote = Zygote(os.path.join(self._folder, "shim.err"))
        self._handles: dict[Key, Handle] = {}
        self._strays: dict[str, list[strays.Copy]] = {}
        self._closed = False

    def start(self) -> None:
        """Have the zygote ready."""
        self._zygote.start()

    # Launching.

    def launch(self, order: LaunchOrder) -> Found:
        """Make the run: directory, locks, FIFO, log, shim. See `ports.Runner`."""
        self._refuse_beside_strays(order.strategy)
        folder = self._run_folder(order.strategy, order.number)
        with contextlib.ExitStack() as stack:
            try:
                locks = self._lock(order.strategy, stack)
                self._refuse_beside_unfinished(order.strategy)
                os.mkdir(folder, 0o700)
                stack.callback(_remove_unborn, folder)
                self._furnish(folder, order)
                found = self._start_shim(Key(order.strategy, order.number), folder, locks)
            except OSError as error:
                raise LaunchRefused(f"{error.strerror} ({error.filename or folder})") from error
            return found

    def _lock(self, strategy: str, stack: contextlib.ExitStack) -> list[int]:
        os.makedirs(os.path.join(self._folder, strategy), 0o700, exist_ok=True)
        return [self._flock(strategy, name, stack) for name in (rundir.LOCK, rundir.LOCK_STRATEGY)]

    def _flock(self, strategy: str, name: str, stack: contextlib.ExitStack) -> int:
        path = os.path.join(self._folder, strategy, name)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        stack.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LaunchRefused(f"a copy of it still lives: {path} is held") from None
        return lock

    def _refuse_beside_strays(self, strategy: str) -> None:
        alive = [copy for copy in self._strays.pop(strategy, ()) if copy.lives()]
        if alive:
            self._strays[strategy] = alive
            raise LaunchRefused(alive[0].why)

    def _refuse_beside_unfinished(self, strategy: str) -> None:
        """A free lock alone proves nothing: a run without an end may have processes that let go of it."""
        for number in self._numbers(strategy):
            if not os.path.exists(os.path.join(self._run_folder(strategy, number), rundir.EXIT)):
                raise LaunchRefused(f"its run {number} is not accounted for yet")

    def _furnish(self, folder: str, order: LaunchOrder) -> None:
        now = self._clock.now()
        data = os.path.join(self._home, "data", order.strategy)
        os.makedirs(data, 0o700, exist_ok=True)
        rundir.reserve_exit(folder)
        out = os.path.join(folder, rundir.OUT)
        os.mkfifo(out, 0o600)
        os.mkfifo(os.path.join(folder, rundir.CTL), 0o600)
        path = logfolder.create(self._home, order.strategy, order.timezone, now.wall)
        spec = environment.spec_json(self._home, order, path, now.wall)
        if spec["user"] is not None:
            for one in (out, data):
                os.chown(one, spec["user"]["uid"], spec["user"]["gid"])
        rundir.write(os.path.join(folder, rundir.SPEC), spec)
        rundir.write(os.path.join(folder, rundir.WANT), want_to_json(order.want))

    def _start_shim(self, key: Key, folder: str, descriptors: list[int]) -> Found:
        """Have a shim forked, wait until it says that pid.json stands, and hold on to it."""
        spare = os.open(os.path.join(folder, rundir.OUT), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            heard, said = os.pipe2(os.O_CLOEXEC)
            try:
                try:
                    lock, *rest = descriptors
                    self._zygote.shim(folder, [lock, said, *rest])
                finally:
                    os.close(said)
                _await_word(heard, folder)
            finally:
                os.close(heard)
            found, shim = self._identify(key, folder)
        except BaseException:
            os.close(spare)
            raise
        self._handles[key] = Handle(shim, spare)
        return found

    def _identify(self, key: Key, folder: str) -> tuple[Found, int]:
        """The run as its files tell it, and its shim's pidfd."""
        spec = _must_read(folder, rundir.SPEC)
        want = want_from_json(_must_read(folder, rundir.WANT))
        who = _must_read(folder, rundir.PID)
        run = Run(
            number=key.number,
            pid=who["strategy"][0],
            began_ns=who["began_boot_ns"],
            began=from_ns(who["began_ns"]),
            fingerprint=spec["fingerprint"],
            told=want,
        )
        ready = os.path.exists(os.path.join(folder, rundir.READY))
        found = Found(key.strategy, run, ready=ready, log=os.path.relpath(who["log"], self._home))
        return found, _pidfd(rundir.Identity(*who["shim"]))

    # Telling and watching.

    def tell(self, strategy: str, number: int, want: Want) -> None:
        """Replace want.json, then say "look again". See `ports.Runner`."""
        folder = self._run_folder(strategy, number)
        with contextlib.suppress(FileNotFoundError):  # the run is over and forgotten
            rundir.write(os.path.join(folder, rundir.WANT), want_to_json(want))
            self._poke(folder)

    @staticmethod
    def _poke(folder: str) -> None:
        try:
            ctl = os.open(os.path.join(folder, rundir.CTL), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in {errno.ENXIO, errno.ENOENT}:  # no shim listens: the next one reads want.json
                return
            raise
        with contextlib.suppress(BlockingIOError):  # full of earlier pokes
            os.write(ctl, b"!")
        os.close(ctl)

    def watch(self, strategy: str, number: int, ended: Callable[[Finished], None]) -> None:
        """See `ports.Runner`."""
        key = Key(strategy, number)
        handle = self._handles[key]
        handle.ended = ended
        asyncio.get_running_loop().add_reader(handle.shim, self._shim_ended, key)

    def _shim_ended(self, key: Key) -> None:
        handle = self._handles.pop(key)
        loop = asyncio.get_running_loop()
        loop.remove_reader(handle.shim)
        _reap(handle.shim)
        os.close(handle.shim)
        finished = self._read_end(key)
        if finished is None:
            loop.run_in_executor(None, self._replace_shim, loop, key, handle)
            return
        os.close(handle.spare)
        if handle.ended is not None:
            handle.ended(finished)

    def _replace_shim(self, loop: asyncio.AbstractEventLoop, key: Key, lost: Handle) -> None:
        """A shim died before its run: its strategy lives on under a new one."""
        log.warning("the shim of %s, run %d, died; replacing it", *key)
        try:
            try:
                self._resume(key)
            finally:
                os.close(lost.spare)
        except (OSError, LaunchRefused, ValueError, KeyError) as error:
            finished = self._lost(key, f"its shim died and could not be replaced: {error}")
            if lost.ended is not None:
                loop.call_soon_threadsafe(lost.ended, finished)
            return
        if lost.ended is not None:
            loop.call_soon_threadsafe(self._watch_again, key, lost.ended)

    def _watch_again(self, key: Key, ended: Callable[[Finished], None]) -> None:
        if not self._closed:
            self.watch(*key, ended)

    def _resume(self, key: Key) -> Found:
        """Give a run whose shim is dead a new one."""
        folder = self._run_folder(*key)
        with contextlib.ExitStack() as stack:
            lock = self._flock(key.strategy, rundir.LOCK, stack)
            return self._start_shim(key, folder, [lock])

    # Ends.

    def _read_end(self, key: Key) -> Finished | None:
        path = os.path.join(self._run_folder(*key), rundir.EXIT)
        try:
            facts = rundir.read(path)
            return None if facts is None else self._with_relative_log(finished_from_json(key.strategy, facts))
        except (ValueError, KeyError, TypeError) as error:
            return self._lost(key, f"its {rundir.EXIT} cannot be read: {error}")

    def _with_relative_log(self, finished: Finished) -> Finished:
        log_file = None if finished.log is None else os.path.relpath(finished.log, self._home)
        return replace(finished, log=log_file)

    def _lost(self, key: Key, why: str) -> Finished:
        """An end that nobody saw; written down so that the next daemon says the same."""
        now = self._clock.now()
        folder = self._run_folder(*key)
        began, path = None, None
        with contextlib.suppress(OSError, ValueError, KeyError):
            who = _must_read(folder, rundir.PID)
            began, path = from_ns(who["began_ns"]), who["log"]
        end = Exit(key.number, now.wall, 0, unknown=True, cause=f"nobody saw it end: {why}")
        with contextlib.suppress(OSError):
            rundir.write(os.path.join(folder, rundir.EXIT), _unknown_exit(end, path))
        finished = Finished(key.strategy, end, cpu_ns=None, peak_memory=None, log=path, began=began)
        return self._with_relative_log(finished)

    def forget(self, strategy: str, number: int) -> None:
        """Remove all run directories of a strategy up to this one; the newest stays to be asked."""
        for older in self._numbers(strategy):
            folder = self._run_folder(strategy, older)
            if older < number and os.path.exists(os.path.join(folder, rundir.EXIT)):
                shutil.rmtree(folder, ignore_errors=True)

    # What stands after the last daemon.

    def survey(self) -> Survey:
        """Adopt, account for, or name everything that was left. See `ports.Runner`."""
        live: list[Found] = []
        ended: list[Finished] = []
        boot = rundir.boot_id()
        for key in sorted(self._keys()):
            found = self._look_at(key, boot)
            if isinstance(found, Finished):
                ended.append(found)
            elif found is not None:
                live.append(found)
        known = {environment.run_mark(self._home, *key) for key in self._handles}
        for copy in strays.find(self._home, known):
            self._strays.setdefault(copy.strategy, []).append(copy)
        named = [Stray(strategy, copies[0].why) for strategy, copies in self._strays.items()]
        return Survey(tuple(live), tuple(ended), tuple(named))

    def _look_at(self, key: Key, boot: str) -> Found | Finished | None:
        finished = self._read_end(key)
        if finished is not None:
            return finished
        folder = self._run_folder(*key)
        who = self._await_birth(key, folder)
        if who is None:
            shutil.rmtree(folder, ignore_errors=True)  # it execs only once pid.json stands: it never ran
            return None
        if who["boot_id"] != boot:
            return self._lost(key, "the machine went down while it ran")
        try:
            return self._adopt(key, folder, rundir.Identity(*who["shim"]))
        except (OSError, LaunchRefused, ValueError, KeyError) as error:
            self._strays.setdefault(key.strategy, []).append(
                strays.Copy(
                    key.strategy,
                    rundir.Identity(*who["strategy"]),
                    f"its run {key.number} cannot be adopted: {error}",
                )
            )
            return None

    def _adopt(self, key: Key, folder: str, shim: rundir.Identity) -> Found:
        if rundir.identify(shim.pid) != shim:
            return self._resume(key)
        found, pidfd = self._identify(key, folder)
        spare = os.open(os.path.join(folder, rundir.OUT), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._handles[key] = Handle(pidfd, spare)
        return found

    def _await_birth(self, key: Key, folder: str) -> dict[str, Any] | None:
        """The pid.json of a run; None: its launch was broken off. A shim at work on it holds the lock."""
        while True:
            who = rundir.read(os.path.join(folder, rundir.PID))
            if who is not None:
                return who
            try:
                with contextlib.ExitStack() as stack:
                    self._flock(key.strategy, rundir.LOCK, stack)
            except LaunchRefused:
                select.select([], [], [], 0.01)
                continue
            return rundir.read(os.path.join(folder, rundir.PID))

    def _keys(self) -> Iterator[Key]:
        with contextlib.suppress(FileNotFoundError):
            for strategy in os.listdir(self._folder):
                if ID.fullmatch(strategy) and os.path.isdir(os.path.join(self._folder, strategy)):
                    yield from (Key(strategy, number) for number in self._numbers(strategy))

    def _numbers(self, strategy: str) -> list[int]:
        try:
            names = os.listdir(os.path.join(self._folder, strategy))
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if name.isdigit())

    def _run_folder(self, strategy: str, number: int) -> str:
        return os.path.join(self._folder, strategy, str(number))

    def shims(self) -> dict[str, int]:
        """The pids of the live shims by strategy: the roots of the process trees."""
        found = {}
        for key in list(self._handles):
            with contextlib.suppress(OSError, ValueError, KeyError):
                found[key.strategy] = _must_read(self._run_folder(*key), rundir.PID)["shim"][0]
        return found

    def is_ready(self, strategy: str, number: int) -> bool:
        """Whether the run has said READY=1."""
        return os.path.exists(os.path.join(self._run_folder(strategy, number), rundir.READY))

    @property
    def zygote_pid(self) -> int | None:
        """Of the zygote that serves now."""
        return self._zygote.pid

    def reap(self) -> None:
        """Take leave of dead orphans; for SIGCHLD."""
        orphans.reap({self._zygote.pid or 0})

    def close(self) -> None:
        """Let go of everything; shims and strategies go on."""
        self._closed = True
        loop = asyncio.get_running_loop()
        for handle in self._handles.values():
            loop.remove_reader(handle.shim)
            os.close(handle.shim)
            os.close(handle.spare)
        self._handles.clear()
        self._zygote.close()


def _await_word(heard: int, folder: str) -> None:
    poll = select.poll()
    poll.register(heard, select.POLLIN)
    if not poll.poll(SHIM_TIMEOUT_MS):
        raise LaunchRefused(f"its shim does not answer ({folder})")
    if os.read(heard, 16) != b"up":
        raise LaunchRefused("its shim failed; run/shim.err says why")


def _remove_unborn(folder: str) -> None:
    """A launch that did not get as far as a process leaves nothing behind."""
    if not os.path.exists(os.path.join(folder, rundir.PID)):
        shutil.rmtree(folder, ignore_errors=True)


def _must_read(folder: str, name: str) -> dict[str, Any]:
    facts = rundir.read(os.path.join(folder, name))
    if facts is None:
        raise ValueError(f"{name} of {folder} is missing")
    return facts


def _pidfd(identity: rundir.Identity) -> int:
    """A handle on exactly this process; on one that just ended, so that its end is seen at once."""
    try:
        pidfd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return _ended_pidfd()
    current = rundir.identify(identity.pid)
    if current is not None and current != identity:
        os.close(pidfd)
        return _ended_pidfd()
    return pidfd


def _ended_pidfd() -> int:
    """A descriptor that is readable at once, as the pidfd of a dead process is."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.close(writer)
    return reader


def _reap(pidfd: int) -> None:
    """A shim whose zygote died, or that was exec'd, is a child of the daemon's."""
    with contextlib.suppress(OSError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)


def _unknown_exit(end: Exit, path: str | None) -> dict[str, Any]:
    return {
        "run": end.run,
        "code": None,
        "signal": None,
        "cause": end.cause,
        "unknown": True,
        "cpu_ns": None,
        "peak_memory": None,
        "ended_ns": to_ns(end.at),
        "ran_ns": end.ran_ns,
        "stopped": None,
        "dropped": 0,
        "last_line": None,
        "log": path,
    }
