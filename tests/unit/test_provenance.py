"""What a run was made of, asked of real files and a real git."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stratvisor import provenance
from stratvisor.provenance import Commit, MadeOf, Provenance, ask_git, git_dir, script_sha256
from stratvisor.spec import Process

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *args: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *identity, *args], cwd=folder, env=env, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A working tree with one commit."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    home = tmp_path / "home"
    (home / "strategies").mkdir(parents=True)
    (home / "strategies" / "ema.py").write_text("print('buy')\n")
    git(home, "init", "-q", "-b", "main")
    git(home, "add", ".")
    git(home, "commit", "-q", "-m", "first")
    return home


# Scripts.


def test_a_script_is_known_by_the_hash_of_its_content(tmp_path: Path) -> None:
    script = tmp_path / "ema.py"
    script.write_bytes(b"print('buy')\n" * 10_000)
    assert script_sha256(script) == hashlib.sha256(b"print('buy')\n" * 10_000).hexdigest()


def test_what_cannot_be_read_has_no_hash(tmp_path: Path) -> None:
    assert script_sha256(tmp_path / "none.py") is None
    assert script_sha256(tmp_path) is None


@pytest.mark.skipif(sys.platform == "win32", reason="has no FIFOs")
def test_a_fifo_has_no_hash_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.py")
    assert script_sha256(tmp_path / "fifo.py") is None


# Commits.


def test_a_clean_tree_is_its_commit(home: Path) -> None:
    assert ask_git(home) == Commit(git(home, "rev-parse", "HEAD"), dirty=False)


def test_a_changed_file_makes_it_dirty(home: Path) -> None:
    (home / "strategies" / "ema.py").write_text("print('sell')\n")
    assert ask_git(home) == Commit(git(home, "rev-parse", "HEAD"), dirty=True)


def test_a_staged_and_a_deleted_file_make_it_dirty(home: Path) -> None:
    (home / "new.py").write_text("x = 1\n")
    git(home, "add", "new.py")
    commit = ask_git(home)
    assert commit is not None
    assert commit.dirty
    git(home, "reset", "-q", "--hard")
    (home / "strategies" / "ema.py").unlink()
    commit = ask_git(home)
    assert commit is not None
    assert commit.dirty


def test_files_that_git_does_not_know_make_nothing_dirty(home: Path) -> None:
    (home / "notes.txt").write_text("call the broker\n")
    assert ask_git(home) == Commit(git(home, "rev-parse", "HEAD"), dirty=False)


def test_a_home_within_a_larger_tree_is_judged_by_its_own_files(home: Path) -> None:
    (home / "README").write_text("docs\n")
    git(home, "add", "README")
    within = home / "strategies"
    assert ask_git(within) == Commit(git(home, "rev-parse", "HEAD"), dirty=False)


def test_no_repository_no_commit_yet_and_a_broken_one_are_unknown(tmp_path: Path, home: Path) -> None:
    assert ask_git(tmp_path) is None
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    git(fresh, "init", "-q")
    assert ask_git(fresh) is None
    (home / ".git" / "HEAD").write_text("nonsense\n")
    assert ask_git(home) is None


def test_without_git_it_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_git(tmp_path) is None


def other_git(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program of that name first in PATH."""
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
def test_a_git_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(provenance, "GIT_TIMEOUT_S", 3.0)
    other_git(tmp_path / "bin", monkeypatch, f"echo $$ > {tmp_path}/pid; exec tail -f /dev/null")
    assert ask_git(tmp_path) is None
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
def test_a_git_that_fails_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    other_git(tmp_path / "bin", monkeypatch, "echo '# branch.oid c0ffee'; exit 1")
    assert ask_git(tmp_path) is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
def test_without_a_repository_git_is_not_even_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_git(tmp_path / "bin", monkeypatch, f"touch {tmp_path}/asked")
    assert ask_git(tmp_path) is None
    assert not (tmp_path / "asked").exists()


def test_git_is_not_led_astray_by_the_environment(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert ask_git(home) == Commit(git(home, "rev-parse", "HEAD"), dirty=False)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
def test_no_code_of_the_repository_is_run(home: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(home, "config", "core.fsmonitor", str(trap))
    hook = home / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    shutil.copy(trap, hook)
    os.utime(home / "strategies" / "ema.py", (1, 1))
    assert ask_git(home) is not None
    assert not (tmp_path / "sprung").exists()


def test_nothing_in_the_repository_is_written(home: Path) -> None:
    os.utime(home / "strategies" / "ema.py", (1, 1))  # git would like to note that this changed nothing
    before = (home / ".git" / "index").read_bytes()
    ask_git(home)
    assert (home / ".git" / "index").read_bytes() == before


# Where git keeps its things.


def test_the_git_folder_is_found_upwards(home: Path) -> None:
    assert git_dir(home) == git_dir(home / "strategies") == home / ".git"


def test_there_may_be_none(tmp_path: Path) -> None:
    assert git_dir(tmp_path) is None


def test_a_worktree_has_its_own(home: Path, tmp_path: Path) -> None:
    git(home, "worktree", "add", "-q", str(tmp_path / "tree"))
    found = git_dir(tmp_path / "tree")
    assert found is not None
    assert found.resolve() == home / ".git" / "worktrees" / "tree"
    assert ask_git(tmp_path / "tree") == ask_git(home)


def test_a_submodule_names_its_own_by_a_relative_path(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".git").write_text("gitdir: ../.git/modules/sub\n")
    found = git_dir(tmp_path / "sub")
    assert found is not None
    assert found.resolve() == tmp_path / ".git" / "modules" / "sub"


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"key: value"])
def test_a_git_file_of_garbage_names_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".git").write_bytes(content)
    assert git_dir(tmp_path) is None


# A run.


async def test_a_run_is_made_of_its_script_and_its_commit(home: Path) -> None:
    made_of = await Provenance(home).of(Process(script="strategies/ema.py"))
    digest = hashlib.sha256(b"print('buy')\n").hexdigest()
    assert made_of == MadeOf(digest, git(home, "rev-parse", "HEAD"), dirty=False)


async def test_of_a_command_without_a_repository_nothing_is_known(tmp_path: Path) -> None:
    made_of = await Provenance(tmp_path).of(Process(command=("sh", "-c", "true")))
    assert made_of == MadeOf(None, None, None)


async def test_a_hundred_runs_at_once_ask_git_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def counted(home: Path) -> Commit | None:
        asked.append(home)
        return ask_git(home)

    monkeypatch.setattr(provenance, "ask_git", counted)
    monkeypatch.setattr(provenance, "FRESH_S", 60)
    made_by = Provenance(home)
    process = Process(script="strategies/ema.py")
    made_of = await asyncio.gather(*(made_by.of(process) for _ in range(100)))
    assert len(set(made_of)) == 1
    assert len(asked) == 1


async def test_an_answer_of_git_is_not_kept_for_long(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "FRESH_S", 0)
    made_by = Provenance(home)
    assert await made_by.commit() == Commit(git(home, "rev-parse", "HEAD"), dirty=False)
    (home / "strategies" / "ema.py").write_text("print('sell')\n")
    assert await made_by.commit() == Commit(git(home, "rev-parse", "HEAD"), dirty=True)
