"""A record of sessions as a calendar says it: regular hours, closed days, days that differ.

Pure. What is regular is read off the sessions themselves, a day of the week at a time, between two
changes that the library tells of; all else is a day that differs. It need not be clever: whether the
outcome says the same is checked afterwards, session by session.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from stratvisor.calendar import DAY, Day, Hours, Regular, Sheet
from stratvisor.generate.record import CannotGenerateError, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from stratvisor.generate.record import Record, Stretch

Trading = tuple[Hours, ...]
"""The sessions of one date, in order."""

REGULAR_SHARE = 1 / 3
"""Of the Mondays of a time there are sessions on at least so many, or Monday is no trading day."""

UNNAMED = "reason not given"


def drawn(record: Record, source: str) -> Sheet:
    """The calendar file that says what the record does.

    Raises:
        CannotGenerateError: a session is of a kind that a file cannot say, or there is none.
    """
    traded = _by_date(record)
    regular = _regular(record, traded)
    if not regular:
        raise CannotGenerateError("it has no regular session in those years; ask for others")
    return Sheet(
        timezone=record.timezone,
        regular=regular,
        days=tuple(_differing(record, traded, regular)),
        known_until=record.last,
        source=source,
    )


def _by_date(record: Record) -> dict[date, Trading]:
    found: dict[date, Trading] = defaultdict(tuple)
    for stretch in sorted(record.stretches):
        day = opened(stretch, record)
        if record.first <= day <= record.last:
            found[day] = (*found[day], _hours(stretch, record))
    return dict(found)


def _hours(stretch: Stretch, record: Record) -> Hours:
    start, end = (at.astimezone(record.zone).replace(tzinfo=None) for at in stretch)
    whole_day = end - start == DAY and start.time() == start.min.time()
    if end - start >= DAY and not whole_day:
        raise CannotGenerateError(
            f"its session of {start:%Y-%m-%d} lasts from {start:%H:%M} to {end:%H:%M} of the next"
            " day, and no file can say a session of 24 hours that does not begin at midnight; write one"
            " by hand, with the hours of what you trade"
        )
    return Hours(start.time(), end.time())


def _regular(record: Record, traded: dict[date, Trading]) -> tuple[Regular, ...]:
    """The rules of all times between two changes; each has its first day, so that none tells of before."""
    firsts = sorted({record.first} | {day for day in record.changes if record.first < day <= record.last})
    begun: list[tuple[date, dict[Hours, frozenset[int]]]] = []
    for first, after in pairwise([*firsts, record.last + DAY]):
        usual = _usual(first, after, traded)
        if not begun or usual != begun[-1][1]:
            begun.append((first, usual))
    ends = [first - DAY for first, _ in begun[1:]]
    return tuple(
        Regular(days, hours, since=first, until=until)
        for (first, usual), until in zip(begun, [*ends, None], strict=True)
        for hours, days in usual.items()
    )


def _usual(first: date, after: date, traded: dict[date, Trading]) -> dict[Hours, frozenset[int]]:
    """The hours that are regular on some days of the week, each with these days."""
    found: dict[Hours, frozenset[int]] = {}
    for weekday in range(7):
        for hours in _of_weekday(weekday, first, after, traded):
            found[hours] = found.get(hours, frozenset()) | {weekday}
    return found


def _of_weekday(weekday: int, first: date, after: date, traded: dict[date, Trading]) -> Trading:
    days = [day for day in _dates(first, after) if day.weekday() == weekday]
    counts = Counter(traded[day] for day in days if day in traded)
    if not counts or counts.total() < REGULAR_SHARE * len(days):
        return ()
    return counts.most_common(1)[0][0]


def _differing(record: Record, traded: dict[date, Trading], regular: tuple[Regular, ...]) -> Iterator[Day]:
    for day in _dates(record.first, record.last + DAY):
        usual = {rule.hours for rule in regular if rule.covers(day)}
        hours = traded.get(day, ())
        if set(hours) != usual:
            yield Day(day, record.names.get(day, UNNAMED), hours)


def _dates(first: date, after: date) -> Iterator[date]:
    return (first + count * DAY for count in range((after - first).days))
