"""The rules of one strategy: what is wanted, what is known, and the one next thing to do about it.

Everything that decides about a strategy lives in this file; its vocabulary is `state`.
`step(now, spec, state, event)` first observes (folds the event into what is known), then reconciles
(closes the gap between wanted and known with at most one action). `wake_at` says when to look again
if nothing happens before. Nothing here waits, reads a clock or touches the outside: time, spec and
news come in as arguments.

The phases, and what leads out of each:

    Idle       wanted ------------------------------------------------------> Launching
    Launching  Launched ----------------------------------------------------> Up
               LaunchFailed ------------------------------------------------> Backoff, uncounted
               Ended -------------------------------------------------------> as from Up
    Up         not wanted, edited, `restart`, over a limit, never ready,
               its job took too long or gives way to the next --------------> Stopping
               Ended, as it should -----------------------------------------> Exited
               Ended, a failure, or whatever `restart: always` follows -----> Backoff
               Ended, one failure too many ---------------------------------> GaveUp
    Stopping   Ended, as asked for -----------------------------------------> Idle
               Ended, after a limit, no readiness, a job's timeout ---------> as a failure from Up
    Backoff    its time has come -------------------------------------------> Launching
               its job has taken too long ----------------------------------> GaveUp
               not wanted, an edit that matters, `start`, `restart` --------> Idle
    Exited     a later window, outside the windows, a job begins, held down, disabled,
               `start`, `restart` ------------------------------------------> Idle
    GaveUp     a later window, a job begins, held down, disabled, an edit that matters,
               `start`, `restart` ------------------------------------------> Idle
    at rest    Launched: a new daemon found it alive -----------------------> Up, Stopping
               Ended: it ended while no daemon lived -----------------------> as from Up

Rules:

1. Level, never edge: a window is asked about now; nothing remembers that one began or ended.
2. A run is known by its number. News of another run changes nothing.
3. A phase with a process never starts another: only `Ended` leads out of it.
4. What the daemon wants of a run is one value, `Want`; whenever it differs from what the run was told,
   the action is to tell it. A stop, a new deadline and a changed log limit are the same action.
5. A stop that was asked for is never a failure; one for a limit or a missed readiness always is.
6. An end counts at the time it came, however late the news of it.
7. Late is only who neither lived nor was tried in the window that it comes into; what lives never is.
8. What is due is attended to once: `agenda.seen` only grows. A job begins when it is due or a moment
   later, later still where `catch_up` says so; it is under way until it ends as it should or for good,
   and however it ends, it is not begun again. What is queued is one job, the latest.
9. step is a fixed point: with the same time and no news a second step does nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from stratvisor.spec import (
    SECOND,
    STORM_DELAY_NS,
    STORM_STREAK,
    Always,
    Every,
    Jobs,
    Manual,
    OnChange,
    Overlap,
    ReadyAfter,
    RestartWhen,
    Spec,
    Stop,
    Windows,
    as_ns,
    as_span,
)
from stratvisor.state import (
    Action,
    Agenda,
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
    Job,
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
    PassedOver,
    Phase,
    Removed,
    Returned,
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
from stratvisor.timetable import position, window_at
from stratvisor.windows import ALWAYS, Position

REFUSED_RETRY_NS = 5 * SECOND
"""How long after a refused launch (a full disk, no descriptors, a copy that still lives) to try again."""

KILL_AT_ONCE = Stop(signals=(), timeout_ns=0)
"""The plan of a stop without a polite part."""

FAILURES = frozenset({Because.LIMIT, Because.NOT_READY, Because.TIMEOUT})
"""Stops that are the strategy's own fault and follow its restart policy."""

PROMPT = timedelta(seconds=10)
"""A start this soon after a window's beginning or a due time is on time for everybody: to come up takes a
moment.
"""

SET_BACK = timedelta(days=1)
"""What is due in a time that comes again because the clock was set back by at most this is not run again.
Farther back, the clock had been wrong before.
"""

LOOK_AGAIN = timedelta(days=30)
"""When to look where no edge of a window is in sight; `windows` sees farther than that."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether a process is wanted now, and why not or for how long."""

    up: bool
    because: Because | None = None
    """Why it is not wanted."""
    deadline: datetime | None = None
    """When the shim is to stop it by itself; None: at no known time."""
    expires_ns: int | None = None
    """CLOCK_BOOTTIME at which it is to stop it as well: its job has taken too long."""


@dataclass(frozen=True, slots=True)
class Wake:
    """When to look again; the earlier of the two counts."""

    boot_ns: int | None
    wall: datetime | None


def step(now: Now, spec: Spec, state: State, event: Event) -> tuple[State, tuple[Action, ...]]:
    """The next state, and at most one action. Never raises for any event in any state."""
    known = _attend(now, spec, _observe(now, spec, _let_time_pass(now, spec, state), event))
    after, actions = _reconcile(now, spec, known)
    if after.since is None or not _goes_on(state.phase, after.phase):
        after = replace(after, since=_beginning(now, after.phase))
    return after, actions


def wish(now: Now, spec: Spec, state: State) -> Wish:
    """What is wanted now, by shutdown, removal, `enabled`, hold, schedule and lateness, in this order."""
    if state.closing:
        return Wish(up=False, because=Because.SHUTDOWN)
    if state.removed:
        return Wish(up=False, because=Because.REMOVED)
    if not spec.enabled:
        return Wish(up=False, because=Because.DISABLED)
    if _held(state, Wants.DOWN):
        return Wish(up=False, because=Because.HELD)
    if isinstance(spec.schedule, Jobs):
        return _wish_of_job(now, spec.schedule, state.agenda.job)
    place = position(spec.schedule, now.wall)
    if place.inside is None and not _held(state, Wants.UP):
        return Wish(up=False, because=Because.MANUAL if isinstance(spec.schedule, Manual) else Because.WINDOW)
    if _is_late(now, spec, state, place):
        return Wish(up=False, because=Because.LATE)
    window = place.inside or place.next
    return Wish(up=True, deadline=None if window is None or window.endless else window.end)


def _wish_of_job(now: Now, schedule: Jobs, job: Job | None) -> Wish:
    if job is None:
        return Wish(up=False, because=Because.NOT_DUE)
    if not _in_its_place(now, schedule, job):
        return Wish(up=False, because=Because.WINDOW)
    expires_ns = None
    if schedule.timeout_ns is not None and job.began_ns is not None:
        expires_ns = job.began_ns + schedule.timeout_ns
        if expires_ns <= now.boot_ns:
            return Wish(up=False, because=Because.TIMEOUT)
    window = None if job.anywhere else window_at(schedule, now.wall)
    bounded = window is not None and not window.endless
    return Wish(up=True, deadline=window.end if window and bounded else None, expires_ns=expires_ns)


def _in_its_place(now: Now, schedule: Jobs, job: Job) -> bool:
    """Whether the windows of `every` do not keep it from running now."""
    bound = isinstance(schedule.timing, Every) and not job.anywhere
    return not bound or window_at(schedule, now.wall) is not None


def refuse_restart(now: Now, spec: Spec, state: State) -> bool:
    """Whether `restart` has nothing to restart: no process is wanted."""
    return not wish(now, spec, _let_time_pass(now, spec, state)).up


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


def at_rest(state: State) -> bool:
    """Whether no process is there and none was ordered."""
    return _run_number(state.phase) is None


def kill_ns(order: StopOrder) -> int:
    """CLOCK_BOOTTIME of the KILL that ends the stop under way."""
    return order.began_ns + order.plan.total_ns


def wake_at(now: Now, spec: Spec, state: State) -> Wake:
    """The next instants at which `step` may do something by itself; after `now` for what step returned then.

    Wall times are edges of windows, which a step of the clock may move; the rest are durations.
    """
    timers = (_phase_ns(spec, state.phase), wish(now, spec, state).expires_ns)
    return Wake(min((timer for timer in timers if timer is not None), default=None), _next_edge(now, spec))


def _phase_ns(spec: Spec, phase: Phase) -> int | None:
    """CLOCK_BOOTTIME at which the phase itself may end."""
    match phase:
        case Backoff(retry_ns=retry_ns):
            return retry_ns
        case Up(run=run, ready=False):
            return _ready_by_ns(spec, run)
        case Up() | Idle() | Launching() | Stopping() | Exited() | GaveUp():
            return None
        case never:
            assert_never(never)


def _next_edge(now: Now, spec: Spec) -> datetime | None:
    if isinstance(spec.schedule, Always | Manual):
        return None
    if isinstance(spec.schedule, Jobs):
        window = window_at(spec.schedule, now.wall)
        due = position(spec.schedule, now.wall).next
        edges = [due and due.start, window and not window.endless and window.end]
        return min((edge for edge in edges if edge), default=now.wall + LOOK_AGAIN)
    place = position(spec.schedule, now.wall)
    if place.inside is not None and not place.inside.endless:
        return place.inside.end
    if place.inside is None and place.next is not None:
        return place.next.start
    return now.wall + LOOK_AGAIN


def _ready_by_ns(spec: Spec, run: Run) -> int:
    """CLOCK_BOOTTIME at which it is ready, or must be."""
    grace_ns = spec.start.after_ns if isinstance(spec.start, ReadyAfter) else spec.start.timeout_ns
    return run.began_ns + grace_ns


# What the mere passing of time changes, before any news is heard.


def _let_time_pass(now: Now, spec: Spec, state: State) -> State:
    state = _not_from_the_future(now, state)
    if state.hold is not None and _is_over(now, spec, state.hold):
        return replace(state, hold=None)
    return state


def _not_from_the_future(now: Now, state: State) -> State:
    """After the clock was set back, what was noted before that counts as noted now.

    Else a hold or an error would last until its own time comes again.
    """
    if state.hold is not None and state.hold.since > now.wall:
        state = replace(state, hold=replace(state.hold, since=now.wall))
    if isinstance(state.phase, GaveUp) and state.phase.at > now.wall:
        state = replace(state, phase=replace(state.phase, at=now.wall))
    return state


def _is_over(now: Now, spec: Spec, hold: Hold) -> bool:
    if hold.wants is Wants.UP and not spec.enabled:
        return True
    match hold.until:
        case Until.OPERATOR:
            return False
        case Until.NEXT_WINDOW:
            return _in_window_later_than(now, spec, hold.since)
        case Until.WINDOW_END:
            then = position(spec.schedule, hold.since)
            window = then.inside or then.next
            return isinstance(spec.schedule, Always) or (window is not None and window.end <= now.wall)
        case never:
            assert_never(never)


def _in_window_later_than(now: Now, spec: Spec, at: datetime) -> bool:
    """Whether a window began after `at` that has not ended, or a job was due after it."""
    place = position(spec.schedule, now.wall)
    if isinstance(spec.schedule, Jobs):
        return place.last_end is not None and place.last_end > at
    return place.inside is not None and place.inside.start > at


def _is_late(now: Now, spec: Spec, state: State, place: Position) -> bool:
    """Whether it is too late to begin in the window that this instant lies in.

    Not for what lives, nor for what has lived in this window, was tried in it, or is the operator's word.
    """
    if not isinstance(spec.schedule, Windows) or spec.schedule.late_start_ns is None or place.inside is None:
        return False
    begin = place.inside.start
    if not at_rest(state) or _held(state, Wants.UP):
        return False
    lived = state.last_exit.at if state.last_exit else ALWAYS.start
    tried = state.admitted or ALWAYS.start
    allowed = as_span(spec.schedule.late_start_ns)
    return max(lived, tried) < begin and now.wall - begin > max(allowed, PROMPT)


def _held(state: State, wants: Wants) -> bool:
    return state.hold is not None and state.hold.wants is wants


def _not_held_up(state: State) -> State:
    return replace(state, hold=None) if _held(state, Wants.UP) else state


# Observing: what the news means.


def _observe(now: Now, spec: Spec, state: State, event: Event) -> State:  # noqa: C901, PLR0912  rows
    match event:
        case Look():
            return state
        case Launched(run=run, ready=ready):
            return _launched(spec, state, run, ready=ready)
        case LaunchFailed(number=number, why=why):
            return _launch_failed(now, spec, state, number, why)
        case BecameReady(number=number):
            return _became_ready(state, number)
        case OverLimit(number=number, detail=detail):
            return _over_limit(now, state, number, detail)
        case Ended(exit=end):
            return _ended(now, spec, state, end)
        case OperatorStart(by=by):
            return _operator_start(now, spec, state, by)
        case OperatorStop(by=by, until_next=until_next):
            return _operator_stop(now, spec, state, by, until_next=until_next)
        case OperatorRestart():
            return _operator_restart(now, spec, state)
        case Removed():
            return replace(_not_held_up(state), removed=True)
        case Returned():
            return _returned(now, state)
        case ShutDown():
            return replace(state, closing=True)
        case never:
            assert_never(never)


def _returned(now: Now, state: State) -> State:
    """What a file that is new or changed says about earlier times is no job that was missed."""
    state = replace(state, removed=False)
    if state.agenda.seen is None:
        return state
    return replace(state, agenda=replace(state.agenda, seen=max(state.agenda.seen, now.wall - PROMPT)))


def _launched(spec: Spec, state: State, run: Run, *, ready: bool) -> State:
    """It lives. At rest that is news of a run from before this daemon, which is adopted."""
    if live_run(state) is not None or run.number <= _last_ended(state):
        return state
    if isinstance(state.phase, Launching):
        if state.phase.number != run.number:
            return state
        ready = ready or state.phase.ready
    else:
        state = _adopted(spec, state, run)
    phase = Stopping(run, run.told.stop) if run.told.stop else Up(run, ready=ready)
    return replace(state, phase=phase, last_run=max(state.last_run, run.number))


def _adopted(spec: Spec, state: State, run: Run) -> State:
    """The last daemon may have died before it could note whose job the run is."""
    if not isinstance(spec.schedule, Jobs):
        return state
    agenda = _attended(state, run.number, Now(run.began_ns, run.began))
    job = agenda.job or Job(run.began, run.began_ns)
    return replace(state, agenda=replace(agenda, job=job))


def _attended(state: State, run: int, began: Now) -> Agenda:
    """What was due before a run began is not due again, nor does it wait, if no note knows the run."""
    agenda = state.agenda
    agenda = replace(agenda, seen=max(agenda.seen or began.wall, began.wall))
    if agenda.queued is None or run <= state.last_run:
        return agenda
    return replace(agenda, job=Job(agenda.queued, began.boot_ns), queued=None)


def _launch_failed(now: Now, spec: Spec, state: State, number: int, why: str) -> State:
    if not (isinstance(state.phase, Launching) and state.phase.number == number):
        return state
    return replace(state, phase=_backoff(now, spec, REFUSED_RETRY_NS, refused=why))


def _became_ready(state: State, number: int) -> State:
    """It may say so before the news of its launch is here."""
    if isinstance(state.phase, Launching | Up) and _run_number(state.phase) == number:
        return replace(state, phase=replace(state.phase, ready=True))
    return state


def _over_limit(now: Now, state: State, number: int, detail: str) -> State:
    if not (isinstance(state.phase, Up) and state.phase.run.number == number):
        return state
    order = StopOrder(Because.LIMIT, detail, now.boot_ns, KILL_AT_ONCE)
    return replace(state, phase=Stopping(state.phase.run, order))


def _operator_start(now: Now, spec: Spec, state: State, by: str) -> State:
    """Lift what keeps it down; where its schedule does not want it, hold it up."""
    if refuse_start(spec):
        return state
    if isinstance(spec.schedule, Jobs):
        return _start_job(now, spec.schedule, replace(state, hold=None))
    free = replace(state, hold=None, phase=_rested(state.phase), admitted=now.wall)
    if wish(now, spec, free).because not in {Because.WINDOW, Because.MANUAL}:
        return free
    return replace(free, hold=_held_since(state, Hold(Wants.UP, by, now.wall, Until.WINDOW_END)))


def _start_job(now: Now, schedule: Jobs, state: State) -> State:
    """Run it once now, whatever is due; what is under way is that already."""
    if isinstance(state.phase, Launching | Up):
        return state
    anywhere = window_at(schedule, now.wall) is None
    return _begin(now, state, Job(now.wall, now.boot_ns, anywhere))


def _operator_stop(now: Now, spec: Spec, state: State, by: str, *, until_next: bool) -> State:
    """Hold it down; for good where no next window is to be."""
    for_now = until_next and isinstance(spec.schedule, Windows | Jobs)
    hold = Hold(Wants.DOWN, by, now.wall, Until.NEXT_WINDOW if for_now else Until.OPERATOR)
    return replace(state, hold=_held_since(state, hold))


def _held_since(state: State, hold: Hold) -> Hold:
    """The hold in force where it says the same: what is said twice was said the first time."""
    old = state.hold
    return old if old is not None and (old.wants, old.until) == (hold.wants, hold.until) else hold


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


# The end of a run, and what follows it.


def _ended(now: Now, spec: Spec, state: State, end: Exit) -> State:
    if end.run != _run_number(state.phase) and (not at_rest(state) or end.run <= _last_ended(state)):
        return state
    because = end.stopped or (state.phase.order.because if isinstance(state.phase, Stopping) else None)
    end = replace(end, stopped=because)
    known = replace(state, last_exit=end, last_run=max(state.last_run, end.run))
    if at_rest(state) and isinstance(spec.schedule, Jobs):
        began = _both_clocks(now, end.at - as_span(end.ran_ns))
        known = replace(known, agenda=_attended(state, end.run, began))
    if because is not None and because not in FAILURES:
        return replace(known, phase=Idle())
    if end.ran_ns >= spec.restart.reset_after_ns:
        known = replace(known, streak=0, failures=())
    then = _both_clocks(now, end.at)
    return _after_failure(then, spec, known) if is_failure(spec, end) else _after_success(then, spec, known)


def _both_clocks(now: Now, at: datetime) -> Now:
    """A past instant on both clocks. One that lies in the future, the clock being set back since, is now."""
    at = min(at, now.wall)
    return Now(now.boot_ns - as_ns(now.wall - at), at)


def _after_success(then: Now, spec: Spec, state: State) -> State:
    if spec.restart.when is RestartWhen.ALWAYS and not isinstance(spec.schedule, Jobs):
        return _try_again(then, spec, state)
    return replace(_done(_not_held_up(state)), phase=Exited(then.wall))


def _after_failure(then: Now, spec: Spec, state: State) -> State:
    state = replace(state, failures=_recent(then, spec, (*state.failures, then.boot_ns)))
    return _give_up(then, spec, state) if _gives_up(spec, state) else _try_again(then, spec, state)


def _give_up(then: Now, spec: Spec, state: State) -> State:
    failures = max(1, len(state.failures))
    return replace(_done(state), phase=GaveUp(then.wall, failures, spec.retry_key))


def _try_again(then: Now, spec: Spec, state: State) -> State:
    streak = state.streak + 1
    delay_ns = backoff_ns(spec, streak, state.last_run)
    return replace(state, streak=streak, phase=_backoff(then, spec, delay_ns, refused=None))


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
    delay = min(float(policy.delay_ns), policy.max_delay_ns)
    for _ in range(1, min(streak, 1000)):  # ** overflows for a large factor; * only grows to infinity
        delay = min(delay * policy.factor, policy.max_delay_ns)
    drawn = hashlib.sha256(f"{spec.id}/{run}".encode()).digest()  # a CRC of names alike lies close together
    share = int.from_bytes(drawn[:4]) / 0xFFFFFFFF
    drawn_ns = int(delay * (1 + policy.jitter * (2 * share - 1)))
    return max(drawn_ns, STORM_DELAY_NS) if streak > STORM_STREAK else drawn_ns


def _gives_up(spec: Spec, state: State) -> bool:
    if spec.restart.when is RestartWhen.NEVER:
        return True
    limit = spec.restart.give_up
    return limit is not None and len(state.failures) >= limit.failures


def _recent(then: Now, spec: Spec, failures: tuple[int, ...]) -> tuple[int, ...]:
    limit = spec.restart.give_up
    if limit is None:
        return ()
    return tuple(at for at in failures if then.boot_ns - at < limit.within_ns)


def _backoff(then: Now, spec: Spec, delay_ns: int, *, refused: str | None) -> Backoff:
    retry_at = then.wall + as_span(delay_ns)
    return Backoff(then.boot_ns + delay_ns, retry_at, refused, spec.retry_key)


# Jobs: what is due, and what becomes of it.


def _attend(now: Now, spec: Spec, state: State) -> State:
    """Deal with what has become due since the last look, once."""
    if not isinstance(spec.schedule, Jobs):
        return state if state.agenda == Agenda() else replace(state, agenda=Agenda())
    if state.closing or state.removed:
        return _without_job(state)
    state = _lapse(now, spec.schedule, replace(state, agenda=_by_these_clocks(now, state.agenda)))
    seen = state.agenda.seen or now.wall
    due = position(spec.schedule, now.wall).last_end or seen
    if not spec.enabled or _held(state, Wants.DOWN):
        return _seen(_without_job(state), max(seen, due))
    if due > seen:
        state = _on_due(now, spec.schedule, state, due)
    return _next_in_queue(now, spec.schedule, _seen(state, max(seen, due)))


def _seen(state: State, until: datetime) -> State:
    return replace(state, agenda=replace(state.agenda, seen=until))


def _on_due(now: Now, schedule: Jobs, state: State, due: datetime) -> State:
    """Begin it, let it wait, or pass it over."""
    if now.wall - due > PROMPT and not schedule.catch_up:
        return _pass_over(state, PassedOver(due, Because.LATE))
    if not at_rest(state) and schedule.overlap is Overlap.SKIP:
        return _pass_over(state, PassedOver(due, Because.OVERLAP))
    return replace(state, agenda=replace(state.agenda, queued=due))


def _next_in_queue(now: Now, schedule: Jobs, state: State) -> State:
    """A job begins once nothing lives; what is under way may have to make room for it."""
    queued = state.agenda.queued
    if queued is None or not at_rest(state):
        return state
    job = Job(queued, now.boot_ns)
    gone = replace(state, agenda=replace(state.agenda, queued=None))
    if not _in_its_place(now, schedule, job):
        return gone
    if not schedule.catch_up and now.wall - _could_begin(state, job) > PROMPT:
        return _pass_over(gone, PassedOver(queued, Because.LATE))
    return _begin(now, state, job)


def _could_begin(state: State, job: Job) -> datetime:
    """When nothing stood in its way any more."""
    return job.due if state.last_exit is None else max(state.last_exit.at, job.due)


def _begin(now: Now, state: State, job: Job) -> State:
    """From here on it is wanted; it has failed at nothing yet."""
    agenda = Agenda(seen=state.agenda.seen or now.wall, job=job)
    return replace(state, agenda=agenda, phase=_rested(state.phase))


def _pass_over(state: State, what: PassedOver) -> State:
    return replace(state, agenda=replace(state.agenda, passed_over=what))


def _done(state: State) -> State:
    """Its job is not under way any more; one may wait."""
    return state if state.agenda.job is None else replace(state, agenda=replace(state.agenda, job=None))


def _without_job(state: State) -> State:
    """Nor does any wait."""
    if state.agenda.job is None and state.agenda.queued is None:
        return state
    return replace(state, agenda=replace(state.agenda, job=None, queued=None))


def _by_these_clocks(now: Now, agenda: Agenda) -> Agenda:
    """What was seen under a clock that was far ahead says nothing; a job outlives a boot."""
    if agenda.seen is not None and agenda.seen - now.wall > SET_BACK:
        agenda = replace(agenda, seen=now.wall)
    if agenda.job is not None and agenda.job.began_ns is None:
        began = _both_clocks(now, agenda.job.due)
        agenda = replace(agenda, job=replace(agenda.job, began_ns=began.boot_ns))
    return agenda


def _lapse(now: Now, schedule: Jobs, state: State) -> State:
    """At rest, a job ends that may not go on, or whose next try comes late: nobody was there for it."""
    job = state.agenda.job
    if job is None or not isinstance(state.phase, Idle | Backoff):
        return state
    if isinstance(state.phase, Idle) and not _wish_of_job(now, schedule, job).up:
        return _done(state)
    if schedule.catch_up or not _is_overdue(now, state, job):
        return state
    return _pass_over(replace(_without_job(state), phase=Idle()), PassedOver(job.due, Because.LATE))


def _is_overdue(now: Now, state: State, job: Job) -> bool:
    if isinstance(state.phase, Backoff):
        return now.boot_ns - state.phase.retry_ns > as_ns(PROMPT)
    return now.wall - _could_begin(state, job) > PROMPT


# Reconciling: at most one action.


def _reconcile(now: Now, spec: Spec, state: State) -> tuple[State, tuple[Action, ...]]:
    wanted = wish(now, spec, state)
    state = _settle(now, spec, state, wanted)
    match state.phase:
        case Idle() | Backoff() if wanted.up and _due(now, state.phase):
            return _launch(now, spec, state, wanted)
        case Up(run=run):
            run, actions = _tell(run, want_of(spec, wanted))
            return replace(state, phase=replace(state.phase, run=run)), actions
        case Stopping(run=run, order=order):
            run, actions = _tell(run, Want(stop=order, deadline=None, plan=spec.stop, logs=spec.logs))
            return replace(state, phase=Stopping(run, order)), actions
        case Idle() | Backoff() | Launching() | Exited() | GaveUp():
            return state, ()
        case never:
            assert_never(never)


def _settle(now: Now, spec: Spec, state: State, wanted: Wish) -> State:
    """The phase that the wish and the time alone lead to, without any action."""
    match state.phase:
        case Up(run=run, ready=ready):
            because = _stop_reason(spec, state, run, wanted)
            if because is not None:
                return replace(state, phase=Stopping(run, StopOrder(because, "", now.boot_ns, spec.stop)))
            if not ready and now.boot_ns >= _ready_by_ns(spec, run):
                return replace(state, phase=_grown_up(now, spec, run))
        case Backoff() if wanted.because is Because.TIMEOUT:
            return _give_up(now, spec, state)
        case Backoff() if not wanted.up:
            return replace(_without_job(state), phase=Idle())
        case Backoff(retry_key=key) if key != spec.retry_key:
            return replace(state, phase=Idle())
        case Exited(at=at) if _is_past(now, spec, wanted, at) or wanted.because is Because.WINDOW:
            return replace(state, phase=Idle())
        case GaveUp(at=at, retry_key=key) if _is_past(now, spec, wanted, at) or key != spec.retry_key:
            return replace(state, phase=Idle())
        case Idle() | Launching() | Stopping() | Backoff() | Exited() | GaveUp():
            pass
        case never:
            assert_never(never)
    return state


def _grown_up(now: Now, spec: Spec, run: Run) -> Up | Stopping:
    """What it is at the age when it must be ready."""
    if isinstance(spec.start, ReadyAfter):
        return Up(run, ready=True)
    return Stopping(run, StopOrder(Because.NOT_READY, "did not send READY=1 in time", now.boot_ns, spec.stop))


def _is_past(now: Now, spec: Spec, wanted: Wish, at: datetime) -> bool:
    """Whether an end at `at` says nothing about now any more: the operator's word or a window came after."""
    if wanted.up or wanted.because is Because.LATE:
        return _in_window_later_than(now, spec, at)
    return wanted.because in {Because.HELD, Because.DISABLED}


def _stop_reason(spec: Spec, state: State, run: Run, wanted: Wish) -> Because | None:
    if not wanted.up:
        return wanted.because
    if state.agenda.queued is not None and _gives_way(spec):
        return Because.OVERLAP
    edited = run.fingerprint != spec.process.fingerprint and spec.on_change is OnChange.RESTART
    return Because.EDITED if edited else None


def _gives_way(spec: Spec) -> bool:
    return isinstance(spec.schedule, Jobs) and spec.schedule.overlap is Overlap.RESTART


def _due(now: Now, phase: Idle | Backoff) -> bool:
    return isinstance(phase, Idle) or now.boot_ns >= phase.retry_ns


def _launch(now: Now, spec: Spec, state: State, wanted: Wish) -> tuple[State, tuple[Action, ...]]:
    """From Idle everything begins anew; from Backoff it is one more try."""
    number = state.last_run + 1
    want = want_of(spec, wanted)
    if isinstance(state.phase, Idle):
        state = replace(state, restarts=0, streak=0, failures=())
    elif isinstance(state.phase, Backoff) and state.phase.refused is None:
        state = replace(state, restarts=state.restarts + 1)
    state = replace(state, phase=Launching(number, spec.process.fingerprint, want), last_run=number)
    state = replace(state, admitted=now.wall)
    return state, (Launch(number, want, state.restarts),)


def want_of(spec: Spec, wanted: Wish) -> Want:
    """What a run that may go on is told."""
    return Want(None, wanted.deadline, spec.stop, spec.logs, wanted.expires_ns)


def _tell(run: Run, want: Want) -> tuple[Run, tuple[Action, ...]]:
    if run.told == want:
        return run, ()
    return replace(run, told=want), (Tell(run.number, want),)


# What a phase is about.


def _run_number(phase: Phase) -> int | None:
    match phase:
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


def _goes_on(before: Phase, after: Phase) -> bool:
    """Whether nothing began: the same rest, or more about the same run."""
    number = _run_number(after)
    same = before == after if number is None else number == _run_number(before)
    return same and type(before) is type(after)


def _beginning(now: Now, phase: Phase) -> datetime:
    """When a phase began that was heard of now."""
    match phase:
        case Up(run=run):
            return run.began
        case Exited(at=at) | GaveUp(at=at):
            return at
        case Idle() | Launching() | Stopping() | Backoff():
            return now.wall
        case never:
            assert_never(never)
