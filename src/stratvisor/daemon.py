"""`stratvisor up`: puts the daemon together, in the order that gets strategies up first.

The composition root: the only file that knows every part. The web server is imported once strategies
have been started. The daemon may be killed at any point here; the next one finds everything in files.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import logging
import os
import resource
import signal
import sys
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from stratvisor import reloading, schema, succession, systemd
from stratvisor.audit import Audit
from stratvisor.clock import SystemClock, boot_id, pause
from stratvisor.daemon_log import DaemonLog
from stratvisor.history import History
from stratvisor.host import LocalHost
from stratvisor.house import House, owner
from stratvisor.kept import from_kept
from stratvisor.last_good import LastGood
from stratvisor.metering import Meter
from stratvisor.news_socket import NewsSocket
from stratvisor.newsroom import Newsroom
from stratvisor.provenance import Provenance
from stratvisor.recorder import Recorder
from stratvisor.retention import Retention
from stratvisor.runner.local import LocalRunner
from stratvisor.shim import kernel
from stratvisor.state import Ended
from stratvisor.store import Store, StoreTooNew
from stratvisor.supervisor import Supervisor
from stratvisor.tasks import Tasks, threads
from stratvisor.troubles import Troubles
from stratvisor.vault import keyring

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.http.server import Server
    from stratvisor.ports import Survey
    from stratvisor.settings import Settings
    from stratvisor.watch import Watcher

log = logging.getLogger("stratvisor")

RESCAN_S = 30.0
"""What the watcher missed is found by then."""

THREADS = 8
"""For what blocks on disk and is neither a launch nor a stop: hashing, reading config and logs."""

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

FIRST_LAUNCHES_S = 2.0
"""How long the doors stay shut so that the first launches have the machine to themselves."""

WATCHED = ("conf.d", "calendars", "strategies", "stratvisor.toml", "secrets.yaml")


class HomeBusy(Exception):  # noqa: N818  somebody else's right, not an error
    """Another daemon has this home."""


def run(home: Path, *, verbose: bool = False) -> int:
    """Be the daemon of this home until told to end. Returns the exit code."""
    troubles = Troubles()
    house = House(home, troubles)
    try:
        lock = take_home(home)
        known = LastGood(home).settings()
        house.furnish()
    except (HomeBusy, OSError) as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 1
    prepare()
    daemon_log = DaemonLog(home, troubles, verbose=verbose)
    daemon_log.obey(known)
    try:
        heir = asyncio.run(Daemon(known, house, daemon_log, troubles).main())
        if heir:
            succession.become(home, verbose=verbose)
    except (StoreTooNew, OSError) as error:
        sys.stderr.write(f"cannot go on: {error}\n")
        return 1
    finally:
        os.close(lock)
    return 0


def take_home(home: Path) -> int:
    """Lock the home folder itself: `git clean -fdx` may remove run/ and every lock in it.

    Raises:
        HomeBusy: another daemon holds it.
    """
    lock = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise HomeBusy(
            f"a daemon{owner(home)} runs for {home} already; `stratvisor status` shows it"
        ) from None
    return lock


def prepare() -> None:
    """As many descriptors as there may be, and the orphans of dead shims."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # no core of the secrets that pass through, no /proc/PID/mem


class Daemon:
    """One life of the daemon."""

    def __init__(self, known: Settings, house: House, daemon_log: DaemonLog, troubles: Troubles) -> None:
        self._known = known
        self._house = house
        self._daemon_log = daemon_log
        self._troubles = troubles
        self._home = known.home
        self._clock = SystemClock()
        self._impatient = asyncio.Event()
        self._systemd = systemd.Systemd(os.environ)
        self._signalled = False

    async def main(self) -> bool:
        """From the first file read to the last let go. The answer is whether an heir takes its place."""
        async with AsyncExitStack() as stack:
            await self._assemble(stack)
            await self._take_over()
            await self._open_doors(stack)
            self._systemd.say(systemd.READY)
            await self._host.ending.wait()
            self._systemd.say(systemd.RELOADING if self._host.heir else systemd.STOPPING)
            if self._host.stop_strategies:
                await self._stop_strategies()
            self._say_goodbye()
        return self._host.heir

    async def _stop_strategies(self) -> None:
        """However long they may take, unless somebody becomes impatient."""
        log.info("stopping all strategies; a second signal leaves those that are not done")
        self._tasks.spawn(self._systemd.ask_for_patience(), "ask for patience")
        stopping = self._tasks.spawn(self._supervisor.stop_all(), "stop all")
        impatience = self._tasks.spawn(self._impatient.wait(), "impatience")
        await asyncio.wait({stopping, impatience}, return_when=asyncio.FIRST_COMPLETED)

    async def _assemble(self, stack: AsyncExitStack) -> None:
        home, loop = self._home, asyncio.get_running_loop()
        clock = self._clock
        self._tasks = Tasks()
        loop.set_default_executor(threads(THREADS, "worker"))
        loop.set_exception_handler(told)
        self._store = Store(home / "run" / "state.json", boot_id())
        self._loaded = self._store.load()
        if self._loaded.problem:
            log.warning("%s", self._loaded.problem)
        self._newsroom = Newsroom(self._loaded.news_id)
        self._history = History(home / "run" / "history.db", self._troubles)
        stack.push_async_callback(self._history.close)
        self._audit = Audit(home)
        stack.push_async_callback(self._audit.close)
        self._runner = LocalRunner(home, clock)
        self._runner.start()
        stack.callback(self._runner.close)
        self._recorder = Recorder(
            clock=clock,
            store=self._store,
            history=self._history,
            provenance=Provenance(home),
            newsroom=self._newsroom,
            troubles=self._troubles,
            tasks=self._tasks,
        )
        stack.callback(self._recorder.close)
        self._supervisor = Supervisor(clock, self._runner, self._recorder, self._newsroom, self._tasks)
        stack.callback(self._supervisor.close)
        stack.push_async_callback(self._tasks.close)
        stack.callback(self._newsroom.close)
        self._last_good = LastGood(home)
        self._reloader = reloading.Reloader(
            known=self._known,
            last_good=self._last_good,
            supervisor=self._supervisor,
            recorder=self._recorder,
            clock=clock,
            tasks=self._tasks,
            obeyed=self._daemon_log.obey,
        )
        self._host = LocalHost(
            home=home,
            clock=clock,
            supervisor=self._supervisor,
            reloader=self._reloader,
            newsroom=self._newsroom,
            history=self._history,
            strategy_of=self._runner.strategy_of,
            troubles=self._troubles,
        )
        self._meter = Meter(self._supervisor, self._runner.shims, clock)
        loop.add_signal_handler(signal.SIGCHLD, self._runner.reap)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_end)
        loop.add_signal_handler(signal.SIGHUP, self._look_again)

    async def _take_over(self) -> None:
        """Find what the last daemon left, then judge every strategy for the first time."""
        survey = await asyncio.to_thread(self._runner.survey)
        kept = {strategy: from_kept(one) for strategy, one in self._loaded.strategies.items()}
        live = {found.strategy: found for found in survey.live}
        await self._reloader.first(kept, live, self._loaded.lost)
        self._account(survey)
        self._supervisor.look_at_all()
        await self._supervisor.until(self._supervisor.all_launched, FIRST_LAUNCHES_S)

    def _account(self, survey: Survey) -> None:
        """Live runs first: an earlier end of the same strategy must not look like the last word."""
        for found in survey.live:
            self._supervisor.adopt_run(found)
            log.info("%s: adopted run %d, pid %d", found.strategy, found.run.number, found.run.pid)
        newest = {finished.strategy: finished for finished in survey.ended}
        for finished in survey.ended:
            if finished is newest[finished.strategy]:
                self._supervisor.turn(finished.strategy, Ended(finished.exit))
            self._recorder.ended(finished, self._supervisor.entries.get(finished.strategy))
        for stray in survey.strays:
            log.warning("%s: %s", stray.strategy, stray.why)

    async def _open_doors(self, stack: AsyncExitStack) -> None:
        """Everything that no strategy waits for."""
        home = self._home
        news = stack.enter_context(NewsSocket(home / "run", self._heard))
        self._supervisor.look_for_ready()
        from stratvisor.watch import Watcher  # noqa: PLC0415  the same

        watched = [home / name for name in WATCHED]
        watcher = Watcher([*watched, keyring.place(home)], self._look_again, beside=[home / "run"])
        stack.callback(watcher.close)
        self._tasks.spawn(self._rescan(watcher), "rescan")
        self._tasks.spawn(self._meter.run(), "meter")
        self._tasks.spawn(self._systemd.keep_watchdog_quiet(), "watchdog")
        retention = Retention(home, self._supervisor, self._clock)
        self._tasks.spawn(retention.run(), "retention")
        self._tasks.spawn(asyncio.to_thread(write_schemas, home / "run"), "write schemas")
        server = await self._listen()
        stack.push_async_callback(server.close)
        self._house.when_lost(partial(self._put_back, news, server))

    async def _put_back(self, news: NewsSocket, server: Server) -> None:
        """What stood in run/, beside what its owners find missing by themselves."""
        server.listen_again()
        news.bind()
        self._recorder.save_anew()
        await self._supervisor.kept()
        self._last_good.forget()
        self._reloader.poke()
        await asyncio.to_thread(write_schemas, self._home / "run")

    async def _rescan(self, watcher: Watcher) -> None:
        """For ever: look at times, whatever the watcher says."""
        while True:
            await pause(RESCAN_S)
            watcher.refresh()
            self._look_again()

    def _look_again(self) -> None:
        """Something changed on disk, or may have."""
        self._tasks.spawn(self._house.look(), "look at the home")
        self._reloader.poke()

    async def _listen(self) -> Server:
        """The web server, on its socket and its port."""
        # Imported only now: strategies are up by the time that aiohttp has been read.
        from stratvisor.http import opening  # noqa: PLC0415

        return await opening.open_doors(
            self._home, self._reloader.settings.http, self._host, self._clock, self._audit
        )

    def _told_to_end(self) -> None:
        """By a signal; by a second one, whatever it is waiting for."""
        if self._signalled or self._host.ending.is_set():
            self._impatient.set()
            self._host.ending.set()
        else:
            self._signalled = True
            self._tasks.spawn(self._end(), "end")

    async def _end(self) -> None:
        """A signal leaves strategies alone, unless the machine goes down with them."""
        self._host.shutdown(stop_strategies=await self._systemd.machine_goes_down())

    def _heard(self, strategy: str, number: int) -> None:
        if self._runner.is_ready(strategy, number):
            self._supervisor.became_ready(strategy, number)

    def _say_goodbye(self) -> None:
        left = [strategy for strategy, _entry in self._supervisor.live()]
        if left:
            log.info("the daemon ends; %s go on and are adopted by the next `stratvisor up`", ", ".join(left))


def write_schemas(folder: Path) -> None:
    """What editors read to check and complete config files (`# yaml-language-server: $schema=...`)."""
    kinds = {"strategy": schema.strategy(), "settings": schema.settings(), "calendar": schema.calendar()}
    for name, content in kinds.items():
        draft = folder / f"{name}.schema.new"
        draft.write_text(json.dumps(content, indent=1), "utf-8")
        draft.rename(folder / f"{name}.schema.json")


def told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An error that no task awaits: one line where the machine has run out of something, which passes."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in EXHAUSTED:
        log.warning("%s: %s", context.get("message"), error.strerror)
    else:
        loop.default_exception_handler(context)
