"""What a library says of one exchange, as facts, and for which years it is to be believed.

Knows sessions and bounds, not which library said so nor how it was asked.

Rule: a library that says nothing of its end is doubted. Where the days that it lists by hand have run
out, its rules alone go on for ever, and make sessions of holidays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor.wallclock import instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratvisor.calendar import Calendar

Stretch = tuple[datetime, datetime]
"""From its opening to its close, in UTC."""

AHEAD = 2
"""Exchanges publish their holidays one to three years before; who says more than that guesses."""

USUAL_YEARS = 10
"""Years before one, by which it is judged whether its list of closed days has run out."""

FEWEST_CLOSED = 0.6
"""Of the closed days of a usual year. Where a list has run out, less than half are left (XKAR, XIDX from
2026 on in exchange_calendars 4.13); the least of its 69 other exchanges has 0.8."""

AROUND = 7
"""Days before and after the years of a record on which a calendar made of it must say nothing."""


class CannotGenerateError(Exception):
    """No calendar can be made; the text says why and what to do, for whoever knows what was asked."""


@dataclass(frozen=True, slots=True)
class Record:
    """One exchange between two dates, which are those on which a session opens."""

    code: str
    timezone: str
    library: str
    """Its name and version, and those of what its answer depends on."""
    first: date
    last: date
    stretches: tuple[Stretch, ...]
    names: Mapping[date, str]
    """Of closed days and those that differ, as far as the library has one."""
    changes: frozenset[date]
    """The first days of other regular hours."""
    closures: Mapping[int, int]
    """How many closed days it lists for each year, and for those before."""
    known_from: date | None = None
    known_until: date | None = None
    """Beyond it the library refuses; None: it has not said."""

    @property
    def zone(self) -> ZoneInfo:
        """The clock of the exchange."""
        return ZoneInfo(self.timezone)


def check_years(record: Record, today: date) -> None:
    """See that the library knows all years of the record.

    Raises:
        CannotGenerateError: it does not.
    """
    if record.known_from and record.first < record.known_from:
        raise CannotGenerateError(
            f"{record.library} knows it from {record.known_from} on; ask for later years"
        )
    if record.known_until and record.known_until < record.last:
        why = f"{record.library} knows it until {record.known_until}"
        raise CannotGenerateError(f"{why}; ask for earlier years, or try a newer version of it")
    if record.last.year > today.year + AHEAD:
        why = f"no exchange has published its holidays so far ahead; ask for {today.year + AHEAD} at most"
        raise CannotGenerateError(why)
    for year in range(max(record.first.year, today.year), record.last.year + 1):  # nothing starts in the past
        _check_list(record, year)


def _check_list(record: Record, year: int) -> None:
    usual = median(record.closures.get(before, 0) for before in range(year - USUAL_YEARS, year))
    if record.closures[year] < FEWEST_CLOSED * usual:
        why = (
            f"{record.library} lists {record.closures[year]} closed days for {year}, and {usual:g} in a"
            " usual year: its list has run out, and it would take holidays for sessions"
        )
        raise CannotGenerateError(f"{why}; try a newer version of it")


def check_agrees(calendar: Calendar, record: Record) -> None:
    """See that a calendar has the sessions of the record to the second, and no other.

    Raises:
        CannotGenerateError: it has not.
    """
    theirs = {
        stretch for stretch in record.stretches if record.first <= opened(stretch, record) <= record.last
    }
    wrong = theirs.symmetric_difference(_stretches(calendar, record))
    if wrong:
        start, end = min(wrong)
        whose = "the library" if (start, end) in theirs else "the file"
        raise CannotGenerateError(
            f"the file would not agree with the library: {whose} alone has the session"
            f" {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC; this is a bug of stratvisor's"
        )


def _stretches(calendar: Calendar, record: Record) -> Iterator[Stretch]:
    zone = ZoneInfo(calendar.timezone)
    for count in range(-AROUND, (record.last - record.first).days + AROUND + 1):
        for session in calendar.sessions(record.first + timedelta(days=count)):
            yield instant(session.start, zone), instant(session.end, zone)


def opened(stretch: Stretch, record: Record) -> date:
    """The date on which it opens, on the clock of the exchange."""
    return stretch[0].astimezone(record.zone).date()


def years_text(record: Record) -> str:
    """The years of it: 2027 or 2026-2028."""
    first, last = record.first.year, record.last.year
    return str(first) if first == last else f"{first}-{last}"
