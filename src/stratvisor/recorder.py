"""Writes down what the supervisor decides: intent into state.json, what happened into history.db.

Knows where each goes and what goes along (the script's hash, the commit); decides nothing. A disk that
takes no more costs the record, said in the log, and never a strategy.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from stratvisor import machine
from stratvisor.provenance import Provenance
from stratvisor.store import Store, to_kept

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from stratvisor.history import History
    from stratvisor.newsroom import Newsroom
    from stratvisor.ports import Clock, Finished, Json
    from stratvisor.state import Run, State
    from stratvisor.supervisor import Entry
    from stratvisor.tasks import Tasks

log = logging.getLogger(__name__)

SAVE_RETRY_S = 5.0


class Recorder:
    """The supervisor's memory."""

    def __init__(
        self,
        clock: Clock,
        store: Store,
        history: History,
        provenance: Provenance,
        newsroom: Newsroom,
        tasks: Tasks,
    ) -> None:
        self._clock = clock
        self._store = store
        self._history = history
        self._provenance = provenance
        self._newsroom = newsroom
        self._tasks = tasks
        self._states: Mapping[str, State] = {}
        self._saved: Mapping[str, State] = {}
        self._saving = False

    async def began(self, entry: Entry, run: Run, *, restarts: int) -> None:
        """A run began: what it was made of goes into the history and stands beside its state."""
        made_of = await self._provenance.of(entry.spec.process)
        entry.facts = replace(
            entry.facts, script_sha256=made_of.script_sha256, commit=made_of.commit, stale=False
        )
        self._history.record_start(entry.spec.id, run, restarts=restarts, made_of=made_of)

    def ended(self, finished: Finished, entry: Entry | None) -> None:
        """A run is over."""
        failed = entry is not None and machine.is_failure(entry.spec, finished.exit)
        self._history.record_end(finished, failed=failed)

    def event(self, at: datetime, strategy: str | None, kind: str, who: str | None, body: Json) -> None:
        """Something happened, and who did it."""
        self._history.record_event(at, strategy, kind, who, body)

    def news(self, kind: str, by: str | None, body: Json) -> None:
        """Something about the daemon itself: for listeners and for the history."""
        at = self._clock.now().wall
        self._newsroom.publish(at, None, kind, body)
        self.event(at, None, kind, by, body)

    def keep(self, states: Mapping[str, State]) -> None:
        """These are the states now; save what must outlive the daemon, once at a time, the newest last."""
        self._states = states
        if not self._saving and _kept(states) != _kept(self._saved):
            self._saving = True
            self._tasks.spawn(self._save(), "save state.json")

    async def _save(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while _kept(self._states) != _kept(self._saved):
                states = self._states
                kept = {strategy: to_kept(state) for strategy, state in states.items()}
                try:
                    await loop.run_in_executor(None, self._store.save, kept, self._newsroom.last_id)
                except OSError as error:
                    log.warning("cannot save state.json: %s; trying again", error)
                    await asyncio.sleep(SAVE_RETRY_S)
                    continue
                self._saved = states
        finally:
            self._saving = False

    def close(self) -> None:
        """Save what is not saved yet, now."""
        try:
            kept = {strategy: to_kept(state) for strategy, state in self._states.items()}
            self._store.save(kept, self._newsroom.last_id)
        except OSError as error:
            log.error("cannot save state.json: %s; holds given since the last save are lost", error)  # noqa: TRY400


def _kept(states: Mapping[str, State]) -> dict[str, State]:
    return {strategy: machine.remembered(state) for strategy, state in states.items()}
