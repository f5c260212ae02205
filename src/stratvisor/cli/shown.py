"""Facts of the daemon's JSON as people read them: times, spans, sizes, problems.

Pure: text in, text out. What is null shows as nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_UNITS = ("B", "kB", "MB", "GB", "TB")


def clean(text: object) -> str:
    """One printable line: what a strategy printed may steer a terminal, and ends up in `why`."""
    words = "" if text is None else str(text)
    return "".join(letter if letter.isprintable() else " " for letter in words)


def span(seconds: float | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02}m"
    return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"


def size(count: float | None) -> str:
    """Bytes in steps of a thousand, as the config files count them."""
    if count is None:
        return ""
    for unit in _UNITS:
        if count < 999.5 or unit == _UNITS[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"


def percent(share: float | None) -> str:
    """A share of one CPU."""
    return "" if share is None else f"{share:.1f}%"


def moment(when: str | None, beside: str | None = None) -> str:
    """An instant of ISO 8601 on its own wall clock.

    Alone it has its date and its offset from UTC; beside another, its date where that is another day.
    """
    if when is None:
        return ""
    at = datetime.fromisoformat(when)
    clock = f"{at:%H:%M}" if at.second == 0 else f"{at:%H:%M:%S}"
    dated = f"{at:%a} {at.day} {at:%b} {clock}"
    if beside is None:
        return f"{dated} {at.replace(microsecond=0).isoformat()[-6:]}"
    same_day = datetime.fromisoformat(beside).astimezone(at.tzinfo).date() == at.date()
    return clock if same_day else dated


def ending(end: dict[str, Any]) -> str:
    """How a run ended: its code or signal, and the cause where that says more."""
    if end["code"] is None and end["signal"] is None:
        return clean(end["cause"] or "nobody saw it end")
    how = f"exit {end['code']}" if end["signal"] is None else f"killed by {end['signal']}"
    return clean(f"{how}: {end['cause']}" if end["cause"] else how)


def problem_line(problem: dict[str, Any]) -> str:
    """A problem as `check` prints it."""
    key = f"{problem['key']}: " if problem.get("key") else ""
    return clean(f"{problem['file']}:{problem['line']}:{problem['column']}: {key}{problem['message']}")
