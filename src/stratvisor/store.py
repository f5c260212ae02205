"""run/state.json: the operator's intent and the counters, kept over restarts of the daemon.

Knows the file, not what is in an entry (`kept`). It is replaced whole: written new, synced, renamed,
the folder synced. What cannot be read is set aside and told of, never thrown away.

Rule: nothing in the file keeps a daemon from coming up, but that a newer stratvisor made it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratvisor.kept import Json, Kept, after_boot, get, kept_from_json, kept_to_json, of_kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LEVEL = 1
"""Of the file's format. A change that an older stratvisor would misread makes it one more."""


class StoreTooNew(Exception):  # noqa: N818  a refusal is no error of the program
    """The file was made by a stratvisor that knows more than this one."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the last daemon left."""

    strategies: dict[str, Kept] = field(default_factory=dict)
    news_id: int = 0
    """The id of the last news given out."""
    boot_id: str | None = None
    """The boot it was written in."""
    problem: str | None = None
    """Set where something could not be read: what, why, where it lies now, what to do."""


class Store:
    """The file at `path`, in the boot `boot_id`. Both methods block on disk: call them off the loop."""

    def __init__(self, path: Path, boot_id: str) -> None:
        self._path = path
        self._boot_id = boot_id

    def load(self) -> Loaded:
        """What was saved last; nothing, where there is no file.

        Raises:
            StoreTooNew: the file's level is beyond ours; it stays as it is.
        """
        try:
            return self._parse(self._path.read_bytes())
        except FileNotFoundError:
            return Loaded()
        except OSError as error:
            return Loaded(problem=self._set_aside(str(error.strerror)))
        except (ValueError, RecursionError) as error:
            return Loaded(problem=self._set_aside(f"it is damaged ({error})"))

    def save(self, strategies: Mapping[str, Kept], news_id: int) -> None:
        """Replace the file. Once this returns, its content outlives a power cut.

        Raises:
            OSError: it could not be written; what was saved before stands.
        """
        content: Json = {
            "level": LEVEL,
            "boot_id": self._boot_id,
            "news_id": news_id,
            "strategies": {name: kept_to_json(kept) for name, kept in sorted(strategies.items())},
        }
        _replace(self._path, json.dumps(content).encode("ascii") + b"\n")

    def _parse(self, raw: bytes) -> Loaded:
        content = of_kind(json.loads(raw), dict, "the whole file")
        level = get(content, "level", int)
        if level > LEVEL:
            raise StoreTooNew(
                f"cannot read {self._path}: made by a newer stratvisor (format {level}, this one knows"
                f" {LEVEL}); upgrade stratvisor, or move the file away and lose the holds in it"
            )
        boot_id, news_id = get(content, "boot_id", str), get(content, "news_id", int)
        strategies, damage = _read_each(get(content, "strategies", dict))
        if boot_id != self._boot_id:
            strategies = {name: after_boot(kept) for name, kept in strategies.items()}
        problem = self._set_aside(f"it is damaged ({'; '.join(damage)})") if damage else None
        return Loaded(strategies, news_id, boot_id, problem)

    def _set_aside(self, why: str) -> str:
        """Rename the file, so that the next save does not bury it. The answer is what to tell people."""
        aside = _free_name(self._path)
        try:
            self._path.rename(aside)
        except OSError as error:
            return f"cannot read {self._path}: {why}; cannot set it aside: {error.strerror}; move it away"
        return f"cannot read {self._path}: {why}; kept as {aside.name}; see that what was held is held again"


def _read_each(entries: Json) -> tuple[dict[str, Kept], list[str]]:
    """What can be read, and what is wrong with the rest: one damaged entry costs no other its hold."""
    strategies: dict[str, Kept] = {}
    damage: list[str] = []
    for name, entry in entries.items():
        try:
            strategies[name] = kept_from_json(of_kind(entry, dict, "entry"))
        except ValueError as error:
            damage.append(f"{name}: {error}")
    return strategies, damage


def _free_name(path: Path) -> Path:
    count = 1
    while (name := path.with_name(f"{path.name}.bad-{count}")).exists():
        count += 1
    return name


def _replace(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all, also through a power cut."""
    path.parent.mkdir(mode=0o700, exist_ok=True)  # `git clean -fdx` takes run/ from under a live daemon
    draft = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    if sys.platform != "win32":  # which opens no folder
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
