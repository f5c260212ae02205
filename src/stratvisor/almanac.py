"""All calendars there are: the shipped ones, with those of a home's calendars/ laid over them.

A file harms only itself: while it is bad, its last good version stays in force; where there is none, no
calendar of its name is known, and nothing starts by it. Reads, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from stratvisor.calendar import NAME, Calendar, laid_over
from stratvisor.reading import calendar as reading
from stratvisor.reading import source
from stratvisor.reading.keys import At
from stratvisor.reading.nodes import Mark
from stratvisor.spec import Problem
from stratvisor.wording import did_you_mean, file_name

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.reading.calendar import Page

FOLDER = "calendars"
SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class Almanac:
    """The calendars that may be named, with what is wrong with their files."""

    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    sources: Mapping[str, bytes] = field(default_factory=dict)
    """The text of each file of the home that is good."""
    bad: frozenset[str] = frozenset()
    """Calendars whose file is bad, whether a last good version is in force or none."""

    def why_unknown(self, name: str) -> str:
        """What to tell whoever names a calendar that is not there."""
        if name in self.bad:
            return f"{FOLDER}/{name}{SUFFIX} is bad; mend it"
        hint = did_you_mean(name, self.calendars) or f"; there are {', '.join(sorted(self.calendars))}"
        return f"no calendar {name!r}{hint}"


class Reader:
    """Reads the calendars of a home again and again; equal texts give the same calendars."""

    def __init__(self, last_good: Mapping[str, bytes] | None = None) -> None:
        self._last_good = dict(last_good or {})
        self._made: dict[str, tuple[bytes, Calendar | tuple[Problem, ...]]] = {}

    def read(self, home: Path) -> Almanac:
        """All calendars as they are now. Never raises."""
        calendars = dict(shipped())
        problems: list[Problem] = []
        sources: dict[str, bytes] = {}
        bad: set[str] = set()
        try:
            paths = _paths(home / FOLDER)
        except OSError as error:
            problems.append(_whole(home / FOLDER, f"cannot be read: {error.strerror}"))
            paths, bad = [], set(self._last_good)
        for path in paths:
            found = self._at(path, sources)
            if isinstance(found, Calendar):
                calendars[path.stem] = found
            else:
                problems += found
                bad.add(path.stem)
        for name in bad - sources.keys():
            calendars.pop(name, None)
            last = self._last_good.get(name)
            kept = None if last is None else self._calendar(name, last)
            if isinstance(kept, Calendar):
                calendars[name] = kept
        self._last_good |= sources
        return Almanac(calendars, tuple(problems), sources, frozenset(bad))

    def _at(self, path: Path, sources: dict[str, bytes]) -> Calendar | tuple[Problem, ...]:
        if path.suffix != SUFFIX:
            return (
                _whole(path, f"the name must end in {SUFFIX}; rename it to {file_name(path.stem)}{SUFFIX}"),
            )
        if not NAME.fullmatch(path.stem):
            return (_whole(path, "the name is the calendar's: letters, digits, _ and -, at most 32"),)
        try:
            text = source.read(path)
        except source.CannotReadError as error:
            return (_whole(path, str(error)),)
        found = self._calendar(path.stem, text)
        if isinstance(found, Calendar):
            sources[path.stem] = text
        return found

    def _calendar(self, name: str, text: bytes) -> Calendar | tuple[Problem, ...]:
        made = self._made.get(name)
        if made is None or made[0] != text:
            made = (text, parse(name, text, f"{FOLDER}/{name}{SUFFIX}", shipped()))
            self._made[name] = made
        return made[1]


def read(home: Path, last_good: Mapping[str, bytes] | None = None) -> Almanac:
    """The calendars of a home, once."""
    return Reader(last_good).read(home)


def parse(name: str, text: bytes, file: str, below: Mapping[str, Calendar]) -> Calendar | tuple[Problem, ...]:
    """One calendar from its text, or all that is wrong with it; `below` is what it may be laid over."""
    page = reading.read(text, file)
    if not isinstance(page, reading.Page):
        return page
    at = At(page.findings)
    base = below.get(page.like or name)
    if page.like and base is None:
        like = at.key("like")
        place = like.place
        mark = place.value if place else Mark(file, 1, 1)
        like.problem(mark, f"no shipped calendar {page.like!r}{did_you_mean(page.like, below)}")
    elif base is None:
        _check_whole(page, at, Mark(file, 1, 1))
    calendar = laid_over(page.sheet, base or Calendar(name), name)
    if not page.findings.problems:
        reading.note_unknown_days(page, calendar.known_until)
    return page.findings.in_order() if page.findings.problems else calendar


def _check_whole(page: Page, at: At, top: Mark) -> None:
    """A calendar that is laid over no other says everything itself."""
    missing = [
        repr(key) for key in ("timezone", "known_until", "regular") if getattr(page.sheet, key) is None
    ]
    if missing:
        at.problem(top, f"needs {' and '.join(missing)}, or 'like' to name a shipped calendar")
    ordinary = at.key("ordinary")
    if ordinary.place:
        ordinary.problem(ordinary.place.key, "has no effect where nothing lies below; remove it")


@cache
def shipped() -> Mapping[str, Calendar]:
    """Those of the package."""
    folder = files("stratvisor").joinpath(FOLDER)
    texts = {
        entry.name.removesuffix(SUFFIX): entry.read_bytes()
        for entry in folder.iterdir()
        if entry.name.endswith(SUFFIX)
    }
    calendars: dict[str, Calendar] = {}
    while len(calendars) < len(texts):  # each round, those that are like one of the rounds before
        made = {
            name: found
            for name, text in sorted(texts.items())
            if name not in calendars
            and isinstance(found := parse(name, text, f"{FOLDER}/{name}{SUFFIX}", calendars), Calendar)
        }
        if not made:
            raise ValueError(f"bad calendars in the package: {sorted(texts.keys() - calendars)}")
        calendars |= made
    return dict(sorted(calendars.items()))


def _paths(folder: Path) -> list[Path]:
    """What is meant as a calendar: YAML by its name, and not hidden as what editors keep is.

    Raises:
        OSError: there is a folder, but it cannot be read.
    """
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    return [
        path
        for path in entries
        if not path.name.startswith(".") and path.name.lower().endswith((SUFFIX, ".yml"))
    ]


def _whole(path: Path, message: str) -> Problem:
    """A problem of a whole file, or of the folder."""
    file = FOLDER if path.name == FOLDER else f"{FOLDER}/{file_name(path.name)}"
    return Problem(file, 1, 1, "", message)
