"""What a run was made of: the hash of its script, and the git commit that its home stood at.

Asks git itself, which may be absent, slow or at odds with the folder: then nothing is known, and that
is an answer too. Nothing in the repository is written, and no code that it configures is run.

Rule: git never runs on the event loop, and a hundred starts at once ask it once.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.spec import Process

GIT_TIMEOUT_S = 5.0

FRESH_S = 0.4
"""How long an answer of git's is good for: less than an edit has to be quiet before it takes effect, so
that no run made of an edit is said to be made of the commit."""

_STATUS = (
    "git",
    *("-c", "core.fsmonitor=false"),  # a repository may name a program here, which git would run
    *("status", "--porcelain=v2", "--branch", "--untracked-files=no", "--ignore-submodules=dirty", "--", "."),
)


@dataclass(frozen=True, slots=True)
class Commit:
    """Where a working tree stands."""

    hash: str
    dirty: bool
    """Whether a tracked file beneath the home is not as committed."""


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What stood on disk as a run began; None: not known."""

    script_sha256: str | None
    commit: str | None
    dirty: bool | None


class Provenance:
    """Of the runs of one home. For one event loop."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._asking = asyncio.Lock()
        self._commit: Commit | None = None
        self._asked_s = float("-inf")

    async def of(self, process: Process) -> MadeOf:
        """What a run of `process` that begins now is made of."""
        script = None if process.script is None else self._home / process.script
        digest = None if script is None else await asyncio.to_thread(script_sha256, script)
        commit = await self.commit()
        return MadeOf(digest, commit.hash if commit else None, commit.dirty if commit else None)

    async def commit(self) -> Commit | None:
        """The commit of the home; None: no repository, no commit yet, or git doesn't say."""
        async with self._asking:
            loop = asyncio.get_running_loop()
            if loop.time() - self._asked_s > FRESH_S:
                self._commit = await asyncio.to_thread(ask_git, self._home)
                self._asked_s = loop.time()
            return self._commit


def script_sha256(path: Path) -> str | None:
    """Of the file's content, in hex; None: it cannot be read, or is no plain file. Blocks on disk."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a FIFO would wait for its writer
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def git_dir(home: Path) -> Path | None:
    """The folder with HEAD and index of the working tree that holds `home`: by the nearest .git upwards."""
    for folder in (home, *home.parents):
        dot_git = folder / ".git"
        if dot_git.is_dir():
            return dot_git
        if dot_git.is_file():  # a worktree or a submodule: one line names the folder
            return _named_in(dot_git)
    return None


def _named_in(dot_git: Path) -> Path | None:
    try:
        key, _, name = dot_git.read_text(encoding="utf-8").strip().partition(": ")
    except (OSError, ValueError):
        return None
    return dot_git.parent / name if key == "gitdir" else None


def ask_git(home: Path) -> Commit | None:
    """Run git once; blocks for up to `GIT_TIMEOUT_S`."""
    if git_dir(home) is None:
        return None
    try:
        answer = subprocess.run(
            _STATUS,
            cwd=home,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return _parse(answer.stdout)


def _environment() -> dict[str, str]:
    """Nothing that points git elsewhere; HOME and PATH, as the user's config says which folders to trust."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _parse(status: bytes) -> Commit | None:
    """Headers begin with #; any other line is a change (git-status(1), porcelain format 2)."""
    lines = status.splitlines()
    for line in lines:
        name, _, value = line.partition(b" branch.oid ")
        if name == b"#" and value != b"(initial)":
            return Commit(value.decode("ascii"), dirty=any(not one.startswith(b"#") for one in lines))
    return None
