"""What `simulate` does: the home's files, played ahead and printed as a timeline.

Apart from its verb, because it reads YAML, which no client of the daemon may load.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor import config, settings
from stratvisor.cli import terminal
from stratvisor.cli.failure import FAILED, USAGE, Failure
from stratvisor.cli.shown import clean
from stratvisor.cli.table import Column, Row, table
from stratvisor.clock import SystemClock
from stratvisor.selection import NothingNamedError, select
from stratvisor.simulation import Happening, Kind, Missed, simulate
from stratvisor.wallclock import instant
from stratvisor.windows import Window
from stratvisor.wording import day_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from stratvisor.cli.simulate import Crash
    from stratvisor.config import Config
    from stratvisor.spec import Spec

MOST_NOTES = 5
"""Crashes that hit nothing and are named one by one."""

_COLUMNS = (Column(""),) * 4
_EVENT = 2
_WIDEST_EVENT = max(map(len, Kind))
_PAINTED_AS = {Kind.START: "running", Kind.JOB: "running", Kind.RESTART: "backoff"}


def foretell(
    home: Path,
    selectors: Sequence[str],
    first: datetime | None,
    days: int,
    crashes: Sequence[Crash],
    *,
    as_json: bool,
) -> int:
    """Print what is to come; the exit code says whether all files are good.

    Raises:
        Failure: what was asked for is not there, or lies outside these days.
    """
    daemon, problems = settings.read(home)
    found = config.read(home, daemon, {})
    problems += found.problems
    zone = ZoneInfo(daemon.timezone)
    period = _period(first, days, zone)
    specs = {name: found.strategies[name] for name in _selected(selectors, found)}
    dying = _dying(crashes, specs, found, period)
    for problem in problems:
        print(problem, file=sys.stderr)
    missed: list[Missed] = []
    happened = _without(missed, simulate(specs.values(), period.start, period.end, dying))
    for line in _json_lines(happened, specs) if as_json else _text(happened, specs, zone, exact=bool(dying)):
        print(line)
    sys.stdout.flush()
    for note in _notes(missed, specs):
        print(note, file=sys.stderr)
    return FAILED if problems else 0


def _period(first: datetime | None, days: int, zone: ZoneInfo) -> Window:
    local = first or SystemClock().now().wall.astimezone(zone).replace(
        hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0
    )
    return Window(instant(local, zone), instant(local + timedelta(days=days), zone))


def _selected(selectors: Sequence[str], found: Config) -> list[str]:
    """The ids that are meant, in order, each once."""
    ids = {name for selector in selectors or ["all"] for name in _named(selector, found, "simulate")}
    return sorted(ids)


def _named(selector: str, found: Config, verb: str) -> tuple[str, ...]:
    if selector in found.bad:
        why = "its file is bad; `stratvisor check` names what to mend"
        raise Failure(f"cannot {verb} {selector}: {why}")
    try:
        return select(selector, found.strategies)
    except NothingNamedError as error:
        raise Failure(f"cannot {verb} {selector}: {error}") from error


def _dying(
    crashes: Sequence[Crash], specs: dict[str, Spec], found: Config, period: Window
) -> dict[str, set[datetime]]:
    """When each strategy is to crash."""
    dying: dict[str, set[datetime]] = {}
    for crash in crashes:
        for name in _named(crash.selector, found, "crash"):
            if name not in specs:
                raise Failure(f"cannot crash {name}: it is not among those simulated; name it too", USAGE)
            dying.setdefault(name, set()).update(_instants(crash, ZoneInfo(specs[name].timezone), period))
    return dying


def _instants(crash: Crash, zone: ZoneInfo, period: Window) -> list[datetime]:
    if isinstance(crash.at, datetime):
        at = instant(crash.at, zone)
        if at not in period:
            raise Failure(f"cannot crash {crash.text}: that is not in the days simulated", USAGE)
        return [at]
    day, last = (edge.astimezone(zone).date() for edge in (period.start, period.end))
    days = (day + timedelta(days=count) for count in range((last - day).days + 1))
    return [at for day in days if (at := instant(datetime.combine(day, crash.at), zone)) in period]


def _without(missed: list[Missed], told: Iterable[Happening | Missed]) -> Iterator[Happening]:
    """What happens; what does not is put aside."""
    for one in told:
        if isinstance(one, Missed):
            missed.append(one)
        else:
            yield one


def _json_lines(happened: Iterable[Happening], specs: dict[str, Spec]) -> Iterator[str]:
    for one in happened:
        at = one.at.astimezone(ZoneInfo(specs[one.id].timezone)).isoformat()
        line = {"at": at, "id": one.id, "event": one.event.value, "why": one.why}
        yield json.dumps(line, ensure_ascii=False)


def _text(
    happened: Iterable[Happening], specs: dict[str, Spec], zone: ZoneInfo, *, exact: bool
) -> Iterator[str]:
    """A paragraph a day. `exact`: leave room for seconds, so that all days align."""
    named = None
    widest = max(map(len, specs), default=0)
    for day, on_it in groupby(happened, lambda one: one.at.astimezone(zone).date()):
        name = _zone_name(day, zone)
        yield from [] if named is None else [""]
        yield f"{day_text(day)} {day.year}" + (f", times in {name}" if name != named else "")
        named = name
        rows = [_row(one, zone, widest, exact=exact) for one in on_it]
        yield from table(_COLUMNS, rows, terminal.width())
    if named is None:
        yield "nothing happens in these days"


def _zone_name(day: date, zone: ZoneInfo) -> str:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    name = noon.tzname() or ""
    return name if name.isalpha() else f"UTC{name}"


def _row(one: Happening, zone: ZoneInfo, widest: int, *, exact: bool) -> Row:
    """Cells as wide on every day."""
    cells = (
        _clock(one.at.astimezone(zone)).ljust(8 if exact else 5),
        one.id.ljust(widest),
        one.event.ljust(_WIDEST_EVENT),
        clean(one.why),
    )
    return Row(cells, _EVENT, terminal.painter(_PAINTED_AS.get(one.event, "")))


def _clock(at: datetime) -> str:
    if at.microsecond:
        return at.time().isoformat("milliseconds")
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def _notes(missed: Sequence[Missed], specs: dict[str, Spec]) -> Iterator[str]:
    for one in missed[:MOST_NOTES]:
        at = one.at.astimezone(ZoneInfo(specs[one.id].timezone))
        yield f"note: crash of {one.id} at {day_text(at)} {_clock(at)}: not running then"
    if len(missed) > MOST_NOTES:
        yield f"note: and {len(missed) - MOST_NOTES} more crashes when nothing ran"
