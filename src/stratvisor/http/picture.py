"""Today's picture as shapes: where each window, run and crash stands on a line from midnight to midnight.

Knows the JSON of `Host.timeline` and percentages, nothing of colours. Shapes too close to be told apart
become one, so that a strategy that crashed a thousand times costs no more than the page is wide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from stratvisor.timeline import fraction, ticks
from stratvisor.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratvisor.ports import Json

NARROWEST = 0.2
"""Percent of the day, about three minutes: what is shorter is drawn this wide, or it could not be seen."""

CLOSEST_MARKS = 0.6
"""Percent of the day between two crashes that are drawn as two."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Something on a row, in percent of the day."""

    x: float
    width: float
    text: str
    failed: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy's day."""

    id: str
    title: str
    state: str
    text: str
    """All of it in words."""
    bands: tuple[Shape, ...]
    bars: tuple[Shape, ...]
    marks: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """One day of all strategies."""

    date: str
    zone: str
    now: float
    """In percent of the day."""
    ticks: tuple[tuple[str, float], ...]
    rows: tuple[Row, ...]


def picture(timeline: Json, only: str | None = None) -> Picture:
    """The shapes of `Host.timeline`, of one strategy where it is named."""
    day = Window(_at(timeline["day_start"]), _at(timeline["day_end"]))
    now = _at(timeline["now"])
    rows = [row for row in timeline["rows"] if only in {None, row["id"]}]
    return Picture(
        date=f"{day.start:%A} {day.start.day} {day.start:%B}",
        zone=timeline["zone"],
        now=_percent(day, now),
        ticks=tuple((label, round(100 * x, 3)) for label, x in ticks(day, timeline["zone"])),
        rows=tuple(_row(day, now, row) for row in rows),
    )


def _row(day: Window, now: datetime, row: Json) -> Row:
    bands = tuple(_shape(day, _at(band["start"]), _at(band["stop"]), "wanted") for band in row["bands"])
    bars = tuple(_merged((_bar(day, now, bar) for bar in row["bars"]), "runs"))
    marks = tuple(_merged((_mark(day, mark) for mark in row["marks"]), "failures", CLOSEST_MARKS))
    said = "; ".join(shape.text for shape in (*bands, *bars, *marks)) or "nothing today"
    return Row(row["id"], row["title"], row["state"], f"{row['title']}: {said}", bands, bars, marks)


def _bar(day: Window, now: datetime, bar: Json) -> Shape:
    end = None if bar["end"] is None else _at(bar["end"])
    failed = bool(bar["failed"])
    shape = _shape(day, _at(bar["start"]), end or now, f"run {bar['run']}", failed=failed)
    ended = " (failed)" if failed else "" if end else " (still running)"
    return replace(shape, width=max(shape.width, NARROWEST), text=shape.text + ended)


def _mark(day: Window, mark: Json) -> Shape:
    at = _at(mark["at"])
    return Shape(
        _percent(day, at), 0.0, f"{at.astimezone(day.start.tzinfo):%H:%M:%S} {mark['text']}", failed=True
    )


def _shape(day: Window, start: datetime, stop: datetime, name: str, *, failed: bool = False) -> Shape:
    x = _percent(day, start)
    zone = day.start.tzinfo
    text = f"{name} {start.astimezone(zone):%H:%M} to {stop.astimezone(zone):%H:%M}"
    return Shape(x, round(_percent(day, stop) - x, 3), text, failed)


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


def _percent(day: Window, at: datetime) -> float:
    return round(100 * fraction(day, at), 3)


def _at(iso: str) -> datetime:
    return datetime.fromisoformat(iso)
