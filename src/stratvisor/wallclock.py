"""What instant a wall clock's time is: the one mapping from local time to UTC.

Knows time zones, nothing of schedules.

Rule: a local time means *the first instant at which the zone's clock shows that time or a later one*. So
a time that DST skips happens when the clock jumps, a time that comes twice counts once, the first time,
and the mapping never runs backwards.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

STEADY = timedelta(days=2)
"""Of so long from a local midnight on, `steady_midnight` speaks."""


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which the zone's clock shows a naive local time or a later one."""
    first = local.replace(tzinfo=zone, fold=0)
    before, after = _offset(first), _offset(first.replace(fold=1))
    if before >= after:  # an ordinary time, or the first of two: PEP 495
        return (local - before).replace(tzinfo=UTC)
    # Skipped: the clock jumps somewhere between the two readings of such a time.
    earliest = (local - after).replace(microsecond=0, tzinfo=UTC)
    seconds = range(int((after - before).total_seconds()))
    jumped = bisect_right(
        seconds,
        before,
        key=lambda second: _offset((earliest + timedelta(seconds=second)).astimezone(zone)),
    )
    return earliest + timedelta(seconds=jumped)


def comes_twice(local: datetime, zone: ZoneInfo) -> bool:
    """Whether the zone's clock shows a naive local time, goes back, and shows it again."""
    first = local.replace(tzinfo=zone, fold=0)
    return _offset(first) > _offset(first.replace(fold=1))


@lru_cache(maxsize=16_384)
def steady_midnight(day: date, timezone: str) -> datetime | None:
    """The instant at which a date begins where the clock is not changed for STEADY; None: it is.

    Then each local time of those days is as far from this instant as it is from midnight by the wall.
    The two ends tell, for no zone has changed twice within six days since 1970.
    """
    zone = ZoneInfo(timezone)
    midnight = datetime.combine(day, time())
    ends = ((midnight + after).replace(tzinfo=zone) for after in (timedelta(), STEADY))
    offsets = {_offset(end.replace(fold=fold)) for end in ends for fold in (0, 1)}
    return (midnight - offsets.pop()).replace(tzinfo=UTC) if len(offsets) == 1 else None


def _offset(at: datetime) -> timedelta:
    offset = at.utcoffset()
    assert offset is not None  # noqa: S101  ZoneInfo gives every date time an offset
    return offset
