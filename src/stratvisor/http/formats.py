"""How facts look to people: spans, sizes, moments, and which buttons fit a state."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from stratvisor.ports import Json

NONE = "\N{EN DASH}"
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Verb(NamedTuple):
    """A button."""

    verb: str
    label: str
    until: str = ""


_START = Verb("start", "Start")
_STOP = Verb("stop", "Stop")
_RESTART = Verb("restart", "Restart")
_RETRY = Verb("start", "Try now")
_HOLD = Verb("stop", "Hold")

_VERBS: dict[str, tuple[Verb, ...]] = {
    "pending": (_HOLD,),
    "scheduled": (_START, _HOLD),
    "waiting": (_HOLD,),
    "starting": (_STOP, _RESTART),
    "running": (_STOP, _RESTART),
    "backoff": (_RETRY, _STOP),
    "stopping": (_START,),
    "exited": (_START, _HOLD),
    "stopped": (_START,),
    "error": (_START,),
}


def verbs(strategy: Json) -> tuple[Verb, ...]:
    """What makes sense to tell it now. One held down is not held again, one with a bad file not started."""
    if strategy["problems"] and strategy["state"] == "error" and strategy["run"] is None:
        return ()
    return _VERBS.get(strategy["state"], (_START, _STOP))


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


def ending(run: Json) -> str:
    """How a run ended, in a few words; of one that goes on: nothing."""
    if run.get("signal") is not None:
        told = str(run["signal"])
    elif run.get("code") is not None:
        told = f"exit {run['code']}"
    else:
        told = ""
    return ", ".join(part for part in (told, run.get("cause")) if part)


FILTERS: dict[str, Any] = {
    "span": span,
    "size": size,
    "percent": percent,
    "moment": moment,
    "ending": ending,
}
