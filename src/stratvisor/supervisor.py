"""The shell around the machine: holds every strategy's state, and is the only one that changes it.

News comes in from timers, the runner, the operator and the config; `turn` lets the machine decide, at
once and without waiting, and its actions are carried out elsewhere: their results come back as news. So
one deaf strategy delays nobody, and no two decisions overlap.

Everything here runs on the event loop. Rule: no `await` between reading a state and replacing it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stratvisor import machine, view
from stratvisor.clock import Alarm, pause
from stratvisor.ports import (
    Clock,
    Finished,
    Found,
    Json,
    LaunchOrder,
    LaunchRefused,
    Order,
    Refused,
    Runner,
    UnknownStrategy,
)
from stratvisor.spec import ReadyNotify, Spec
from stratvisor.state import (
    Action,
    BecameReady,
    Ended,
    Event,
    Launch,
    Launched,
    LaunchFailed,
    Launching,
    Look,
    Now,
    OperatorRestart,
    OperatorStart,
    OperatorStop,
    Removed,
    Returned,
    ShutDown,
    State,
    Stopping,
    Tell,
    Up,
    Want,
)
from stratvisor.tasks import threads
from stratvisor.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratvisor.newsroom import Newsroom
    from stratvisor.recorder import Recorder
    from stratvisor.tasks import Tasks

log = logging.getLogger(__name__)

WORKERS = 4
"""Threads for launches, and as many for want.json: a slow launch must not delay a stop."""

LEVELS = {"error": logging.ERROR, "backoff": logging.WARNING}
"""Of the states that somebody should look at."""

TELL_RETRY_S = 2.0
"""After a want.json that could not be written (a full disk)."""


@dataclass(slots=True)
class Entry:
    """One strategy as the daemon has it."""

    spec: Spec
    state: State
    facts: view.Facts = field(default_factory=view.Facts)
    wake: machine.Wake = field(default_factory=lambda: machine.Wake(None, None))
    wanted: tuple[int, Want] | None = None
    """What is still to be told to a run; the newest wish replaces an older one."""
    telling: bool = False


class Supervisor:
    """All strategies of one home."""

    def __init__(
        self, clock: Clock, runner: Runner, recorder: Recorder, newsroom: Newsroom, tasks: Tasks
    ) -> None:
        self.entries: dict[str, Entry] = {}
        self.former: dict[str, State] = {}
        """What strategies whose files are gone had come to: their holds and run numbers outlive the file,
        which a checkout may take away for a second.
        """
        self._clock = clock
        self._runner = runner
        self._recorder = recorder
        self._newsroom = newsroom
        self._tasks = tasks
        self._workers = threads(WORKERS, "runner")
        self._tellers = threads(WORKERS, "teller")
        self._alarm = Alarm(self._ring, self._clock_was_set)
        self._closing = False
        self._waiters: list[asyncio.Future[None]] = []
        self._tidying = False

    # Who is there.

    def adopt(self, spec: Spec, state: State) -> None:
        """Take on a strategy as the last daemon left it, without deciding anything yet."""
        self.entries[spec.id] = Entry(spec, state)
        self._recorder.keep(spec.id, state)

    def remember(self, former: dict[str, State]) -> None:
        """Those whose files are gone, as the last daemon left them."""
        self.former = former
        for strategy, state in former.items():
            self._recorder.keep(strategy, state)

    def adopt_run(self, found: Found) -> None:
        """Take on a live run; its strategy is known."""
        entry = self.entries[found.strategy]
        self._take(entry, found)
        self._tasks.spawn(self._recorder.adopted(entry, found), f"adopt {found.strategy}")

    def put(self, spec: Spec) -> None:
        """A strategy is new, or its spec changed, or its file is back."""
        entry = self.entries.get(spec.id)
        if entry is None:
            state = self.former.pop(spec.id, State())
            self.entries[spec.id] = Entry(spec, replace(state, closing=self._closing))
        else:
            entry.spec = spec
        self.turn(spec.id, Returned(), shown=True)

    def remove(self, strategy: str) -> None:
        """A strategy's file is gone: stop it, then forget it."""
        self.turn(strategy, Removed())

    def look_at_all(self) -> None:
        """Judge every strategy anew."""
        for strategy in list(self.entries):
            self.turn(strategy, Look())

    # Deciding.

    def turn(self, strategy: str, event: Event, *, shown: bool = False) -> None:
        """Let the machine decide about one piece of news. `shown`: tell listeners in any case."""
        entry = self.entries.get(strategy)
        if entry is None:
            return
        now = self._clock.now()
        before = entry.state
        entry.state, actions = machine.step(now, entry.spec, before, event)
        entry.wake = machine.wake_at(now, entry.spec, entry.state)
        self._recorder.keep(strategy, entry.state)
        for action in actions:
            self._perform(entry, action)
        if shown or _visible(before) != _visible(entry.state):
            self._tell_listeners(now, entry)
        if entry.state.removed and machine.at_rest(entry.state):
            self.former[strategy] = self.entries.pop(strategy).state
        self._tidy_soon()

    def _perform(self, entry: Entry, action: Action) -> None:
        match action:
            case Launch():
                self._tasks.spawn(self._launch(entry, action), f"launch {entry.spec.id}")
            case Tell(number=number, want=want):
                entry.wanted = (number, want)
                if not entry.telling:
                    entry.telling = True
                    self._tasks.spawn(self._tell(entry), f"tell {entry.spec.id}")

    async def _launch(self, entry: Entry, action: Launch) -> None:
        spec = entry.spec
        order = LaunchOrder(
            strategy=spec.id,
            title=spec.title,
            number=action.number,
            restarts=action.restarts,
            timezone=spec.timezone,
            process=spec.process,
            notify=isinstance(spec.start, ReadyNotify),
            want=action.want,
            inherited={name: os.environ[name] for name in spec.process.inherit_env if name in os.environ},
        )
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._workers, self._runner.launch, order
            )
        except LaunchRefused as refusal:
            self.turn(spec.id, LaunchFailed(action.number, str(refusal)))
            return
        except Exception as error:  # the edge of this task: a start that failed is news, whatever failed
            log.exception("cannot launch %s", spec.id)
            self.turn(spec.id, LaunchFailed(action.number, f"{type(error).__name__}: {error}"))
            return
        self._take(entry, found)
        await self._recorder.began(entry, found, restarts=action.restarts)

    def _take(self, entry: Entry, found: Found) -> None:
        """A live run is ours to watch from now on."""
        entry.facts = replace(entry.facts, log=found.log, cpu_percent=None, memory_bytes=None)
        self._runner.watch(found.strategy, found.run.number, self._ended)
        # Looked at again: READY=1 that came before this turn found no run to belong to.
        ready = found.ready or self._runner.is_ready(found.strategy, found.run.number)
        self.turn(found.strategy, Launched(found.run, ready=ready))

    async def _tell(self, entry: Entry) -> None:
        loop = asyncio.get_running_loop()
        try:
            while (wanted := entry.wanted) is not None:
                try:
                    await loop.run_in_executor(self._tellers, self._runner.tell, entry.spec.id, *wanted)
                except OSError as error:
                    log.warning("cannot tell %s what is wanted: %s; trying again", entry.spec.id, error)
                    await pause(TELL_RETRY_S)
                    continue
                if entry.wanted == wanted:
                    entry.wanted = None
        finally:
            entry.telling = False

    def _ended(self, finished: Finished) -> None:
        """A run is over; the runner says how."""
        self.turn(finished.strategy, Ended(finished.exit))
        self._recorder.ended(finished, self.entries.get(finished.strategy))
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._workers, self._runner.forget, finished.strategy, finished.exit.run)

    def became_ready(self, strategy: str, number: int) -> None:
        """READY=1 arrived."""
        self.turn(strategy, BecameReady(number))

    def look_for_ready(self) -> None:
        """Somebody listens for READY=1 from now on: take note of what was said before."""
        for strategy, entry in list(self.live()):
            run = machine.live_run(entry.state)
            if run is not None and self._runner.is_ready(strategy, run.number):
                self.became_ready(strategy, run.number)

    # Time.

    def _ring(self) -> None:
        """A wake-up is due."""
        now = self._clock.now()
        for strategy, entry in list(self.entries.items()):
            if _due(now, entry.wake):
                self.turn(strategy, Look())
        self._tidy_soon()

    def _clock_was_set(self) -> None:
        """Whatever the wall clock decides may be otherwise now."""
        self.look_at_all()
        self._tidy_soon()

    def _tidy_soon(self) -> None:
        if not self._tidying:
            self._tidying = True
            asyncio.get_running_loop().call_soon(self._tidy)

    def _tidy(self) -> None:
        """Once after any number of turns: set the alarm, wake who waits."""
        self._tidying = False
        wakes = [entry.wake for entry in self.entries.values()]
        self._alarm.set(
            min((wake.boot_ns for wake in wakes if wake.boot_ns is not None), default=None),
            min((wake.wall for wake in wakes if wake.wall is not None), default=None),
        )
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def kept(self) -> str | None:
        """See `ports.Host`."""
        return await self._recorder.kept()

    # Being asked and told.

    def order(self, strategy: str, order: Order) -> None:
        """See `ports.Host`."""
        entry = self.known(strategy)
        now = self._clock.now()
        match order.verb:
            case "start":
                if machine.refuse_start(entry.spec):
                    raise Refused(f"conf.d/{strategy}.yaml says enabled: false; change it and reload")
                event: Event = OperatorStart(order.by)
            case "stop":
                event = OperatorStop(order.by, until_next=order.until_next)
            case "restart":
                if machine.refuse_restart(now, entry.spec, entry.state):
                    shown = self.show(strategy)
                    raise Refused(f"it is not wanted to run now: {shown['why']}; start it instead")
                event = OperatorRestart(order.by)
            case verb:
                raise Refused(f"there is no verb {verb}")
        self._recorder.event(now.wall, strategy, order.verb, order.by, {})
        log.info("%s: %s by %s", strategy, order.verb, order.by)
        self.turn(strategy, event)

    def known(self, strategy: str) -> Entry:
        """The entry of an id.

        Raises:
            UnknownStrategy: there is none.
        """
        entry = self.entries.get(strategy)
        if entry is None:
            raise UnknownStrategy(f"no strategy {strategy}{did_you_mean(strategy, self.entries)}")
        return entry

    def show(self, strategy: str) -> Json:
        """All about one strategy."""
        entry = self.known(strategy)
        return view.strategy(self._clock.now(), entry.spec, entry.state, entry.facts)

    def live(self) -> Iterator[tuple[str, Entry]]:
        """Those with a process, or with one being made."""
        for strategy, entry in self.entries.items():
            if isinstance(entry.state.phase, Launching | Up | Stopping):
                yield strategy, entry

    def all_launched(self) -> bool:
        """Whether no launch is under way."""
        return not any(isinstance(entry.state.phase, Launching) for entry in self.entries.values())

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition on the states holds; False: not within the time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            return condition()
        return True

    async def stop_all(self) -> None:
        """Stop every strategy for good, each by its own plan, and wait for the last."""
        self._closing = True
        for strategy in list(self.entries):
            self.turn(strategy, ShutDown())
        while not await self.until(lambda: not any(self.live()), 60.0):
            log.info("waiting for %s", ", ".join(strategy for strategy, _entry in self.live()))

    def close(self) -> None:
        """Let go of everything; strategies go on."""
        self._alarm.close()
        self._workers.shutdown(wait=True)
        self._tellers.shutdown(wait=True)

    def _tell_listeners(self, now: Now, entry: Entry) -> None:
        body = view.strategy(now, entry.spec, entry.state, entry.facts)
        self._newsroom.publish(now.wall, entry.spec.id, "state", body)
        level = LEVELS.get(body["state"], logging.INFO)
        log.log(level, "%s: %s: %s", entry.spec.id, body["state"], body["why"])


def _visible(state: State) -> tuple[object, ...]:
    """What a listener would want to hear of when it changes."""
    phase = state.phase
    run = machine.live_run(state)
    return type(phase), run and run.number, isinstance(phase, Up) and phase.ready, state.hold, state.last_exit


def _due(now: Now, wake: machine.Wake) -> bool:
    return (wake.boot_ns is not None and wake.boot_ns <= now.boot_ns) or (
        wake.wall is not None and wake.wall <= now.wall
    )
