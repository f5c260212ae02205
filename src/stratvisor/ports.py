"""The seams: what the shell asks of its hands, and what the doors (http) ask of the shell.

Protocols and the plain values that cross them; no behaviour. Whoever implements one is tested
against the same contract.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from stratvisor.spec import Process
from stratvisor.state import Exit, Now, Run, Want

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
"""A JSON object. Its shape is written down where it is made (`view`, openapi.json)."""


class Clock(Protocol):
    """The one place to ask what time it is."""

    def now(self) -> Now:
        """This instant."""
        ...


# Runner: makes, finds, tells and watches runs.


@dataclass(frozen=True, slots=True)
class LaunchOrder:
    """Everything a runner needs to make one run."""

    strategy: str
    title: str
    number: int
    restarts: int
    timezone: str
    """IANA name: of the log's name, its header and $TZ."""
    process: Process
    notify: bool
    """Whether readiness comes as READY=1 on $NOTIFY_SOCKET."""
    want: Want
    inherited: Mapping[str, str] = field(default_factory=dict)
    """Those of the daemon's own variables that `inherit_env` names."""


@dataclass(frozen=True, slots=True)
class Found:
    """A live run: just made, or come upon by a new daemon."""

    strategy: str
    run: Run
    ready: bool
    log: str
    """Its first log file, relative to the home."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that ended, seen or not; `log` is its first part, relative to the home."""

    strategy: str
    exit: Exit
    cpu_ns: int | None
    peak_memory: int | None
    """Bytes of the largest single process of its tree."""
    dropped: int = 0
    """Bytes of output that no disk would take."""
    log: str | None = None
    began: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stray:
    """A live copy that cannot be adopted; no run of its strategy may start beside it."""

    strategy: str
    why: str


class LaunchRefused(Exception):  # noqa: N818  a refusal is no error of the program
    """No process came to be; the text says why, and trying again later may help."""


class Runner(Protocol):
    """Runs strategies somewhere. `launch`, `tell` and `survey` may block on disk; call them off the loop."""

    def launch(self, order: LaunchOrder) -> Found:
        """Make the run. It is a live process once this returns.

        Raises:
            LaunchRefused: no process came to be.
        """
        ...

    def tell(self, strategy: str, number: int, want: Want) -> None:
        """Make `want` the truth for a run. Of a run that is over: nothing."""
        ...

    def survey(self) -> Survey:
        """What stands after the last daemon: live runs, ended ones, and copies that nobody watches."""
        ...

    def watch(self, strategy: str, number: int, ended: Callable[[Finished], None]) -> None:
        """Call `ended` once, on the loop, when the run is over and accounted for."""
        ...

    def is_ready(self, strategy: str, number: int) -> bool:
        """Whether a run has said READY=1: one quick look."""
        ...

    def forget(self, strategy: str, number: int) -> None:
        """Remove what is kept of a run that is over and recorded."""
        ...

    def close(self) -> None:
        """Let go of everything; runs go on."""
        ...


@dataclass(frozen=True, slots=True)
class Survey:
    """The answer of `Runner.survey`."""

    live: tuple[Found, ...]
    ended: tuple[Finished, ...]
    strays: tuple[Stray, ...]


# Host: what http asks of the supervisor.


class UnknownStrategy(Exception):  # noqa: N818  a word of the operator's, not an error of the program
    """No strategy has this id or tag; the text says what would be right."""


class Refused(Exception):  # noqa: N818  the same
    """The order makes no sense now; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Order:
    """One verb of the operator's."""

    verb: str
    """start, stop or restart."""
    by: str
    """Who, as `hold.by` shows it."""
    until_next: bool = False
    """stop: only until the next window."""


@dataclass(frozen=True, slots=True)
class News:
    """One state change, as /events tells it."""

    id: int
    """Grows by one a change; goes on where it was after a restart of the daemon."""
    at: datetime
    strategy: str | None
    """None: of the daemon itself (a reload, a problem)."""
    kind: str
    """`state`, `reload`, `problem`."""
    body: Json


class Host(Protocol):
    """The supervisor as its doors see it. All on the loop; nothing here blocks."""

    def status(self) -> Json:
        """All about all, as /status gives it."""
        ...

    def strategy(self, strategy: str) -> Json:
        """All about one.

        Raises:
            UnknownStrategy: there is none of this id.
        """
        ...

    def select(self, selector: str) -> tuple[str, ...]:
        """The ids that an id, `@TAG` or `all` names.

        Raises:
            UnknownStrategy: it names none.
        """
        ...

    def order(self, strategy: str, order: Order) -> None:
        """Carry out a verb; its effects show in `strategy` at once, its end comes later.

        Raises:
            UnknownStrategy: there is none of this id.
            Refused: the verb makes no sense now.
        """
        ...

    async def kept(self) -> str | None:
        """Wait until every order so far outlives the daemon; where the disk refuses, why.

        They are obeyed in any case, and written as soon as they can be.
        """
        ...

    async def settled(self, strategy: str, timeout_s: float) -> bool:
        """Wait until the strategy is neither starting nor stopping; False: not within `timeout_s`."""
        ...

    async def reload(self, *, force: bool, by: str) -> Json:
        """Read all config again, now; `by` is who asked. The answer is that of `plan`, with what was done."""
        ...

    async def plan(self) -> Json:
        """`{start, stop, restart, live: [id...], problems: [...], refused: text or null}`."""
        ...

    def upcoming(self, strategy: str, count: int) -> list[Json]:
        """The next windows, `{start, stop}` in ISO 8601 with the strategy's offset.

        Raises:
            UnknownStrategy: there is none of this id, or its file is bad from the first.
        """
        ...

    def coming(self, strategy: str, days: int) -> list[Json]:
        """Its local days from today on, `{date, windows: [{start, stop}], skips: [{at, why}]}`, by the files.

        A window stands on the day of its start, whole; `stop` is null where no end is in sight.

        Raises:
            UnknownStrategy: there is none of this id, or its file is bad from the first.
        """
        ...

    async def timeline(self, days: int = 1, only: str | None = None) -> Json:
        """The picture of today and the days after, of all or of one strategy.

        `{start, end, days, now, zone, rows: [{id, title, state, bands, skips, bars, marks}]}`: a band is
        `{start, stop}`, a skip `{at, why}`, a bar `{run, start, end or null, failed}`, a mark `{at, text}`.
        """
        ...

    async def runs(self, strategy: str, limit: int) -> list[Json]:
        """The newest runs first, from the history; each with `run began ended ...`."""
        ...

    def strategy_of(self, pid: int) -> str | None:
        """The strategy that a living process of this machine belongs to; None: it belongs to none."""
        ...

    def log_files(self, strategy: str) -> Sequence[Path]:
        """The log files of this strategy alone, in order of their runs and parts.

        Raises:
            UnknownStrategy: there are none and no such strategy.
        """
        ...

    def news(self, after: int | None) -> AsyncIterator[News]:
        """State changes: those after id `after` that are still known, then those to come; None: only these.

        It may end at any time for a listener that fell behind: he comes again with the last id he saw.
        """
        ...

    def ready(self) -> tuple[bool, str | None]:
        """Whether the daemon does all that it is for, and why not."""
        ...

    async def upgrade(self, by: str) -> Json:
        """End the daemon soon and go on as the code that is installed now; strategies notice nothing.

        The answer is `{version, was, began}`: of the code to come, of this one, and when this one began.

        Raises:
            Refused: the new code cannot take over; all stays as it is.
        """
        ...

    def shutdown(self, *, stop_strategies: bool) -> None:
        """End the daemon soon; strategies go on unless told otherwise."""
        ...
