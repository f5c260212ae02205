"""What editors and the reference are told about each kind of config file, from its grammar.

JSON Schema 2020-12 says what a file may hold; what two keys may not say together, and what must be
there on the machine, only `stratvisor check` can tell.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, NamedTuple

from stratvisor.reading.calendar import CALENDAR
from stratvisor.reading.grammar import STRATEGY
from stratvisor.reading.shapes import walk
from stratvisor.settings import SETTINGS

if TYPE_CHECKING:
    from stratvisor.reading.keys import Json, Key, Section

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Row(NamedTuple):
    """One key, as the reference shows it."""

    key: str
    """Dotted; `[]` stands for each item of a list."""
    type: str
    default: str
    """Empty: the keys below say it."""
    meaning: str


def strategy() -> Json:
    """The JSON Schema of conf.d/ID.yaml."""
    return _document("A strategy of stratvisor", STRATEGY)


def settings() -> Json:
    """The JSON Schema of stratvisor.toml."""
    return _document("The settings of stratvisor", SETTINGS)


def calendar() -> Json:
    """The JSON Schema of calendars/NAME.yaml."""
    return _document("A market calendar of stratvisor", CALENDAR)


Kind = Literal["strategy", "settings", "calendar"]


def rows(kind: Kind) -> tuple[Row, ...]:
    """Every key of a kind of file, in the order of its declaration.

    The keys below `defaults` are those of a strategy, and are not repeated.
    """
    section = {"strategy": STRATEGY, "settings": SETTINGS, "calendar": CALENDAR}[kind]
    found = (
        Row(path, key.grammar.name, _default_of(key), key.meaning)
        for path, key in walk(section)
        if not path.startswith("defaults.")
    )
    return tuple(dict.fromkeys(found))


def _document(title: str, section: Section) -> Json:
    return {"$schema": DIALECT, "title": title, **section.schema()}


def _default_of(key: Key) -> str:
    if key.required:
        return key.default or "required"
    return key.default if key.fallback is None else _shown(key.fallback)


def _shown(value: object) -> str:
    """A plain value as YAML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
