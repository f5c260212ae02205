"""How long the shortest pause between two windows is, by the wall clock, for checking a stop timeout.

Looks at two weeks, in which whatever recurs weekly meets its successor, and at one more before them for
what reaches into them; at no time zone, because a clock that is set moves two neighbours alike, but for
the one night in which it is.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from stratvisor.cron import firings
from stratvisor.spans import CRON_PAIR_CAP
from stratvisor.spec import (
    MICROSECOND,
    CronFor,
    CronPair,
    DaysWindow,
    Schedule,
    SessionWindow,
    WindowForm,
    Windows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = timedelta(days=1)
BEGIN = datetime(2024, 1, 1)  # noqa: DTZ001  a wall clock's Monday
COUNTED_FROM = BEGIN + 8 * DAY
END = COUNTED_FROM + 14 * DAY

Interval = tuple[datetime, datetime]


def shortest_ns(schedule: Schedule) -> int | None:
    """The shortest pause of a week; None: there is none."""
    if not isinstance(schedule, Windows):
        return None
    pieces = sorted(piece for form in schedule.forms for piece in _pieces(form))
    pauses = []
    until = pieces[0][1] if pieces else END
    for start, end in pieces:
        if COUNTED_FROM <= until < start:
            pauses.append(start - until)
        until = max(until, end)
    return min(pauses) // timedelta(microseconds=1) * MICROSECOND if pauses else None


def _pieces(form: WindowForm) -> Iterator[Interval]:
    match form:
        case DaysWindow():
            return _of_days(form)
        case CronPair():
            return _of_pair(form)
        case CronFor():
            length = timedelta(microseconds=form.length_ns // MICROSECOND)
            return ((start, start + length) for start in firings(form.start, BEGIN, END))
        case SessionWindow():
            return iter(())  # between sessions lies what their calendar says, which is not read here
    assert_never(form)


def _of_days(form: DaysWindow) -> Iterator[Interval]:
    lasts = timedelta() if form.start < form.end else DAY
    for day in map(date.fromordinal, range(BEGIN.toordinal(), END.toordinal())):
        if day.weekday() in form.days:
            yield datetime.combine(day, form.start), datetime.combine(day, form.end) + lasts


def _of_pair(form: CronPair) -> Iterator[Interval]:
    stops = [*firings(form.stop, BEGIN, END + CRON_PAIR_CAP), END + CRON_PAIR_CAP]
    for start in firings(form.start, BEGIN, END):
        yield start, min(stops[bisect_right(stops, start)], start + CRON_PAIR_CAP)
