"""The config in force: reads it when told to look again, and hands the supervisor what changed.

Knows the files and the rules of a reload: read once everything has been quiet, keep the last good
version of a bad file, change nothing that did not change, and never take an emptied conf.d for the
wish to stop everything.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from stratvisor import config, doubt, machine, settings, view
from stratvisor.calendar_ends import CalendarEnds
from stratvisor.provenance import script_sha256
from stratvisor.quiet import Quiet, git_is_busy
from stratvisor.spec import OnChange, Problem, Process, Spec
from stratvisor.state import Because, Launch, Removed, Returned, State, Stopping
from stratvisor.vault import keymaking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from stratvisor.config import Config
    from stratvisor.last_good import LastGood
    from stratvisor.ports import Clock, Found, Json
    from stratvisor.recorder import Recorder
    from stratvisor.settings import Settings
    from stratvisor.store import Lost
    from stratvisor.supervisor import Supervisor
    from stratvisor.tasks import Tasks

log = logging.getLogger(__name__)


class Reloader:
    """Reads config and applies it."""

    def __init__(
        self,
        *,
        known: Settings,
        last_good: LastGood,
        supervisor: Supervisor,
        recorder: Recorder,
        clock: Clock,
        tasks: Tasks,
        obeyed: Callable[[Settings], None],
    ) -> None:
        self.settings = known
        self._last_good = last_good
        self.problems: tuple[Problem, ...] = ()
        self.broken: dict[str, tuple[Problem, ...]] = {}
        """Strategies whose file is bad from the first."""
        self.refused: str | None = None
        """Why the last reload was not carried out."""
        self._home = known.home
        self._doors = known.http
        self._causes: Mapping[str, tuple[Problem, ...]] = {}
        self._supervisor = supervisor
        self._recorder = recorder
        self._clock = clock
        self._tasks = tasks
        self._obeyed = obeyed
        """Told the settings in force whenever they were read."""
        self._reader = config.Reader(last_good.calendars(), keymaking.fingerprint_key)
        self._calendar_ends = CalendarEnds()
        self._quiet = Quiet()
        self._timer: asyncio.TimerHandle | None = None
        self._reading = asyncio.Lock()
        self._seen: dict[str, tuple[int, int, int]] = {}

    # When to look.

    def poke(self) -> None:
        """Something changed on disk: read once it is quiet."""
        self._quiet.poke(self._clock.now().boot_ns)
        self._schedule()

    def _schedule(self) -> None:
        now_ns = self._clock.now().boot_ns
        due_ns = self._quiet.due_at(now_ns, git_is_busy(self._home))
        if due_ns is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0, due_ns - now_ns) / 1e9, self._when_quiet)

    def _when_quiet(self) -> None:
        self._timer = None
        now_ns = self._clock.now().boot_ns
        due_ns = self._quiet.due_at(now_ns, git_is_busy(self._home))
        if due_ns is not None and due_ns > now_ns:
            self._schedule()
            return
        self._quiet.done()
        self._tasks.spawn(self.reload(force=False, by=None), "reload")

    # Reading and applying.

    async def plan(self) -> Json:
        """What a reload would do now."""
        async with self._reading:
            _settings, read = await self._read()
            return self._plan(read)

    async def reload(self, *, force: bool, by: str | None) -> Json:
        """Read everything and put it in force; `by` None: the daemon of its own accord."""
        async with self._reading:
            self.settings, read = await self._read()
            self._obeyed(self.settings)
            plan = self._plan(read)
            changed = self._note_problems(read)
            self.refused = None if force else plan["refused"]
            if self.refused is None:
                plan["refused"] = None
                changed |= self._apply(read)
                await asyncio.to_thread(self._last_good.keep, read)
            self._show_problems()
            self._warn_of_calendars()
            await self._check_stale()
            if changed or by is not None:
                log.info("reload by %s: %s", by or "the watcher", _told(plan))
                self._recorder.news("reload", by, plan)
            return plan

    async def first(self, kept: Mapping[str, State], live: Mapping[str, Found], lost: Lost) -> None:
        """Read everything for the first time and take on every strategy, without deciding anything.

        A live run whose file is gone is taken on to be stopped, unless all files are gone. `lost`: what
        stood beside `kept` and cannot be read.
        """
        there = kept.keys() | live.keys()
        last_good = {
            name: _unchanged(spec, live.get(name))
            for name, spec in (
                await asyncio.to_thread(self._last_good.strategies, there, self.settings)
            ).items()
        }
        self.settings, read = await self._read(last_good)
        self._obeyed(self.settings)
        self._note_problems(read)
        self.refused = self._why_refused(read, sorted(live))
        for name, spec in read.strategies.items():
            state = self._doubted(spec, live.get(name)) if name in lost else kept.get(name, State())
            self._supervisor.adopt(spec, state)
        self._supervisor.remember(
            {name: state for name, state in kept.items() if name not in read.strategies and name not in live}
        )
        for name in live.keys() - read.strategies.keys():
            spec = last_good.get(name) or _stand_in(live[name])
            gone = self.refused is None and name not in read.bad
            self._supervisor.adopt(spec, replace(kept.get(name, State()), removed=gone))
        self._show_problems()
        self._warn_of_calendars()
        self._tasks.spawn(asyncio.to_thread(self._last_good.keep, read), "keep good config")

    def _doubted(self, spec: Spec, found: Found | None) -> State:
        return doubt.state_of(self._clock.now(), spec, None if found is None else found.run)

    async def _read(self, last_good: Mapping[str, Spec] | None = None) -> tuple[Settings, Config]:
        if last_good is None:
            last_good = {name: entry.spec for name, entry in self._supervisor.entries.items()}
        return await asyncio.to_thread(self._read_all, last_good)

    def _read_all(self, last_good: Mapping[str, Spec]) -> tuple[Settings, Config]:
        """All config, with all its problems; a bad stratvisor.toml changes nothing."""
        known, problems = settings.read(self._home)
        if problems:
            known = self.settings
        else:
            self._last_good.keep_settings()
        read = self._reader.read(self._home, known, last_good)
        return known, replace(read, problems=(*problems, *self._not_in_force(known), *read.problems))

    def _not_in_force(self, known: Settings) -> tuple[Problem, ...]:
        """What the daemon cannot change while it runs."""
        if known.http == self._doors:
            return ()
        message = "was changed since the daemon began; `stratvisor upgrade` puts it in force"
        return (Problem(settings.FILE, 1, 1, "http", message),)

    def _plan(self, read: Config) -> Json:
        """By asking the machine what it would do, strategy by strategy."""
        now = self._clock.now()
        plan: dict[str, list[str]] = {"start": [], "stop": [], "restart": [], "live": []}
        entries = self._supervisor.entries
        for strategy in sorted(entries.keys() | read.strategies.keys()):
            entry = entries.get(strategy)
            state = entry.state if entry else self._supervisor.former.get(strategy, State())
            spec = read.strategies.get(strategy)
            if spec is None and entry is not None:
                after, actions = machine.step(now, entry.spec, state, Removed())
            elif spec is not None:
                after, actions = machine.step(now, spec, state, Returned())
            else:
                continue
            verb = _verb(state, after, launched=any(isinstance(action, Launch) for action in actions))
            if verb is not None:
                plan[verb].append(strategy)
            elif entry is not None and spec is not None and spec != entry.spec:
                plan["live"].append(strategy)
        problems = [view.problem_json(problem) for problem in read.problems]
        return {**plan, "problems": problems, "refused": self._why_refused(read, self._live())}

    def _live(self) -> list[str]:
        return sorted(strategy for strategy, _entry in self._supervisor.live())

    @staticmethod
    def _why_refused(read: Config, live: list[str]) -> str | None:
        if read.sources or read.bad or not live:
            return None
        what = "is empty" if read.has_folder else "is gone"
        return (
            f"conf.d {what} while {', '.join(live)} run: they go on as they are; put the files back, or "
            "`stratvisor reload --force` stops them"
        )

    def _apply(self, read: Config) -> bool:
        entries = self._supervisor.entries
        gone = [
            name for name, entry in entries.items() if name not in read.strategies and not entry.state.removed
        ]
        changed = [
            spec
            for name, spec in read.strategies.items()
            if name not in entries or entries[name].spec != spec or entries[name].state.removed
        ]
        for name in gone:
            self._supervisor.remove(name)
        for spec in changed:
            self._supervisor.put(spec)
        return bool(gone or changed)

    def _show_problems(self) -> None:
        """Beside each strategy, those of its file, and those elsewhere that make it bad."""
        for name, entry in self._supervisor.entries.items():
            own = self._causes.get(name, ())
            if entry.facts.problems != own:
                entry.facts = replace(entry.facts, problems=own)

    def _note_problems(self, read: Config) -> bool:
        changed = self.problems != read.problems
        self.problems = read.problems
        self.broken = {name: _of(read, name) for name in sorted(read.bad) if name not in read.strategies}
        self._causes = {name: _of(read, name) for name in read.strategies}
        if changed:
            for problem in read.problems:
                log.warning("%s", problem)
        return changed

    def _warn_of_calendars(self) -> None:
        """Of those in force that end soon; asked with every reading, it speaks once a day."""
        schedules = [entry.spec.schedule for entry in self._supervisor.entries.values()]
        for sentence in self._calendar_ends.to_say(schedules, self._clock.now().wall):
            log.warning("%s", sentence)

    async def _check_stale(self) -> None:
        """Whether a live run's script is still what it began with. Looked at only where the file changed."""
        for name, entry in list(self._supervisor.entries.items()):
            script = entry.spec.process.script
            if script is None or entry.facts.script_sha256 is None or machine.live_run(entry.state) is None:
                continue
            mark = _signature(self._home / script)
            if mark is None or self._seen.get(name) == mark:
                continue
            self._seen[name] = mark
            digest = await asyncio.to_thread(script_sha256, self._home / script)
            entry.facts = replace(entry.facts, stale=digest != entry.facts.script_sha256)


def _unchanged(spec: Spec, found: Found | None) -> Spec:
    """A last good version whose env_file may be gone by now: no edit that restarts what runs well."""
    same = found is None or found.run.fingerprint == spec.process.fingerprint
    return spec if same else replace(spec, on_change=OnChange.NEXT_RUN)


def _stand_in(found: Found) -> Spec:
    """For a live run of which no good file tells any more: it goes on, or is stopped by its own plan."""
    told = found.run.told
    return Spec(
        found.strategy,
        Process(command=("gone",)),
        title=found.strategy,
        stop=told.plan,
        logs=told.logs,
        on_change=OnChange.NEXT_RUN,
    )


def _verb(before: State, after: State, *, launched: bool) -> str | None:
    if launched:
        return "start"
    if isinstance(after.phase, Stopping) and not isinstance(before.phase, Stopping):
        return "restart" if after.phase.order.because is Because.EDITED else "stop"
    return None


def _of(read: Config, strategy: str) -> tuple[Problem, ...]:
    own = tuple(problem for problem in read.problems if problem.file == f"conf.d/{strategy}.yaml")
    return own or read.causes.get(strategy, ())


def _told(plan: Json) -> str:
    parts = [f"{verb} {', '.join(plan[verb])}" for verb in ("start", "stop", "restart", "live") if plan[verb]]
    if plan["problems"]:
        parts.append(f"{len(plan['problems'])} problems")
    return "; ".join(parts) or plan["refused"] or "nothing changed"


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
