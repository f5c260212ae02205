"""secrets.yaml: readable names, sealed values, and what of it can be opened.

    shared:
      OPENALGO_API_KEY: gAAAAA...       # for whoever names it
    strategies:
      ema_crossover:
        OPENALGO_API_KEY: gAAAAA...     # for this one, before the shared one

Reads, and changes nothing. Rule: no message repeats what stands where a sealed value belongs; somebody
may have written the bare one there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from stratvisor.reading import document, source
from stratvisor.reading.keys import At, Facts, Findings, Key, Section, scalar_of
from stratvisor.reading.shapes import Named
from stratvisor.reading.values import matching
from stratvisor.reading.words import SECRET
from stratvisor.spec import ID, Problem
from stratvisor.vault import keyring
from stratvisor.wording import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.reading.keys import Json
    from stratvisor.reading.nodes import Mark, Node
    from stratvisor.vault.sealing import Ring  # noqa: TC004  a dataclass evaluates no annotation

FILE = "secrets.yaml"

_TOKEN = re.compile(r"gAAAA[A-Za-z0-9_-]{60,}={0,2}")


class NoValue(Exception):  # noqa: N818  its text is what people read
    """A secret cannot be had; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What `secret set` writes."""

    name: str = "sealed value"

    def read(self, node: Node, at: At) -> Sealed:
        """The value, unopened."""
        scalar = scalar_of(node, at)
        if not _TOKEN.fullmatch(scalar.text):
            name = at.path.rpartition(".")[2]
            message = f"is no sealed value; remove the line, and `stratvisor secret set {name}`"
            raise at.unreadable(scalar.mark, message)
        return Sealed(scalar.text, scalar.mark)

    def plain(self, value: Any) -> str:
        """The text."""
        return str(value.text)

    def schema(self) -> Json:
        """A string."""
        return {"type": "string", "pattern": f"^{_TOKEN.pattern}$"}


class Sealed(NamedTuple):
    """A sealed value, and where it stands."""

    text: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Shelves:
    """The keys of secrets.yaml."""

    shared: tuple[tuple[str, Sealed], ...] = ()
    strategies: tuple[tuple[str, tuple[tuple[str, Sealed], ...]], ...] = ()


_VALUES = Named(SECRET, _Sealed())
_STRATEGY = matching("strategy", ID.pattern, "the id of a strategy")
_GRAMMAR = Section(
    (
        Key("shared", _VALUES, "For every strategy that names them.", Shelves),
        Key("strategies", Named(_STRATEGY, _VALUES), "For one strategy each.", Shelves),
    )
)


class Spot(NamedTuple):
    """Names a secret: for one strategy, or None for all."""

    strategy: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({f'for {self.strategy}' if self.strategy else 'shared'})"


@dataclass(frozen=True, slots=True)
class Vault:
    """What secrets.yaml holds, and the keys that open it."""

    values: Mapping[Spot, Sealed] = field(default_factory=dict)
    ring: Ring | None = None
    closed: str = ""
    """Why nothing of it can be had, if so."""
    problems: tuple[Problem, ...] = ()
    fingerprint_key: bytes = b""

    def value(self, strategy: str, name: str) -> str:
        """A secret as this strategy is to have it: its own, else the shared one.

        Raises:
            NoValue: there is none, or it cannot be opened.
        """
        spot = Spot(strategy, name) if Spot(strategy, name) in self.values else Spot(None, name)
        sealed = self.values.get(spot)
        if sealed is None:
            raise NoValue(self.closed or self._missing(strategy, name))
        return self.open(sealed)

    def open(self, sealed: Sealed) -> str:
        """A value.

        Raises:
            NoValue: it cannot be opened.
        """
        if self.ring is None:
            raise NoValue(self.closed)
        value = self.ring.open(sealed.text)
        if value is None:
            where = f"{sealed.mark.file}:{sealed.mark.line}:{sealed.mark.column}"
            why = f"the value at {where} does not open: it is damaged, or was sealed with another key"
            raise NoValue(f"{why}; bring back the right file or key, or set it anew")
        return value

    def all(self, strategy: str, wanted: tuple[tuple[str, str], ...]) -> dict[str, str]:
        """The values of (variable, name) pairs, under their variables.

        Raises:
            NoValue: one of them cannot be had.
        """
        found = {}
        for variable, name in wanted:
            try:
                found[variable] = self.value(strategy, name)
            except NoValue as error:
                raise NoValue(f"secret {name}: {error}") from None
        return found

    def why_missing(self, strategy: str, name: str) -> str | None:
        """Why a strategy cannot have this secret, and what to do; None: it can."""
        try:
            self.value(strategy, name)
        except NoValue as error:
            return str(error)
        return None

    def fingerprint(self, strategy: str, wanted: tuple[tuple[str, str], ...]) -> str | None:
        """The same as long as these (variable, name) pairs have the same values; None: they cannot be had."""
        try:
            return fingerprint(self.all(strategy, wanted), self.fingerprint_key)
        except NoValue:
            return None

    def _missing(self, strategy: str, name: str) -> str:
        names = {spot.name for spot in self.values if spot.strategy in {None, strategy}}
        guess = did_you_mean(name, names)
        return f"no value in {FILE}{guess or f'; `stratvisor secret set {name}`'}"


def fingerprint(values: Mapping[str, str], key: bytes) -> str:
    """The same for equal values alone, and nothing to guess them by for who does not have the key."""
    text = json.dumps(sorted(values.items()))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def no_key(_home: Path) -> bytes:
    """The fingerprint key of those who compare no fingerprints, and so need not make one."""
    return b""


def read(home: Path, fingerprint_key: Callable[[Path], bytes] = no_key) -> Vault:
    """What the home's secrets.yaml says now. Never raises.

    File and keys are two files: who comes in the middle of a change of the keys reads both once more.
    """
    found = _read(home, fingerprint_key)
    return _read(home, fingerprint_key) if found.problems else found


def _read(home: Path, fingerprint_key: Callable[[Path], bytes]) -> Vault:
    try:
        text = source.read(home / FILE)
    except source.MissingError:
        return Vault()
    except source.CannotReadError as error:
        return _closed(f"{FILE} {error}", (Problem(FILE, 1, 1, "", str(error)),))
    values, problems = parse(text)
    if problems:
        first = problems[0]
        return _closed(f"{first.file}:{first.line}:{first.column} is bad; mend it", problems)
    if not values:
        return Vault()
    try:
        ring, key = keyring.read(home), fingerprint_key(home)
    except keyring.KeyProblem as problem:
        why = f"{len(values)} sealed, but {problem}"
        return Vault(values, None, str(problem), (Problem(FILE, 1, 1, "", why),))
    vault = Vault(values, ring, fingerprint_key=key)
    return replace(vault, problems=tuple(_unopened(vault)))


def parse(text: bytes) -> tuple[dict[Spot, Sealed], tuple[Problem, ...]]:
    """The sealed values of a text, or all that is wrong with it."""
    root, problems = document.read(text, FILE)
    findings = Findings(problems=list(problems))
    facts = Facts() if root is None else _GRAMMAR.read(root, At(findings))
    shelves = Shelves(**facts.of(Shelves))
    values = {Spot(None, name): sealed for name, sealed in shelves.shared}
    for strategy, own in shelves.strategies:
        values |= {Spot(strategy, name): sealed for name, sealed in own}
    return values, findings.in_order()


def _closed(why: str, problems: tuple[Problem, ...]) -> Vault:
    return Vault(closed=why, problems=problems)


def _unopened(vault: Vault) -> Iterator[Problem]:
    for spot, sealed in vault.values.items():
        try:
            vault.open(sealed)
        except NoValue:
            path = (
                f"shared.{spot.name}" if spot.strategy is None else f"strategies.{spot.strategy}.{spot.name}"
            )
            why = "does not open: it is damaged, or was sealed with another key than the one here"
            yield Problem(*sealed.mark, path, f"{why}; bring back the right file or key, or set it anew")
