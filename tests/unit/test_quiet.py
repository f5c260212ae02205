"""When files that are being changed are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.quiet import Quiet, git_is_busy
from stratvisor.spec import MILLISECOND, SECOND

if TYPE_CHECKING:
    from pathlib import Path

MS = MILLISECOND


@pytest.fixture
def quiet() -> Quiet:
    return Quiet(quiet_ns=500 * MS, patience_ns=30 * SECOND)


def test_without_a_change_there_is_nothing_to_read(quiet: Quiet) -> None:
    assert quiet.due_at(0, locked=False) is None
    assert quiet.due_at(SECOND, locked=True) is None


def test_a_change_is_read_once_it_has_been_quiet(quiet: Quiet) -> None:
    quiet.poke(10 * SECOND)
    assert quiet.due_at(10 * SECOND, locked=False) == 10 * SECOND + 500 * MS


def test_another_change_puts_it_off(quiet: Quiet) -> None:
    quiet.poke(0)
    quiet.poke(400 * MS)
    assert quiet.due_at(500 * MS, locked=False) == 900 * MS


def test_what_was_read_is_not_read_again(quiet: Quiet) -> None:
    quiet.poke(0)
    quiet.done()
    assert quiet.due_at(SECOND, locked=False) is None


def test_a_change_while_it_is_read_is_read_after(quiet: Quiet) -> None:
    quiet.poke(0)
    quiet.done()
    quiet.poke(2 * SECOND)
    assert quiet.due_at(2 * SECOND, locked=False) == 2500 * MS


def test_git_puts_it_off_as_long_as_it_works(quiet: Quiet) -> None:
    quiet.poke(0)
    assert quiet.due_at(500 * MS, locked=True) == 1000 * MS
    assert quiet.due_at(1000 * MS, locked=True) == 1500 * MS
    due = quiet.due_at(1500 * MS, locked=False)
    assert due is not None
    assert due <= 1500 * MS


def test_a_lock_that_stays_puts_it_off_for_so_long_only(quiet: Quiet) -> None:
    quiet.poke(10 * SECOND)
    assert quiet.due_at(39_900 * MS, locked=True) == 40 * SECOND
    assert quiet.due_at(40 * SECOND, locked=True) == 40 * SECOND


def test_changes_without_end_put_it_off_for_so_long_only(quiet: Quiet) -> None:
    for now_ms in range(0, 40_000, 100):
        quiet.poke(now_ms * MS)
    assert quiet.due_at(40 * SECOND, locked=False) == 30 * SECOND


pokes = st.lists(st.integers(0, 60 * SECOND), min_size=1).map(sorted)


@given(pokes, st.integers(0, 60 * SECOND), st.booleans())
def test_it_is_never_put_off_without_a_reason(at: list[int], later: int, locked: bool) -> None:  # noqa: FBT001
    quiet = Quiet(quiet_ns=500 * MS, patience_ns=30 * SECOND)
    for poke in at:
        quiet.poke(poke)
    now = at[-1] + later
    due = quiet.due_at(now, locked=locked)
    assert due is not None
    assert due <= at[0] + 30 * SECOND
    if due > now:
        assert locked or now < at[-1] + 500 * MS
        assert due <= now + 500 * MS


# Git's lock.


def test_a_lock_in_the_home_is_seen(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert not git_is_busy(tmp_path)
    (tmp_path / ".git" / "index.lock").touch()
    assert git_is_busy(tmp_path)


def test_a_lock_above_the_home_is_seen(tmp_path: Path) -> None:
    home = tmp_path / "deploy" / "trading"
    home.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index.lock").touch()
    assert git_is_busy(home)


def test_a_lock_of_a_worktree_is_seen(tmp_path: Path) -> None:
    home = tmp_path / "tree"
    home.mkdir()
    (home / ".git").write_text(f"gitdir: {tmp_path}/main/.git/worktrees/tree\n")
    own = tmp_path / "main" / ".git" / "worktrees" / "tree"
    own.mkdir(parents=True)
    assert not git_is_busy(home)
    (own / "index.lock").touch()
    assert git_is_busy(home)


def test_without_git_nobody_is_waited_for(tmp_path: Path) -> None:
    assert not git_is_busy(tmp_path)
