"""A supervisor in memory: strategies change their state when told, nothing runs.

Orders take effect at once, unless `holds_still`: then a strategy starts or stops until `finish`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from stratvisor.ports import Json, News, Order, Refused, UnknownStrategy
from stratvisor.shim import lognames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

ZONE = ZoneInfo("Asia/Kolkata")
NOW = datetime(2026, 11, 23, 11, 42, 10, tzinfo=ZONE)
HOLIDAY = "Guru Nanak Jayanti: NSE is closed"
"""Why nothing opens on the day after the fake's today."""
LIVE = {"starting", "running", "stopping"}


def at(clock: str, days: int = 0) -> str:
    """An instant of the fake's today, or of another day, in ISO 8601."""
    parts = [int(part) for part in clock.split(":")]
    hour, minute, second = (*parts, 0)[:3]
    moment = NOW.replace(hour=hour, minute=minute, second=second) + timedelta(days=days)
    return moment.isoformat(timespec="milliseconds")


def shifted(iso: str, days: int) -> str:
    """The same time on another day."""
    return (datetime.fromisoformat(iso) + timedelta(days=days)).isoformat(timespec="milliseconds")


def strategy(name: str, state: str = "running", **more: Any) -> Json:
    """One strategy with every key of the contract."""
    live = state in LIVE
    facts: Json = {
        "id": name,
        "title": name,
        "tags": [],
        "state": state,
        "why": f"it is {state}",
        "since": at("9:15"),
        "pid": 4242 if live else None,
        "run": 1,
        "uptime_s": 8830.25 if live else None,
        "restarts": 0,
        "last_exit": None,
        "retry_at": None,
        "kill_at": None,
        "next_start": None,
        "next_stop": None,
        "hold": None,
        "cpu_percent": 1.2 if live else None,
        "memory_bytes": 48_300_000 if live else None,
        "log": None,
        "script_sha256": None,
        "commit": None,
        "stale": False,
        "restart_pending": False,
        "problems": [],
    }
    return facts | more


class FakeHost:
    """The Host of the tests."""

    def __init__(self, folder: Path, *strategies: Json) -> None:
        self.folder = folder
        self.strategies = {facts["id"]: facts for facts in strategies}
        self.orders: list[tuple[str, Order]] = []
        self.reloads: list[bool] = []
        self.shutdowns: list[bool] = []
        self.problems: list[Json] = []
        self.history: dict[str, list[Json]] = {}
        self.rows: list[Json] = []
        self.planned: Json = {
            "start": [],
            "stop": [],
            "restart": [],
            "live": [],
            "problems": [],
            "refused": None,
        }
        self.why_not_ready: str | None = None
        self.upgrade_refused: str | None = None
        self.unkept: str | None = None
        self.holds_still = False
        self.listeners = 0
        self.family: dict[int, str] = {}
        """Strategies by the pids of their processes."""
        self._told: list[News] = []
        self._changed = asyncio.Event()
        self._hung_up = 0

    def status(self) -> Json:
        return {
            "version": "0.1.0",
            "began": at("9:00"),
            "now": NOW.isoformat(timespec="milliseconds"),
            "timezone": "Asia/Kolkata",
            "ready": self.why_not_ready is None,
            "why_not_ready": self.why_not_ready,
            "counts": dict(Counter(facts["state"] for facts in self.strategies.values())),
            "problems": self.problems,
            "strategies": list(self.strategies.values()),
        }

    def strategy(self, strategy: str) -> Json:
        if strategy not in self.strategies:
            raise UnknownStrategy(f"no strategy {strategy!r}; `stratvisor status` lists them")
        return self.strategies[strategy]

    def select(self, selector: str) -> tuple[str, ...]:
        if selector == "all":
            return tuple(self.strategies)
        if selector.startswith("@"):
            tagged = [name for name, facts in self.strategies.items() if selector[1:] in facts["tags"]]
            if not tagged:
                raise UnknownStrategy(f"no strategy has the tag {selector[1:]!r}")
            return tuple(tagged)
        return (self.strategy(selector)["id"],)

    def order(self, strategy: str, order: Order) -> None:
        facts = self.strategy(strategy)
        if order.verb == "restart" and facts["state"] not in LIVE:
            raise Refused(f"cannot restart: {strategy} is {facts['state']}; start it")
        self.orders.append((strategy, order))
        if order.verb == "stop":
            until = "next" if order.until_next else None
            facts["hold"] = {"by": order.by, "since": at("11:42"), "until": until, "wants": "down"}
        elif order.verb == "start":
            facts["hold"] = None
        wanted = "stopping" if order.verb == "stop" else "starting"
        if (
            facts["state"] not in {"stopped", "running"}
            or order.verb == "restart"
            or wanted[:4] != facts["state"][:4]
        ):
            self.change(strategy, wanted)
        if not self.holds_still:
            self.finish(strategy)

    def finish(self, strategy: str) -> None:
        """Let a strategy arrive where it was told to go."""
        arrives = {"stopping": "stopped", "starting": "running"}
        facts = self.strategies[strategy]
        if facts["state"] in arrives:
            self.change(strategy, arrives[facts["state"]])

    def change(self, strategy: str, state: str, why: str | None = None) -> None:
        """Another state, and news of it."""
        facts = self.strategies[strategy]
        live = state in LIVE
        facts |= {"state": state, "pid": 4242 if live else None, "uptime_s": 1.0 if live else None}
        facts["why"] = why or (
            f"held by {facts['hold']['by']}" if state == "stopped" and facts["hold"] else f"it is {state}"
        )
        self.tell("state", strategy, {"state": state})

    def tell(self, kind: str, strategy: str | None, body: Json) -> None:
        """News to all who listen."""
        self._told.append(News(len(self._told) + 1, NOW, strategy, kind, body))
        self._changed.set()
        self._changed = asyncio.Event()

    def hang_up(self) -> None:
        """End the news of all who listen now; they may come again."""
        self._hung_up += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def kept(self) -> str | None:
        return self.unkept

    async def settled(self, strategy: str, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while self.strategies[strategy]["state"] in {"starting", "stopping"}:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def reload(self, *, force: bool, by: str) -> Json:
        self.reloads.append(force)
        refused = self.planned["refused"]
        return self.planned | {"refused": None if force else refused}

    async def plan(self) -> Json:
        return self.planned

    def upcoming(self, strategy: str, count: int) -> list[Json]:
        if not self.strategy(strategy)["run"]:
            raise UnknownStrategy(f"{strategy} has no schedule: its file is bad")
        days = [day for day in range(40) if (NOW + timedelta(days=day)).weekday() < 5]
        return [{"start": at("9:15", day), "stop": at("15:30", day)} for day in days][:count]

    def coming(self, strategy: str, days: int) -> list[Json]:
        if not self.strategy(strategy)["run"]:
            raise UnknownStrategy(f"{strategy} has no schedule: its file is bad")
        return [self._day(day) for day in range(days)]

    def _day(self, day: int) -> Json:
        """As the calendar of NSE has the week of the fake's today."""
        date = (NOW + timedelta(days=day)).date()
        window = {"start": at("9:15", day), "stop": at("15:30", day)}
        closed = {"at": at("9:15", day), "why": HOLIDAY}
        is_open = date.weekday() < 5 and day != 1
        return {
            "date": date.isoformat(),
            "windows": [window] if is_open else [],
            "skips": [closed] if day == 1 else [],
        }

    async def timeline(self, days: int = 1, only: str | None = None) -> Json:
        rows = self.rows or [
            {
                "id": name,
                "title": facts["title"],
                "state": facts["state"],
                "bands": [],
                "skips": [],
                "bars": [],
                "marks": [],
            }
            for name, facts in self.strategies.items()
        ]
        return {
            "start": at("0:00"),
            "end": at("0:00", days),
            "days": days,
            "now": NOW.isoformat(),
            "zone": "Asia/Kolkata",
            "rows": [self._ahead(row, days) for row in rows if only in {None, row["id"]}],
        }

    def _ahead(self, row: Json, days: int) -> Json:
        """A row of today, and its windows again on the days to come; tomorrow only what never closes."""
        bands, skips = list(row["bands"]), list(row["skips"])
        for day in range(1, days):
            for band in row["bands"]:
                never_closes = band["start"] == at("0:00")
                if never_closes or (day > 1 and (NOW + timedelta(days=day)).weekday() < 5):
                    bands.append({side: shifted(when, day) for side, when in band.items()})
                elif day == 1:
                    skips.append({"at": shifted(band["start"], 1), "why": HOLIDAY})
        return row | {"bands": bands, "skips": skips}

    async def runs(self, strategy: str, limit: int) -> list[Json]:
        if strategy not in self.history:
            self.strategy(strategy)
        return self.history.get(strategy, [])[:limit]

    def strategy_of(self, pid: int) -> str | None:
        return self.family.get(pid)

    def log_files(self, strategy: str) -> Sequence[Path]:
        paths = [Path(path) for path in lognames.of(self.folder, strategy)]
        if not paths:
            self.strategy(strategy)
        return paths

    async def news(self, after: int | None) -> AsyncIterator[News]:
        told = len(self._told) if after is None else after
        hung_up = self._hung_up
        self.listeners += 1
        try:
            while hung_up == self._hung_up:
                while told < len(self._told):
                    told += 1
                    yield self._told[told - 1]
                await self._changed.wait()
        finally:
            self.listeners -= 1

    def ready(self) -> tuple[bool, str | None]:
        return self.why_not_ready is None, self.why_not_ready

    async def upgrade(self, by: str) -> Json:
        if self.upgrade_refused is not None:
            raise Refused(self.upgrade_refused)
        return {"version": "0.2.0", "was": "0.1.0", "began": at("9:00")}

    def shutdown(self, *, stop_strategies: bool) -> None:
        self.shutdowns.append(stop_strategies)


def run(number: int, began: str, ended: str | None = None, **more: Any) -> Json:
    """One row of the history."""
    lasted = None
    if ended is not None:
        lasted = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
    facts: Json = {
        "strategy": "ema",
        "run": number,
        "pid": 4000 + number,
        "began": began,
        "ended": ended,
        "failed": None if ended is None else False,
        "code": None,
        "signal": None,
        "cause": None,
        "stopped": None,
        "unknown": None if ended is None else False,
        "duration_s": lasted,
        "cpu_s": None if ended is None else 41.7,
        "peak_memory": None if ended is None else 63_100_000,
        "dropped_bytes": 0,
        "commit": "9f3c2ab41d77",
        "dirty": False,
        "script_sha256": "5b1c77f0aa93e1",
        "log": None,
        "restarts": 0,
        "last_line": None,
    }
    return facts | more
