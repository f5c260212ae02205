"""The world that is against the machine, with jobs in it: each is begun once, whatever happens.

Which job is under way the machine is believed; that it was due, that it was not begun before, and that what
lives lives for it are held against the world's own books.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from play import after, at, spec_of
from test_machine_world import NEVER, World

from stratvisor.machine import PROMPT, SET_BACK
from stratvisor.spec import (
    MINUTE,
    SECOND,
    At,
    DaysWindow,
    Every,
    GiveUp,
    Jobs,
    OnChange,
    Overlap,
    Restart,
    RestartWhen,
    Schedule,
    Spec,
    Stop,
)
from stratvisor.state import Event, Job, Launched, Look, OperatorStart, OperatorStop

NINE_TO_TEN = (DaysWindow(frozenset(range(7)), time(9), time(10)),)
DUE: dict[Schedule, list[int]] = {
    Jobs("UTC", At("0 9,10 * * *")): [9 * 60, 10 * 60],
    Jobs("UTC", Every(20 * MINUTE, NINE_TO_TEN)): [9 * 60, 9 * 60 + 20, 9 * 60 + 40],
    Jobs("UTC", At("* 9 * * *")): list(range(9 * 60, 10 * 60)),
}
"""Minutes of each day: what the world reckons with."""

SPECS = st.builds(
    lambda timing, overlap, catch_up, timeout_ns, when, symbol, on_change: replace(
        spec_of(
            replace(timing, overlap=overlap, catch_up=catch_up, timeout_ns=timeout_ns),
            on_change=on_change,
            stop=Stop(timeout_ns=2 * SECOND),
        ),
        restart=Restart(when, delay_ns=SECOND, jitter=0.3, give_up=GiveUp(3, MINUTE)),
        process=replace(spec_of(timing).process, env=(("SYMBOL", symbol),)),
    ),
    st.sampled_from([*DUE]),
    st.sampled_from(Overlap),
    st.booleans(),
    st.sampled_from([None, 40 * SECOND, 30 * MINUTE]),
    st.sampled_from(RestartWhen),
    st.sampled_from(["SBIN", "INFY"]),
    st.sampled_from(OnChange),
)


class JobWorld(World):
    @initialize(spec=SPECS, minute=st.integers(8 * 60 + 50, 10 * 60 + 5))
    def begin(self, spec: Spec, minute: int) -> None:
        self.begun: set[datetime] = set()
        self.latest = NEVER
        """The latest that the clock has shown."""
        self.open(spec, after(at("00:00:00"), minute * MINUTE))

    # What the world knows.

    def _due(self) -> list[datetime]:
        midnight = self.now.wall.replace(hour=0, minute=0, second=0, microsecond=0)
        minutes = DUE[_timing_alone(self.spec.schedule)]
        days = range(-2, 2)
        return [midnight + timedelta(days=day, minutes=minute) for day in days for minute in minutes]

    def _inside(self) -> bool:
        return self._bounds() is None or self.now.wall.hour == 9

    def _bounds(self) -> datetime | None:
        """The end of the hour in which jobs of `every` may run, today."""
        assert isinstance(self.spec.schedule, Jobs)
        every = isinstance(self.spec.schedule.timing, Every)
        return self.now.wall.replace(hour=10, minute=0, second=0, microsecond=0) if every else None

    def _deadline(self) -> datetime | None:
        job = self.state.agenda.job
        return self._bounds() if job is not None and not job.anywhere else None

    def _keep_word(self) -> None:
        if self.word is None:
            return
        which, since = self.word[0], min(self.word[1], self.now.wall)
        due = max((due for due in self._due() if due <= self.now.wall), default=NEVER)
        self.word = None if which == "next" and self._inside() and due > since else (which, since)

    def _allowed(self) -> bool:
        job, schedule = self.state.agenda.job, self.spec.schedule
        if job is None or self.state.removed or self.state.closing or not self.spec.enabled or self.word:
            return False
        assert isinstance(schedule, Jobs)
        assert job.began_ns is not None
        over = schedule.timeout_ns is not None and job.began_ns + schedule.timeout_ns <= self.now.boot_ns
        return (job.anywhere or self._inside()) and not over

    # The machine is held against it.

    def hear(self, event: Event) -> None:
        before = self.state.agenda.job
        if self.latest - self.now.wall > SET_BACK:
            self.begun.clear()
            self.latest = self.now.wall
        self.latest = max(self.latest, self.now.wall)
        super().hear(event)
        job = self.state.agenda.job
        if job is not None and (before is None or job.due != before.due):
            self._check_begun(job, event)

    def _check_begun(self, job: Job, event: Event) -> None:
        assert job.due <= self.now.wall, "begun before it was due"
        if isinstance(event, Launched) or (isinstance(event, OperatorStart) and job.due == self.now.wall):
            return  # a run is adopted, or the operator has said so
        assert job.due in self._due(), "begun, and never due"
        assert job.due not in self.begun, "begun twice"
        self.begun.add(job.due)
        schedule = self.spec.schedule
        assert isinstance(schedule, Jobs)
        waited = schedule.overlap is not Overlap.SKIP
        assert waited or schedule.catch_up or self.now.wall - job.due <= PROMPT, "late"

    # Rules that mean another thing where there are jobs.

    @rule(spec=SPECS)
    def edit(self, spec: Spec) -> None:
        """All but when they are due: what that means for what was due is another question."""
        assert isinstance(spec.schedule, Jobs)
        assert isinstance(self.spec.schedule, Jobs)
        self.spec = replace(spec, schedule=replace(spec.schedule, timing=self.spec.schedule.timing))
        self.hear(Look())

    @rule()
    def start(self) -> None:
        if self.spec.enabled:
            self.word = None
        self.hear(OperatorStart("ann"))

    @rule(until_next=st.booleans())
    def stop(self, *, until_next: bool) -> None:
        self._keep_word()
        which = "next" if until_next else "down"
        if self.word is None or self.word[0] != which:
            self.word = (which, self.now.wall)
        self.hear(OperatorStop("ann", until_next=until_next))

    @rule(span=st.just((130, SECOND)))
    def no_wake_up_is_lost(self, span: tuple[int, int]) -> None:
        """Seconds alone: who looks every ten minutes finds that nobody was there for a job."""
        self.compare_with_ticking(span)


def _timing_alone(schedule: Schedule) -> Schedule:
    assert isinstance(schedule, Jobs)
    return Jobs(schedule.timezone, schedule.timing)


TestJobWorld = JobWorld.TestCase
TestJobWorld.settings = settings(max_examples=120, stateful_step_count=50, derandomize=True)
