"""What a new daemon finds: live runs to adopt, ends to account for, copies that stand in the way.

Decides nothing about strategies. Whatever is wrong with one run directory concerns its strategy alone.
"""

from __future__ import annotations

import logging
import select
from typing import TYPE_CHECKING, TypeVar

from stratvisor.ports import Finished, Found, LaunchRefused, Stray, Survey
from stratvisor.runner import environment, strays
from stratvisor.shim import rundir

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratvisor.runner.folders import Folders, Key

log = logging.getLogger(__name__)

_T = TypeVar("_T")

BIRTH_TRIES = 1_000
_STEP_S = 0.01
"""Together, ten seconds for a shim that was at work on a launch, or to take over, as the last daemon died."""


class Surveyor:
    """One look at all run directories. `hold` and `resume` adopt a run with a live or a dead shim."""

    def __init__(
        self, folders: Folders, hold: Callable[[Key], Found], resume: Callable[[Key], Found]
    ) -> None:
        self._folders = folders
        self._hold = hold
        self._resume = resume
        self._boot = rundir.boot_id()
        self._strays: dict[str, list[strays.Copy]] = {}

    def survey(self) -> tuple[Survey, dict[str, list[strays.Copy]]]:
        """Everything that was left, and by strategy what no run may start beside."""
        self._folders.sweep()
        live: list[Found] = []
        ended: list[Finished] = []
        for key in list(self._folders.keys()):
            found = self._look_at(key)
            if isinstance(found, Finished):
                ended.append(found)
            elif found is not None:
                live.append(found)
        known = {environment.run_mark(self._folders.home, one.strategy, one.run.number) for one in live}
        for copy in strays.find(self._folders.home, known):
            self._strays.setdefault(copy.strategy, []).append(copy)
        named = [Stray(strategy, copies[0].why) for strategy, copies in self._strays.items()]
        return Survey(tuple(live), tuple(ended), tuple(named)), self._strays

    def _look_at(self, key: Key) -> Found | Finished | None:
        """One run; None: it never ran, is named as a stray, or is for a newer stratvisor."""
        finished = self._folders.end(key)
        if finished is not None:
            return finished
        newer = self._folders.too_new(key)
        if newer is not None:
            log.warning("leaving %s, run %d, alone: %s", *key, newer)
            return None
        try:
            return self._unfinished(key)
        except (OSError, LaunchRefused, rundir.Unreadable) as error:
            log.warning("cannot adopt %s, run %d: %s", *key, error)
            if strays.living(self._folders, key):
                return None  # found by its mark, below
            return self._folders.lose(key, f"its run directory cannot be read: {error}")

    def _unfinished(self, key: Key) -> Found | Finished | None:
        who = self._when_done(key, self._folders.who)
        if who is None:
            self._folders.remove_unborn(key)  # it execs only once pid.json stands: it never ran
            return None
        if who["boot_id"] != self._boot:
            return self._folders.lose(key, "the machine went down while it ran")
        self._folders.check_own(key)
        return self._hold(key) if self._when_done(key, self._has_shim) else self._resume(key)

    def _has_shim(self, key: Key) -> bool:
        who = self._folders.who(key)
        return who is not None and rundir.is_alive(rundir.Identity(*who["shim"]))

    def _when_done(self, key: Key, look: Callable[[Key], _T]) -> _T:
        """What a look at a run finds, once it finds something or nobody is at work on the run any more.

        A shim that launches it or takes it over, and the request for one, hold its lock; with the daemon that
        asked for it, it may have lost what it needs, and then it ends.
        """
        for _ in range(BIRTH_TRIES):
            found = look(key)
            if found:
                return found
            if not self._folders.is_held(key.strategy, rundir.LOCK):
                return look(key)
            select.select([], [], [], _STEP_S)
        log.warning("the shim at work on %s, run %d, does not go on; it is given up", *key)
        return found
