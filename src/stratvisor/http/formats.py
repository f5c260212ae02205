"""How facts look to people: spans, sizes, moments, and which buttons fit a state."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from stratvisor.state import Because
from stratvisor.why import BECAUSE
from stratvisor.wording import day_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratvisor.ports import Json

NONE = "\N{EN DASH}"
_CODE = re.compile(r"`([^`]+)`")
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Button(NamedTuple):
    """One of the three; each has its own place, so that a second click never hits another verb."""

    verb: str
    label: str
    fits: bool
    """Whether it makes sense now."""


_NOT_UP = frozenset({"scheduled", "waiting", "exited", "pending"})
_NO_START = frozenset({"pending", "starting", "running"})
_NO_STOP = frozenset({"stopped", "stopping", "error"})
_LIVE = frozenset({"starting", "running"})


def buttons(strategy: Json) -> tuple[Button, ...]:
    """Start, Stop and Restart, as they fit a strategy's state."""
    state = strategy["state"]
    unreadable = state == "error" and strategy["problems"] and strategy["run"] is None
    return (
        Button(
            "start", "Try now" if state == "backoff" else "Start", state not in _NO_START and not unreadable
        ),
        Button("stop", "Hold" if state in _NOT_UP else "Stop", state not in _NO_STOP),
        Button("restart", "Restart", state in _LIVE),
    )


def span(seconds: float | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return NONE
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if not hours:
        return f"{minutes}m {whole % 60:02}s"
    return f"{days}d {hours % 24}h" if days else f"{hours}h {minutes % 60:02}m"


def cpu(seconds: float | None) -> str:
    """CPU time, which is often less than a second."""
    return f"{seconds:.2f}s" if seconds is not None and seconds < 10 else span(seconds)


def size(count: float | None) -> str:
    """Bytes, in steps of a thousand, as the configuration counts them."""
    if count is None:
        return NONE
    for unit in _UNITS:
        if count < 999.5 or unit == _UNITS[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"


def percent(share: float | None) -> str:
    """Of one core."""
    return NONE if share is None else f"{share:.1f}%"


def moment(iso: str | None, now: str, *, seconds: bool = False) -> str:
    """An instant beside another: the date where it is not the same day, the offset where that differs."""
    if iso is None:
        return NONE
    at, other = datetime.fromisoformat(iso), datetime.fromisoformat(now)
    text = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    if at.date() != other.astimezone(at.tzinfo).date():
        text = f"{at:%a} {at.day} {at:%b} {text}" if at.year == other.year else f"{at:%Y-%m-%d} {text}"
    return text if at.utcoffset() == other.utcoffset() else f"{text} {at.isoformat()[-6:]}"


def local(iso: str | None, now: str) -> str:
    """An instant of any zone on the wall clock of `now`."""
    if iso is None:
        return NONE
    at = datetime.fromisoformat(iso).astimezone(datetime.fromisoformat(now).tzinfo)
    return moment(at.isoformat(), now, seconds=True)


def ending(end: Json) -> str:
    """How a run ended, in a few words, from `last_exit` or the history; of one that goes on: nothing."""
    if end["code"] is None and end["signal"] is None:
        return end["cause"] or ("nobody saw it end" if end.get("unknown") else "")
    told = f"exit {end['code']}" if end["code"] is not None else f"killed by {end['signal']}"
    stopped = end.get("stopped")
    cause = end["cause"] or (BECAUSE[Because(stopped)] if stopped else None)
    return f"{told}: {cause}" if cause else told


def day(iso: str) -> str:
    """The date of an instant, as it stands in it."""
    at = datetime.fromisoformat(iso)
    return f"{at:%A} {at.day} {at:%B}"


def date_of(iso: str) -> str:
    """A date as a day of some week."""
    return day_text(date.fromisoformat(iso))


def hours(window: Json, now: str) -> str:
    """A window or a due time under the day of its start: the end with a date only where that is another."""
    start = datetime.fromisoformat(window["start"])
    offset = (
        "" if start.utcoffset() == datetime.fromisoformat(now).utcoffset() else f" {start.isoformat()[-6:]}"
    )
    if window["stop"] is None:
        return f"from {start:%H:%M}{offset} on"
    if window["stop"] == window["start"]:
        return f"{start:%H:%M}{offset}"
    stop = datetime.fromisoformat(window["stop"])
    dated = "" if stop.date() == start.date() else f"{day_text(stop)} "
    return f"{start:%H:%M} to {dated}{stop:%H:%M}{offset}"


def spans(text: str) -> list[tuple[bool, str]]:
    """A sentence in pieces: whether each is code, and its text without the backticks that made it so."""
    return [(bool(place % 2), piece) for place, piece in enumerate(_CODE.split(text)) if piece]


def unique_problems(problems: Iterable[Json]) -> list[Json]:
    """Each once, in order of file and line."""
    by_place = {(p["file"], p["line"], p["column"], p["key"], p["message"]): p for p in problems}
    return [by_place[place] for place in sorted(by_place)]


FILTERS: dict[str, Any] = {
    "span": span,
    "cpu": cpu,
    "size": size,
    "percent": percent,
    "moment": moment,
    "local": local,
    "ending": ending,
    "day": day,
    "date": date_of,
    "hours": hours,
    "spans": spans,
    "unique_problems": unique_problems,
}
