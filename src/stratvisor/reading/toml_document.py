"""TOML text as the same tree of nodes that YAML gives, or the problem that keeps it from being one.

tomllib gives values without places, so the places are found by asking it again. A statement of TOML
is a key with its value, or a table's header; it begins a line, and no beginning of one is a statement
itself. So the least number of lines from there that parses alone is the statement, and what it parses
to says which key it sets.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator  # noqa: TC003  Path is made at run time
from dataclasses import dataclass
from typing import Any

from stratvisor.reading.nodes import Entry, Kind, Mapping, Mark, Node, Scalar, Sequence
from stratvisor.spec import Problem

MOST_LINES = 50
"""Of one statement. From a longer one on, keys have the place of the last table known."""

Path = tuple[str | int, ...]


def read(content: bytes, file: str) -> tuple[Mapping | None, tuple[Problem, ...]]:
    """The mapping that the text holds; None and the problem where it is not TOML. Never raises.

    A value has the place of the statement that sets it.
    """
    try:
        text = content.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
        table = tomllib.loads(text)
        root = _Tree(file, _places(text)).mapping(table, ())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return None, (Problem(file, line, 1, "", "not UTF-8; save the file as UTF-8"),)
    except RecursionError:
        return None, (Problem(file, 1, 1, "", "nested too deep; no setting is"),)
    except ValueError as error:  # TOMLDecodeError, and int() of more digits than it takes
        return None, (_explained(str(error), content, file),)
    return root, ()


def _explained(error: str, content: bytes, file: str) -> Problem:
    at = re.search(r" \(at line ([0-9]+), column ([0-9]+)\)$", error)
    if at:
        return Problem(file, int(at[1]), int(at[2]), "", f"not TOML: {error[: at.start()]}")
    at_end = error.endswith("(at end of document)")
    return Problem(file, content.count(b"\n") + 1 if at_end else 1, 1, "", f"not TOML: {error}")


@dataclass(frozen=True, slots=True)
class _Tree:
    file: str
    places: dict[Path, tuple[int, int]]

    def mapping(self, table: dict[str, Any], path: Path) -> Mapping:
        entries = (self._entry(key, value, (*path, key)) for key, value in table.items())
        return Mapping(tuple(entries), self._mark(path))

    def _entry(self, key: str, value: object, path: Path) -> Entry:
        return Entry(key, self._mark(path), self._node(value, path))

    def _node(self, value: object, path: Path) -> Node:
        if isinstance(value, dict):
            return self.mapping(value, path)
        if isinstance(value, list):
            items = (self._node(item, (*path, index)) for index, item in enumerate(value))
            return Sequence(tuple(items), self._mark(path))
        text, kind = _told(value)
        return Scalar(text, kind, self._mark(path))

    def _mark(self, path: Path) -> Mark:
        while path and path not in self.places:
            path = path[:-1]
        return Mark(self.file, *self.places.get(path, (1, 1)))


def _told(value: object) -> tuple[str, Kind]:
    match value:
        case bool():
            return str(value).lower(), Kind.TRUTH
        case str():
            return value, Kind.TEXT
        case int():
            return str(value), Kind.WHOLE
        case float() if math.isfinite(value):
            return repr(value), Kind.DECIMAL
        case _:  # a date, a time, inf, nan
            return str(value), Kind.UNSURE


def _places(text: str) -> dict[Path, tuple[int, int]]:
    """The line and column of every statement, under the path of what it sets and each beginning of that."""
    found: dict[Path, tuple[int, int]] = {}
    table: Path = ()
    last: dict[Path, int] = {}
    for place, is_header, statement in _statements(text.split("\n")):
        path = _path_of(statement, is_header=is_header)
        if is_header:
            table = path = _numbered(path, last)
        else:
            path = table + path
        for length in range(1, len(path) + 1):
            found.setdefault(path[:length], place)
    return found


def _statements(lines: list[str]) -> Iterator[tuple[tuple[int, int], bool, dict[str, Any]]]:
    start = 0
    while start < len(lines):
        bare = lines[start].strip()
        end = start + 1
        if bare and not bare.startswith("#"):
            end, statement = _statement(lines, start)
            if statement is None:
                return
            yield (start + 1, lines[start].index(bare) + 1), bare.startswith("["), statement
        start = end


def _statement(lines: list[str], start: int) -> tuple[int, dict[str, Any] | None]:
    """The line after the statement that begins at `start`, and what it parses to."""
    for end in range(start + 1, min(start + MOST_LINES, len(lines)) + 1):
        try:
            return end, tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:
            continue
    return start, None


def _path_of(statement: dict[str, Any], *, is_header: bool) -> Path:
    """Down to where it parts; for `a = {b = 1}`, which reads as `a.b = 1` does, one too far is as good."""
    path: Path = ()
    value: Any = statement
    while isinstance(value, dict) and len(value) == 1:
        ((key, value),) = value.items()
        path = (*path, key)
    return (*path, 0) if is_header and isinstance(value, list) else path


def _numbered(header: Path, last: dict[Path, int]) -> Path:
    """The header's path with the places in arrays of tables that TOML leaves unsaid."""
    path: Path = ()
    for step in header:
        if step == 0:
            last[path] = last.get(path, -1) + 1
        if path in last:
            path = (*path, last[path])
        if step != 0:
            path = (*path, step)
    return path
