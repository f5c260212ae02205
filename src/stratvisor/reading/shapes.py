"""Grammars of values made of others: a list, names with values, a value or a word, one of several forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as StdMapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from stratvisor.reading.keys import Facts, Grammar, Place, Section, UnreadableError, mapping_of, wrong_kind
from stratvisor.reading.nodes import Mapping, Node, Scalar, Sequence
from stratvisor.reading.values import UnsuitableError, Word

if TYPE_CHECKING:
    from stratvisor.reading.keys import At, Json, Key

N = TypeVar("N")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """Values of one kind in order."""

    item: Grammar[T]
    least: int = 0
    most: int = 1000
    repeats: bool = True
    """Whether a value may stand in it twice."""

    @property
    def name(self) -> str:
        """What the reference calls it."""
        return f"list of {self.item.name}"

    def read(self, node: Node, at: At) -> tuple[T, ...]:
        """The values, once all of them can be read."""
        if not isinstance(node, Sequence):
            raise wrong_kind(node, at, "a list, such as [a, b]")
        if not self.least <= len(node.items) <= self.most:
            raise at.unreadable(node.mark, f"must have {self.least} to {self.most} items")
        values: list[T] = []
        for index, child in enumerate(node.items):
            self._take(values, child, at.item(index))
        if len(values) < len(node.items):
            raise UnreadableError
        return tuple(values)

    def plain(self, value: Any) -> list[Any]:
        """A list of the plain values."""
        return [self.item.plain(part) for part in value]

    def schema(self) -> Json:
        """An array."""
        shape: Json = {"type": "array", "items": self.item.schema(), "maxItems": self.most}
        shape |= {"minItems": self.least} if self.least else {}
        return shape if self.repeats else shape | {"uniqueItems": True}

    def _take(self, values: list[T], node: Node, at: At) -> None:
        try:
            value = self.item.read(node, at)
        except UnreadableError:
            return
        if not self.repeats and value in values:
            at.problem(node.mark, "given twice; keep one")
        else:
            values.append(value)


@dataclass(frozen=True, slots=True)
class Named(Generic[N, T]):
    """Values of one kind under names that the author chooses, sorted by name."""

    key: Word[N]
    item: Grammar[T]

    @property
    def name(self) -> str:
        """What the reference calls it."""
        return f"{self.item.name} under names"

    def read(self, node: Node, at: At) -> tuple[tuple[N, T], ...]:
        """The pairs, once all of them can be read."""
        mapping = mapping_of(node, at)
        values: dict[N, T] = {}
        for entry in mapping.entries:
            here = at.key(entry.key)
            here.findings.places[here.path] = Place(entry.mark, entry.value.mark)
            try:
                name = self.key.parse(entry.key)
            except UnsuitableError as error:
                here.problem(entry.mark, str(error))
                continue
            try:
                values[name] = self.item.read(entry.value, here)
            except UnreadableError:
                continue
        if len(values) < len(mapping.entries):
            raise UnreadableError
        return tuple(sorted(values.items(), key=lambda pair: self.key.show(pair[0])))

    def plain(self, value: Any) -> Json:
        """An object."""
        return {self.key.show(name): self.item.plain(part) for name, part in value}

    def schema(self) -> Json:
        """An object."""
        names = {"pattern": self.key.pattern}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.item.schema()}


@dataclass(frozen=True, slots=True)
class Or(Generic[T]):
    """A value, or a word (or number) that stands for one by itself."""

    some: Grammar[T]
    word: str | int = "none"
    value: T | None = None

    @property
    def name(self) -> str:
        """What the reference calls it."""
        return f"{self.some.name}, or {self.word}"

    def read(self, node: Node, at: At) -> T | None:
        """The value."""
        if isinstance(node, Scalar) and node.text == str(self.word):
            return self.value
        return self.some.read(node, at)

    def plain(self, value: Any) -> Any:
        """The word, or the plain value."""
        return self.word if value == self.value else self.some.plain(value)

    def schema(self) -> Json:
        """The one or the other."""
        return {"anyOf": [self.some.schema(), {"const": self.word}]}


@dataclass(frozen=True, slots=True)
class Form(Generic[T_co]):
    """One way to write a value: keys of its own, and what they make."""

    section: Section
    make: Callable[[Facts], T_co]
    """Raises UnsuitableError where its keys do not go together."""
    signs: frozenset[str]
    """Any of these keys says that it is this form that is meant."""


@dataclass(frozen=True, slots=True)
class OneOf(Generic[T_co]):
    """A value that is written in one of several forms, or as a single word."""

    forms: tuple[Form[T_co], ...]
    """The first whose sign is given is meant."""
    meant: str
    """What is asked of an author who wrote something else."""
    words: StdMapping[str, T_co] = field(default_factory=dict)
    usual: int = 0
    """Which form is meant where no sign is given."""

    @property
    def name(self) -> str:
        """What the reference calls it."""
        return " or ".join([*self.words, "keys"])

    def read(self, node: Node, at: At) -> T_co:
        """The value, once everything in it can be read."""
        if not isinstance(node, Mapping):
            return self._word(node, at)
        told = self.form_of(node)
        form = told or self.forms[self.usual]
        facts = (form.section if told else self._undecided()).read(node, at)
        if not facts.whole:
            raise UnreadableError
        try:
            return form.make(facts)
        except UnsuitableError as error:
            raise at.unreadable(node.mark, str(error)) from error

    def plain(self, value: Any) -> str | None:
        """The word, or None: the keys tell it."""
        return next((word for word, meant in self.words.items() if meant == value), None)

    def schema(self) -> Json:
        """Any of the forms and words."""
        words = [{"enum": list(self.words)}] if self.words else []
        return {"anyOf": [*words, *(form.section.schema() for form in self.forms)]}

    def form_of(self, mapping: Mapping) -> Form[T_co] | None:
        """The form that a mapping is meant to have; None: it does not tell."""
        names = mapping.names()
        return next((form for form in self.forms if form.signs & names), None)

    def _undecided(self) -> Section:
        """The usual form, where the keys of the others are as good a guess."""
        usual = self.forms[self.usual].section
        own = {key.name for key in usual.declared}
        names = dict.fromkeys(key.name for form in self.forms for key in form.section.declared)
        return replace(usual, alternatives=tuple(name for name in names if name not in own))

    def _word(self, node: Node, at: At) -> T_co:
        if isinstance(node, Scalar) and node.text in self.words:
            return self.words[node.text]
        raise wrong_kind(node, at, self.meant)


def walk(grammar: Grammar[Any], path: str = "") -> Iterator[tuple[str, Key]]:
    """Every key at and below a grammar, under its dotted path; `path` leads to the grammar."""
    match grammar:
        case Section():
            for key in grammar.declared:
                here = f"{path}.{key.name}" if path else key.name
                yield here, key
                yield from walk(key.grammar, here)
        case OneOf():
            for form in grammar.forms:
                yield from walk(form.section, path)
        case ListOf():
            yield from walk(grammar.item, f"{path}[]")
        case Or():
            yield from walk(grammar.some, path)
        case _:
            return


def misplaced(declared: tuple[Key, ...]) -> dict[str, str]:
    """For the keys of a section: those that stand below it, and the one place nearest to it, if it is one."""
    places: dict[str, list[str]] = {}
    for path, _ in walk(Section(declared)):
        if "." in path:
            places.setdefault(path.rpartition(".")[2], []).append(path)
    hints = {}
    for name, paths in places.items():
        depth = min(path.count(".") for path in paths)
        nearest = {path for path in paths if path.count(".") == depth}
        if len(nearest) == 1:
            hints[name] = f"unknown key; did you mean {nearest.pop()!r}?"
    return hints
