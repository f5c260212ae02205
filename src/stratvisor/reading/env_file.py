r"""The text of an env_file: NAME=VALUE lines, as shells and containers know them.

    # a comment
    export NAME=value        # `export` may stand before; a comment may follow
    NAME="a \"quoted\" \n value"
    NAME='taken as it is'

Nothing is expanded: `$HOME` is five characters. A value ends with its line.
"""

from __future__ import annotations

import re

from stratvisor.reading.values import UnsuitableError, sound
from stratvisor.reading.words import VARIABLE
from stratvisor.spec import Problem
from stratvisor.wording import label

Pairs = tuple[tuple[str, str], ...]

_QUOTED = re.compile(r"""("(?P<double>([^"\\]|\\.)*)"|'(?P<single>[^']*)')\s*(\s\#.*)?""")
_COMMENT = re.compile(r"\s\#.*")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$", "`": "`"}


def read(content: bytes, file: str) -> tuple[Pairs, tuple[Problem, ...]]:
    """The variables of the text, sorted by name, and what is wrong with it. Never raises."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        bad = content.count(b"\n", 0, error.start) + 1
        return (), (Problem(file, bad, 1, "", "not UTF-8; save the file as UTF-8"),)
    lines = _Lines(file)
    for number, line in enumerate(text.split("\n"), start=1):
        lines.take(number, line)
    return tuple(sorted(lines.values.items())), tuple(lines.problems)


class _Lines:
    """The lines of one file, taken one by one."""

    def __init__(self, file: str) -> None:
        self.values: dict[str, str] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._given: dict[str, int] = {}

    def take(self, number: int, line: str) -> None:
        bare = line.strip()
        if not bare or bare.startswith("#"):
            return
        try:
            self._keep(number, *_variable(bare))
        except UnsuitableError as error:
            self.problems.append(Problem(self._file, number, line.index(bare) + 1, "", str(error)))

    def _keep(self, number: int, name: str, value: str) -> None:
        first = self._given.setdefault(name, number)
        if first != number:
            raise UnsuitableError(f"{name} is given twice, first on line {first}; keep one")
        self.values[name] = value


def _variable(line: str) -> tuple[str, str]:
    name, equals, value = line.removeprefix("export ").partition("=")
    if not equals:
        raise UnsuitableError("must be NAME=VALUE")
    name = name.strip()
    try:
        return VARIABLE.parse(name), _value(sound(value))
    except UnsuitableError as error:
        raise UnsuitableError(f"{label(name)} {error}") from error


def _value(text: str) -> str:
    bare = text.strip()
    if not bare.startswith(('"', "'")):
        return _COMMENT.sub("", text).strip()
    found = _QUOTED.fullmatch(bare)
    if not found:
        raise UnsuitableError("must end with the quote that it begins with, on the same line")
    if found["single"] is not None:
        return found["single"]
    return _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[0]), found["double"])
