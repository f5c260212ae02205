"""Reads text as strategy files, and says what is wrong with it as `LINE:COLUMN: KEY: MESSAGE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from stratvisor import config, settings
from stratvisor.reading import document
from stratvisor.reading.keys import At, Findings, Grammar, UnreadableError
from stratvisor.settings import Settings
from stratvisor.spec import Problem, Spec

T = TypeVar("T")

NOWHERE = Path("/no/such/home")
"""For files that name nothing on the disk."""

RUN = "command: [sh]\n"
"""The shortest file that relies on nothing in the home."""


def told(problems: tuple[Problem, ...]) -> list[str]:
    """Problems as text; the file is left out where it is the one that was read."""
    return [str(problem).removeprefix("conf.d/x.yaml:") for problem in problems]


def spec_of(text: str | bytes, known: Settings | None = None) -> Spec:
    """The strategy `x` that the text makes."""
    found = parsed(text, known)
    assert isinstance(found, Spec), told(found)
    return found


def problems_of(text: str | bytes, known: Settings | None = None) -> list[str]:
    """What is wrong with the text."""
    found = parsed(text, known)
    return [] if isinstance(found, Spec) else told(found)


def parsed(text: str | bytes, known: Settings | None = None) -> Spec | tuple[Problem, ...]:
    content = text.encode() if isinstance(text, str) else text
    return config.parse("x", content, "conf.d/x.yaml", known or Settings(NOWHERE))


def settings_of(text: str, home: Path = NOWHERE) -> Settings:
    """What a stratvisor.toml without problems says."""
    found, problems = settings.parse(text.encode(), home)
    assert not problems, told(problems)
    return found


def value_of(grammar: Grammar[T], text: str) -> T:
    """The value that a grammar reads from `k: TEXT`."""
    found = _value(grammar, text)
    assert not isinstance(found, Findings), [problem.message for problem in found.problems]
    return found


def wrong(grammar: Grammar[Any], text: str) -> list[str]:
    """What a grammar says is wrong with `k: TEXT`."""
    found = _value(grammar, text)
    assert isinstance(found, Findings), found
    return [problem.message for problem in found.problems]


def _value(grammar: Grammar[T], text: str) -> T | Findings:
    root, problems = document.read(f"k: {text}\n".encode(), "f")
    assert root is not None, problems
    findings = Findings()
    try:
        return grammar.read(root.entries[0].value, At(findings, "k"))
    except UnreadableError:
        return findings


BASE = spec_of(RUN)
"""The strategy that the shortest file makes."""
