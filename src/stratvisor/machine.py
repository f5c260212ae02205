"""The rules of one strategy: what is wanted, what is known, and the one next thing to do about it.

Everything that decides about a strategy lives in this file; its vocabulary is `state`.
`step(now, spec, state, event)` first observes (folds the event into what is known), then reconciles
(closes the gap between wanted and known with at most one action). `wake_at` says when to look again
if nothing happens before. Nothing here waits, reads a clock or touches the outside: time, spec and
news come in as arguments.

The phases, and what leads from one to the next:

    Idle ------- wanted ----------------------> Launching --- Launched ---> Up --- Ready or age ---> Up(ready)
    Launching -- LaunchFailed ----------------> Backoff --- retry_at, or no longer wanted ---> Launching, Idle
    Up --------- not wanted, edited, restart, over a limit, never ready ---> Stopping --- Ended ---> Idle
    Up --------- Ended, as it should ---------> Exited --- a later window, `start` ---> Idle
    Up --------- Ended, a failure ------------> Backoff, GaveUp --- a later window, `start`, an edit ---> Idle

Rules:

1. Level, never edge: a window is asked about now; nothing remembers that one began or ended.
2. A run is known by its number. News of another run changes nothing.
3. A phase with a process never starts another: only `Ended` leads out of it.
4. What the daemon wants of a run is one value, `Want`; whenever it differs from what the run was told,
   the action is to tell it. A stop, a new deadline and a changed log limit are the same action.
5. A stop that was asked for is never a failure; one for a limit or a missed readiness always is.
6. step is a fixed point: with the same time and no news a second step does nothing.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from stratvisor.spec import (
    MICROSECOND,
    SECOND,
    Always,
    Manual,
    OnChange,
    ReadyAfter,
    ReadyNotify,
    RestartWhen,
    Spec,
    Stop,
    Windows,
)
from stratvisor.state import (
    Action,
    Backoff,
    BecameReady,
    Because,
    Ended,
    Event,
    Exit,
    Exited,
    GaveUp,
    Hold,
    Idle,
    Launch,
    Launched,
    LaunchFailed,
    Launching,
    Look,
    Now,
    OperatorRestart,
    OperatorStart,
    OperatorStop,
    OverLimit,
    Phase,
    Removed,
    Run,
    ShutDown,
    State,
    StopOrder,
    Stopping,
    Tell,
    Until,
    Up,
    Want,
    Wants,
)
from stratvisor.windows import position

REFUSED_RETRY_NS = 5 * SECOND
"""How long after a refused launch (a full disk, no descriptors, a copy that still lives) to try again."""


KILL_AT_ONCE = Stop(signals=(), timeout_ns=0)
"""The plan of a stop without a polite part."""

FAILURES = frozenset({Because.LIMIT, Because.NOT_READY})
"""Stops that are the strategy's own fault and follow its restart policy."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether a process is wanted now, and why not or for how long."""

    up: bool
    because: Because | None = None
    """Why it is not wanted."""
    deadline: datetime | None = None
    """When the shim is to stop it by itself; None: at no known time."""


@dataclass(frozen=True, slots=True)
class Wake:
    """When to look again; the earlier of the two counts."""

    boot_ns: int | None
    wall: datetime | None


def step(now: Now, spec: Spec, state: State, event: Event) -> tuple[State, tuple[Action, ...]]:
    """The next state, and at most one action. Never raises for any event in any state."""
    known = _lift_hold(now, spec, _observe(now, spec, state, event))
    after, actions = _reconcile(now, spec, known)
    if after.since is None or type(after.phase) is not type(state.phase):
        after = replace(after, since=now.wall)
    return after, actions


def wish(now: Now, spec: Spec, state: State) -> Wish:
    """What is wanted at this moment, by shutdown, removal, `enabled`, hold and schedule, in this order."""
    if state.closing:
        return Wish(up=False, because=Because.SHUTDOWN)
    if state.removed:
        return Wish(up=False, because=Because.REMOVED)
    if not spec.enabled:
        return Wish(up=False, because=Because.DISABLED)
    if state.hold is not None and state.hold.wants is Wants.DOWN:
        return Wish(up=False, because=Because.HELD)
    place = position(spec.schedule, now.wall)
    held_up = state.hold is not None and state.hold.wants is Wants.UP
    window = place.inside or (place.next if held_up else None)
    if place.inside is None and not held_up:
        return Wish(up=False, because=Because.MANUAL if isinstance(spec.schedule, Manual) else Because.WINDOW)
    bounded = isinstance(spec.schedule, Windows)
    return Wish(up=True, deadline=window.end if bounded and window is not None else None)


def refuse_restart(now: Now, spec: Spec, state: State) -> bool:
    """Whether `restart` has nothing to restart: no process is wanted."""
    return not wish(now, spec, _lift_hold(now, spec, state)).up


def refuse_start(spec: Spec) -> bool:
    """Whether `start` cannot be: the file says that it is disabled."""
    return not spec.enabled


def restart_pending(spec: Spec, state: State) -> bool:
    """Whether the live run is made of something other than its spec now says."""
    run = live_run(state)
    return run is not None and run.fingerprint != spec.process.fingerprint


def live_run(state: State) -> Run | None:
    """The run whose process is known to be there."""
    return state.phase.run if isinstance(state.phase, Up | Stopping) else None


def kill_ns(order: StopOrder) -> int:
    """CLOCK_BOOTTIME of the KILL that ends the stop under way."""
    return order.began_ns + order.plan.total_ns


def wake_at(now: Now, spec: Spec, state: State) -> Wake:
    """The next instants at which `step` may do something by itself; both after `now`.

    Wall times are edges of windows, which a step of the clock may move; the rest are durations.
    """
    return Wake(_boot_wake(now, spec, state), _next_edge(now, spec))


def _next_edge(now: Now, spec: Spec) -> datetime | None:
    if not isinstance(spec.schedule, Windows):
        return None
    place = position(spec.schedule, now.wall)
    if place.inside is not None:
        return place.inside.end
    return place.next.start if place.next is not None else None


def _boot_wake(now: Now, spec: Spec, state: State) -> int | None:
    at: int | None = None
    match state.phase:
        case Backoff(retry_ns=retry_ns):
            at = retry_ns
        case Up(run=run, ready=False):
            at = run.began_ns + _readiness_ns(spec)
        case Up() | Idle() | Launching() | Stopping() | Exited() | GaveUp():
            pass
        case never:
            assert_never(never)
    return None if at is None else max(at, now.boot_ns + 1)


def _readiness_ns(spec: Spec) -> int:
    match spec.start:
        case ReadyAfter(after_ns=after_ns):
            return after_ns
        case ReadyNotify(timeout_ns=timeout_ns):
            return timeout_ns
        case never:
            assert_never(never)


# Observing: what the news means.


def _observe(now: Now, spec: Spec, state: State, event: Event) -> State:  # noqa: C901, PLR0911  a row an event
    match event:
        case Look():
            return _look(now, spec, state)
        case Launched(run=run, ready=ready):
            return _launched(state, run, ready=ready)
        case LaunchFailed(number=number, why=why):
            return _launch_failed(now, state, number, why)
        case BecameReady(number=number):
            return _became_ready(state, number)
        case OverLimit(number=number, detail=detail):
            return _stop_run(now, state, number, StopOrder(Because.LIMIT, detail, now.boot_ns, KILL_AT_ONCE))
        case Ended(exit=end):
            return _ended(now, spec, state, end)
        case OperatorStart(by=by):
            return _operator_start(now, spec, state, by)
        case OperatorStop(by=by, until_next=until_next):
            return _operator_stop(now, state, by, until_next=until_next)
        case OperatorRestart():
            return _operator_restart(now, spec, state)
        case Removed():
            return replace(state, removed=True)
        case ShutDown():
            return replace(state, closing=True)
        case never:
            assert_never(never)


def _look(now: Now, spec: Spec, state: State) -> State:
    """Time alone makes a young run ready, or one that never said READY=1 a failure."""
    if not isinstance(state.phase, Up) or state.phase.ready:
        return state
    run = state.phase.run
    if now.boot_ns < run.began_ns + _readiness_ns(spec):
        return state
    if isinstance(spec.start, ReadyAfter):
        return replace(state, phase=Up(run, ready=True))
    detail = "did not send READY=1 in time"
    return _stop_run(now, state, run.number, StopOrder(Because.NOT_READY, detail, now.boot_ns, spec.stop))


def _launched(state: State, run: Run, *, ready: bool) -> State:
    if isinstance(state.phase, Up | Stopping) or run.number <= _last_ended(state):
        return state
    if isinstance(state.phase, Launching) and state.phase.number != run.number:
        return state
    phase = Stopping(run, run.told.stop) if run.told.stop else Up(run, ready=ready)
    return replace(state, phase=phase, last_run=max(state.last_run, run.number))


def _launch_failed(now: Now, state: State, number: int, why: str) -> State:
    if not (isinstance(state.phase, Launching) and state.phase.number == number):
        return state
    return replace(state, phase=_backoff(now, REFUSED_RETRY_NS, why))


def _became_ready(state: State, number: int) -> State:
    if not (isinstance(state.phase, Up) and state.phase.run.number == number):
        return state
    return replace(state, phase=replace(state.phase, ready=True))


def _stop_run(now: Now, state: State, number: int, order: StopOrder) -> State:
    if not (isinstance(state.phase, Up) and state.phase.run.number == number):
        return state
    return replace(state, phase=Stopping(state.phase.run, replace(order, began_ns=now.boot_ns)))


def _operator_start(now: Now, spec: Spec, state: State, by: str) -> State:
    """Lift what keeps it down; where its schedule does not want it, hold it up."""
    free = replace(state, hold=None, phase=_rested(state.phase))
    if spec.enabled and not wish(now, spec, free).up:
        return replace(free, hold=Hold(Wants.UP, by, now.wall, Until.WINDOW_END))
    return free


def _operator_stop(now: Now, state: State, by: str, *, until_next: bool) -> State:
    """Hold it down. A second stop keeps the first one's word, but may change how long it holds."""
    until = Until.NEXT_WINDOW if until_next else Until.OPERATOR
    if state.hold is not None and state.hold.wants is Wants.DOWN:
        return replace(state, hold=replace(state.hold, until=until))
    return replace(state, hold=Hold(Wants.DOWN, by, now.wall, until))


def _operator_restart(now: Now, spec: Spec, state: State) -> State:
    if refuse_restart(now, spec, state):
        return state
    if isinstance(state.phase, Up):
        order = StopOrder(Because.RESTART, "", now.boot_ns, spec.stop)
        return replace(state, phase=Stopping(state.phase.run, order))
    return replace(state, phase=_rested(state.phase))


def _rested(phase: Phase) -> Phase:
    """The phase once the operator has asked for a new try."""
    return Idle() if isinstance(phase, Exited | GaveUp | Backoff) else phase


def _lift_hold(now: Now, spec: Spec, state: State) -> State:
    """A hold with an end of its own ends there."""
    hold = state.hold
    if hold is None or hold.until is Until.OPERATOR:
        return state
    place = position(spec.schedule, now.wall)
    match hold.until:
        case Until.NEXT_WINDOW:
            over = place.inside is not None and place.inside.start > hold.since
        case Until.WINDOW_END:
            ended = place.last_end is not None and place.last_end > hold.since
            over = ended or isinstance(spec.schedule, Always)
        case never:
            assert_never(never)
    return replace(state, hold=None) if over else state


# The end of a run, and what follows it.


def _ended(now: Now, spec: Spec, state: State, end: Exit) -> State:
    if end.run != _current_run(state) and (_has_process(state.phase) or end.run <= _last_ended(state)):
        return state
    because = end.stopped or (state.phase.order.because if isinstance(state.phase, Stopping) else None)
    end = replace(end, stopped=because)
    known = replace(state, last_exit=end, last_run=max(state.last_run, end.run))
    if because is not None and because not in FAILURES:
        return replace(known, phase=Idle())
    if end.ran_ns >= spec.restart.reset_after_ns:
        known = replace(known, streak=0, failures=())
    return _after_own_end(now, spec, known, failed=is_failure(spec, end))


def _after_own_end(now: Now, spec: Spec, state: State, *, failed: bool) -> State:
    """The restart policy."""
    if not failed and spec.restart.when is not RestartWhen.ALWAYS:
        hold = None if state.hold is not None and state.hold.wants is Wants.UP else state.hold
        return replace(state, phase=Exited(now.wall), hold=hold)
    if failed:
        state = replace(state, failures=_recent(now, spec, (*state.failures, now.boot_ns)))
        if _gives_up(spec, state):
            return replace(state, phase=GaveUp(now.wall, len(state.failures), spec.retry_key))
    state = replace(state, streak=state.streak + 1)
    return replace(state, phase=_backoff(now, backoff_ns(spec, state.streak, state.last_run), None))


def is_failure(spec: Spec, end: Exit) -> bool:
    """Whether an end counts against the strategy: anything but an asked-for stop or a success code."""
    if end.stopped is not None:
        return end.stopped in FAILURES
    return end.unknown or end.code is None or end.code not in spec.restart.success_codes


def backoff_ns(spec: Spec, streak: int, run: int) -> int:
    """The delay before the try that follows the `streak`-th short run in a row.

    The jitter is drawn from the strategy's id and run number: the same in every replay, different
    among strategies that died together.
    """
    policy = spec.restart
    growth = policy.factor ** min(streak - 1, 64)
    delay = min(policy.delay_ns * growth, float(policy.max_delay_ns))
    share = zlib.crc32(f"{spec.id}/{run}".encode()) / 0xFFFFFFFF
    return int(delay * (1 + policy.jitter * (2 * share - 1)))


def _gives_up(spec: Spec, state: State) -> bool:
    if spec.restart.when is RestartWhen.NEVER:
        return True
    limit = spec.restart.give_up
    return limit is not None and len(state.failures) >= limit.failures


def _recent(now: Now, spec: Spec, failures: tuple[int, ...]) -> tuple[int, ...]:
    limit = spec.restart.give_up
    if limit is None:
        return ()
    return tuple(at for at in failures if at > now.boot_ns - limit.within_ns)


def _backoff(now: Now, delay_ns: int, refused: str | None) -> Backoff:
    at = now.wall + timedelta(microseconds=delay_ns // MICROSECOND)
    return Backoff(now.boot_ns + delay_ns, at, refused)


# Reconciling: at most one action.


def _reconcile(now: Now, spec: Spec, state: State) -> tuple[State, tuple[Action, ...]]:
    wanted = wish(now, spec, state)
    state = _settle(now, spec, state, wanted)
    match state.phase:
        case Idle() | Backoff() if wanted.up and _due(now, state.phase):
            return _launch(spec, state, wanted)
        case Up(run=run, ready=ready):
            run, actions = _tell(run, want_of(spec, wanted))
            return replace(state, phase=Up(run, ready=ready)), actions
        case Stopping(run=run, order=order):
            run, actions = _tell(run, replace(want_of(spec, wanted), stop=order))
            return replace(state, phase=Stopping(run, order)), actions
        case Idle() | Backoff() | Launching() | Exited() | GaveUp():
            return state, ()
        case never:
            assert_never(never)


def _settle(now: Now, spec: Spec, state: State, wanted: Wish) -> State:
    """The phase that the wish alone leads to, without any action."""
    match state.phase:
        case Up(run=run):
            because = _stop_reason(spec, run, wanted)
            if because is not None:
                return replace(state, phase=Stopping(run, StopOrder(because, "", now.boot_ns, spec.stop)))
        case Backoff() if not wanted.up:
            return replace(state, phase=Idle())
        case Exited(at=at) if _passed(now, spec, wanted, at, leaves=frozenset({Because.WINDOW})):
            return replace(state, phase=Idle())
        case GaveUp(at=at, retry_key=key):
            if key != spec.retry_key or _passed(now, spec, wanted, at, leaves=frozenset()):
                return replace(state, phase=Idle())
        case Idle() | Launching() | Stopping() | Backoff() | Exited():
            pass
        case never:
            assert_never(never)
    return state


def _passed(now: Now, spec: Spec, wanted: Wish, at: datetime, *, leaves: frozenset[Because]) -> bool:
    """Whether an end at `at` says nothing about now any more.

    So it is in a later window, or where it is not wanted for a reason that outranks the end (or one of
    `leaves`).
    """
    if not wanted.up:
        return wanted.because in leaves | {Because.HELD, Because.DISABLED}
    inside = position(spec.schedule, now.wall).inside
    return inside is not None and inside.start > at


def _stop_reason(spec: Spec, run: Run, wanted: Wish) -> Because | None:
    if not wanted.up:
        return wanted.because
    edited = run.fingerprint != spec.process.fingerprint and spec.on_change is OnChange.RESTART
    return Because.EDITED if edited else None


def _due(now: Now, phase: Idle | Backoff) -> bool:
    return isinstance(phase, Idle) or now.boot_ns >= phase.retry_ns


def _launch(spec: Spec, state: State, wanted: Wish) -> tuple[State, tuple[Action, ...]]:
    """From Idle everything begins anew; from Backoff it is one more try."""
    number = state.last_run + 1
    want = want_of(spec, wanted)
    if isinstance(state.phase, Idle):
        state = replace(state, restarts=0, streak=0, failures=())
    elif isinstance(state.phase, Backoff) and state.phase.refused is None:
        state = replace(state, restarts=state.restarts + 1)
    state = replace(state, phase=Launching(number, spec.process.fingerprint, want), last_run=number)
    return state, (Launch(number, want, state.restarts),)


def want_of(spec: Spec, wanted: Wish) -> Want:
    """What a run that may go on is told."""
    return Want(stop=None, deadline=wanted.deadline, plan=spec.stop, logs=spec.logs)


def _tell(run: Run, want: Want) -> tuple[Run, tuple[Action, ...]]:
    if run.told == want:
        return run, ()
    return replace(run, told=want), (Tell(run.number, want),)


def _has_process(phase: Phase) -> bool:
    return isinstance(phase, Launching | Up | Stopping)


def _current_run(state: State) -> int | None:
    match state.phase:
        case Launching(number=number):
            return number
        case Up(run=run) | Stopping(run=run):
            return run.number
        case Idle() | Backoff() | Exited() | GaveUp():
            return None
        case never:
            assert_never(never)


def _last_ended(state: State) -> int:
    return 0 if state.last_exit is None else state.last_exit.run
