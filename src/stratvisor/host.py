"""What the doors may ask of this daemon: `ports.Host`, put together from the supervisor and its records."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor import __version__, doubt, machine, succession, timeline, timetable, view
from stratvisor.history import HistoryUnavailable
from stratvisor.ports import Json, News, Order, Refused, UnknownStrategy
from stratvisor.runner.logfolder import FOLDER
from stratvisor.selection import NothingNamedError, select
from stratvisor.shim import lognames
from stratvisor.state import Launching, Stopping, Up
from stratvisor.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from stratvisor.history import History
    from stratvisor.newsroom import Newsroom
    from stratvisor.ports import Clock
    from stratvisor.reloading import Reloader
    from stratvisor.skipped import Skip
    from stratvisor.spec import Spec
    from stratvisor.supervisor import Entry, Supervisor
    from stratvisor.timeline import Bar, Outlook
    from stratvisor.troubles import Troubles
    from stratvisor.windows import Window

log = logging.getLogger(__name__)


class LocalHost:
    """The daemon as its doors see it."""

    def __init__(
        self,
        *,
        home: Path,
        clock: Clock,
        supervisor: Supervisor,
        reloader: Reloader,
        newsroom: Newsroom,
        history: History,
        strategy_of: Callable[[int], str | None],
        troubles: Troubles,
    ) -> None:
        self.stop_strategies = False
        """What the last word about the daemon's end said of its strategies."""
        self.heir = False
        """Whether newer code takes over."""
        self.ending = asyncio.Event()
        self._home = home
        self._clock = clock
        self._supervisor = supervisor
        self._reloader = reloader
        self._newsroom = newsroom
        self._history = history
        self._strategy_of = strategy_of
        self._troubles = troubles
        self._began = clock.now().wall

    def status(self) -> Json:
        """See `ports.Host`."""
        strategies = [self._show(strategy) for strategy in self._ids()]
        counts: dict[str, int] = {}
        for strategy in strategies:
            counts[strategy["state"]] = counts.get(strategy["state"], 0) + 1
        known = {f"conf.d/{strategy}.yaml" for strategy in self._ids()}
        orphaned = [problem for problem in self._reloader.problems if problem.file not in known]
        ready, why_not = self.ready()
        zone = ZoneInfo(self._reloader.settings.timezone)
        return {
            "version": __version__,
            "began": self._began.isoformat(),
            "now": self._clock.now().wall.astimezone(zone).isoformat(timespec="milliseconds"),
            "timezone": zone.key,
            "ready": ready,
            "why_not_ready": why_not,
            "counts": counts,
            "problems": [view.problem_json(one) for one in (*self._troubles.problems(), *orphaned)],
            "strategies": strategies,
        }

    def strategy(self, strategy: str) -> Json:
        """See `ports.Host`."""
        if strategy not in self._ids():
            raise self._unknown(strategy)
        return self._show(strategy)

    def select(self, selector: str) -> tuple[str, ...]:
        """See `ports.Host`."""
        specs = {name: entry.spec for name, entry in self._supervisor.entries.items()}
        try:
            return select(selector, specs, self._reloader.broken)
        except NothingNamedError as error:
            raise UnknownStrategy(str(error)) from error

    def order(self, strategy: str, order: Order) -> None:
        """See `ports.Host`."""
        if strategy in self._reloader.broken:
            raise Refused(f"its file is bad: {self._reloader.broken[strategy][0]}")
        self._supervisor.order(strategy, order)

    async def kept(self) -> str | None:
        """See `ports.Host`."""
        return await self._supervisor.kept()

    async def settled(self, strategy: str, timeout_s: float) -> bool:
        """See `ports.Host`."""

        def at_ease() -> bool:
            entry = self._supervisor.entries.get(strategy)
            if entry is None:
                return True
            phase = entry.state.phase
            return not (
                isinstance(phase, Launching | Stopping) or (isinstance(phase, Up) and not phase.ready)
            )

        return await self._supervisor.until(at_ease, timeout_s)

    async def reload(self, *, force: bool, by: str) -> Json:
        """See `ports.Host`."""
        return await self._reloader.reload(force=force, by=by)

    async def plan(self) -> Json:
        """See `ports.Host`."""
        return await self._reloader.plan()

    def upcoming(self, strategy: str, count: int) -> list[Json]:
        """See `ports.Host`."""
        entry = self._supervisor.known(strategy)
        zone = ZoneInfo(entry.spec.timezone)
        coming = timetable.upcoming(entry.spec.schedule, self._clock.now().wall, count)
        return [_window(one, zone) for one in coming]

    def coming(self, strategy: str, days: int) -> list[Json]:
        """See `ports.Host`."""
        spec = self._supervisor.known(strategy).spec
        zone = ZoneInfo(spec.timezone)
        return [
            {
                "date": day.date.isoformat(),
                "windows": [_window(band, zone) for band in day.bands],
                "skips": [_skip(skip, zone) for skip in day.skips],
            }
            for day in timeline.days_ahead(spec, self._clock.now().wall, days)
        ]

    async def timeline(self, days: int = 1, only: str | None = None) -> Json:
        """See `ports.Host`."""
        now = self._clock.now()
        zone = ZoneInfo(self._reloader.settings.timezone)
        period = timeline.day_of(now.wall, zone.key, days)
        try:
            bars = await self._history.bars(period.start, period.end)
        except HistoryUnavailable:
            bars = {}  # the picture shows windows alone; the log says why
        entries = {name: entry for name, entry in self._supervisor.entries.items() if only in {None, name}}
        specs = [entry.spec for entry in entries.values()]
        # The first look of a day takes a while where there are many, and no start may wait for it.
        ahead = await asyncio.to_thread(_outlooks, specs, period)
        return {
            "start": _iso(period.start, zone),
            "end": _iso(period.end, zone),
            "days": days,
            "now": _iso(now.wall, zone),
            "zone": zone.key,
            "rows": [
                self._lane(name, entry, ahead[name], bars.get(name, []), zone)
                for name, entry in sorted(entries.items())
            ],
        }

    def _lane(self, name: str, entry: Entry, ahead: Outlook, bars: list[Bar], zone: ZoneInfo) -> Json:
        """One strategy's row of the timeline."""
        shown = view.strategy(self._clock.now(), entry.spec, entry.state, entry.facts)
        run = machine.live_run(entry.state)
        # A bar without an end that does not live ended at a time that nobody wrote down.
        own = [bar for bar in bars if bar.end or (run and bar.run == run.number)]
        return {
            "id": name,
            "title": shown["title"],
            "state": shown["state"],
            "bands": [_window(band, zone) for band in ahead.bands],
            "skips": [_skip(skip, zone) for skip in ahead.skips],
            "bars": [_bar(bar, zone) for bar in own],
            "marks": [_mark(bar.run, bar.end, zone) for bar in own if bar.failed and bar.end],
        }

    async def runs(self, strategy: str, limit: int) -> list[Json]:
        """See `ports.Host`. History outlives a strategy, so an id without a file is no error."""
        try:
            found = await self._history.runs(strategy, limit)
        except HistoryUnavailable as error:
            raise Refused(f"the history cannot be read now: {error}") from error
        if not found and strategy not in self._ids():
            raise self._unknown(strategy)
        entry = self._supervisor.entries.get(strategy)
        zone = ZoneInfo(entry.spec.timezone if entry else self._reloader.settings.timezone)
        return [view.run_json(run, zone) for run in found]

    def strategy_of(self, pid: int) -> str | None:
        """See `ports.Host`."""
        return self._strategy_of(pid)

    def log_files(self, strategy: str) -> Sequence[Path]:
        """See `ports.Host`. Logs outlive a strategy too."""
        files = lognames.of(self._home / FOLDER, strategy)
        if not files and strategy not in self._ids():
            raise self._unknown(strategy)
        return [Path(file) for file in files]

    def news(self, after: int | None) -> AsyncIterator[News]:
        """See `ports.Host`."""
        return self._newsroom.listen(after)

    def ready(self) -> tuple[bool, str | None]:
        """See `ports.Host`."""
        why_not = self._reloader.refused or self._troubles.grave() or self._in_doubt()
        return why_not is None, why_not

    def shutdown(self, *, stop_strategies: bool) -> None:
        """See `ports.Host`."""
        self.stop_strategies = stop_strategies
        self.heir = False
        self.ending.set()

    async def upgrade(self, by: str) -> Json:
        """See `ports.Host`."""
        bad = {problem.file for problem in self._reloader.problems}
        found = await succession.trial(self._home, bad)
        if self.ending.is_set():
            raise Refused("the daemon is ending already")
        log.info("upgrade by %s, from %s to %s", by, __version__, found["version"])
        self.heir = True
        self.ending.set()
        return {"version": found["version"], "was": __version__, "began": self._began.isoformat()}

    def _in_doubt(self) -> str | None:
        """Which strategies wait for a word of the operator's, since the last one was lost."""
        entries = self._supervisor.entries.items()
        held = ", ".join(sorted(name for name, entry in entries if doubt.is_doubtful(entry.state)))
        return (
            f"{held}: held by {doubt.BY}; `stratvisor start` or `stop` says what you want" if held else None
        )

    def _ids(self) -> list[str]:
        return sorted(self._supervisor.entries.keys() | self._reloader.broken.keys())

    def _show(self, strategy: str) -> Json:
        entry = self._supervisor.entries.get(strategy)
        if entry is None:
            zone = ZoneInfo(self._reloader.settings.timezone)
            return view.broken(strategy, self._reloader.broken[strategy], zone, self._began)
        return view.strategy(self._clock.now(), entry.spec, entry.state, entry.facts)

    def _unknown(self, strategy: str) -> UnknownStrategy:
        return UnknownStrategy(f"no strategy {strategy}{did_you_mean(strategy, self._ids())}")


def _outlooks(specs: list[Spec], period: Window) -> dict[str, Outlook]:
    return {spec.id: timeline.outlook(spec, period.start, period.end) for spec in specs}


def _window(window: Window, zone: ZoneInfo) -> Json:
    return {"start": _iso(window.start, zone), "stop": None if window.endless else _iso(window.end, zone)}


def _skip(skip: Skip, zone: ZoneInfo) -> Json:
    return {"at": _iso(skip.at, zone), "why": skip.why}


def _bar(bar: Bar, zone: ZoneInfo) -> Json:
    return {
        "run": bar.run,
        "start": _iso(bar.start, zone),
        "end": None if bar.end is None else _iso(bar.end, zone),
        "failed": bar.failed,
    }


def _mark(run: int, at: datetime, zone: ZoneInfo) -> Json:
    return {"at": _iso(at, zone), "text": f"run {run} failed at {at.astimezone(zone):%H:%M:%S}"}


def _iso(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds")
