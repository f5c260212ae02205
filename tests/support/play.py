"""Plays a script against the machine: what it hears and when, what it must do, and where that leads.

    play(spec, ("09:15:00", Look(), ["launch 1, until 15:30:00"]), ("09:15:01", launched(1), [], "up"), ...)

Times are UTC in the week of Monday 23 November 2026, "Tue 09:15:00" for other days than Monday;
CLOCK_BOOTTIME is derived from them unless a row gives a `Now` of its own. Actions and phases are
written as text that says everything in them. On a mismatch the whole play is shown as an ndiff.

Whatever the script, each step must be a fixed point, and nothing may happen by itself before it asked
to be woken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from difflib import ndiff

from stratvisor.kept import from_kept, to_kept
from stratvisor.machine import step, wake_at
from stratvisor.spec import (
    DAY,
    DAY_NAMES,
    HOUR,
    MINUTE,
    SECOND,
    DaysWindow,
    Logs,
    Process,
    Schedule,
    Spec,
    Stop,
    Windows,
)
from stratvisor.state import (
    Action,
    Backoff,
    Because,
    Ended,
    Event,
    Exit,
    Exited,
    GaveUp,
    Idle,
    Launch,
    Launched,
    Launching,
    Look,
    Now,
    Phase,
    Run,
    State,
    Stopping,
    Tell,
    Up,
    Want,
)

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
BOOT_NS = 10 * HOUR
"""CLOCK_BOOTTIME on that midnight."""

FAR = datetime.max.replace(tzinfo=UTC)
BETWEEN = (SECOND // 2, 2 * SECOND, 8 * SECOND, MINUTE, HOUR, 8 * HOUR, DAY, 7 * DAY)
"""When to see that nothing happens, as long as nobody asked to be woken."""


@dataclass(frozen=True)
class Edit:
    """The spec is another from here on."""

    spec: Spec


@dataclass(frozen=True)
class NewDaemon:
    """The daemon goes and another comes, which knows what was kept and has not looked yet."""


@dataclass
class Stage:
    """What an event of the script may refer to."""

    now: Now
    spec: Spec
    told: Want


Cue = Event | Edit | NewDaemon | Callable[[Stage], Event]
Row = tuple[str | Now, Cue, list[str]] | tuple[str | Now, Cue, list[str], str]


def play(spec: Spec, *rows: Row, state: State | None = None) -> State:
    """The state that the script ends in."""
    state = state or State()
    stage = Stage(at("00:00"), spec, Want(None, None, spec.stop, spec.logs))
    expected, seen = [], []
    for row in rows:
        stage.now = at(row[0]) if isinstance(row[0], str) else row[0]
        state, actions = _act(stage, state, row[1])
        stage.told = next((action.want for action in actions), stage.told)
        phase = _phase_text(state.phase)
        expected.append(_line(stage.now, row[1], row[2], row[3] if len(row) == 4 else phase))
        seen.append(_line(stage.now, row[1], [_action_text(action) for action in actions], phase))
    assert expected == seen, "\n" + "\n".join(ndiff(expected, seen))
    return state


def _act(stage: Stage, state: State, cue: Cue) -> tuple[State, tuple[Action, ...]]:
    if isinstance(cue, NewDaemon):
        return from_kept(to_kept(state)), ()
    if isinstance(cue, Edit):
        stage.spec = cue.spec
        cue = Look()
    event = cue(stage) if callable(cue) else cue
    state, actions = step(stage.now, stage.spec, state, event)
    check_settled(stage.now, stage.spec, state)
    return state, actions


def check_settled(now: Now, spec: Spec, state: State) -> None:
    """A second look does nothing, nor does any before the next that is asked for."""
    assert step(now, spec, state, Look()) == (state, ())
    wake = wake_at(now, spec, state)
    assert wake.boot_ns is None or wake.boot_ns > now.boot_ns
    assert wake.wall is None or wake.wall > now.wall
    for ns in BETWEEN:
        then = after(now, ns)
        if (wake.boot_ns or then.boot_ns + 1) <= then.boot_ns or (wake.wall or FAR) <= then.wall:
            return
        assert step(then, spec, state, Look()) == (state, ()), "a lost wake-up"


def after(now: Now, ns: int) -> Now:
    """So long after `now`, by both clocks."""
    return Now(now.boot_ns + ns, now.wall + timedelta(microseconds=ns // 1000))


# What happens on the stage.


def at(text: str) -> Now:
    """An instant on both clocks."""
    wall = wall_at(text)
    return Now(BOOT_NS + (wall - MONDAY) // timedelta(microseconds=1) * 1000, wall)


def wall_at(text: str) -> datetime:
    *day, clock = text.split()
    days = DAY_NAMES.index(day[0].lower()) if day else 0
    return datetime.combine(MONDAY.date(), time.fromisoformat(clock), UTC) + timedelta(days=days)


def launched(number: int, *, began: str | None = None, ready: bool = False) -> Callable[[Stage], Event]:
    """A run of the present spec, told what was last told."""
    return lambda stage: Launched(run_of(stage, number, began=began), ready=ready)


def run_of(stage: Stage, number: int, *, began: str | None = None) -> Run:
    start = at(began) if began else stage.now
    fingerprint = stage.spec.process.fingerprint
    return Run(number, 100 + number, start.boot_ns, start.wall, fingerprint, stage.told)


def died(
    number: int,
    code: int | None = 1,
    *,
    ran: float = 0.5,
    when: str | None = None,
    stopped: Because | None = None,
    unknown: bool = False,
) -> Callable[[Stage], Event]:
    """The end of a run that lasted `ran` seconds; now, or `when`."""

    def event(stage: Stage) -> Event:
        end = wall_at(when) if when else stage.now.wall
        return Ended(Exit(number, end, int(ran * SECOND), code, stopped=stopped, unknown=unknown))

    return event


def ended(number: int, *, ran: float = 0.5, when: str | None = None) -> Callable[[Stage], Event]:
    """The same with exit code 0."""
    return died(number, 0, ran=ran, when=when)


def windows(*spans: str, days: str = "mon tue wed thu fri sat sun") -> Windows:
    """`windows("09:15-15:30")`, in UTC."""
    on = frozenset(DAY_NAMES.index(day) for day in days.split())
    pairs = (tuple(map(time.fromisoformat, span.split("-"))) for span in spans)
    return Windows("UTC", tuple(DaysWindow(on, start, end) for start, end in pairs))


def spec_of(schedule: Schedule, **changes: object) -> Spec:
    """A strategy whose restarts come to the second: no jitter."""
    spec = Spec("ema", Process(script="ema.py"), schedule=schedule)
    spec = replace(spec, restart=replace(spec.restart, jitter=0.0))
    return replace(spec, **changes)  # type: ignore[arg-type]


# Text, both of what is expected and of what was seen.


def _line(now: Now, cue: Cue, actions: list[str], phase: str) -> str:
    name = getattr(cue, "__qualname__", repr(cue)).split(".")[0]
    return f"{_wall_text(now.wall)}  {name}  ->  {actions}  {phase}"


def _action_text(action: Action) -> str:
    match action:
        case Launch(number=number, want=want, restarts=0):
            return f"launch {number}{_want_text(want)}"
        case Launch(number=number, want=want, restarts=restarts):
            return f"launch {number}, restart {restarts}{_want_text(want)}"
        case Tell(number=number, want=want):
            return f"tell {number}{_want_text(want)}"


def _want_text(want: Want) -> str:
    facts = []
    if want.stop is not None:
        due = want.stop.began_ns + want.stop.plan.total_ns
        detail = f" ({want.stop.detail})" if want.stop.detail else ""
        facts.append(f"stop for {want.stop.because}{detail}, kill at {_boot_text(due)}")
    if want.deadline is not None:
        facts.append(f"until {_wall_text(want.deadline)}")
    if want.expires_ns is not None:
        facts.append(f"expires {_boot_text(want.expires_ns)}")
    if want.plan != Stop():
        facts.append(f"plan {'+'.join(want.plan.signals)} {want.plan.timeout_ns // SECOND}s")
    if want.logs != Logs():
        facts.append(f"keep {want.logs.keep_files} logs")
    return "".join(f", {fact}" for fact in facts)


def _phase_text(phase: Phase) -> str:
    match phase:
        case Idle():
            return "idle"
        case Launching(number=number):
            return f"launching {number}"
        case Up(run=run, ready=ready):
            return f"up {run.number}, ready" if ready else f"up {run.number}"
        case Stopping(run=run, order=order):
            return f"stopping {run.number} for {order.because}"
        case Backoff(retry_ns=retry_ns, refused=refused):
            return f"backoff until {_boot_text(retry_ns)}" + (f": {refused}" if refused else "")
        case Exited(at=when):
            return f"exited at {_wall_text(when)}"
        case GaveUp(at=when, failures=failures):
            return f"gave up at {_wall_text(when)} after {failures}"


def _boot_text(boot_ns: int) -> str:
    return _wall_text(MONDAY + timedelta(microseconds=(boot_ns - BOOT_NS) // 1000))


def _wall_text(wall: datetime) -> str:
    day = "" if wall.date() == MONDAY.date() else f"{wall:%a} "
    return day + wall.time().isoformat()
