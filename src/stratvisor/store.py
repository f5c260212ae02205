"""run/state.json: the operator's intent and the counters, kept over restarts of the daemon.

Knows the file, not what is in an entry (`kept`). It is replaced whole: written new, synced, renamed,
the folder synced; then the same goes into a copy beside it, of which as much is taken as the file
itself has lost. What cannot be read is set aside and told of, never thrown away.

Rule: nothing in the files keeps a daemon from coming up, but that a newer stratvisor made them; and
where nobody can say any more what was held, `lost` says so.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratvisor.kept import Json, Kept, after_boot, get, kept_from_json, kept_to_json, of_kind
from stratvisor.replacing import replace
from stratvisor.spec import ID
from stratvisor.wording import label

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LEVEL = 1
"""Of the file's format. A change that an older stratvisor would misread makes it one more."""

COPY = ".copy"
"""Ends the name of the second file, which holds the same."""


class StoreTooNew(Exception):  # noqa: N818  a refusal is no error of the program
    """The file was made by a stratvisor that knows more than this one."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Whose entries were there, and can be read nowhere."""

    names: frozenset[str] = frozenset()
    all: bool = False
    """Nobody can say whose: both files are damaged as a whole."""

    def __contains__(self, strategy: str) -> bool:
        return self.all or strategy in self.names


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the last daemon left."""

    strategies: dict[str, Kept] = field(default_factory=dict)
    news_id: int = 0
    """The id of the last news given out."""
    boot_id: str | None = None
    """The boot it was written in."""
    problem: str | None = None
    """Set where something could not be read: what, why, where it lies now, what was done."""
    lost: Lost = Lost()


@dataclass(frozen=True, slots=True)
class _Content:
    """What one of the two files says."""

    strategies: dict[str, Kept]
    damaged: dict[str, str]
    """Entries that cannot be read, and why."""
    news_id: int
    boot_id: str


class Store:
    """The file at `path` and its copy, in the boot `boot_id`. All methods block on disk."""

    def __init__(self, path: Path, boot_id: str) -> None:
        self._path = path
        self._copy = path.with_name(path.name + COPY)
        self._boot_id = boot_id

    def load(self) -> Loaded:
        """What was saved last; nothing, where there is no file.

        Raises:
            StoreTooNew: a file's level is beyond ours; both stay as they are.
        """
        found: list[_Content] = []
        damage: dict[Path, str] = {}
        for path in (self._path, self._copy):
            try:
                content = _parse(path, path.read_bytes())
            except FileNotFoundError:
                continue
            except OSError as error:
                damage[path] = error.strerror or str(error)
            except (ValueError, RecursionError) as error:
                damage[path] = f"it is damaged ({error})"
            else:
                found.append(content)
                if content.damaged:
                    entries = "; ".join(f"{name}: {why}" for name, why in content.damaged.items())
                    damage[path] = f"it is damaged ({entries})"
        return self._put_together(found, damage)

    def check(self) -> None:
        """Whether this stratvisor may take over from who wrote the files.

        Raises:
            StoreTooNew: it may not.
        """
        for path in (self._path, self._copy):
            with suppress(OSError, ValueError, RecursionError):
                _parse(path, path.read_bytes())

    def save(self, strategies: Mapping[str, Kept], news_id: int) -> None:
        """Replace the file, then its copy. Once this returns, the content outlives a power cut.

        Raises:
            OSError: it could not be written; what was saved before stands.
        """
        content: Json = {
            "level": LEVEL,
            "boot_id": self._boot_id,
            "news_id": news_id,
            "strategies": {name: kept_to_json(kept) for name, kept in sorted(strategies.items())},
        }
        text = json.dumps(content).encode("ascii") + b"\n"
        # `git clean -fdx` takes run/ from under a live daemon.
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        for path in (self._path, self._copy):
            replace(path, text, draft=path.with_name(f"{path.name}.new"))

    def _put_together(self, found: list[_Content], damage: dict[Path, str]) -> Loaded:
        """The newer file counts, whichever it is: an older one was put there by somebody."""
        problem = "; ".join(self._set_aside(path, why) for path, why in damage.items()) or None
        if not found:
            return Loaded(problem=problem, lost=Lost(all=bool(damage)))
        newest = max(found, key=lambda content: content.news_id)
        strategies = dict(newest.strategies)
        for other in found:
            strategies |= {
                name: other.strategies[name] for name in newest.damaged if name in other.strategies
            }
        lost = Lost(frozenset(newest.damaged.keys() - strategies.keys()))
        if newest.boot_id != self._boot_id:
            strategies = {name: after_boot(kept) for name, kept in strategies.items()}
        return Loaded(strategies, newest.news_id, newest.boot_id, problem, lost)

    @staticmethod
    def _set_aside(path: Path, why: str) -> str:
        """Give the file a second name that no save buries. The answer is what to tell people.

        Its own it keeps until then: a daemon that dies before it has saved must not look like the first one.
        """
        aside = _free_name(path)
        try:
            if path.is_file():
                os.link(path, aside)
            else:
                path.rename(aside)
        except OSError as error:
            return f"cannot read {path}: {why}; cannot set it aside: {error.strerror}; move it away"
        return f"cannot read {path}: {why}; kept as {aside.name}"


def _parse(path: Path, raw: bytes) -> _Content:
    content = of_kind(json.loads(raw), dict, "the whole file")
    level = get(content, "level", int)
    if level > LEVEL:
        raise StoreTooNew(
            f"cannot read {path}: made by a newer stratvisor (format {level}, this one knows {LEVEL}); "
            f"upgrade stratvisor, or move state.json and state.json{COPY} away and lose the holds in them"
        )
    boot_id, news_id = get(content, "boot_id", str), get(content, "news_id", int)
    return _Content(*_read_each(get(content, "strategies", dict)), news_id=news_id, boot_id=boot_id)


def _read_each(entries: Json) -> tuple[dict[str, Kept], dict[str, str]]:
    """What can be read, and what is wrong with the rest: one damaged entry costs no other its hold."""
    strategies: dict[str, Kept] = {}
    damaged: dict[str, str] = {}
    for name, entry in entries.items():
        try:
            strategies[_an_id(name)] = kept_from_json(of_kind(entry, dict, "entry"))
        except ValueError as error:
            damaged[label(name)] = str(error)
    return strategies, damaged


def _an_id(name: str) -> str:
    """The name, which becomes part of paths."""
    if not ID.fullmatch(name):
        raise ValueError("no strategy has such an id")
    return name


def _free_name(path: Path) -> Path:
    count = 1
    while (name := path.with_name(f"{path.name}.bad-{count}")).exists():
        count += 1
    return name
