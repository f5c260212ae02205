"""stratvisor.toml: the daemon's settings, and the keys that are laid under every strategy.

Every key has a default, and a missing file is all of them. Where there are problems, the settings hold
what could be read and the defaults of the rest: good enough to check strategies against, but not to be
put in force over settings that were right.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from stratvisor.reading import contradictions, source, toml_document
from stratvisor.reading.grammar import DEFAULTS
from stratvisor.reading.keys import At, Facts, Findings, Key, Section
from stratvisor.reading.nodes import Mapping
from stratvisor.reading.shapes import misplaced
from stratvisor.reading.values import UnsuitableError, Whole, Word, choice, matching
from stratvisor.reading.words import ZONE
from stratvisor.spec import Problem
from stratvisor.wording import quoted

FILE = "stratvisor.toml"


class LogLevel(StrEnum):
    """What the daemon's own log leaves out."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Http:
    """Where the page and the API are. Port 0: on the Unix socket only."""

    host: str = "127.0.0.1"
    port: int = 9770
    base_path: str = "/python"


@dataclass(frozen=True, slots=True)
class Logging:
    """The daemon's own log."""

    level: LogLevel = LogLevel.INFO


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked content of stratvisor.toml."""

    home: Path
    timezone: str = "Asia/Kolkata"
    http: Http = field(default_factory=Http)
    logging: Logging = field(default_factory=Logging)
    defaults: Mapping | None = None
    """Keys of a strategy file, as nodes: `layers` lays them under each."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the file by itself; a strategy that [defaults] spoil need not tell it again."""


def find_home(start: Path) -> Path:
    """The nearest folder upwards from `start` that holds a stratvisor.toml; else `start` itself."""
    return next((folder for folder in (start, *start.parents) if (folder / FILE).is_file()), start)


def read(home: Path) -> tuple[Settings, tuple[Problem, ...]]:
    """The settings of a home, and every problem of the file. Never raises."""
    try:
        content = source.read(home / FILE)
    except source.MissingError:
        return Settings(home), ()
    except source.CannotReadError as error:
        return _unread(home, (Problem(FILE, 1, 1, "", str(error)),))
    return parse(content, home)


def parse(content: bytes, home: Path) -> tuple[Settings, tuple[Problem, ...]]:
    """The same, of a text."""
    root, problems = toml_document.read(content, FILE)
    if root is None:
        return _unread(home, problems)
    findings = Findings()
    facts = SETTINGS.read(root, At(findings))
    contradictions.note(facts, At(findings).key("defaults"))
    problems = findings.in_order()
    return _settings(home, facts, root, problems), problems


def _unread(home: Path, problems: tuple[Problem, ...]) -> tuple[Settings, tuple[Problem, ...]]:
    return Settings(home, problems=problems), problems


def _settings(home: Path, facts: Facts, root: Mapping, problems: tuple[Problem, ...]) -> Settings:
    defaults = root.get("defaults")
    return Settings(
        home=home,
        http=Http(**facts.of(Http)),
        logging=Logging(**facts.of(Logging)),
        defaults=defaults.value if defaults and isinstance(defaults.value, Mapping) else None,
        problems=problems,
        **facts.of(Settings),
    )


def _host(text: str) -> str:
    try:
        is_loopback = text == "localhost" or ipaddress.ip_address(text).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise UnsuitableError(
            f"must be a loopback address such as 127.0.0.1, not {quoted(text)}: only loopback for now; put a "
            "proxy with TLS in front"
        )
    return text


_BASE_PATH = r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+"


_KEYS = (
    Key(
        "timezone",
        ZONE,
        "Of schedules, log names and shown times, where a strategy names none.",
        Settings,
    ),
    Key(
        "http",
        Section(
            (
                Key("host", Word("loopback address", _host, free=True), "Where to listen.", Http),
                Key("port", Whole(0, 65535), "On which port; 0: on the Unix socket only.", Http),
                Key(
                    "base_path",
                    matching("path", _BASE_PATH, "a path that begins with / and does not end with it"),
                    "What every URL begins with.",
                    Http,
                ),
            )
        ),
        "The page and the API.",
    ),
    Key(
        "logging",
        Section((Key("level", choice(LogLevel), "What the daemon's own log holds.", Logging),)),
        "The daemon's own log.",
    ),
    Key("defaults", DEFAULTS, "Keys of a strategy file, laid under every strategy."),
)

SETTINGS = Section(_KEYS, misplaced(_KEYS))
"""The whole file."""
