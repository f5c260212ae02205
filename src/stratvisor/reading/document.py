"""YAML text as a tree of nodes, or the problems that keep it from being one.

A node holds what its author wrote, never what YAML makes of it: `no` is the text "no" of kind UNSURE,
not False. YAML 1.1 and 1.2 read many plain words differently (no, 010, 15:30, 2026-11-23), so every
scalar is told apart by one table here, and no resolver or constructor of the library is asked.

The parser's events are folded into nodes one by one, so nesting costs no recursion, and reading stops
at the first sign of a bomb. Anchors, aliases, merge keys, tags and further documents are problems.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from stratvisor.reading.nodes import Broken, Entry, Kind, Mapping, Mark, Node, Scalar, Sequence
from stratvisor.spec import Problem
from stratvisor.wording import label, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_VALUES = 10_000
MOST_DEPTH = 20

_LOADER: type[yaml.CSafeLoader | yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(content: bytes, file: str) -> tuple[Mapping | None, tuple[Problem, ...]]:
    """The one mapping that the text holds; None where it cannot be told. Never raises.

    `file` is the name that marks and problems carry.
    """
    reading = _Reading(file)
    try:
        root = reading.compose(_decoded(content, file))
    except _Stop as stop:
        reading.problems.append(stop.problem)
        root = None
    return root, tuple(reading.problems)


# Plain scalars: what both versions of YAML agree upon, and what at least one takes for more than text.
# Version 1.1: https://yaml.org/type/; version 1.2: the core schema, https://yaml.org/spec/1.2.2/#103-core-schema

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_UNSURE = re.compile(
    r"""(?x: (?i: yes | no | on | off | true | false )
    | [-+]? 0 ( b[01_]+ | o?[0-7_]+ | x[0-9a-fA-F_]+ )
    | [-+]? [0-9][0-9_]* ( \. [0-9_]* )? ( [eE][-+]?[0-9]+ )?
    | [-+]? \. [0-9][0-9_]* ( [eE][-+]?[0-9]+ )?
    | [-+]? [0-9][0-9_]* ( :[0-5]?[0-9] )+ ( \. [0-9_]* )?
    | [-+]? (?i: \.inf ) | (?i: \.nan )
    | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} ( [Tt\ \t] .* )?
    | = | << )"""
)


def kind_of(text: str) -> Kind:
    """The kind of a plain scalar, one without quotes."""
    if text in _NOTHING:
        return Kind.NOTHING
    if text in ("true", "false"):
        return Kind.TRUTH
    if _WHOLE.fullmatch(text):
        return Kind.WHOLE
    if _DECIMAL.fullmatch(text):
        return Kind.DECIMAL
    return Kind.UNSURE if _UNSURE.fullmatch(text) else Kind.TEXT


class _Stop(Exception):  # noqa: N818  the end of a reading
    """A problem after which the rest of the text cannot be told."""

    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(*mark, "", message)


# YAML 1.2, 5.1: what may stand in a stream at all.
_FORBIDDEN = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _decoded(content: bytes, file: str) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(content[: error.start].decode("utf-8"), file)
        raise _Stop(
            place, f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error
    bad = _FORBIDDEN.search(text)
    if bad is not None:
        raise _Stop(_place(text[: bad.start()], file), f"control character U+{ord(bad[0]):04X}; remove it")
    return text.removeprefix("\ufeff")


def _place(before: str, file: str) -> Mark:
    """Where the character after `before` stands."""
    return Mark(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet. A mapping's children are key, value, key, value."""

    mark: Mark
    is_mapping: bool
    refused: bool
    children: list[Node]

    def step(self) -> str:
        """The part of a dotted path that leads to the child to come."""
        if not self.is_mapping:
            return f"[{len(self.children)}]"
        key = self.children[-1] if len(self.children) % 2 else None
        return f".{label(key.text)}" if isinstance(key, Scalar) else ""


class _Reading:
    """Folds the events of one text into nodes."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._open: list[_Open] = []
        self._roots: list[Node] = []

    def compose(self, text: str) -> Mapping | None:
        for count, event in enumerate(_events(text, self._file)):
            mark = _mark(self._file, event.start_mark)
            if count > MOST_VALUES:
                raise _Stop(mark, f"more than {MOST_VALUES} values; no file of settings is that large")
            self._take(event, mark)
        return self._root()

    def _root(self) -> Mapping | None:
        if not self._roots:
            raise _Stop(Mark(self._file, 1, 1), "the file is empty; remove it, or write its keys")
        root = self._roots[0]
        if isinstance(root, Scalar | Sequence):
            raise _Stop(root.mark, "must be keys and values, such as 'script: strategies/my_strategy.py'")
        return root if isinstance(root, Mapping) else None

    def _take(self, event: yaml.Event, mark: Mark) -> None:
        if isinstance(event, yaml.DocumentStartEvent) and self._roots:
            raise _Stop(mark, "a second document; one file holds one, remove the line '---'")
        if isinstance(event, yaml.AliasEvent):
            self._problem(mark, "aliases are not accepted; write the value out")
            self._add(Broken(mark))
        elif isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event, mark))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event, mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._add(self._closed(self._open.pop()))

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> Node:
        if self._refused(event, mark):
            return Broken(mark)
        plain = event.implicit[0]
        return Scalar(event.value, kind_of(event.value) if plain else Kind.TEXT, mark)

    def _begin(self, event: yaml.CollectionStartEvent, mark: Mark) -> None:
        if len(self._open) == MOST_DEPTH:
            raise _Stop(mark, f"nested more than {MOST_DEPTH} deep; no setting is")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._open.append(_Open(mark, is_mapping, self._refused(event, mark), []))

    def _refused(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, mark: Mark) -> bool:
        """Whether its value cannot be told. An anchor is a problem too, but leaves it readable."""
        if event.anchor is not None:
            self._problem(mark, f"anchors are not accepted; remove {label('&' + event.anchor)!r}")
        if event.tag is not None:
            written = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(mark, f"tags are not accepted; remove {label(written)!r}")
        return event.tag is not None

    def _add(self, node: Node) -> None:
        (self._open[-1].children if self._open else self._roots).append(node)

    def _closed(self, done: _Open) -> Node:
        if done.refused:
            return Broken(done.mark)
        if not done.is_mapping:
            return Sequence(tuple(done.children), done.mark)
        pairs = zip(done.children[::2], done.children[1::2], strict=True)
        return Mapping(tuple(self._entries(pairs)), done.mark)

    def _entries(self, pairs: Iterable[tuple[Node, Node]]) -> Iterator[Entry]:
        seen: dict[str, int] = {}
        for key, value in pairs:
            wrong = _wrong_key(key, seen)
            if wrong:
                named = isinstance(key, Scalar) and key.text
                self._problem(key.mark, wrong, f".{label(named)}" if named else "")
            elif isinstance(key, Scalar):
                seen[key.text] = key.mark.line
                yield Entry(key.text, key.mark, value)

    def _problem(self, mark: Mark, message: str, step: str = "") -> None:
        path = "".join(collection.step() for collection in self._open) + step
        self.problems.append(Problem(*mark, path.removeprefix("."), message))


def _wrong_key(key: Node, seen: dict[str, int]) -> str:
    match key:
        case Broken():
            return ""
        case Sequence() | Mapping():
            return "a key must be plain text"
        case Scalar(text="", kind=Kind.NOTHING):
            return "a key is missing before ':'"
        case Scalar(text="<<", kind=Kind.UNSURE):
            return "merge keys are not accepted; write the keys out"
        case Scalar(text=text):
            return f"given twice, first on line {seen[text]}; keep one" if text in seen else ""


def _mark(file: str, mark: yaml.Mark | yaml._yaml.Mark | None) -> Mark:
    return Mark(file, 1, 1) if mark is None else Mark(file, mark.line + 1, mark.column + 1)


def _events(text: str, file: str) -> Iterator[yaml.Event]:
    """The parser's events; its errors as ours."""
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        place = _mark(file, error.problem_mark or error.context_mark)
        raise _Stop(place, _explained(error, _character(text, place))) from error
    except (yaml.YAMLError, ValueError) as error:
        # ValueError comes from the parser in Python, of an escape past the last character.
        raise _Stop(Mark(file, 1, 1), f"not YAML: {' '.join(str(error).split())}") from error


def _character(text: str, place: Mark) -> str:
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    return line[place.column - 1 : place.column]


def _explained(error: yaml.MarkedYAMLError, character: str) -> str:
    problem = error.problem or "cannot be understood"
    if "cannot start any token" in problem and character == "\t":
        return "not YAML: a tab; indent with spaces"
    if "cannot start any token" in problem:
        return f"not YAML: put a text that begins with {character!r} in quotes: {quoted(character + '...')}"
    if "mapping values are not allowed" in problem:
        return "not YAML: ': ' inside a value; put the value in quotes, or check the indentation"
    return f"not YAML: {problem}" + (f" ({error.context})" if error.context else "")
