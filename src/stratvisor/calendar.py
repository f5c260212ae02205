"""When an exchange trades: regular sessions, closed days, and days that differ, as facts.

Knows dates and local times, nothing of files, of what time it is, or of who wants to run when. All
values are immutable and hashable, so that a schedule that holds a calendar can key a cache.

Rule: what is not known is closed. Past `known_until` there is no session, and nobody guesses one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")

DAY = dt.timedelta(days=1)
FOR_EVER = dt.date.max
"""The `known_until` of a calendar that never changes."""


@dataclass(frozen=True, slots=True)
class Hours:
    """From `start` to `end`, local; `end` <= `start` means the next day."""

    start: dt.time
    end: dt.time


@dataclass(frozen=True, slots=True)
class Regular:
    """The hours of ordinary weekdays, as `date.weekday()` counts them, from one date to another."""

    days: frozenset[int]
    hours: Hours
    since: dt.date | None = None
    until: dt.date | None = None
    """The last day; None: from the first, or for ever."""

    def covers(self, day: dt.date) -> bool:
        """Whether an ordinary day has these hours."""
        begun = self.since is None or self.since <= day
        return begun and (self.until is None or day <= self.until) and day.weekday() in self.days


@dataclass(frozen=True, slots=True)
class Day:
    """A date that is not ordinary, and why."""

    date: dt.date
    name: str
    hours: tuple[Hours, ...] = ()
    """None at all: it is closed."""
    special: bool | None = None
    """Whether only those who ask for special sessions trade; None: where its weekday has no regular one."""


@dataclass(frozen=True, slots=True)
class Session:
    """One stretch of trading, in naive local times of the calendar's zone."""

    start: dt.datetime
    end: dt.datetime
    special: bool = False
    """On a day otherwise closed, such as Muhurat trading on a Sunday."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """One exchange. With a name alone it stands for one that is not read yet, and knows no session."""

    name: str
    timezone: str = "UTC"
    """An IANA name; all its dates and times are local to it."""
    regular: tuple[Regular, ...] = ()
    days: tuple[Day, ...] = ()
    """One for each date that is not ordinary."""
    known_until: dt.date = dt.date.min
    """The last day it says anything about."""
    source: str = ""
    _by_date: Mapping[dt.date, Day] = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_date", {day.date: day for day in self.days})
        # Every look at a schedule asks for it, and there are dozens of days.
        facts = (self.name, self.timezone, self.regular, self.days, self.known_until, self.source)
        object.__setattr__(self, "_hash", hash(facts))

    def __hash__(self) -> int:
        return self._hash

    def sessions(self, day: dt.date) -> tuple[Session, ...]:
        """The sessions that begin on a date, in order."""
        if day > self.known_until:
            return ()
        regular = self.ordinary(day)
        differs = self._by_date.get(day)
        if differs is None:
            return _placed(day, regular, special=False)
        special = not regular if differs.special is None else differs.special
        return _placed(day, differs.hours, special=special)

    def ordinary(self, day: dt.date) -> tuple[Hours, ...]:
        """The hours that its weekday has where nothing else is said of it, known or not."""
        return tuple(rule.hours for rule in self.regular if rule.covers(day))

    def name_of(self, day: dt.date) -> str | None:
        """Why a date is closed or differs; None: it is an ordinary one, or not known."""
        differs = self._by_date.get(day) if day <= self.known_until else None
        return None if differs is None else differs.name


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one calendar file says. None: it leaves that to the calendar that it is laid over."""

    timezone: str | None = None
    regular: tuple[Regular, ...] | None = None
    days: tuple[Day, ...] = ()
    ordinary: frozenset[dt.date] = frozenset()
    """Dates on which the calendar below differs, and this one does not."""
    known_until: dt.date | None = None
    source: str | None = None


def laid_over(sheet: Sheet, below: Calendar, name: str) -> Calendar:
    """The calendar of this name that says what the sheet says, and else what the one below does."""
    hidden = {day.date for day in sheet.days} | sheet.ordinary
    days = [*(day for day in below.days if day.date not in hidden), *sheet.days]
    return Calendar(
        name=name,
        timezone=sheet.timezone or below.timezone,
        regular=below.regular if sheet.regular is None else sheet.regular,
        days=tuple(sorted(days, key=lambda day: day.date)),
        known_until=sheet.known_until or below.known_until,
        source=sheet.source or below.source,
    )


def _placed(day: dt.date, hours: tuple[Hours, ...], *, special: bool) -> tuple[Session, ...]:
    sessions = (
        Session(
            dt.datetime.combine(day, each.start),
            dt.datetime.combine(day + (DAY if each.end <= each.start else dt.timedelta()), each.end),
            special,
        )
        for each in hours
    )
    return tuple(sorted(sessions, key=lambda session: session.start))
