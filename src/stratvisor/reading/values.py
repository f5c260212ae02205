"""Grammars of single values: text, numbers, truths, and the words that stand for a duration, a size, a share.

A word is text with a meaning. Free text (a title, an argument) is taken only where every YAML reader
takes it for text, so that `NO` and `1.10` are never something else than their author saw; a word of a
fixed form (15:30, on-failure) is taken as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from stratvisor.reading.document import kind_of
from stratvisor.reading.keys import as_written, scalar_of
from stratvisor.reading.nodes import Kind
from stratvisor.spec import GB, KB, MB
from stratvisor.wording import DURATIONS, did_you_mean, duration_text, label, quoted

if TYPE_CHECKING:
    from enum import StrEnum

    from stratvisor.reading.keys import At, Json
    from stratvisor.reading.nodes import Node, Scalar

T = TypeVar("T")
E = TypeVar("E", bound="StrEnum")


class UnsuitableError(ValueError):
    """A text that is none of the values meant; says what would be right."""


@dataclass(frozen=True, slots=True)
class Word(Generic[T]):
    """A value that is written as text."""

    name: str
    parse: Callable[[str], T]
    """Raises UnsuitableError."""
    show: Callable[[T], str] = str
    """The inverse of `parse`."""
    pattern: str = ""
    """What JSON Schema can say of the form, as a regular expression of ECMA-262."""
    options: tuple[str, ...] = ()
    """All there are, where they can be counted."""
    free: bool = False
    """Whether it must be text to every reader."""
    unit: str = ""
    """What a bare number most likely lacks."""

    def read(self, node: Node, at: At) -> T:
        """The value."""
        scalar = scalar_of(node, at)
        if self.unit and scalar.kind is Kind.WHOLE:
            raise at.unreadable(scalar.mark, f"has no unit; write {scalar.text}{self.unit}")
        if self.free and scalar.kind is not Kind.TEXT:
            raise at.unreadable(scalar.mark, f"is {scalar.kind.value}; quote it: {quoted(scalar.text)}")
        try:
            return self.parse(sound(scalar.text))
        except UnsuitableError as error:
            raise at.unreadable(scalar.mark, str(error)) from error

    def plain(self, value: Any) -> str:
        """The text."""
        return self.show(value)

    def schema(self) -> Json:
        """A string."""
        shape: Json = {"type": "string"}
        if self.pattern:
            shape["pattern"] = self.pattern
        return shape | ({"enum": list(self.options)} if self.options else {})


def sound(text: str) -> str:
    """Refuse what no argument, path or variable can hold: the parser in Python lets both through."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise UnsuitableError(f"holds NUL or half a character: {quoted(text)}; remove it")
    return text


def _bare(scalar: Scalar, at: At) -> str:
    """The text of a number or a truth, which is neither in quotes."""
    if scalar.kind is Kind.TEXT:
        raise at.unreadable(scalar.mark, f"is text; remove the quotes: {label(scalar.text)}")
    return scalar.text


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    low: int
    high: int

    @property
    def name(self) -> str:
        """What the reference calls it."""
        return f"{self.low} to {self.high}"

    def read(self, node: Node, at: At) -> int:
        """The value."""
        scalar = scalar_of(node, at)
        known = kind_of(scalar.text) is Kind.WHOLE and len(scalar.text) <= 20  # int() of thousands raises
        if not known or not self.low <= int(scalar.text) <= self.high:
            message = f"must be a whole number, {self.low} to {self.high}, not {as_written(scalar)}"
            raise at.unreadable(scalar.mark, message)
        return int(_bare(scalar, at))

    def plain(self, value: Any) -> int:
        """The number."""
        return int(value)

    def schema(self) -> Json:
        """An integer."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Decimal:
    """A number that need not be whole."""

    low: float
    high: float

    @property
    def name(self) -> str:
        """What the reference calls it."""
        return f"{self.low:g} to {self.high:g}"

    def read(self, node: Node, at: At) -> float:
        """The value."""
        scalar = scalar_of(node, at)
        known = kind_of(scalar.text) in (Kind.WHOLE, Kind.DECIMAL)
        if not known or not self.low <= float(scalar.text) <= self.high:
            message = f"must be a number, {self.low:g} to {self.high:g}, not {as_written(scalar)}"
            raise at.unreadable(scalar.mark, message)
        return float(_bare(scalar, at))

    def plain(self, value: Any) -> float:
        """The number, without a point where it is whole."""
        return int(value) if float(value).is_integer() else float(value)

    def schema(self) -> Json:
        """A number."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false, in these words."""

    name: str = "true or false"

    def read(self, node: Node, at: At) -> bool:
        """The value."""
        scalar = scalar_of(node, at)
        if scalar.text not in ("true", "false"):
            raise at.unreadable(scalar.mark, f"must be true or false, not {as_written(scalar)}")
        return _bare(scalar, at) == "true"

    def plain(self, value: Any) -> bool:
        """The truth."""
        return bool(value)

    def schema(self) -> Json:
        """A boolean."""
        return {"type": "boolean"}


def free_text() -> Word[str]:
    """Any text, the empty one too."""
    return Word("text", str, free=True)


def line(most: int) -> Word[str]:
    """One line that can be shown, of at most so many characters."""

    def parse(text: str) -> str:
        if not text.strip() or not text.isprintable() or len(text) > most:
            raise UnsuitableError(f"must be one line of 1 to {most} characters that can be shown")
        return text

    return Word("text", parse, free=True)


def path() -> Word[str]:
    """A path, as it is written."""

    def parse(text: str) -> str:
        if not text.strip() or not text.isprintable():
            raise UnsuitableError(f"must be a path, not {quoted(text)}")
        return text

    return Word("path", parse, pattern=r"\S", free=True)


def matching(name: str, pattern: str, rule: str) -> Word[str]:
    """Text of a form, which `rule` tells."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise UnsuitableError(f"must be {rule}, not {quoted(text)}")
        return text

    return Word(name, parse, pattern=f"^{pattern}$", free=True)


def one_of(*options: str) -> Word[str]:
    """One of a few words."""

    def parse(text: str) -> str:
        if text not in options:
            allowed = " or ".join(filter(None, (", ".join(options[:-1]), options[-1])))
            raise UnsuitableError(f"must be {allowed}, not {quoted(text)}{did_you_mean(text, options)}")
        return text

    return Word(" | ".join(options), parse, options=options)


def choice(options: type[E]) -> Word[E]:
    """One of the words of an enumeration."""
    words = one_of(*(option.value for option in options))
    return Word(words.name, lambda text: options(words.parse(text)), options=words.options)


_DURATION = re.compile(r"([0-9]{1,12})(ms|s|m|h|d)")


def duration(low: int, high: int, step: int = 1) -> Word[int]:
    """Nanoseconds, from `low` to `high`, which are allowed, in multiples of `step`."""

    def parse(text: str) -> int:
        found = _DURATION.fullmatch(text)
        if not found:
            raise UnsuitableError(
                f"must be a whole number with a unit, such as 250ms, 10s, 5m, 2h or 1d, not {quoted(text)}"
            )
        value = _within(int(found[1]) * DURATIONS[found[2]], low, high, duration_text)
        if value % step:
            raise UnsuitableError(f"must be a multiple of {duration_text(step)}, not {quoted(text)}")
        return value

    return Word("duration", parse, duration_text, f"^{_DURATION.pattern}$", unit="s")


_SIZES = {"B": 1, "KB": KB, "KiB": 2**10, "MB": MB, "MiB": 2**20, "GB": GB, "GiB": 2**30}
_SIZE = re.compile(r"([0-9]{1,15})(B|KB|MB|GB|KiB|MiB|GiB)")


def size(low: int, high: int) -> Word[int]:
    """Bytes; `low` and `high` are allowed."""

    def parse(text: str) -> int:
        found = _SIZE.fullmatch(text)
        if not found:
            raise UnsuitableError(
                f"must be a whole number with a unit, such as 500KB, 10MB, 1GB or 512MiB, not {quoted(text)}"
            )
        return _within(int(found[1]) * _SIZES[found[2]], low, high, size_text)

    return Word("size", parse, size_text, f"^{_SIZE.pattern}$", unit="MB")


def size_text(size: int) -> str:
    """Bytes in the unit that makes the smallest whole number: 10MB, 512MiB."""
    if size == 0:
        return "0B"
    unit = max((unit for unit in _SIZES if size % _SIZES[unit] == 0), key=lambda unit: _SIZES[unit])
    return f"{size // _SIZES[unit]}{unit}"


_SHARE = re.compile(r"([0-9]{1,3}(\.[0-9]{1,6})?)%")


def share() -> Word[float]:
    """A percentage up to 100%, a number from 0 to 1."""

    def parse(text: str) -> float:
        found = _SHARE.fullmatch(text)
        if not found or Fraction(found[1]) > 100:
            raise UnsuitableError(f"must be 0% to 100%, such as 10%, not {quoted(text)}")
        return float(Fraction(found[1]) / 100)

    return Word("percentage", parse, lambda share: f"{share * 100:.9g}%", f"^{_SHARE.pattern}$", unit="%")


def _within(value: int, low: int, high: int, show: Callable[[int], str]) -> int:
    if not low <= value <= high:
        raise UnsuitableError(f"must be {show(low)} to {show(high)}, not {show(value)}")
    return value
