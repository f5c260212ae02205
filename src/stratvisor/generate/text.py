"""A calendar as the text of a file, and a record as the text of one that is proven right.

The inverse of `reading.calendar`, whose grammar it follows.

Rule: nothing leaves here that our own reader does not read back as what the library says.
"""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING

from stratvisor import almanac
from stratvisor.calendar import Calendar
from stratvisor.generate.record import CannotGenerateError, check_agrees, check_years, years_text
from stratvisor.generate.sheet import drawn
from stratvisor.reading.document import kind_of
from stratvisor.reading.nodes import Kind
from stratvisor.spec import DAY_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, time

    from stratvisor.calendar import Day, Hours, Sheet
    from stratvisor.generate.record import Record

WIDTH = 110
LONGEST_NAME = 100
"""What `reading.calendar` takes."""


def generated(record: Record, name: str, today: date) -> str:
    """The text of calendars/NAME.yaml, made on that day.

    Raises:
        CannotGenerateError: the library does not know these years, or a file cannot say what it knows.
    """
    check_years(record, today)
    source = f"{record.library}: {record.code}, {years_text(record)}; generated {today}"
    text = "\n".join((*_head(record), *_lines(drawn(record, source)), ""))
    found = almanac.parse(name, text.encode(), f"{almanac.FOLDER}/{name}{almanac.SUFFIX}", almanac.shipped())
    if not isinstance(found, Calendar):
        raise CannotGenerateError(f"{found[0]}; this is a bug of stratvisor's")
    check_agrees(found, record)
    return text


def _head(record: Record) -> Iterator[str]:
    prose = (
        f"{record.code}, made by `stratvisor calendar generate {record.code} --years {years_text(record)}`,"
        " and compared with the library session by session."
        " The library follows rules and lists; what an exchange announces later is not in it. Compare with"
        " the exchange's own list, and mend this file by hand."
        f" It knows nothing of days before {record.first}: nothing starts by it on them."
    )
    yield from textwrap.wrap(prose, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _lines(sheet: Sheet) -> Iterator[str]:
    yield f"timezone: {sheet.timezone}"
    yield f"source: {_scalar(sheet.source or '')}"
    yield f"known_until: {sheet.known_until}"
    yield "\nregular:"
    for rule in sheet.regular or ():
        until = "" if rule.until is None else f", until: {rule.until}"
        yield f"  - {{days: {_days(rule.days)}, {_hours(rule.hours)}, since: {rule.since}{until}}}"
    yield from _section("closed", [f"  {day.date}: {_name(day)}" for day in sheet.days if not day.hours])
    yield from _section("sessions", [line for day in sheet.days for line in _sessions(day)])


def _section(key: str, lines: list[str]) -> list[str]:
    return [f"\n{key}:", *lines] if lines else []


def _sessions(day: Day) -> Iterator[str]:
    return (f"  - {{date: {day.date}, name: {_name(day)}, {_hours(hours)}}}" for hours in day.hours)


def _hours(hours: Hours) -> str:
    end = _clock(hours.end)
    return f'from: "{_clock(hours.start)}", to: "{"24:00" if end == "00:00" else end}"'


def _clock(at: time) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def _days(days: frozenset[int]) -> str:
    """As one span where they follow on another, round the end of the week if need be."""
    begins = [day for day in sorted(days) if (day - 1) % 7 not in days]
    if len(begins) == 1 and len(days) > 1:
        return f"{DAY_NAMES[begins[0]]}-{DAY_NAMES[(begins[0] + len(days) - 1) % 7]}"
    names = ", ".join(DAY_NAMES[day] for day in sorted(days))
    return names if len(days) == 1 else f"[{names}]" if begins else "daily"


def _name(day: Day) -> str:
    return _scalar(" ".join(day.name.split())[:LONGEST_NAME])


def _scalar(text: str) -> str:
    """In quotes, but for words that every reader of YAML takes for text, also within braces."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9 .'()-]*(?<! )", text) and kind_of(text) is Kind.TEXT
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())
