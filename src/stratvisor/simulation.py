"""What the rules will do: strategies played ahead on a fake clock, by the same machine that runs them.

Knows `machine.step` and `machine.wake_at`, and answers them as a perfect world would: what is launched
lives at once, what is told to stop ends at once, a job is done at once, and nothing fails but where a crash
is asked for. It begins with nothing known, so no hold, no count and no live run is in it: it says what the
files say. How things are put in words is for `reasons`.

Rule: no second reading of a schedule. Whatever starts and stops here does so because the machine said it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING

from stratvisor import machine, reasons
from stratvisor.skipped import skips
from stratvisor.spec import Jobs, Spec, as_ns, as_span
from stratvisor.state import (
    Agenda,
    Because,
    Ended,
    Exit,
    Exited,
    GaveUp,
    Idle,
    Launched,
    Launching,
    Look,
    Now,
    Run,
    State,
    Stopping,
)
from stratvisor.why import BECAUSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stratvisor.state import Event

CRASH_CODE = 1
"""How a run ends that is to crash."""

_NO_PID = 0


class Kind(StrEnum):
    """What may happen to a strategy."""

    START = "start"
    STOP = "stop"
    """It runs no more, and is not tried again by itself before its next start."""
    RESTART = "restart"
    """Another run follows one that ended by itself."""
    SKIP = "skip"
    """A start that its calendar or its file takes away."""
    JOB = "job"
    """A run that is to end by itself."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens to one strategy."""

    at: datetime
    """UTC."""
    id: str
    event: Kind
    why: str


@dataclass(frozen=True, slots=True)
class Missed:
    """A crash that was asked for at a time when nothing ran."""

    at: datetime
    id: str


def simulate(
    specs: Iterable[Spec],
    start: datetime,
    end: datetime,
    crashes: Mapping[str, Iterable[datetime]] | None = None,
) -> Iterator[Happening | Missed]:
    """What happens in [start, end), both aware, in order of time and then of `specs`; lazily.

    `crashes`: by id, when the run that lives then dies.
    """
    given = crashes or {}
    lives = [_one(spec, start, end, given.get(spec.id, ())) for spec in specs]
    return heapq.merge(*lives, key=attrgetter("at"))


def _one(
    spec: Spec, start: datetime, end: datetime, crashes: Iterable[datetime]
) -> Iterator[Happening | Missed]:
    life = _Life(spec, start).until(end, crashes)
    return heapq.merge(life, _skipped(spec, start, end), key=attrgetter("at"))


def _skipped(spec: Spec, start: datetime, end: datetime) -> Iterator[Happening]:
    because = machine.wish(Now(0, start), spec, State()).because
    if because in {Because.DISABLED, Because.MANUAL}:
        yield Happening(start, spec.id, Kind.SKIP, BECAUSE[because])
        return
    for skip in skips(spec.schedule, start, end):
        yield Happening(skip.at, spec.id, Kind.SKIP, skip.why)


class _Life:
    """One strategy, and the world's answers to what its machine asks for."""

    def __init__(self, spec: Spec, start: datetime) -> None:
        # The jitter is drawn from the number of a run, which nobody knows ahead.
        self._spec = replace(spec, restart=replace(spec.restart, jitter=0.0))
        self._start = start
        # Whoever is inside a window at the start counts as begun in time: nobody came late. A job that is
        # due at the start is still to be begun, one before that is not.
        self._state = State(admitted=start, agenda=Agenda(seen=start - datetime.resolution))
        self._crashes: list[datetime] = []
        """Those to come, the next one last."""
        self._is_up = False
        """Whether what was last told of it is that it runs, or is about to again."""

    def until(self, end: datetime, crashes: Iterable[datetime]) -> Iterator[Happening | Missed]:
        """All that happens before `end`. What time does comes before a crash at the same instant."""
        self._crashes = sorted({at for at in crashes if self._start <= at < end}, reverse=True)
        at: datetime | None = self._start
        while at is not None and at < end:
            yield from self._hear(at, Look())
            if self._take_crash(at):
                yield from self._crash(at)
            at = min((*self._wakes(at), *self._crashes[-1:]), default=None)

    def _wakes(self, at: datetime) -> Iterator[datetime]:
        wake = machine.wake_at(self._now(at), self._spec, self._state)
        if wake.boot_ns is not None:  # up to the next microsecond: not before its time has come
            yield self._start - as_span(-wake.boot_ns)
        if wake.wall is not None:
            yield wake.wall

    def _now(self, at: datetime) -> Now:
        return Now(as_ns(at - self._start), at)

    def _take_crash(self, at: datetime) -> bool:
        """Whether a crash was asked for now; it is, once."""
        if self._crashes[-1:] != [at]:
            return False
        self._crashes.pop()
        return True

    def _crash(self, at: datetime) -> Iterator[Happening | Missed]:
        run = machine.live_run(self._state)
        if run is None:
            yield Missed(at, self._spec.id)
            return
        yield from self._hear(at, _ended(run, at, code=CRASH_CODE))

    def _hear(self, at: datetime, event: Event) -> Iterator[Happening]:
        self._state, actions = machine.step(self._now(at), self._spec, self._state, event)
        if actions:
            yield from self._carry_out(at)
        if self._is_up and isinstance(self._state.phase, Idle | Exited | GaveUp):
            self._is_up = False
            yield self._happening(at, Kind.STOP, reasons.down(self._now(at), self._spec, self._state))

    def _carry_out(self, at: datetime) -> Iterator[Happening]:
        """The one action that was asked for; the phase says which."""
        match self._state.phase:
            case Launching(number=number, fingerprint=fingerprint, told=want):
                run = Run(number, _NO_PID, self._now(at).boot_ns, at, fingerprint, want)
                yield self._launched(at)
                yield from self._hear(at, self._living(run, at))
            case Stopping(run=run, order=order):
                yield from self._hear(at, _ended(run, at, stopped=order.because))
            case _:
                pass  # told of another deadline; what is to be then, the machine will say then

    def _living(self, run: Run, at: datetime) -> Launched | Ended:
        """What becomes of a launch: a job is over before anything else happens."""
        if not isinstance(self._spec.schedule, Jobs):
            return Launched(run, ready=True)
        done = next(iter(self._spec.restart.success_codes), 0)
        return _ended(run, at, code=CRASH_CODE if self._take_crash(at) else done)

    def _launched(self, at: datetime) -> Happening:
        if self._state.restarts:
            return self._happening(at, Kind.RESTART, reasons.again(self._now(at), self._spec, self._state))
        if isinstance(self._spec.schedule, Jobs):
            return self._happening(at, Kind.JOB, reasons.due(self._spec.schedule))
        self._is_up = True
        return self._happening(at, Kind.START, reasons.up(at, self._spec))

    def _happening(self, at: datetime, event: Kind, reason: str) -> Happening:
        return Happening(at, self._spec.id, event, reason)


def _ended(run: Run, at: datetime, code: int | None = None, stopped: Because | None = None) -> Ended:
    ran_ns = as_ns(at - run.began)
    return Ended(Exit(run.number, at, ran_ns, code, stopped=stopped))
