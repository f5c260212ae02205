"""Runs on this machine: has shims forked for them, tells them what is wanted, and hears how they ended.

Every wish goes into a file and every end comes out of one, so it makes no difference whether the
daemon that made a run is the one that sees it end. While either lock of a strategy is held, no copy of
it starts; and whatever fails on the way, a process that lives is never taken for one that does not.

`launch`, `tell`, `survey` and `forget` block on disk and are called from worker threads; `watch` and
what it calls belong to the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import select
import signal
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from stratvisor.ports import Clock, Finished, Found, LaunchOrder, LaunchRefused, Survey
from stratvisor.runner import kinship, secrets, strays
from stratvisor.runner.folders import Folders, Key
from stratvisor.runner.handles import Handle, has_ended, lives, pidfd_of, reap
from stratvisor.runner.orphans import Orphans
from stratvisor.runner.survey import Surveyor
from stratvisor.runner.zygote import Zygote
from stratvisor.shim import kernel, rundir
from stratvisor.spec import Logs, Stop
from stratvisor.state import Because, StopOrder, Want

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

SHIM_TIMEOUT_MS = 20_000
"""A shim that has not spoken by then is stuck; only a machine out of memory was seen to take a second."""

RETRY_S = 1.0
"""Between tries to hold on to a run that lives: the reason (descriptors, disk) passes or it does not."""

FIRST_RETRY_S = 0.02
"""After a new shim was killed, too: the strategy can print no more than a pipe takes until there is one."""

HOLD_TRIES = 10

DEAD_TRIES = 4
"""For a run of which nothing lives: a seventh of a second, in which a zygote or a shim may be killed, too."""


class LocalRunner:
    """Runs under shims of this machine."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._clock = clock
        self._folders = Folders(home, clock)
        self._zygote = Zygote(os.path.join(self._folders.root, "shim.err"))
        self._handles: dict[Key, Handle] = {}
        self._strays: dict[str, list[strays.Copy]] = {}
        self._orphans = Orphans()
        self._closing = threading.Event()

    def start(self) -> None:
        """Have the zygote ready."""
        self._zygote.start()

    @property
    def zygote_pid(self) -> int | None:
        """Of the zygote that serves now."""
        return self._zygote.pid

    # Launching.

    def launch(self, order: LaunchOrder) -> Found:
        """Make the run: directory, locks, FIFO, log, shim. See `ports.Runner`."""
        key = Key(order.strategy, order.number)
        values = secrets.for_launch(self._folders.home, order.strategy, order.process)
        with contextlib.ExitStack() as fifos:
            try:
                return self._make(key, order, values, fifos)
            except LaunchRefused:
                if not self._is_deserted(key):
                    raise
            return self._resume_in_time(key, None, HOLD_TRIES)

    def _make(
        self, key: Key, order: LaunchOrder, values: secrets.Values, fifos: contextlib.ExitStack
    ) -> Found:
        """`fifos` keeps those of the run open, once there are some."""
        with contextlib.ExitStack() as stack:
            try:
                self._refuse_beside_newer(order.strategy)
                self._refuse_beside_strays(order.strategy)
                self._refuse_beside_unfinished(order.strategy)
                names = (rundir.LOCK, rundir.LOCK_STRATEGY)
                locks = [self._folders.lock(order.strategy, name, stack) for name in names]
                stack.callback(self._folders.remove_unborn, key)
                self._folders.furnish(key, order)
                for descriptor in self._folders.open_fifos(key):
                    fifos.callback(os.close, descriptor)
                return self._start_shim(key, locks, values, {})
            except OSError as error:
                where = error.filename or self._folders.path(key)
                raise LaunchRefused(f"{error.strerror} ({where})") from error

    def _refuse_beside_strays(self, strategy: str) -> None:
        alive = [copy for copy in self._strays.pop(strategy, ()) if copy.lives()]
        if alive:
            self._strays[strategy] = alive
            raise LaunchRefused(alive[0].why)

    def _refuse_beside_newer(self, strategy: str) -> None:
        """Of a run that a newer stratvisor began nobody here can say whether it lives."""
        for number in self._folders.numbers(strategy):
            key = Key(strategy, number)
            why = None if self._folders.is_finished(key) else self._folders.too_new(key)
            if why is not None:
                cure = f"upgrade stratvisor, or remove {self._folders.path(key)} once nothing of it lives"
                raise LaunchRefused(f"{why}, and may still run; {cure}")

    def _refuse_beside_unfinished(self, strategy: str) -> None:
        """A free lock alone proves nothing: a run without an end may have processes that let go of it.

        One that nobody watches (its launch failed half-way) is stopped if it lives, and accounted for.
        """
        for number in self._folders.numbers(strategy):
            key = Key(strategy, number)
            if self._folders.is_finished(key):
                continue
            if key in self._handles:
                raise LaunchRefused(f"its run {number} still lives")
            if strays.living(self._folders, key):
                self._end_unwatched(key)
                if self._is_deserted(key):
                    self._end_deserted(key)
                raise LaunchRefused(f"its run {number} was never watched, and is being stopped")
            self._folders.lose(key, "its launch failed half-way")

    def _is_deserted(self, key: Key) -> bool:
        """Whether a run lives whose shim is dead: it died once the strategy was let go."""
        with contextlib.suppress(rundir.Unreadable):
            who = self._folders.who(key)
            if who is not None and has_ended(rundir.Identity(*who["shim"])):
                return strays.living(self._folders, key)
        return False

    def _end_unwatched(self, key: Key) -> None:
        order = StopOrder(Because.SHUTDOWN, "", self._clock.now().boot_ns, Stop())
        with contextlib.suppress(OSError):  # tried again with the next launch
            self.tell(*key, Want(order, None, Stop(), Logs()))

    def _end_deserted(self, key: Key) -> None:
        """Have it stopped by a new shim, which needs nobody to watch it."""
        try:
            self._resume_in_time(key, None, tries=1)
            self._handles.pop(key).close()
        except (OSError, LaunchRefused, rundir.Unreadable) as error:
            log.warning("cannot stop %s, run %d: %s; trying again with its next start", *key, error)

    def _start_shim(
        self,
        key: Key,
        descriptors: list[int],
        values: secrets.Values | None,
        heritage: Mapping[str, object],
    ) -> Found:
        """Have a shim forked, give it the secrets, wait for its word that pid.json stands, and hold on."""
        folder = self._folders.path(key)
        heard, said = os.pipe2(os.O_CLOEXEC)
        taking, giving = os.pipe2(os.O_CLOEXEC)
        with open(heard, "rb", 0) as answer, open(giving, "wb", 0) as gift:
            try:
                lock, *rest = descriptors
                self._zygote.shim(folder, [lock, said, taking, *rest], heritage)
            finally:
                os.close(said)
                os.close(taking)
            secrets.hand_over(values, gift, SHIM_TIMEOUT_MS)
            _await_word(answer.fileno(), folder)
        return self._hold_on(key)

    def _hold_on(self, key: Key) -> Found:
        """A shim was started: get a hold of its run, however often it takes; or have it end its run.

        Raises:
            LaunchRefused: it is being stopped, since a run that nobody watches must not be.
        """
        for _ in range(HOLD_TRIES):
            try:
                return self.hold(key, kept=True)
            except (OSError, rundir.Unreadable) as error:
                why = str(error)
                log.warning("cannot watch %s, run %d: %s; trying again", *key, why)
            self._closing.wait(RETRY_S)
        self._end_unwatched(key)
        raise LaunchRefused(f"its run {key.number} could not be watched and is stopped: {why}")

    def hold(self, key: Key, *, kept: bool = False) -> Found:
        """Hold on to a run whose pid.json stands.

        `kept`: somebody here has its FIFOs open already.

        Raises:
            OSError: no descriptor for it.
            Unreadable: its files do not tell.
        """
        found, shim, strategy = self._folders.found(key)
        with contextlib.ExitStack() as stack:
            pidfds = []
            for process in (shim, strategy):
                pidfds.append(pidfd_of(process))
                stack.callback(os.close, pidfds[-1])
            spares = self._folders.open_fifos(key)
            kept = kept or any(map(lives, pidfds))  # and had them open until now
            self._handles[key] = Handle(shim.pid, pidfds[0], strategy, pidfds[1], spares, kept)
            stack.pop_all()
        return found

    def resume(self, key: Key, lost: Handle | None = None) -> Found:
        """Give a run whose shim is dead a new one. `lost`: what was held of it until then."""
        status = None if lost is None else self._status_of(lost)
        with contextlib.ExitStack() as stack:
            lock = self._folders.lock(key.strategy, rundir.LOCK, stack)
            heritage = {"status": status, "kept": lost is not None and lost.kept}
            for descriptor in self._folders.open_fifos(key):
                stack.callback(os.close, descriptor)
            descriptors = [lock] if lost is None else [lock, lost.main]
            return self._start_shim(key, descriptors, secrets.for_resume(self._folders, key), heritage)

    # Telling.

    def tell(self, strategy: str, number: int, want: Want) -> None:
        """Replace want.json, then say "look again". See `ports.Runner`."""
        key = Key(strategy, number)
        try:
            self._folders.write_want(key, want)
        except OSError:
            if want.stop is not None:
                self._stop_without_files(key)
            if os.path.isdir(self._folders.path(key)):
                raise
            return  # the run is over and forgotten, or its folder was removed under it
        self._poke(key)

    def _poke(self, key: Key) -> None:
        try:
            ctl = os.open(self._folders.path(key, rundir.CTL), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in {errno.ENXIO, errno.ENOENT}:  # no shim listens: the next one reads want.json
                return
            raise
        with contextlib.suppress(BlockingIOError):  # full of earlier pokes
            os.write(ctl, b"!")
        os.close(ctl)

    def _stop_without_files(self, key: Key) -> None:
        """A stop that no file can carry: the shim takes TERM for the plan that it has in memory."""
        handle = self._handles.get(key)
        if handle is not None:
            with contextlib.suppress(OSError):  # it has ended
                signal.pidfd_send_signal(handle.shim, signal.SIGTERM)

    # Watching.

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
        reap(handle.shim)
        self._settle(loop, key, handle)

    def _settle(self, loop: asyncio.AbstractEventLoop, key: Key, handle: Handle) -> None:
        """A shim is gone: account for its run, or have that go on under a new one."""
        try:
            finished = self._folders.end(key)
            if finished is None:
                arguments = (loop, key, handle)
                threading.Thread(
                    target=self._replace_shim, args=arguments, name="resume", daemon=True
                ).start()
                return
            if finished.exit.unknown:
                finished = self._as_known(handle, finished)
        except (OSError, RuntimeError) as error:
            # No descriptor, no thread: that passes, and an end must not be unknown for it.
            log.warning("cannot see how %s, run %d, ended: %s; looking again", *key, error)
            loop.call_later(RETRY_S, self._settle, loop, key, handle)
            return
        handle.close()
        if handle.ended is not None:
            handle.ended(finished)

    def _as_known(self, handle: Handle, finished: Finished) -> Finished:
        """An end that no shim saw, where this process did."""
        status = self._status_of(handle)
        if status is None:
            return finished
        code = os.waitstatus_to_exitcode(status)
        seen = replace(finished.exit, unknown=False, cause=None)
        seen = replace(seen, code=code) if code >= 0 else replace(seen, signal=-code)
        return replace(finished, exit=seen)

    def _replace_shim(self, loop: asyncio.AbstractEventLoop, key: Key, lost: Handle) -> None:
        """A shim died before its run: its strategy goes on under a new one, however many tries it takes."""
        log.warning("the shim of %s, run %d, died; replacing it", *key)
        try:
            self._resume_in_time(key, lost, sys.maxsize)
            handle = self._handles[key]
            handle.main, lost.main = lost.main, handle.main  # the older one knows of an earlier end
            _on_loop(loop, self._watch_again, key, lost.ended)
        except (OSError, LaunchRefused, rundir.Unreadable) as error:
            if not self._closing.is_set():
                finished = self._folders.lose(key, f"its shim died and was not replaced: {error}")
                _on_loop(loop, lost.ended, finished)
        finally:
            lost.close()

    def _resume_in_time(self, key: Key, lost: Handle | None, tries: int) -> Found:
        """Give a run a new shim, in so many tries as long as anything of it lives.

        Where nothing does, in a few: what it printed last and how it ended still wait to be read.

        Raises:
            OSError, LaunchRefused, Unreadable: it could not be had.
        """
        pause_s = FIRST_RETRY_S
        tried = 0
        while True:
            tried += 1
            try:
                return self.resume(key, lost)
            except (OSError, LaunchRefused, rundir.Unreadable) as error:
                enough = tries if self._may_live(key) else min(tries, DEAD_TRIES)
                if tried >= enough or self._closing.is_set():
                    raise
                log.warning("cannot replace the shim of %s: %s; trying again", key.strategy, error)
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, RETRY_S)

    def _may_live(self, key: Key) -> bool:
        """Whether anything of a run lives; also where nobody can look now."""
        try:
            return strays.living(self._folders, key)
        except OSError:
            return True

    def _watch_again(self, key: Key, ended: Callable[[Finished], None]) -> None:
        if not self._closing.is_set():
            self.watch(*key, ended)

    def _status_of(self, handle: Handle) -> int | None:
        """The wait status of a strategy whose shim is dead: it was reaped here, or the kernel tells."""
        status = self._orphans.status_of(handle.strategy)
        return kernel.pidfd_exit_status(handle.main) if status is None else status

    def reap(self) -> None:
        """Take leave of dead orphans, and remember how they ended; for SIGCHLD."""
        self._orphans.reap(self._zygote.pid)

    # What stands after the last daemon, and what nobody needs any more.

    def survey(self) -> Survey:
        """Adopt, account for, or name everything that was left. See `ports.Runner`."""
        survey, self._strays = Surveyor(self._folders, self._adopt, self._resume_left).survey()
        return survey

    def _adopt(self, key: Key) -> Found:
        """Hold on to a run with a live shim, which the last daemon may have left without its poke."""
        found = self.hold(key)
        self._poke(key)
        return found

    def _resume_left(self, key: Key) -> Found:
        return self._resume_in_time(key, None, HOLD_TRIES)

    def forget(self, strategy: str, number: int) -> None:
        """Remove all run directories of a strategy before this one, which stays to be asked."""
        for older in self._folders.numbers(strategy):
            key = Key(strategy, older)
            if older < number and self._folders.is_finished(key):
                self._folders.remove(key)

    def shims(self) -> dict[str, int]:
        """The pids of the live shims by strategy: the roots of the process trees."""
        return {key.strategy: handle.pid for key, handle in list(self._handles.items())}

    def strategy_of(self, pid: int) -> str | None:
        """The strategy that a living process belongs to; None: it belongs to none."""
        roots = {pid: strategy for strategy, pid in self.shims().items()}
        return kinship.strategy_of(pid, roots, os.getpid(), str(self._folders.home))

    def is_ready(self, strategy: str, number: int) -> bool:
        """Whether the run has said READY=1."""
        return self._folders.is_ready(Key(strategy, number))

    def close(self) -> None:
        """Let go of everything; shims and strategies go on."""
        self._closing.set()
        loop = asyncio.get_running_loop()
        for handle in self._handles.values():
            loop.remove_reader(handle.shim)
            handle.close()
        self._handles.clear()
        self._zygote.close()


def _on_loop(loop: asyncio.AbstractEventLoop, call: Callable[..., None] | None, *args: object) -> None:
    if call is not None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the next daemon finds the same
            loop.call_soon_threadsafe(call, *args)


def _await_word(heard: int, folder: str) -> None:
    poll = select.poll()
    poll.register(heard, select.POLLIN)
    if not poll.poll(SHIM_TIMEOUT_MS):
        raise LaunchRefused(f"its shim does not answer ({folder})")
    word = os.read(heard, rundir.WORD_SIZE)
    if word != rundir.WORD_UP:
        why = word.decode("utf-8", "replace") or "its shim failed; run/shim.err says why"
        raise LaunchRefused(why)
