"""The picture of a day or of some as shapes: where each window, skip, run and crash stands on a line of time.

Knows the JSON of `Host.timeline` and percentages, nothing of colours. Shapes too close to be told apart
become one, so that a strategy that crashed a thousand times costs no more than the page is wide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from stratvisor.timeline import fraction, midnights, ticks
from stratvisor.windows import Window
from stratvisor.wording import day_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratvisor.ports import Json

NARROWEST = 0.2
"""Percent of the line, three minutes of a day: what is shorter is drawn this wide, or nobody could see it."""

CLOSEST_MARKS = 0.6
"""Percent of the line between two crashes, or two skips, that are drawn as two."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Something on a row, in percent of the line."""

    x: float
    width: float
    text: str
    failed: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy's line."""

    id: str
    title: str
    state: str
    text: str
    """All of it in words."""
    bands: tuple[Shape, ...]
    skips: tuple[Shape, ...]
    bars: tuple[Shape, ...]
    marks: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Some days of all strategies."""

    days: int
    dates: str
    zone: str
    now: float
    """In percent of the line."""
    ticks: tuple[tuple[str, float], ...]
    rows: tuple[Row, ...]


def picture(timeline: Json) -> Picture:
    """The shapes of `Host.timeline`."""
    line = _Line(Window(_at(timeline["start"]), _at(timeline["end"])), timeline["days"], timeline["zone"])
    now = _at(timeline["now"])
    return Picture(
        days=line.days,
        dates=line.dates(),
        zone=line.zone,
        now=line.percent(now),
        ticks=line.ticks(),
        rows=tuple(_row(line, now, row) for row in timeline["rows"]),
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """The line of time that all rows share."""

    period: Window
    days: int
    zone: str

    def percent(self, at: datetime) -> float:
        return round(100 * fraction(self.period, at), 3)

    def dates(self) -> str:
        first = self.period.start
        if self.days == 1:
            return f"{first:%A} {first.day} {first:%B}"
        last, _ = midnights(self.period, self.zone)[-1]
        return f"{day_text(first)} to {day_text(last)}"

    def ticks(self) -> tuple[tuple[str, float], ...]:
        """Hours of a day, or days."""
        if self.days == 1:
            found = ticks(self.period, self.zone)
        else:
            found = tuple((f"{day:%a} {day.day}", x) for day, x in midnights(self.period, self.zone))
        return tuple((label, round(100 * x, 3)) for label, x in found)

    def clock(self, at: datetime, style: str = "%H:%M") -> str:
        """An instant in words, with its day where there are several."""
        local = at.astimezone(self.period.start.tzinfo)
        return format(local, style) if self.days == 1 else f"{day_text(local)} {local:{style}}"

    def span(self, start: datetime, stop: datetime) -> str:
        """The day of the end only where it is another."""
        zone = self.period.start.tzinfo
        same_day = start.astimezone(zone).date() == stop.astimezone(zone).date()
        end = f"{stop.astimezone(zone):%H:%M}" if same_day else self.clock(stop)
        return f"{self.clock(start)} to {end}"


def _row(line: _Line, now: datetime, row: Json) -> Row:
    bands = tuple(_merged((_band(line, band) for band in row["bands"]), "windows"))
    skips = tuple(_merged((_skip(line, skip) for skip in row["skips"]), "skipped", CLOSEST_MARKS))
    bars = tuple(_merged((_bar(line, now, bar) for bar in row["bars"]), "runs"))
    marks = tuple(_merged((_mark(line, mark) for mark in row["marks"]), "failures", CLOSEST_MARKS))
    nothing = "nothing today" if line.days == 1 else "nothing in these days"
    said = "; ".join(shape.text for shape in (*bands, *skips, *bars, *marks)) or nothing
    return Row(row["id"], row["title"], row["state"], f"{row['title']}: {said}", bands, skips, bars, marks)


def _band(line: _Line, band: Json) -> Shape:
    return _shape(line, _at(band["start"]), _at(band["stop"]), "wanted")


def _skip(line: _Line, skip: Json) -> Shape:
    at = _at(skip["at"])
    return Shape(line.percent(at), 0.0, f"skipped {line.clock(at)}: {skip['why']}")


def _bar(line: _Line, now: datetime, bar: Json) -> Shape:
    end = None if bar["end"] is None else _at(bar["end"])
    failed = bool(bar["failed"])
    shape = _shape(line, _at(bar["start"]), end or now, f"run {bar['run']}", failed=failed)
    ended = " (failed)" if failed else "" if end else " (still running)"
    return replace(shape, text=shape.text + ended)


def _mark(line: _Line, mark: Json) -> Shape:
    at = _at(mark["at"])
    return Shape(line.percent(at), 0.0, f"{line.clock(at, '%H:%M:%S')} {mark['text']}", failed=True)


def _shape(line: _Line, start: datetime, stop: datetime, name: str, *, failed: bool = False) -> Shape:
    x = line.percent(start)
    width = max(round(line.percent(stop) - x, 3), NARROWEST)
    return Shape(x, width, f"{name} {line.span(start, stop)}", failed)


def _merged(shapes: Iterable[Shape], name: str, closest: float = NARROWEST) -> list[Shape]:
    """Neighbours of one kind as one where either is narrow and less than `closest` lies between them."""
    found: list[Shape] = []
    for shape in sorted(shapes, key=lambda shape: shape.x):
        last = found[-1] if found else None
        if last is None or last.failed != shape.failed or not _blend(last, shape, closest):
            found.append(shape)
            continue
        count = last.count + 1
        width = round(max(last.x + last.width, shape.x + shape.width) - last.x, 3)
        found[-1] = replace(last, width=width, count=count, text=f"{count} {name}, the last: {shape.text}")
    return found


def _blend(left: Shape, right: Shape, closest: float) -> bool:
    gap = right.x - (left.x + left.width)
    return gap < closest and min(left.width, right.width) <= NARROWEST


def _at(iso: str) -> datetime:
    return datetime.fromisoformat(iso)
