"""When to read files that are being changed: not amid an edit, a copy or a git checkout.

Pure but for one look at git's lock. A checkout writes conf.d most of a second before the modules that
it needs, so that what was changed is read once nothing has been changed for a moment and git is done.
Whatever goes on, it is not put off for longer than `PATIENCE_NS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.provenance import git_dir
from stratvisor.spec import MILLISECOND, SECOND

if TYPE_CHECKING:
    from pathlib import Path

QUIET_NS = 500 * MILLISECOND
PATIENCE_NS = 30 * SECOND
"""From the first change: a lock that a dead git left behind, or a file that is written without end."""


class Quiet:
    """Remembers changes until they are read. Times are nanoseconds of one clock that never goes back."""

    def __init__(self, quiet_ns: int = QUIET_NS, patience_ns: int = PATIENCE_NS) -> None:
        self._quiet_ns = quiet_ns
        self._patience_ns = patience_ns
        self._first_ns: int | None = None
        self._last_ns = 0

    def poke(self, now_ns: int) -> None:
        """Something changed."""
        if self._first_ns is None:
            self._first_ns = now_ns
        self._last_ns = now_ns

    def due_at(self, now_ns: int, locked: bool) -> int | None:  # noqa: FBT001  a fact about now, not an option
        """When to ask again; up to `now_ns`: read now, then say `done`. None: there is nothing to read."""
        if self._first_ns is None:
            return None
        quiet_ns = self._last_ns + self._quiet_ns
        if locked:
            quiet_ns = max(quiet_ns, now_ns + self._quiet_ns)
        return min(quiet_ns, self._first_ns + self._patience_ns)

    def done(self) -> None:
        """What changed so far is being read."""
        self._first_ns = None


def git_is_busy(home: Path) -> bool:
    """Whether a git is at work in the working tree of `home`."""
    folder = git_dir(home)
    return folder is not None and (folder / "index.lock").exists()
