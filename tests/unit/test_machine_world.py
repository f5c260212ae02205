"""The machine in a world that is against it: processes that are deaf or die, news that comes late,
twice or in the wrong order, a clock that is set, edits, the operator, and daemons that come and go.

The world keeps its own books (which process lives, what the operator said, when windows are) and holds
each step of the machine against them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from play import after, at, check_settled, spec_of, windows

from stratvisor.kept import after_boot, from_kept, to_kept
from stratvisor.machine import KILL_AT_ONCE, at_rest, kill_ns, live_run, step, wake_at
from stratvisor.spec import (
    HOUR,
    MINUTE,
    SECOND,
    Always,
    GiveUp,
    Manual,
    OnChange,
    ReadyAfter,
    ReadyNotify,
    Restart,
    RestartWhen,
    Schedule,
    Spec,
    Stop,
    Windows,
)
from stratvisor.state import (
    Action,
    BecameReady,
    Because,
    Ended,
    Event,
    Exit,
    Idle,
    Launch,
    Launched,
    LaunchFailed,
    Look,
    Now,
    OperatorRestart,
    OperatorStart,
    OperatorStop,
    OverLimit,
    Removed,
    Returned,
    Run,
    ShutDown,
    State,
    StopOrder,
    Tell,
    Up,
    Want,
)

DAILY: dict[Schedule, list[tuple[int, int]]] = {
    windows("09:00-12:00"): [(9, 12)],
    windows("09:00-12:00", "13:00-15:00"): [(9, 12), (13, 15)],
    windows("10:00-11:00"): [(10, 11)],
    windows("20:00-23:00"): [(20, 23)],
}
"""Schedules and their hours: what the world reckons with, apart from the machine's own reckoning."""

NEVER = datetime.min.replace(tzinfo=UTC)
OBEYS_AFTER = SECOND // 5

SPANS = st.sampled_from([SECOND // 3, SECOND, 7 * SECOND, MINUTE, 20 * MINUTE, HOUR, 9 * HOUR, 30 * HOUR])
MOSTLY = st.sampled_from([True, True, True, False])
SPECS = st.builds(
    lambda schedule, when, start, on_change, symbol, timeout: replace(
        spec_of(schedule, start=start, on_change=on_change, stop=Stop(timeout_ns=timeout)),
        restart=Restart(when, delay_ns=SECOND, jitter=0.3, give_up=GiveUp(3, MINUTE)),
        process=replace(spec_of(schedule).process, env=(("SYMBOL", symbol),)),
    ),
    st.sampled_from([Always(), Manual(), *DAILY]),
    st.sampled_from(RestartWhen),
    st.sampled_from([ReadyAfter(SECOND), ReadyNotify(30 * SECOND)]),
    st.sampled_from(OnChange),
    st.sampled_from(["SBIN", "INFY"]),
    st.sampled_from([SECOND, 10 * SECOND]),
)


@dataclass
class Process:
    """One under its shim, which carries out what it was told and keeps the deadline by itself."""

    run: Run
    obeys: bool
    dies_ns: int | None
    """When it ends by itself, and how."""
    code: int | None
    ready: bool = False
    heard_ns: int = 0
    deadline_stop: StopOrder | None = None

    def tell(self, now: Now, want: Want) -> None:
        self.run = replace(self.run, told=want)
        self.heard_ns = now.boot_ns

    def keep_deadline(self, now: Now, until_ns: int) -> None:
        want = self.run.told
        if want.stop or self.deadline_stop:
            return
        begins: list[tuple[int, Because]] = []
        if want.deadline is not None:
            left_ns = (want.deadline - now.wall) // timedelta(microseconds=1) * 1000
            begins.append((now.boot_ns + max(0, left_ns), Because.WINDOW))
        if want.expires_ns is not None:
            begins.append((max(now.boot_ns, want.expires_ns), Because.TIMEOUT))
        if begins and min(begins)[0] <= until_ns:
            begins_ns, because = min(begins)
            self.deadline_stop = StopOrder(because, "", begins_ns, want.plan)

    def end(self) -> tuple[int, int | None, Because | None] | None:
        """When (CLOCK_BOOTTIME), with which code, in the course of which stop; as far as it is known."""
        ends: list[tuple[int, int | None, Because | None]] = []
        if self.dies_ns is not None:
            ends.append((self.dies_ns, self.code, None))
        for order in (self.deadline_stop, self.run.told.stop):
            if order is not None:
                gone_ns = order.began_ns + OBEYS_AFTER if self.obeys else kill_ns(order)
                ends.append((max(min(gone_ns, kill_ns(order)), self.heard_ns), None, order.because))
        return min(ends, key=lambda end: end[0], default=None)


class World(RuleBasedStateMachine):
    now: Now
    spec: Spec

    @initialize(spec=SPECS, hour=st.integers(0, 23))
    def begin(self, spec: Spec, hour: int) -> None:
        self.open(spec, after(at("00:00:00"), hour * HOUR))

    def open(self, spec: Spec, now: Now) -> None:
        self.now = now
        self.spec = spec
        self.state = State()
        self.process: Process | None = None
        self.orders: deque[Action] = deque()
        self.news: list[Event] = []
        self.heard: list[Event] = []
        self.unrecorded: Exit | None = None
        """The end of the last run, which a new daemon would find."""
        self.word: tuple[str, datetime] | None = None
        """What the operator said: up, down or next (down until then), and when."""
        self.stops: dict[int, StopOrder] = {}
        self.hear(Look())

    # What the world knows of windows and of the operator's word.

    def _last(self, which: int) -> datetime:
        """The last start (0) or end (1) of a window up to now."""
        return max((edge for edge in self._edges(which) if edge <= self.now.wall), default=NEVER)

    def _deadline(self) -> datetime | None:
        return min((edge for edge in self._edges(1) if edge > self.now.wall), default=None)

    def _edges(self, which: int) -> list[datetime]:
        midnight = self.now.wall.replace(hour=0, minute=0, second=0, microsecond=0)
        hours = DAILY.get(self.spec.schedule, [])
        return [midnight + timedelta(days=day, hours=span[which]) for day in (-1, 0, 1) for span in hours]

    def _inside(self) -> bool:
        return isinstance(self.spec.schedule, Always) or self._last(0) > self._last(1)

    def _keep_word(self) -> None:
        """The operator's word ends where it says; one from a clock since set back is of now."""
        if self.word is None:
            return
        which, since = self.word[0], min(self.word[1], self.now.wall)
        moot = isinstance(self.spec.schedule, Always) or not self.spec.enabled
        over = {
            "up": moot or self._last(1) > since,
            "next": self._inside() and self._last(0) > since,
            "down": False,
        }
        self.word = None if over[which] else (which, since)

    def _allowed(self) -> bool:
        """Whether anybody or anything wants a process now."""
        if self.state.removed or self.state.closing or not self.spec.enabled:
            return False
        if self.word is not None:
            return self.word[0] == "up"
        return self._inside()

    # The machine hears, and is held against what the world knows.

    def hear(self, event: Event) -> None:
        self._keep_word()
        before = self.state
        self.state, actions = step(self.now, self.spec, before, event)
        check_settled(self.now, self.spec, self.state)
        assert len(actions) <= 1
        assert self.state.last_run >= before.last_run
        if isinstance(event, Ended) and self.state.hold is None and self.word and self.word[0] == "up":
            self.word = None  # it ended as it should
        if isinstance(self.state.phase, Up):
            assert self._allowed(), "runs on unwanted"
            said = BecameReady(self.state.phase.run.number) in self.heard
            assert self.state.phase.ready or not said, "said so, and was not heard"
        if isinstance(self.state.phase, Idle):
            assert not self._allowed(), "wanted, and not started"
        for action in actions:
            self._check(action)
            self.orders.append(action)

    def _check(self, action: Action) -> None:
        if isinstance(action, Launch):
            assert self.process is None, "a second process"
            assert self.unrecorded is None, "a launch before the end of the last run was heard of"
            assert not any(isinstance(order, Launch) for order in self.orders), "two launches under way"
            assert self._allowed(), "started unwanted"
            assert action.want.stop is None
        if action.want.stop is None:
            assert action.number not in self.stops, "a stop is not taken back"
            assert action.want.deadline == self._deadline()
        elif action.number in self.stops:
            assert action.want.stop == self.stops[action.number], "a stop is not begun twice"
        else:
            self._check_stop(action.number, action.want.stop)

    def _check_stop(self, number: int, order: StopOrder) -> None:
        self.stops[number] = order
        if order.because is Because.LIMIT:
            assert OverLimit(number, "") in self.heard
            assert order.plan == KILL_AT_ONCE
        else:
            assert order.plan == self.spec.stop
        assert order.began_ns == self.now.boot_ns

    @invariant()
    def what_lives_is_known_or_will_be(self) -> None:
        if at_rest(self.state):
            assert self.process is None
            assert self.unrecorded is None

    # Time.

    def pass_time(self, ns: int) -> None:
        """Processes go on, nobody looks."""
        then = after(self.now, ns)
        if self.process is not None:
            self.process.keep_deadline(self.now, then.boot_ns)
            end = self.process.end()
            if end is not None and end[0] <= then.boot_ns:
                self._bury(max(end[0], self.now.boot_ns), end[1], end[2])
        self.now = then

    def _bury(self, boot_ns: int, code: int | None, stopped: Because | None) -> None:
        assert self.process is not None
        run = self.process.run
        wall = after(self.now, boot_ns - self.now.boot_ns).wall
        self.unrecorded = Exit(run.number, wall, boot_ns - run.began_ns, code, stopped=stopped)
        self.process = None
        self.news.append(Ended(self.unrecorded))

    @rule(span=SPANS)
    def sleep(self, span: int) -> None:
        self.pass_time(span)

    @rule()
    def look(self) -> None:
        self.hear(Look())

    @rule(span=SPANS)
    def live(self, span: int) -> None:
        """All goes as it should: everything at once, and a look whenever one was asked for."""
        until_ns = self.now.boot_ns + span
        for _ in range(40):
            self.do_all()
            left_ns = until_ns - self.now.boot_ns
            self.pass_time(min([left_ns, *self._next_ns()]))
            self.hear(Look())
            if self.now.boot_ns >= until_ns:
                return

    def _next_ns(self) -> list[int]:
        """How long until something happens."""
        wake = wake_at(self.now, self.spec, self.state)
        spans = [wake.boot_ns - self.now.boot_ns] if wake.boot_ns is not None else []
        if wake.wall is not None:
            spans.append((wake.wall - self.now.wall) // timedelta(microseconds=1) * 1000)
        if self.process is not None:
            self.process.keep_deadline(self.now, self.now.boot_ns)
            end = self.process.end()
            spans += [max(0, end[0] - self.now.boot_ns)] if end else []
        return spans

    @rule(shift=st.sampled_from([-30 * HOUR, -HOUR, -SECOND, SECOND, HOUR, 30 * HOUR]))
    def set_the_clock(self, shift: int) -> None:
        self.now = Now(self.now.boot_ns, after(self.now, shift).wall)
        self.hear(Look())

    @rule(span=st.sampled_from([(130, SECOND), (160, 10 * MINUTE)]))
    def no_wake_up_is_lost(self, span: tuple[int, int]) -> None:
        """One that looks only when it asked to gets as far as one that looks all the time."""
        self.compare_with_ticking(span)

    def compare_with_ticking(self, span: tuple[int, int]) -> None:
        self.hear(Look())
        count, tick = span
        end = after(self.now, count * tick)
        ticking = self.state
        done: list[Action] = []
        for number in range(1, count + 1):
            ticking, actions = step(after(self.now, number * tick), self.spec, ticking, Look())
            done += actions
        waking, seldom = self._wake_until(end)
        assert _summary(waking) == _summary(ticking)
        assert [(type(action), action.number) for action in seldom] == [
            (type(action), action.number) for action in done
        ]

    def _wake_until(self, end: Now) -> tuple[State, list[Action]]:
        now, state = self.now, self.state
        done: list[Action] = []
        for _ in range(20):
            wake = wake_at(now, self.spec, state)
            spans = [end.boot_ns - now.boot_ns]
            spans += [wake.boot_ns - now.boot_ns] if wake.boot_ns is not None else []
            spans += [(wake.wall - now.wall) // timedelta(microseconds=1) * 1000] if wake.wall else []
            now = after(now, min(spans))
            state, actions = step(now, self.spec, state, Look())
            done += actions
            if now.boot_ns >= end.boot_ns:
                return state, done
        raise AssertionError("it wakes without end")

    # Orders are carried out, and news of it comes: each when it will.

    @precondition(lambda self: self.orders)
    @rule(
        refused=st.sampled_from([False, False, False, True]),
        obeys=st.booleans(),
        lives=st.sampled_from([None, None, SECOND // 10, 2 * SECOND, 2 * MINUTE]),
        code=st.sampled_from([0, 1, None]),
        ready=st.booleans(),
    )
    def carry_out(
        self,
        *,
        refused: bool = False,
        obeys: bool = True,
        lives: int | None = None,
        code: int | None = 0,
        ready: bool = True,
    ) -> None:
        order = self.orders.popleft()
        match order:
            case Launch() if refused:
                self.news.append(LaunchFailed(order.number, "no"))
            case Launch():
                assert self.process is None
                dies_ns = None if lives is None else self.now.boot_ns + lives
                self.process = Process(self._run(order), obeys, dies_ns, code)
                if ready:
                    self.become_ready()
                self.news.append(Launched(self.process.run))
            case Tell():
                if self.process is not None and self.process.run.number == order.number:
                    self.process.tell(self.now, order.want)

    def _run(self, order: Launch) -> Run:
        fingerprint = self.spec.process.fingerprint
        return Run(order.number, 1, self.now.boot_ns, self.now.wall, fingerprint, order.want)

    @precondition(lambda self: self.news)
    @rule(which=st.integers(0, 9))
    def deliver(self, which: int = 0) -> None:
        event = self.news.pop(which % len(self.news))
        self.heard.append(event)
        if isinstance(event, Ended):
            self.unrecorded = None
        self.hear(event)

    @precondition(lambda self: self.heard)
    @rule(which=st.integers(0, 99))
    def deliver_again(self, which: int) -> None:
        event = self.heard[which % len(self.heard)]
        run = live_run(self.state)
        if isinstance(event, OverLimit) and run is not None and event.number == run.number:
            return  # it may have come too early to be heard
        assert step(self.now, self.spec, self.state, event) == step(self.now, self.spec, self.state, Look())
        self.hear(event)

    def do_all(self) -> None:
        for _ in range(20):
            while self.orders:
                self.carry_out()
            if not self.news:
                return
            self.deliver()

    @precondition(lambda self: self.process is not None and not self.process.ready)
    @rule()
    def become_ready(self) -> None:
        assert self.process is not None
        self.process.ready = True
        self.news.append(BecameReady(self.process.run.number))

    @precondition(lambda self: self.process is not None)
    @rule()
    def go_over_a_limit(self) -> None:
        assert self.process is not None
        self.news.append(OverLimit(self.process.run.number, ""))

    # People.

    @rule(spec=SPECS)
    def edit(self, spec: Spec) -> None:
        self.spec = spec
        self.hear(Look())

    @rule(span=SPANS, back=MOSTLY)
    def disable(self, span: int, *, back: bool) -> None:
        self.edit(replace(self.spec, enabled=False))
        if back:
            self.pass_time(span)
            self.edit(replace(self.spec, enabled=True))

    @rule(span=SPANS)
    def start_and_live(self, span: int) -> None:
        self.start()
        self.live(span)

    @rule()
    def start(self) -> None:
        self._keep_word()
        if self.spec.enabled:
            held_up = self.word is not None and self.word[0] == "up"
            if self._inside() or self.state.removed or self.state.closing:
                self.word = None
            elif not held_up:
                self.word = ("up", self.now.wall)
        self.hear(OperatorStart("ann"))

    @rule(until_next=st.booleans())
    def stop(self, *, until_next: bool) -> None:
        self._keep_word()
        which = "next" if until_next and isinstance(self.spec.schedule, Windows) else "down"
        if self.word is None or self.word[0] != which:
            self.word = (which, self.now.wall)
        self.hear(OperatorStop("ann", until_next=until_next))

    @rule()
    def restart(self) -> None:
        self.hear(OperatorRestart("ann"))

    @rule()
    def an_operators_stop_ends_with_nothing_alive(self) -> None:
        self.stop(until_next=False)
        for _ in range(5):
            self.do_all()
            ends = self.process.end() if self.process is not None else None
            self.pass_time(max(0, ends[0] - self.now.boot_ns) if ends else 0)
        assert self.process is None
        assert at_rest(self.state)
        for _ in range(5):
            self.pass_time(min(self._next_ns(), default=HOUR))
            self.hear(Look())
        assert not self.orders
        self.start()

    @rule(span=SPANS, back=MOSTLY)
    def remove(self, span: int, *, back: bool) -> None:
        if self.word is not None and self.word[0] == "up":
            self.word = None
        self.hear(Removed())
        if back:
            self.pass_time(span)
            self.hear(Returned())

    # Daemons.

    @rule(shuts_down=st.booleans(), done=st.integers(0, 2), away=SPANS, reboots=st.booleans())
    def come_again(self, *, shuts_down: bool, done: int, away: int, reboots: bool) -> None:
        """The daemon goes, some of its orders carried out; the next one finds what there is."""
        if shuts_down:
            self.hear(ShutDown())
        for _ in range(min(done, len(self.orders))):
            self.carry_out()
        self.orders.clear()
        if self.process is not None and self.process.run.told.stop is None:
            self.stops.pop(self.process.run.number, None)
        self.pass_time(away)
        kept, removed = to_kept(self.state), self.state.removed
        if reboots:
            self._reboot()
            kept = after_boot(kept)
        self.news.clear()
        self.state = replace(from_kept(kept), removed=removed)
        if self.process is not None:
            self.hear(Launched(self.process.run, ready=self.process.ready))
        elif self.unrecorded is not None:
            end, self.unrecorded = self.unrecorded, None
            self.heard.append(Ended(end))
            self.hear(Ended(end))
        self.hear(Look())

    def _reboot(self) -> None:
        if self.process is not None:
            number = self.process.run.number
            self.unrecorded = Exit(number, self.now.wall, 0, cause="the machine went down", unknown=True)
            self.process = None
        self.now = Now(5 * SECOND, self.now.wall)

    def teardown(self) -> None:
        """Left to itself, the world comes to agree with the machine."""
        if not hasattr(self, "state"):
            return
        for _ in range(3):
            self.do_all()
            if self.process is not None and (end := self.process.end()) is not None:
                self.pass_time(max(0, end[0] - self.now.boot_ns))
        self.do_all()
        run = live_run(self.state)
        assert (run and run.number) == (self.process and self.process.run.number)


def _summary(state: State) -> tuple[object, ...]:
    return (type(state.phase), state.last_run, state.hold, state.restarts, state.streak, len(state.failures))


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=70, stateful_step_count=50, derandomize=True)
