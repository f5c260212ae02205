"""The vocabulary of one strategy's life: phases, news (events) and deeds (actions), as facts.

Knows no rule: which event leads from which phase to which stands in `machine`. All values are
immutable. Instants are aware datetimes in UTC; durations and `*_ns` are integer nanoseconds of
CLOCK_BOOTTIME.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from stratvisor.spec import Logs, Stop


@dataclass(frozen=True, slots=True)
class Now:
    """One instant on both clocks."""

    boot_ns: int
    """CLOCK_BOOTTIME: for durations."""
    wall: datetime
    """UTC: for windows."""


class Because(StrEnum):
    """Why a run was told to stop; also stands in want.json and exit.json."""

    WINDOW = "window"
    HELD = "held"
    DISABLED = "disabled"
    REMOVED = "removed"
    EDITED = "edited"
    RESTART = "restart"
    LIMIT = "limit"
    NOT_READY = "not-ready"
    MANUAL = "manual"
    SHUTDOWN = "shutdown"
    OVERLAP = "overlap"
    TIMEOUT = "timeout"
    LATE = "late"
    """Never of a run: it was not begun."""
    NOT_DUE = "not-due"
    """Of a run: only where an edit has taken its job away."""


@dataclass(frozen=True, slots=True)
class StopOrder:
    """A stop under way. Its signals count from `began_ns`, whoever carries it out, however often told."""

    because: Because
    detail: str
    """One sentence for people where the reason alone says too little; may be empty."""
    began_ns: int
    """CLOCK_BOOTTIME."""
    plan: Stop


@dataclass(frozen=True, slots=True)
class Want:
    """All that a run's shim needs to know of the daemon's wishes; the truth of want.json."""

    stop: StopOrder | None
    deadline: datetime | None
    """UTC: when the shim begins `plan` by itself, daemon or no daemon."""
    plan: Stop
    logs: Logs
    expires_ns: int | None = None
    """CLOCK_BOOTTIME: when its job has taken too long, and the shim begins `plan` as well."""


@dataclass(frozen=True, slots=True)
class Run:
    """A process known to live, or to have lived, under a shim."""

    number: int
    pid: int
    began_ns: int
    """CLOCK_BOOTTIME."""
    began: datetime
    fingerprint: str
    """Of the `Process` it was made of."""
    told: Want


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run ended."""

    run: int
    at: datetime
    ran_ns: int
    code: int | None = None
    signal: int | None = None
    cause: str | None = None
    """What made it end where that is more than its code: a limit, the OOM killer, a failed exec."""
    stopped: Because | None = None
    """Set where the end came in the course of a stop."""
    unknown: bool = False
    """Nobody saw it end: neither code nor signal is known, and `cause` says why."""
    last_line: str | None = None
    """The last line it printed, where that may explain a failure."""


class Wants(StrEnum):
    """Which way the operator holds a strategy against its schedule."""

    UP = "up"
    DOWN = "down"


class Until(StrEnum):
    """When a hold ends by itself."""

    OPERATOR = "operator"
    """Held down: not before `start`."""
    NEXT_WINDOW = "next"
    """Held down: when the next window begins."""
    WINDOW_END = "window-end"
    """Held up: `stop`, or the end of the next window."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The operator's word against the schedule."""

    wants: Wants
    by: str
    since: datetime
    until: Until


# Phases: what is known.


@dataclass(frozen=True, slots=True)
class Idle:
    """No process, and no reason of its own to stay so."""


@dataclass(frozen=True, slots=True)
class Launching:
    """A start was ordered; whether there is a process is not known yet."""

    number: int
    fingerprint: str
    told: Want
    ready: bool = False
    """READY=1 came before the news of the launch."""


@dataclass(frozen=True, slots=True)
class Up:
    """A process is there."""

    run: Run
    ready: bool


@dataclass(frozen=True, slots=True)
class Stopping:
    """A process is there and is to stop; `run.told` says whether it was told."""

    run: Run
    order: StopOrder


@dataclass(frozen=True, slots=True)
class Backoff:
    """It died or could not start; the next try is at `retry_ns` (CLOCK_BOOTTIME)."""

    retry_ns: int
    retry_at: datetime
    refused: str | None
    """Set where no process came to be, and why."""
    retry_key: str = ""
    """As in GaveUp: an edit that changes it ends the wait."""


@dataclass(frozen=True, slots=True)
class Exited:
    """It ended by itself as it should."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Too many failures, or one where nothing may follow it. An edit that changes `retry_key` lifts it."""

    at: datetime
    failures: int
    retry_key: str


Phase = Idle | Launching | Up | Stopping | Backoff | Exited | GaveUp


@dataclass(frozen=True, slots=True)
class Job:
    """One that is under way: wanted until it has ended as it should, or for good."""

    due: datetime
    began_ns: int | None
    """CLOCK_BOOTTIME of its first try; None: in an earlier boot."""
    anywhere: bool = False
    """The operator began it outside the windows, so that no window ends it."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """One that was due and not run."""

    due: datetime
    because: Because
    """LATE: nobody was there; OVERLAP: the one before it was still under way."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """How far a strategy has come with its jobs."""

    seen: datetime | None = None
    """What was due up to here is dealt with: none comes twice. None: it was never looked at."""
    job: Job | None = None
    queued: datetime | None = None
    """When the one was due that waits for the job under way."""
    passed_over: PassedOver | None = None
    """The last, if none was run since."""


@dataclass(frozen=True, slots=True)
class State:
    """All that is known of one strategy."""

    phase: Phase = field(default_factory=Idle)
    since: datetime | None = None
    """When the phase began."""
    hold: Hold | None = None
    removed: bool = False
    """Its file is gone: wanted no more, forgotten once nothing lives."""
    closing: bool = False
    """The daemon goes and takes its strategies along."""
    last_run: int = 0
    """The highest run number ever given out."""
    restarts: int = 0
    """Runs that followed another by policy since the operator or a window last began anew."""
    streak: int = 0
    """Runs in a row that were too short to count as recovered; drives the backoff."""
    failures: tuple[int, ...] = ()
    """CLOCK_BOOTTIME of failures since the last recovery, oldest first."""
    last_exit: Exit | None = None
    admitted: datetime | None = None
    """When it was last begun, or the operator said so: no start in a window that began before is late."""
    agenda: Agenda = field(default_factory=Agenda)


# Events: news.


@dataclass(frozen=True, slots=True)
class Look:
    """No news: time has passed or the spec has changed."""


@dataclass(frozen=True, slots=True)
class Launched:
    """The process of run `run.number` was made (or found alive by a new daemon)."""

    run: Run
    ready: bool = False


@dataclass(frozen=True, slots=True)
class LaunchFailed:
    """No process came to be, through no fault of the strategy's code: retried without counting."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class BecameReady:
    """READY=1 arrived from the run."""

    number: int


@dataclass(frozen=True, slots=True)
class OverLimit:
    """The run's tree is over a watched limit, confirmed; `detail` says which and by how much."""

    number: int
    detail: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over and nothing of its tree lives."""

    exit: Exit


@dataclass(frozen=True, slots=True)
class OperatorStart:
    """`start`."""

    by: str


@dataclass(frozen=True, slots=True)
class OperatorStop:
    """`stop`; with `until_next` only until the next window."""

    by: str
    until_next: bool = False


@dataclass(frozen=True, slots=True)
class OperatorRestart:
    """`restart`; callers ask `refuse_restart` first."""

    by: str


@dataclass(frozen=True, slots=True)
class Removed:
    """The strategy's file is gone."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Its file is there: new, changed, or again, before it was forgotten."""


@dataclass(frozen=True, slots=True)
class ShutDown:
    """The daemon goes and is to take its strategies along."""


Event = (
    Look
    | Launched
    | LaunchFailed
    | BecameReady
    | OverLimit
    | Ended
    | OperatorStart
    | OperatorStop
    | OperatorRestart
    | Removed
    | Returned
    | ShutDown
)


# Actions: what to do.


@dataclass(frozen=True, slots=True)
class Launch:
    """Make run `number`; the answer is Launched, LaunchFailed or Ended."""

    number: int
    want: Want
    restarts: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Make `want` the truth for run `number`."""

    number: int
    want: Want


Action = Launch | Tell
