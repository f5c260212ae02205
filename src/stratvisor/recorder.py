"""Writes down what the supervisor decides: intent into state.json, what happened into history.db.

Knows where each goes and what goes along (the script's hash, the commit); decides nothing. A disk that
takes no more costs the record, said in the log, and never a strategy.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from stratvisor import machine
from stratvisor.clock import pause
from stratvisor.history import HistoryUnavailable
from stratvisor.kept import Kept, to_kept
from stratvisor.tasks import threads

if TYPE_CHECKING:
    from datetime import datetime

    from stratvisor.history import History
    from stratvisor.newsroom import Newsroom
    from stratvisor.ports import Clock, Finished, Found, Json
    from stratvisor.provenance import Provenance
    from stratvisor.state import State
    from stratvisor.store import Store
    from stratvisor.supervisor import Entry
    from stratvisor.tasks import Tasks
    from stratvisor.troubles import Troubles

log = logging.getLogger(__name__)

SAVE_RETRY_S = 5.0

STATE = "run/state.json"


class Recorder:
    """The supervisor's memory."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        history: History,
        provenance: Provenance,
        newsroom: Newsroom,
        troubles: Troubles,
        tasks: Tasks,
    ) -> None:
        self._clock = clock
        self._store = store
        self._history = history
        self._provenance = provenance
        self._newsroom = newsroom
        self._troubles = troubles
        self._tasks = tasks
        self._thread = threads(1, "state")  # its own: whoever gave an order waits for it
        self._kept: dict[str, Kept] = {}
        """Of every strategy that was ever known here: those too whose files are gone."""
        self._unsaved = self._saving = False
        self._refused: str | None = None
        """Why the disk took nothing the last time."""
        self._waiting: list[asyncio.Future[str | None]] = []

    async def began(self, entry: Entry, found: Found, *, restarts: int) -> None:
        """A run began: what it was made of goes into the history and stands beside its state."""
        made_of = await self._provenance.of(entry.spec.process)
        entry.facts = replace(
            entry.facts, script_sha256=made_of.script_sha256, commit=made_of.commit, stale=False
        )
        self._history.record_start(
            entry.spec.id, found.run, restarts=restarts, made_of=made_of, log_name=found.log
        )

    async def adopted(self, entry: Entry, found: Found) -> None:
        """A run goes on under a new daemon: what it was made of stands in the history, if anywhere."""
        try:
            runs = await self._history.runs(entry.spec.id, 1)
        except HistoryUnavailable:
            return
        if runs and runs[0]["run"] == found.run.number:
            made_of = {key: runs[0][key] for key in ("script_sha256", "commit")}
            entry.facts = replace(entry.facts, **made_of)

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

    def keep(self, strategy: str, state: State) -> None:
        """This is its state now; save what must outlive the daemon, once at a time, the newest last."""
        kept = to_kept(state)
        if self._kept.get(strategy) == kept:
            return
        self._kept[strategy] = kept
        self._save_soon()

    async def kept(self) -> str | None:
        """Wait until what was to be kept outlives the daemon; where the disk refuses, why."""
        if self._refused is not None or not self._saving:
            return self._refused
        waiting: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return await waiting

    def save_anew(self) -> None:
        """The file is gone from under the daemon."""
        self._save_soon()

    def _save_soon(self) -> None:
        self._unsaved = True
        if not self._saving:
            self._saving = True
            self._tasks.spawn(self._save(), "save state.json")

    async def _save(self) -> None:
        try:
            while self._unsaved:
                self._unsaved = False
                waiting, self._waiting = self._waiting, []
                await self._try_to_save()
                if self._refused is not None or not self._unsaved:
                    # Whoever came while it was written waits for the same.
                    waiting, self._waiting = waiting + self._waiting, []
                for one in waiting:
                    if not one.done():
                        one.set_result(self._refused)
                if self._refused is not None:
                    await pause(SAVE_RETRY_S)
        finally:
            self._saving = False

    async def _try_to_save(self) -> None:
        work = partial(self._store.save, dict(self._kept), self._newsroom.last_id)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except OSError as error:
            self._unsaved = True
            self._not_saved(f"cannot be written: {error.strerror or error}")
        else:
            self._now_saved()

    def _not_saved(self, why: str) -> None:
        self._refused = why
        told = f"{why}; tried again every {SAVE_RETRY_S:g} s; holds given meanwhile die with the daemon"
        if self._troubles.say(STATE, told, grave=True):
            log.warning("%s %s", STATE, told)

    def _now_saved(self) -> None:
        self._refused = None
        if self._troubles.over(STATE):
            log.info("%s is written again", STATE)

    def close(self) -> None:
        """Save what is not saved yet, now."""
        self._thread.shutdown()
        try:
            self._store.save(self._kept, self._newsroom.last_id)
        except OSError as error:
            log.error("cannot save state.json: %s; holds given since the last save are lost", error)  # noqa: TRY400
