"""Declared keys: how a tree of nodes becomes facts, with all its problems, each at its place.

A file's grammar is a tree of declarations: `Section`s of `Key`s, and the grammars of their values. Each
key is declared once, and that one declaration reads the text, guesses what a slip was meant to be, makes
the JSON Schema and writes the row of the reference. So none of them can know a key that another does not.

Knows nothing of strategies. A grammar either gives a value or has noted why it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping as StdMapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, NamedTuple, Protocol, TypeVar

from stratvisor.reading.nodes import Broken, Entry, Kind, Mapping, Mark, Node, Scalar, Sequence
from stratvisor.spec import Problem
from stratvisor.wording import did_you_mean, label, quoted

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Json = dict[str, Any]

MOST_PROBLEMS = 100
"""Of one reading that are told one by one."""


class UnreadableError(Exception):
    """A value cannot be read, and its problem is noted."""


class Place(NamedTuple):
    """Where a key that was given stands."""

    key: Mark
    value: Mark


@dataclass(slots=True)
class Findings:
    """What one reading came upon: the problems, and where every key stands, under its dotted path."""

    laid_under: str = ""
    """The file whose `[defaults]` were laid under the one that is read."""
    problems: list[Problem] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    """The paths that have a problem."""
    places: dict[str, Place] = field(default_factory=dict)

    def in_order(self) -> tuple[Problem, ...]:
        """The problems as an author comes upon them, and not without end."""
        found = sorted(self.problems, key=lambda problem: (problem.file, problem.line, problem.column))
        rest = found[MOST_PROBLEMS:]
        if not rest:
            return tuple(found)
        more = replace(rest[0], key="", message=f"and {len(rest)} more problems from here on")
        return (*found[:MOST_PROBLEMS], more)


@dataclass(frozen=True, slots=True)
class At:
    """A spot in the tree: the path that leads there, and where to note what is found."""

    findings: Findings
    path: str = ""

    def key(self, name: str) -> At:
        """The spot of a key in the mapping here."""
        return At(self.findings, f"{self.path}.{label(name)}" if self.path else label(name))

    def item(self, index: int) -> At:
        """The spot of an item in the list here."""
        return At(self.findings, f"{self.path}[{index}]")

    def problem(self, mark: Mark, message: str) -> None:
        """Note what is wrong here, and what would be right."""
        under = "defaults." if mark.file == self.findings.laid_under else ""
        self.findings.problems.append(Problem(*mark, under + self.path, message))
        self.findings.bad.add(self.path)

    def unreadable(self, mark: Mark, message: str) -> UnreadableError:
        """The same, as an exception to be raised."""
        self.problem(mark, message)
        return UnreadableError(message)

    @property
    def place(self) -> Place | None:
        """Where this key stands; None: it was not given."""
        return self.findings.places.get(self.path)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong here or below."""
        below = (f"{self.path}.", f"{self.path}[")
        return not any(path == self.path or path.startswith(below) for path in self.findings.bad)


class Grammar(Protocol[T_co]):
    """How one kind of value is written."""

    @property
    def name(self) -> str:
        """What the reference calls it."""
        ...

    def read(self, node: Node, at: At) -> T_co:
        """The value of a node.

        Raises:
            UnreadableError: it has none.
        """
        ...

    def plain(self, value: Any) -> Any:
        """A value as YAML and JSON hold it; None where the keys below tell it."""
        ...

    def schema(self) -> Json:
        """The JSON Schema of its values."""
        ...


class Facts:
    """Values that were read, each under the dataclass and the field that it is meant for."""

    def __init__(self) -> None:
        self.whole = True
        """Whether everything that was given could be read."""
        self._of: dict[type, dict[str, Any]] = {}

    def put(self, owner: type, name: str, value: object) -> None:
        """Keep a value."""
        self._of.setdefault(owner, {})[name] = value

    def merge(self, other: Facts) -> None:
        """Keep all values of another."""
        self.whole = self.whole and other.whole
        for owner, values in other._of.items():
            self._of.setdefault(owner, {}).update(values)

    def of(self, owner: type) -> dict[str, Any]:
        """The values for a dataclass, under its fields."""
        return dict(self._of.get(owner, {}))

    def get(self, owner: type, name: str) -> Any:
        """One value, or the default of its field."""
        found = self.of(owner)
        return found[name] if name in found else default_of(owner, name)


def default_of(owner: type, name: str) -> Any:
    """The default that a dataclass gives a field; MISSING where it gives none."""
    found = next(item for item in fields(owner) if item.name == name)
    return found.default if found.default_factory is MISSING else found.default_factory()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping."""

    name: str
    grammar: Grammar[Any]
    meaning: str
    """For the reference and for editors."""
    owner: type | None = None
    """The dataclass that takes the value; None: none does, or the keys below say it."""
    field: str = ""
    """The field that takes it, where it is not called like the key."""
    default: str = ""
    """What holds where the key is left out, if no default of the owner's says it."""
    required: bool = False
    shared: bool = True
    """Whether it may stand in [defaults]."""

    @property
    def fallback(self) -> Any:
        """The plain value of the owner's default, None where that says nothing."""
        if self.owner is None or self.default:
            return None
        value = default_of(self.owner, self.field or self.name)
        return None if value is MISSING else self.grammar.plain(value)

    def read_into(self, facts: Facts, node: Node, at: At) -> None:
        """Read a value and keep it where it belongs."""
        value = self.grammar.read(node, at)
        if isinstance(value, Facts):
            facts.merge(value)
        elif self.owner:
            facts.put(self.owner, self.field or self.name, value)

    def schema(self) -> Json:
        """The JSON Schema of its values, with what editors show."""
        shown: Json = {"description": self.meaning}
        if self.fallback is not None:
            shown["default"] = self.fallback
        return shown | self.grammar.schema()


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of declared keys. Its value is the facts of all of them that can be read."""

    declared: tuple[Key, ...]
    strangers: StdMapping[str, str] = field(default_factory=dict)
    """Keys that people look for here in vain, and what to tell them."""
    alternatives: tuple[str, ...] = ()
    """Keys that might have stood here instead, for guesses."""
    name: str = "keys"

    def read(self, node: Node, at: At) -> Facts:
        """The facts; a problem for each unknown key and each value that cannot be read."""
        mapping = mapping_of(node, at)
        by_name = {key.name: key for key in self.declared}
        facts = Facts()
        strange = [entry for entry in mapping.entries if entry.key not in by_name]
        for entry in strange:
            at.key(entry.key).problem(entry.mark, self._unknown(entry.key))
        for entry in mapping.entries:
            if entry.key in by_name:
                _take(facts, by_name[entry.key], entry, at.key(entry.key))
        if not strange:  # else the unknown key is most likely the slip of the missing one
            self._check_required(mapping, at)
        facts.whole = facts.whole and not strange
        return facts

    def plain(self, value: Any) -> None:
        """The keys tell it."""

    def schema(self) -> Json:
        """An object with these keys and no other."""
        properties = {key.name: key.schema() for key in self.declared}
        shape: Json = {"type": "object", "additionalProperties": False, "properties": properties}
        required = [key.name for key in self.declared if key.required]
        return shape | ({"required": required} if required else {})

    def _check_required(self, mapping: Mapping, at: At) -> None:
        given = mapping.names()
        missing = [repr(key.name) for key in self.declared if key.required and key.name not in given]
        if missing:
            raise at.unreadable(mapping.mark, f"needs {' and '.join(missing)}")

    def _unknown(self, name: str) -> str:
        if name in self.strangers:
            return self.strangers[name]
        known = [*(key.name for key in self.declared), *self.alternatives]
        return "unknown key" + (did_you_mean(name, known) or f"; known here: {', '.join(known)}")


def _take(facts: Facts, key: Key, entry: Entry, at: At) -> None:
    at.findings.places[at.path] = Place(entry.mark, entry.value.mark)
    try:
        key.read_into(facts, entry.value, at)
    except UnreadableError:
        facts.whole = False


def as_written(scalar: Scalar) -> str:
    """A scalar as a message repeats it: text in quotes, and what is no text without them."""
    return quoted(scalar.text) if scalar.kind is Kind.TEXT else label(scalar.text)


def mapping_of(node: Node, at: At) -> Mapping:
    """A node that must be keys and values.

    Raises:
        UnreadableError: it is something else.
    """
    if isinstance(node, Mapping):
        return node
    raise wrong_kind(node, at, "keys and values")


def scalar_of(node: Node, at: At) -> Scalar:
    """A node that must be one value.

    Raises:
        UnreadableError: it is something else, or nothing.
    """
    if isinstance(node, Scalar) and node.kind is not Kind.NOTHING:
        return node
    raise wrong_kind(node, at, "one value")


def wrong_kind(node: Node, at: At, meant: str) -> UnreadableError:
    """Note that a node is not of the kind that is meant, to be raised."""
    match node:
        case Broken():
            return UnreadableError("its problem is noted")
        case Scalar(kind=Kind.NOTHING):
            return at.unreadable(node.mark, "has no value; write one, or remove the key")
        case Scalar():
            return at.unreadable(node.mark, f"must be {meant}, not {as_written(node)}")
        case Sequence():
            return at.unreadable(node.mark, f"must be {meant}, not a list")
        case Mapping():
            return at.unreadable(node.mark, f"must be {meant}, not keys and values")
