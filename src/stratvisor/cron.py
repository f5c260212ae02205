"""Cron lines: which of them we accept, and when they fire on a wall clock.

    line   five fields with white space between: minute hour day-of-month month day-of-week
    field  one item, or several joined by commas
    item   `*` | VALUE | VALUE-VALUE, the last one included; `*` and a range may be followed by /STEP
    value  minute 0-59, hour 0-23, day-of-month 1-31, month 1-12 or jan-dec, day-of-week 0-7 or sun-sat
           (0 and 7 are Sunday; `sun` at the end of a range is 7), in either case

A line fires on the dates that its month field allows and whose day fits. Where day-of-month and
day-of-week are both restricted, a day that fits *either* is enough, as in every cron; `0 9 1 * mon`
fires on the first and on Mondays.

Rule: what crons disagree about is refused, with what to write instead: seconds, years, @aliases,
`L W # ? H R`, a step on a plain number, a range that is equal or runs backwards, a step that reaches no
second value, `*/2` in one day field beside a restricted other. So is a line that never fires.

Knows nothing of time zones: dates and times are local. Whether a line fires on a date, and when, is read
off the sets that the check of the line has made anyway; no cron library takes part (croniter needs 36 us
a firing and 50 ms to import, and the tests ask it whether we are right).
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache


class CronError(ValueError):
    """A cron line that is not accepted; the text names the field and says what would be right."""


def problem_of(line: str) -> str | None:
    """What is wrong with a cron line and what would be right, or None where nothing is."""
    try:
        rule(line)
    except CronError as problem:
        return str(problem)
    return None


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    """The first of them is `low`."""

    @property
    def allowed(self) -> str:
        numbers = f"{self.low}-{self.high}"
        return f"{numbers} or {self.names[0]}-{self.names[-1]}" if self.names else numbers


_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
_DAY = _Field("day-of-month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTH_NAMES)
_WEEKDAY = _Field("day-of-week", 0, 7, _WEEKDAY_NAMES)
_FIELDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)

_VALUE = "[a-z]+|[0-9]{1,2}"
_ITEM = re.compile(rf"(?:\*|(?P<low>{_VALUE})(?:-(?P<high>{_VALUE}))?)(?:/(?P<step>[0-9]{{1,2}}))?")

_LEAP_YEAR = 2024


@dataclass(frozen=True, slots=True)
class Rule:
    """A line, expanded. Weekdays count from Sunday, 0."""

    times: tuple[time, ...]
    """In order, the same on each date that fits."""
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Both day fields are restricted, and one that fits is enough."""

    def falls_on(self, day: date) -> bool:
        """Whether the line fires on a date."""
        if day.month not in self.months:
            return False
        by_date = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either else by_date and by_weekday


@lru_cache(maxsize=4096)
def rule(line: str) -> Rule:
    """What the line says. Raises CronError for one that `problem_of` objects to."""
    texts = _split(line)
    minutes, hours, days, months, weekdays = map(_values, _FIELDS, texts)
    found = Rule(
        times=tuple(time(hour, minute) for hour in sorted(hours) for minute in sorted(minutes)),
        days=days,
        months=months,
        weekdays=frozenset(value % 7 for value in weekdays),
        either=texts[2] != "*" and texts[4] != "*",
    )
    _check_day_fields(found, texts)
    return found


def _split(line: str) -> list[str]:
    texts = line.lower().split()
    names = " ".join(field.name for field in _FIELDS)
    if texts and texts[0].startswith("@"):
        raise CronError(f"{texts[0]!r} is not accepted; write the five fields {names}")
    if len(texts) != len(_FIELDS):
        raise CronError(f"a cron line has five fields, not {len(texts)}; write {names}")
    return texts


def _values(field: _Field, text: str) -> frozenset[int]:
    items = text.split(",")
    if "*" in items and len(items) > 1:
        raise CronError(f"{field.name} {text!r}: '*' says it all; write it alone")
    return frozenset(value for item in items for value in _expand(field, item))


def _expand(field: _Field, item: str) -> range:
    parts = _ITEM.fullmatch(item)
    if parts is None:
        raise CronError(
            f"{field.name} {item!r}: not understood; write {field.allowed}, a range, or a step as in '*/2'"
        )
    low, high, step = parts.group("low", "high", "step")
    if low is None:
        return _stepped(field, item, field.low, field.high, step)
    if high is not None:
        return _stepped(field, item, *_bounds(field, low, high), step)
    if step is not None:
        raise CronError(f"{field.name} {item!r}: a step needs '*' or a range before it; write '*/{step}'")
    value = _value(field, low)
    return range(value, value + 1)


def _bounds(field: _Field, low: str, high: str) -> tuple[int, int]:
    first, last = _value(field, low), _value(field, high)
    if high == "sun" and first > last:
        last = 7
    if first == last:
        raise CronError(f"{field.name} '{low}-{high}': not a range; write '{low}'")
    if first > last:
        raise CronError(
            f"{field.name} '{low}-{high}': runs backwards; write '{_around_the_end(field, low, high)}'"
        )
    return first, last


def _around_the_end(field: _Field, low: str, high: str) -> str:
    """What the author of a backward range had in mind, in two ranges."""
    named = {low, high} & set(field.names)
    end, begin = (field.names[-1], field.names[0]) if named else (str(field.high), str(field.low))
    return ",".join(
        first if first == last else f"{first}-{last}" for first, last in ((low, end), (begin, high))
    )


def _stepped(field: _Field, item: str, first: int, last: int, step: str | None) -> range:
    if step is None:
        return range(first, last + 1)
    if not 1 <= int(step) <= last - first:
        raise CronError(f"{field.name} {item!r}: the step must be 1 to {last - first}")
    return range(first, last + 1, int(step))


def _value(field: _Field, text: str) -> int:
    if text in field.names:
        return field.low + field.names.index(text)
    if text.isdigit() and field.low <= int(text) <= field.high:
        return int(text)
    raise CronError(f"{field.name} {text!r}: must be {field.allowed}")


def _check_day_fields(found: Rule, texts: list[str]) -> None:
    """Refuse day fields that crons read in two ways, and those that no date fits."""
    if found.either:
        # Vixie cron wants both to fit where one begins with a star (DOM_STAR in its cron.c), croniter either.
        for field, text in ((_DAY, texts[2]), (_WEEKDAY, texts[4])):
            if "*" in text:
                full = text.replace("*", f"{field.low}-{field.high}")
                raise CronError(
                    f"{field.name} {text!r}: crons disagree what it means beside another restricted "
                    f"day; write {full!r} if either may fit, or '*'"
                )
    elif min(found.days) > max(monthrange(_LEAP_YEAR, month)[1] for month in found.months):
        raise CronError(
            f"day-of-month {texts[2]!r}: no such date in month {texts[3]!r}, so it never fires; "
            "write a day that the month has"
        )
