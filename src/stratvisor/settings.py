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

from stratvisor.reading import certificate, contradictions, source, toml_document
from stratvisor.reading.grammar import DEFAULTS
from stratvisor.reading.keys import At, Facts, Findings, Key, Section
from stratvisor.reading.nodes import Mapping
from stratvisor.reading.shapes import ListOf, misplaced
from stratvisor.reading.values import UnsuitableError, Whole, Word, choice, matching, path
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
    public_urls: tuple[str, ...] = ()
    """Each a scheme and a name, without a path."""
    tls_cert: str | None = None
    tls_key: str | None = None
    """Both or none; as written: relative ones are relative to the home."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


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
    _check_tls(Http(**facts.of(Http)), At(findings).key("http"), home)
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


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address that is listened on."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(text: str) -> str:
    if not is_loopback(text):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise UnsuitableError(
                f"must be an IP address of this machine such as 127.0.0.1, not {quoted(text)}"
            ) from None
    return text


def _check_tls(http: Http, at: At, home: Path) -> None:
    """Beyond loopback, whoever listens on the way would read the tokens."""
    cert, key = at.key("tls_cert"), at.key("tls_key")
    for one, other, name in ((cert, key, "tls_key"), (key, cert, "tls_cert")):
        if one.place is not None and other.place is None:
            one.problem(one.place.key, f"does nothing without '{name}'; add it")
    if http.tls_cert and http.tls_key and cert.place and key.place:
        try:
            certificate.context(home / http.tls_cert, home / http.tls_key)
        except certificate.Unusable as problem:
            spot = {"cert": cert, "key": key}[problem.which]
            if spot.place is not None:
                spot.problem(spot.place.value, str(problem))
    host = at.key("host")
    if host.place is not None and host.sound and not http.is_loopback and not (cert.place and key.place):
        host.problem(
            host.place.value,
            f"{http.host} can be reached from outside, where tokens must not travel in the clear: add "
            "'tls_cert' and 'tls_key', or write 127.0.0.1 and put a proxy with TLS in front",
        )


_PUBLIC_URL = r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?"
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
                Key(
                    "host",
                    Word("address", _host, free=True),
                    "Where to listen; beyond loopback only with TLS.",
                    Http,
                ),
                Key("port", Whole(0, 65535), "On which port; 0: on the Unix socket only.", Http),
                Key(
                    "base_path",
                    matching("path", _BASE_PATH, "a path that begins with / and does not end with it"),
                    "What every URL begins with.",
                    Http,
                ),
                Key(
                    "public_urls",
                    ListOf(
                        matching("URL", _PUBLIC_URL, "http(s)://NAME or http(s)://NAME:PORT"),
                        most=20,
                        repeats=False,
                    ),
                    "Where browsers come from outside, by a proxy or by TLS; links begin with the first.",
                    Http,
                ),
                Key(
                    "tls_cert",
                    path(),
                    "The certificate with its chain, in PEM; with it, TLS is spoken.",
                    Http,
                ),
                Key("tls_key", path(), "Its key, in PEM, readable by you alone.", Http),
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
