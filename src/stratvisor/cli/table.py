"""Lays facts out in columns, as wide as the reader's terminal and no wider.

Pure: cells in, lines out. The last column is prose and wraps; others go, least needed first, where
there is no room for it; on a phone each row becomes a short paragraph. Nothing is cut off: the end of a
sentence is where it says what to do.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GAP = 2
LEAST_PROSE = 30
"""Characters of the last column below which another column gives way."""
INDENT = 2


class Column(NamedTuple):
    """One column. Columns go in the order of `need`, the lowest first; None never goes."""

    title: str
    need: int | None = None
    right: bool = False


class Row(NamedTuple):
    """One row of plain cells, and how to paint one of them."""

    cells: tuple[str, ...]
    painted: int | None = None
    paint: Callable[[str], str] = str


def table(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[str]:
    """The lines of a table. `width` None: as wide as it takes, a row a line.

    A column without anything in it is left out, and so is the head of columns without titles.
    """
    shown = [
        place
        for place, column in enumerate(columns)
        if column.need is None or any(row.cells[place] for row in rows)
    ]
    widths = [
        max(len(column.title), *(len(row.cells[place]) for row in rows))
        for place, column in enumerate(columns)
    ]
    for place in sorted(shown, key=lambda place: columns[place].need or 0):
        if width is None or _room(shown, widths, width) >= LEAST_PROSE:
            break
        if columns[place].need is not None:
            shown.remove(place)
    if width is not None and _room(shown, widths, width) < LEAST_PROSE:
        return [line for row in rows for line in _paragraph(row, shown, width)]
    header = Row(tuple(column.title for column in columns))
    headed = (header, *rows) if any(header.cells) else rows
    return [line for row in headed for line in _lines(row, columns, shown, widths, width)]


def _room(shown: Sequence[int], widths: Sequence[int], width: int) -> int:
    """What is left for the last column."""
    return width - sum(widths[place] + GAP for place in shown[:-1])


def _lines(
    row: Row, columns: Sequence[Column], shown: Sequence[int], widths: Sequence[int], width: int | None
) -> list[str]:
    *short, prose = shown
    head = ""
    for place in short:
        cell = row.cells[place]
        blank = " " * (widths[place] - len(cell))
        cell = row.paint(cell) if place == row.painted else cell
        head += (blank + cell if columns[place].right else cell + blank) + " " * GAP
    text = row.cells[prose]
    if width is None:
        return [(head + text).rstrip()]
    first, *rest = _wrap(text, _room(shown, widths, width)) or [""]
    margin = " " * (width - _room(shown, widths, width))
    return [(head + first).rstrip(), *(margin + line for line in rest)]


def _paragraph(row: Row, shown: Sequence[int], width: int) -> list[str]:
    """The short cells on one line or more, the prose below them."""
    *short, prose = shown
    lines: list[str] = []
    used = width
    for place in short:
        cell = row.cells[place]
        words = row.paint(cell) if place == row.painted else cell
        if used + GAP + len(cell) <= width:
            lines[-1] += " " * GAP + words
            used += GAP + len(cell)
        else:
            lines.append(words)
            used = len(cell)
    margin = " " * INDENT
    return lines + [margin + line for line in _wrap(row.cells[prose], width - INDENT)]


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)
