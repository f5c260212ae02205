"""What a strategy is, as facts: the checked content of one conf.d file, with every default filled in.

Knows the vocabulary of a strategy file and nothing of YAML, processes or time passing. All values
are immutable and hashable, so two specs are compared with `==` and a schedule can key a cache.
Durations are integer nanoseconds, sizes are bytes, local times are naive `datetime.time` in the
schedule's zone.

Rule: what a process is made of stands in `Process` and nowhere else. A change there needs a new
run; a change anywhere else takes effect with the same PID.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache

from stratvisor.calendar import Calendar

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def as_span(length_ns: int) -> timedelta:
    """So many nanoseconds, to the microsecond below."""
    return timedelta(microseconds=length_ns // MICROSECOND)


def as_ns(span: timedelta) -> int:
    """Exactly: total_seconds() is a float."""
    return span // timedelta.resolution * MICROSECOND


KB = 1_000
MB = 1_000_000
GB = 1_000_000_000

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
RESERVED_IDS = frozenset({"all"})

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Index is `date.weekday()`."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""How numeric libraries are told of `limits.threads`."""


class RestartWhen(StrEnum):
    """When a run that ended by itself is followed by another inside the same window."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "never"


class OnChange(StrEnum):
    """When an edit that touches what a process is made of takes effect."""

    RESTART = "restart"
    NEXT_RUN = "next_run"


class StopTo(StrEnum):
    """Who gets the stop signals. The final KILL always goes to the whole tree."""

    GROUP = "group"
    MAIN = "main"


class Isolation(StrEnum):
    """How much of the machine a process may reach."""

    STRICT = "strict"
    STANDARD = "standard"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class DaysWindow:
    """Every named weekday from `start` to `end`, local; `end` <= `start` means the next day."""

    days: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class CronPair:
    """From each firing of one cron line to the next firing of the other, local."""

    start: str
    stop: str


@dataclass(frozen=True, slots=True)
class CronFor:
    """From each firing of a cron line, local, for `length_ns` of elapsed time."""

    start: str
    length_ns: int


class Edge(StrEnum):
    """A side of a trading session."""

    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class SessionTime:
    """So much elapsed time after a side of a session; before it where that is negative."""

    edge: Edge
    offset_ns: int = 0


@dataclass(frozen=True, slots=True)
class SessionWindow:
    """Every session of the schedule's calendar, from about its open to about its close."""

    start: SessionTime = SessionTime(Edge.OPEN)
    end: SessionTime = SessionTime(Edge.CLOSE)


WindowForm = DaysWindow | CronPair | CronFor | SessionWindow


class SpecialSessions(StrEnum):
    """What a session on a day otherwise closed is to a strategy."""

    SKIP = "skip"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Always:
    """No schedule: wanted at all times."""


@dataclass(frozen=True, slots=True)
class Manual:
    """Wanted only while the operator says so."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Wanted inside the union of its windows, read in `timezone` (an IANA name)."""

    timezone: str
    forms: tuple[WindowForm, ...]
    calendar: Calendar | None = None
    """Only windows that start on a day with a session count. None: every day counts."""
    special_sessions: SpecialSessions = SpecialSessions.SKIP
    late_start_ns: int | None = None
    """How long after a window's beginning it may still be begun; None: until its end."""


class Overlap(StrEnum):
    """What becomes of a job that is due while the one before it is still under way."""

    SKIP = "skip"
    RESTART = "restart"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class At:
    """At each firing of a cron line, local."""

    line: str


@dataclass(frozen=True, slots=True)
class Every:
    """Over and over, counted in elapsed time from where each window begins."""

    interval_ns: int
    forms: tuple[WindowForm, ...] = (DaysWindow(frozenset(range(7)), time(), time()),)
    """Its windows; left out, all day."""


@dataclass(frozen=True, slots=True)
class Once:
    """At one local time, naive."""

    at: datetime


Timing = At | Every | Once


@dataclass(frozen=True, slots=True)
class Jobs:
    """Wanted when due, until it ends by itself. Local times are read in `timezone` (an IANA name)."""

    timezone: str
    timing: Timing
    calendar: Calendar | None = None
    """Only what is due on a day with a session counts. None: every day counts."""
    special_sessions: SpecialSessions = SpecialSessions.SKIP
    overlap: Overlap = Overlap.SKIP
    catch_up: bool = False
    """Whether one that nobody was there for is run late: the last of them, once."""
    timeout_ns: int | None = None
    """How long each may take, other tries included; then it is stopped, as a failure."""


Timed = Windows | Jobs
"""What reads a wall clock, and may name a calendar."""

Schedule = Always | Manual | Timed


@dataclass(frozen=True, slots=True)
class GiveUp:
    """So many failures within so long, and the strategy is in error."""

    failures: int = 5
    within_ns: int = 10 * MINUTE


STORM_STREAK = 10
STORM_DELAY_NS = SECOND // 2
"""After so many short runs in a row, no delay is shorter: a start costs some 20 ms of a core, and who asks
for restarts without delay asks for a quick return, not for a core."""


@dataclass(frozen=True, slots=True)
class Restart:
    """What follows a run that ended by itself. `give_up` None: never give up."""

    when: RestartWhen = RestartWhen.ON_FAILURE
    success_codes: tuple[int, ...] = (0,)
    delay_ns: int = SECOND
    factor: float = 2.0
    max_delay_ns: int = MINUTE
    jitter: float = 0.1
    """A share of the delay, 0 to 1: the delay is drawn from [1 - jitter, 1 + jitter] times itself."""
    reset_after_ns: int = MINUTE
    give_up: GiveUp | None = field(default_factory=GiveUp)


@dataclass(frozen=True, slots=True)
class ReadyAfter:
    """Ready once it has lived this long."""

    after_ns: int = SECOND


@dataclass(frozen=True, slots=True)
class ReadyNotify:
    """Ready once it sends READY=1 to $NOTIFY_SOCKET; a failed start after `timeout_ns`."""

    timeout_ns: int = MINUTE


Start = ReadyAfter | ReadyNotify


@dataclass(frozen=True, slots=True)
class Stop:
    """Each signal in turn gets `timeout_ns`; then KILL to the whole tree."""

    signals: tuple[str, ...] = ("TERM",)
    """Names without SIG."""
    timeout_ns: int = 10 * SECOND
    to: StopTo = StopTo.GROUP

    @property
    def total_ns(self) -> int:
        """From the first signal to the KILL."""
        return self.timeout_ns * len(self.signals)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the whole tree, watched from outside; they can change under a running process."""

    memory: int | None = GB
    """Bytes of RSS summed, confirmed by PSS before anything is killed."""
    processes: int | None = 512


@dataclass(frozen=True, slots=True)
class Logs:
    """Rotation and retention of one strategy's logs."""

    max_size: int = 10 * MB
    keep_files: int = 20
    keep_days: int = 30
    keep_total: int = 500 * MB
    timestamps: bool = False


@dataclass(frozen=True, slots=True)
class Process:
    """What a process is made of. Paths are as written: relative ones are relative to the home."""

    script: str | None = None
    args: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None
    """Instead of `script` and `args`; exactly one of the two is set."""
    python: str | None = None
    """None: the interpreter that runs the daemon."""
    cwd: str = "."
    env: tuple[tuple[str, str], ...] = ()
    """Sorted by name. The file's `env` laid over the content of its `env_file`."""
    inherit_env: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    """(variable, name of the secret), sorted. The values are in no spec."""
    secrets_fingerprint: str | None = None
    """Changes with their values, and tells nothing of them; None: there are none, or none to be had."""
    user: str | None = None
    sandbox: Isolation = Isolation.STANDARD
    read: tuple[str, ...] = ()
    """Paths beside those that every process needs; so are these in `write`, which it may change too."""
    write: tuple[str, ...] = ()
    connect: tuple[int, ...] = ()
    """The TCP ports that it may connect to where it is strict; otherwise to any."""
    unix_sockets: tuple[str, ...] = ()
    open_files: int | None = 1024
    cpu_time_ns: int | None = None
    nice: int = 0
    threads: int | None = None
    core: int | None = 0

    @property
    def fingerprint(self) -> str:
        """Sha256 in hex, the same for equal values in any process and on any machine."""
        return _digest_of(self)


@dataclass(frozen=True, slots=True)
class Spec:
    """One strategy."""

    id: str
    process: Process
    title: str = ""
    """Empty in no spec that `config` made: the id stands in."""
    tags: tuple[str, ...] = ()
    enabled: bool = True
    timezone: str = "Asia/Kolkata"
    """Of shown times, log names and $TZ: the schedule's, else the daemon's."""
    schedule: Schedule = field(default_factory=Always)
    restart: Restart = field(default_factory=Restart)
    start: Start = field(default_factory=ReadyAfter)
    stop: Stop = field(default_factory=Stop)
    limits: Limits = field(default_factory=Limits)
    logs: Logs = field(default_factory=Logs)
    on_change: OnChange = OnChange.RESTART

    @property
    def retry_key(self) -> str:
        """The same as long as another try can only end as the last one did."""
        return _digest_of(self.process, self.restart, self.start, self.limits)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in one file, said so that its author can mend it. Line and column count from 1."""

    file: str
    """Relative to the home where it lies in it."""
    line: int
    column: int
    key: str
    """Dotted path, such as `restart.give_up.failures`; empty for the whole file."""
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        return where + (f"{self.key}: " if self.key else "") + self.message


@lru_cache(maxsize=16_384)
def _digest_of(*parts: Process | Restart | Start | Limits) -> str:
    """Of what was said: a key that a later version adds leaves the digests of who does not use it alone.

    Asked for with every decision and every status, of values that hardly ever change.
    """
    said = [(type(part).__name__, _unusual(part)) for part in parts]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _unusual(part: Process | Restart | Start | Limits) -> dict[str, object]:
    """The fields that differ from their defaults."""
    usual = asdict(type(part)())
    return {name: value for name, value in asdict(part).items() if value != usual[name]}
