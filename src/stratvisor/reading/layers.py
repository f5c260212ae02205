"""How [defaults] lie under a strategy's own keys, as nodes, before either is read.

Where both give keys to the same section, the strategy's count key by key; where a value can have
several forms, only those of the form that the strategy uses show through; any other value hides all
of what lies under it. A node keeps its place, so a problem names the file that it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratvisor.reading.keys import Section
from stratvisor.reading.nodes import Entry, Mapping, Node
from stratvisor.reading.shapes import Named, OneOf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratvisor.reading.keys import Grammar


def laid_over(grammar: Grammar[Any] | None, upper: Node, lower: Node) -> Node:
    """`upper`, and what of `lower` it leaves unsaid; both are of this grammar."""
    if not (isinstance(upper, Mapping) and isinstance(lower, Mapping) and _mixes(grammar, upper, lower)):
        return upper
    return Mapping(tuple(_entries(grammar, upper, lower)), upper.mark)


def _entries(grammar: Grammar[Any] | None, upper: Mapping, lower: Mapping) -> Iterator[Entry]:
    below = {key.name: key.grammar for key in grammar.declared} if isinstance(grammar, Section) else {}
    under = {entry.key: entry for entry in lower.entries}
    for entry in upper.entries:
        covered = under.pop(entry.key, None)
        value = laid_over(below.get(entry.key), entry.value, covered.value) if covered else entry.value
        yield Entry(entry.key, entry.mark, value)
    yield from under.values()


def _mixes(grammar: Grammar[Any] | None, upper: Mapping, lower: Mapping) -> bool:
    if isinstance(grammar, OneOf):
        return grammar.form_of(upper) in (None, grammar.form_of(lower))
    return isinstance(grammar, Section | Named)
