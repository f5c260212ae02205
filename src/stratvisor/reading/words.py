"""The words of our files with a form of their own: zones, times, dates, cron lines, signals, names.

A time is taken from its own text, so an unquoted 15:30 (the number 930 to YAML 1.1) is half past three.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from stratvisor import cron
from stratvisor.reading.nodes import Node, Sequence
from stratvisor.reading.shapes import ListOf
from stratvisor.reading.values import UnsuitableError, Word
from stratvisor.spec import DAY_NAMES
from stratvisor.wording import did_you_mean, quoted

if TYPE_CHECKING:
    from stratvisor.reading.keys import At, Json

EVERY_DAY = frozenset(range(7))


@cache
def _zones() -> dict[str, str]:
    """All IANA names, under themselves and under their last part."""
    names = sorted(available_timezones() - {"localtime", "Factory"})
    return {name.rpartition("/")[2]: name for name in names} | {name: name for name in names}


def _zone(text: str) -> str:
    if _zones().get(text) == text:
        return text
    guess = _zones().get(text.strip().replace(" ", "_").title())
    hint = f"; did you mean {guess!r}?" if guess else did_you_mean(text, _zones().values(), cutoff=0.75)
    raise UnsuitableError(f"must be an IANA time zone such as Asia/Kolkata, not {quoted(text)}{hint}")


ZONE = Word("time zone", _zone, free=True)

_MIDNIGHT = 24 * 3600
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(:([0-5][0-9]))?")


def _seconds(text: str) -> int:
    """Since midnight."""
    found = _TIME.fullmatch(text)
    if not found:
        raise UnsuitableError(f'must be a time of day such as "09:15" or "15:30:00", not {quoted(text)}')
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[4] or 0)


def clock(seconds: int) -> time:
    """The time of day so long after midnight; a whole day after it is midnight again."""
    return time(seconds // 3600 % 24, seconds // 60 % 60, seconds % 60)


BEGIN = Word("time of day", _seconds, pattern=f"^{_TIME.pattern}$")
END = Word(
    "time of day",
    lambda text: _MIDNIGHT if text in ("24:00", "24:00:00") else _seconds(text),
    pattern=f"^({_TIME.pattern}|24:00(:00)?)$",
)


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date(text: str) -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise UnsuitableError(f"no such date: {text}") from error
    raise UnsuitableError(f"must be a date such as 2026-11-08, not {quoted(text)}")


DATE = Word("date", _date, pattern=f"^{_DATE.pattern}$")


def _day(name: str) -> int:
    if name not in DAY_NAMES:
        raise UnsuitableError(f"must name days such as mon or mon-fri, not {quoted(name)}{_day_hint(name)}")
    return DAY_NAMES.index(name)


def _day_hint(name: str) -> str:
    day = name.strip().lower()[:3]
    return f"; did you mean {day!r}?" if day in DAY_NAMES else did_you_mean(name, DAY_NAMES)


def _span(text: str) -> frozenset[int]:
    """One day, or from one to another, round the end of the week if need be."""
    first, dash, last = text.partition("-")
    begin, end = _day(first), _day(last if dash else first)
    if dash and begin == end:
        raise UnsuitableError(f"{text!r} is one day or the whole week; write {first!r} or 'daily'")
    return frozenset((begin + step) % 7 for step in range((end - begin) % 7 + 1))


def _days(text: str) -> frozenset[int]:
    if text == "daily":
        return EVERY_DAY
    return frozenset().union(*(_span(part.strip()) for part in text.split(",")))


_DAY = f"({'|'.join(DAY_NAMES)})"
_DAYS = Word("days", _days, pattern=f"^(daily|{_DAY}(-{_DAY})?( *, *{_DAY}(-{_DAY})?)*)$")


@dataclass(frozen=True, slots=True)
class _Days:
    """Days of the week: `mon`, `mon-fri`, `fri-mon`, `mon,wed`, a list of these, or `daily`."""

    name: str = "days"

    def read(self, node: Node, at: At) -> frozenset[int]:
        """The days, as `date.weekday()` counts them."""
        if isinstance(node, Sequence):
            return frozenset().union(*ListOf(_DAYS, least=1, most=7).read(node, at))
        return _DAYS.read(node, at)

    def plain(self, value: Any) -> str:
        """Their names."""
        return "daily" if value == EVERY_DAY else ",".join(DAY_NAMES[day] for day in sorted(value))

    def schema(self) -> Json:
        """Text or a list of text."""
        return {"anyOf": [_DAYS.schema(), ListOf(_DAYS, least=1, most=7).schema()]}


def _cron(text: str) -> str:
    wrong = cron.problem_of(text)
    if wrong:
        raise UnsuitableError(wrong)
    return text


CRON = Word("cron line", _cron, free=True)


DAYS = _Days()

SIGNALS = ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM", "ABRT", "WINCH")
"""Those that a program may take as a request to end, on every POSIX system."""


def _signal(text: str) -> str:
    name = text.removeprefix("SIG")
    if name == "KILL":
        raise UnsuitableError("KILL comes by itself when the timeouts are over; name what comes before it")
    if name not in SIGNALS:
        hint = did_you_mean(name, SIGNALS)
        raise UnsuitableError(f"must be one of {', '.join(SIGNALS)}, not {quoted(text)}{hint}")
    return name


SIGNAL = Word("signal", _signal, pattern=f"^(SIG)?({'|'.join(SIGNALS)})$")

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
LONGEST_SECRET_NAME = 100
_RESERVED = re.compile(r"(STRATVISOR|STRATEGY)_.*|NOTIFY_SOCKET")


def _variable(name: str) -> str:
    """An environment variable that a strategy's author may set."""
    if not re.fullmatch(_NAME, name):
        raise UnsuitableError(f"must be letters, digits and _, such as SYMBOL, not {quoted(name)}")
    if _RESERVED.fullmatch(name):
        raise UnsuitableError("is set by stratvisor itself; choose another name")
    return name


VARIABLE = Word(
    "variable", _variable, pattern=f"^(?!STRATVISOR_|STRATEGY_|NOTIFY_SOCKET$){_NAME}$", free=True
)


def _secret(name: str) -> str:
    if not re.fullmatch(_NAME, name) or len(name) > LONGEST_SECRET_NAME:
        rule = f"letters, digits and _, at most {LONGEST_SECRET_NAME}, such as OPENALGO_API_KEY"
        raise UnsuitableError(f"must be {rule}, not {quoted(name)}")
    return name


SECRET = Word("secret", _secret, pattern=f"^{_NAME}$", free=True)
