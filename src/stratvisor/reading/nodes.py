"""What YAML and TOML text have in common: a tree of values that know their place.

A scalar holds what its author wrote and which kind of thing every reader of the language takes it for.
What it means is for the grammars to say (`values`, `words`), where it comes from for `document` and
`toml_document`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Mark(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


class Kind(Enum):
    """What a scalar is to all readers of its language. The value is how a message calls it."""

    TEXT = "text"
    WHOLE = "a whole number"
    DECIMAL = "a number"
    TRUTH = "true or false"
    NOTHING = "nothing"
    UNSURE = "a number, a date or a yes/no to some readers"
    """And text to others. In TOML: a date, a time, nan or inf."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value without parts, as written, with quotes and escapes undone."""

    text: str
    kind: Kind
    mark: Mark


@dataclass(frozen=True, slots=True)
class Sequence:
    """Values in order."""

    items: tuple[Node, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping, and its value."""

    key: str
    mark: Mark
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Values under names; each name once, in the order of the text."""

    entries: tuple[Entry, ...]
    mark: Mark

    def names(self) -> frozenset[str]:
        """Its keys."""
        return frozenset(entry.key for entry in self.entries)

    def get(self, name: str) -> Entry | None:
        """The entry of this name."""
        return next((entry for entry in self.entries if entry.key == name), None)


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands where something was refused; the problem of it is known already."""

    mark: Mark


Node = Scalar | Sequence | Mapping | Broken
