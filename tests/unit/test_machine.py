from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from play import (
    Edit,
    NewDaemon,
    Row,
    after,
    at,
    died,
    ended,
    launched,
    play,
    run_of,
    spec_of,
    wall_at,
    windows,
)

from stratvisor.machine import (
    LOOK_AGAIN,
    at_rest,
    backoff_ns,
    is_failure,
    kill_ns,
    live_run,
    refuse_restart,
    refuse_start,
    restart_pending,
    step,
    wake_at,
    wish,
)
from stratvisor.spec import (
    HOUR,
    MINUTE,
    SECOND,
    Always,
    CronFor,
    GiveUp,
    Logs,
    Manual,
    OnChange,
    ReadyAfter,
    ReadyNotify,
    Restart,
    RestartWhen,
    Spec,
    Stop,
    Windows,
)
from stratvisor.state import (
    BecameReady,
    Because,
    Ended,
    Event,
    Exit,
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
    Want,
)

DAY = spec_of(windows("09:15-15:30"))
TWO = spec_of(windows("09:15-12:00", "13:00-15:30"))
ON = spec_of(Always())
MANUAL = spec_of(Manual())
HALF_YEAR = spec_of(Windows("UTC", (CronFor("0 0 * 11,12,1-5 *", 24 * HOUR),)))
"""All days from November to May."""

START, RESTART = OperatorStart("ann"), OperatorRestart("ann")
STOP, STOP_UNTIL_NEXT = OperatorStop("ann"), OperatorStop("ann", until_next=True)

DAY_UP: tuple[Row, ...] = (
    ("09:15:00", Look(), ["launch 1, until 15:30:00"], "launching 1"),
    ("09:15:00", launched(1), [], "up 1"),
)
UP: tuple[Row, ...] = (
    ("09:00:00", Look(), ["launch 1"], "launching 1"),
    ("09:00:00", launched(1), [], "up 1"),
)


def restarting(spec: Spec, **changes: object) -> Spec:
    return replace(spec, restart=replace(spec.restart, **changes))  # type: ignore[arg-type]


def other_env(spec: Spec) -> Spec:
    return replace(spec, process=replace(spec.process, env=(("SYMBOL", "SBIN"),)))


def disabled(spec: Spec) -> Spec:
    return replace(spec, enabled=False)


def held(state: State) -> str | None:
    """`down by ann since Mon 10:00:00 until operator`."""
    hold = state.hold
    if hold is None:
        return None
    return f"{hold.wants} by {hold.by} since {hold.since:%a %H:%M:%S} until {hold.until}"


# --- windows -----------------------------------------------------------------------------------------


def test_a_window_is_half_open_and_its_end_is_when_the_stop_begins() -> None:
    play(
        DAY,
        ("09:14:59.999999", Look(), [], "idle"),
        ("09:15:00", Look(), ["launch 1, until 15:30:00"], "launching 1"),
        ("09:15:00.2", launched(1), [], "up 1"),
        ("15:29:59.999999", Look(), [], "up 1, ready"),
        ("15:30:00", Look(), ["tell 1, stop for window, kill at 15:30:10"], "stopping 1 for window"),
        ("15:30:10", Look(), [], "stopping 1 for window"),
        ("15:30:10.1", died(1, None), [], "idle"),
        ("Tue 09:15:00", Look(), ["launch 2, until Tue 15:30:00"], "launching 2"),
    )


def test_a_daemon_that_comes_up_inside_a_window_starts_late() -> None:
    play(DAY, ("15:29:00", Look(), ["launch 1, until 15:30:00"]))


# --- late starts ---


def late(late_ns: int, spec: Spec = DAY) -> Spec:
    assert isinstance(spec.schedule, Windows)
    return replace(spec, schedule=replace(spec.schedule, late_start_ns=late_ns))


NEVER_LATE = late(0)


def test_whoever_comes_too_late_waits_for_the_next_window() -> None:
    play(
        NEVER_LATE,
        ("09:15:11", Look(), [], "idle"),
        ("12:00:00", Look(), [], "idle"),
        ("15:30:00", Look(), [], "idle"),
        ("Tue 09:15:00", Look(), ["launch 1, until Tue 15:30:00"], "launching 1"),
    )


@pytest.mark.parametrize(("late_ns", "last", "too_late"), [
    (0, "09:15:10", "09:15:10.1"),
    (10 * MINUTE, "09:25:00", "09:25:00.1"),
])  # fmt: skip
def test_so_late_is_still_on_time(late_ns: int, last: str, too_late: str) -> None:
    play(late(late_ns), (last, Look(), ["launch 1, until 15:30:00"], "launching 1"))
    play(late(late_ns), (too_late, Look(), [], "idle"))


def test_a_restart_after_a_crash_is_no_late_start_whoever_sees_it() -> None:
    crash: tuple[Row, ...] = (
        ("12:00:00", died(1, ran=9900), [], "backoff until 12:00:01"),
        ("12:00:01", Look(), ["launch 2, restart 1, until 15:30:00"], "launching 2"),
    )
    play(NEVER_LATE, *DAY_UP, *crash)
    play(NEVER_LATE, *DAY_UP, ("11:00:00", NewDaemon(), [], "idle"), *crash)


def test_a_run_that_nobody_accounts_for_was_begun_all_the_same() -> None:
    play(
        NEVER_LATE,
        *DAY_UP,
        ("11:00:00", NewDaemon(), [], "idle"),
        ("12:00:00", Look(), ["launch 2, until 15:30:00"], "launching 2"),
    )


def test_an_edit_and_a_restart_are_no_late_starts() -> None:
    stopped: tuple[Row, ...] = (
        ("12:00:00", RESTART, ["tell 1, stop for restart, kill at 12:00:10"], "stopping 1 for restart"),
        ("12:00:01", died(1, None), ["launch 2, until 15:30:00"], "launching 2"),
    )
    play(NEVER_LATE, *DAY_UP, *stopped)
    play(
        NEVER_LATE,
        ("09:00:00", START, ["launch 1, until 15:30:00"], "launching 1"),  # held up, into its window
        ("09:00:00", launched(1), [], "up 1"),
        *stopped,
    )


def test_the_operator_is_never_late() -> None:
    state = play(NEVER_LATE, ("12:00:00", Look(), [], "idle"))
    assert refuse_restart(at("12:00"), NEVER_LATE, state)
    play(NEVER_LATE, ("12:00:00", START, ["launch 1, until 15:30:00"], "launching 1"), state=state)
    play(
        NEVER_LATE,
        ("09:00:00", STOP, [], "idle"),
        ("12:00:00", START, ["launch 1, until 15:30:00"], "launching 1"),
    )


def test_a_refused_launch_is_retried_also_by_the_next_daemon() -> None:
    edited = restarting(NEVER_LATE, max_delay_ns=2 * MINUTE)
    play(
        NEVER_LATE,
        ("09:15:00", Look(), ["launch 1, until 15:30:00"], "launching 1"),
        ("09:15:01", LaunchFailed(1, "disk full"), [], "backoff until 09:15:06: disk full"),
        ("11:00:00", NewDaemon(), [], "backoff until 09:15:06: disk full"),
        ("12:00:00", Edit(edited), ["launch 2, until 15:30:00"], "launching 2"),
    )


def test_what_is_held_up_is_not_late_though_it_never_came_to_be() -> None:
    play(
        NEVER_LATE,
        ("09:00:00", START, ["launch 1, until 15:30:00"], "launching 1"),
        ("09:00:01", LaunchFailed(1, "disk full"), [], "backoff until 09:00:06: disk full"),
        ("12:00:00", NewDaemon(), [], "backoff until 09:00:06: disk full"),
        ("12:00:01", Look(), ["launch 2, until 15:30:00"], "launching 2"),
    )


def test_what_lived_in_a_window_that_was_moved_is_not_late_for_it() -> None:
    moved = other_env(late(0, spec_of(windows("10:00-15:30"))))
    play(
        NEVER_LATE,
        *DAY_UP,
        ("12:00:00", Edit(moved), ["tell 1, stop for edited, kill at 12:00:10"], "stopping 1 for edited"),
        ("12:00:01", died(1, None), ["launch 2, until 15:30:00"], "launching 2"),
    )


def test_what_ended_yesterday_and_comes_late_today_waits_idle() -> None:
    for end, phase in (
        (ended(1), "exited at 10:00:00"),
        (died(1), "gave up at 10:00:00 after 1"),
    ):
        play(
            restarting(NEVER_LATE, give_up=GiveUp(1, HOUR)),
            *DAY_UP,
            ("10:00:00", end, [], phase),
            ("10:00:01", NewDaemon(), [], phase),
            ("Tue 12:00:00", Look(), [], "idle"),
            ("Wed 09:15:00", Look(), ["launch 2, until Wed 15:30:00"], "launching 2"),
        )


def test_what_lives_is_never_too_late() -> None:
    play(NEVER_LATE, ("12:00:00", launched(1), ["tell 1, until 15:30:00"], "up 1"))


def test_what_has_no_beginning_has_no_late_start() -> None:
    play(late(0, spec_of(windows("00:00-12:00", "12:00-00:00"))), ("12:00:00", Look(), ["launch 1"]))


def test_a_strategy_that_is_enabled_inside_its_window_is_late() -> None:
    play(
        disabled(NEVER_LATE),
        ("09:00:00", Look(), [], "idle"),
        ("12:00:00", Edit(NEVER_LATE), [], "idle"),
        ("12:00:01", Edit(late(3 * HOUR)), ["launch 1, until 15:30:00"], "launching 1"),
    )


def test_always_on_has_no_deadline() -> None:
    play(ON, ("03:00:00", Look(), ["launch 1"]))


def test_manual_starts_and_stops_by_the_operators_word_alone() -> None:
    state = play(
        MANUAL,
        ("10:00:00", Look(), [], "idle"),
        ("10:00:01", START, ["launch 1"]),
        ("10:00:01", launched(1), []),
        ("Sun 10:00:00", Look(), [], "up 1, ready"),
    )
    assert held(state) == "up by ann since Mon 10:00:01 until window-end"
    play(
        MANUAL,
        ("Sun 11:00:00", STOP, ["tell 1, stop for held, kill at Sun 11:00:10"]),
        ("Sun 11:00:01", died(1, None), [], "idle"),
        ("Sun 11:00:02", START, ["launch 2"]),
        state=state,
    )


def test_a_window_without_an_end_in_sight_is_no_deadline() -> None:
    state = play(HALF_YEAR, ("09:00:00", Look(), ["launch 1"]))
    wake = wake_at(at("09:00:00"), HALF_YEAR, state)
    assert wake.wall == wall_at("09:00:00") + LOOK_AGAIN


def test_the_end_of_a_long_window_is_told_once_it_is_in_sight() -> None:
    play(
        HALF_YEAR,
        ("09:00:00", Look(), ["launch 1"]),
        ("09:00:00", launched(1), []),
        *[(_days_later("09:00:00", days), Look(), []) for days in (30, 60, 90, 120)],
    )
    now = _days_later("09:00:00", 150)
    end = datetime(2027, 6, 1, tzinfo=UTC)
    assert wish(now, HALF_YEAR, State()).deadline == end
    assert wake_at(now, HALF_YEAR, State()).wall == end


def _days_later(text: str, days: int) -> Now:
    return after(at(text), days * 24 * HOUR)


def test_a_schedule_without_a_window_in_sight_is_looked_at_again() -> None:
    never = spec_of(Windows("UTC", ()))
    assert wake_at(at("09:00:00"), never, State()).wall == wall_at("09:00:00") + LOOK_AGAIN


def test_windows_that_touch_are_one() -> None:
    play(
        spec_of(windows("09:15-12:00", "12:00-15:30")),
        *DAY_UP,
        ("12:00:00", Look(), [], "up 1, ready"),
    )


# --- how a run ends ----------------------------------------------------------------------------------


def test_an_exit_as_it_should_lasts_until_the_next_window() -> None:
    play(
        TWO,
        ("09:15:00", Look(), ["launch 1, until 12:00:00"]),
        ("09:15:00", launched(1), []),
        ("10:00:00", ended(1), [], "exited at 10:00:00"),
        ("11:59:59", Look(), [], "exited at 10:00:00"),
        ("12:00:00", Look(), [], "idle"),
        ("13:00:00", Look(), ["launch 2, until 15:30:00"]),
    )


def test_an_exit_is_over_when_a_later_window_is_found_without_a_look_between() -> None:
    play(
        TWO,
        ("09:15:00", Look(), ["launch 1, until 12:00:00"]),
        ("10:00:00", ended(1), [], "exited at 10:00:00"),
        ("13:10:00", Look(), ["launch 2, until 15:30:00"]),
    )


def test_an_exit_of_an_always_on_strategy_waits_for_the_operator() -> None:
    play(
        ON,
        *UP,
        ("10:00:00", ended(1), [], "exited at 10:00:00"),
        ("Sun 10:00:00", Look(), [], "exited at 10:00:00"),
        ("Sun 10:00:01", START, ["launch 2"]),
    )


def test_a_manual_strategy_that_ended_as_it_should_is_held_up_no_more() -> None:
    state = play(
        MANUAL,
        ("10:00:00", START, ["launch 1"]),
        ("10:00:00", launched(1), []),
        ("10:05:00", ended(1), [], "exited at 10:05:00"),
        ("10:05:01", NewDaemon(), []),
        ("10:05:02", Look(), [], "exited at 10:05:00"),
    )
    assert state.hold is None


def test_success_codes_are_those_of_the_spec() -> None:
    three = restarting(ON, success_codes=(0, 3))
    play(three, *UP, ("10:00:00", died(1, 3), [], "exited at 10:00:00"))
    play(three, *UP, ("10:00:00", died(1, 4), [], "backoff until 10:00:01"))
    play(restarting(ON, success_codes=(3,)), *UP, ("10:00:00", died(1, 0), [], "backoff until 10:00:01"))


def test_always_restarts_after_success_without_counting_a_failure() -> None:
    state = play(
        restarting(ON, when=RestartWhen.ALWAYS, give_up=GiveUp(1)),
        *UP,
        ("10:00:00", ended(1), [], "backoff until 10:00:01"),
        ("10:00:01", Look(), ["launch 2, restart 1"]),
        ("10:00:01", ended(2), [], "backoff until 10:00:03"),
    )
    assert state.failures == ()


def test_a_strategy_held_up_stays_so_where_it_is_always_restarted() -> None:
    state = play(
        restarting(MANUAL, when=RestartWhen.ALWAYS),
        ("10:00:00", START, ["launch 1"]),
        ("10:00:00", ended(1), [], "backoff until 10:00:01"),
        ("10:00:01", Look(), ["launch 2, restart 1"]),
    )
    assert held(state) == "up by ann since Mon 10:00:00 until window-end"


def test_never_gives_up_after_one_failure_and_exits_after_success() -> None:
    never = restarting(TWO, when=RestartWhen.NEVER, give_up=None)
    look: Row = ("09:15:00", Look(), ["launch 1, until 12:00:00"])
    play(
        never,
        look,
        ("10:00:00", died(1), [], "gave up at 10:00:00 after 1"),
        ("13:00:00", Look(), ["launch 2, until 15:30:00"]),
    )
    play(never, look, ("10:00:00", ended(1), [], "exited at 10:00:00"))


def test_a_run_may_be_over_before_its_launch_is_heard_of() -> None:
    play(
        ON,
        ("09:00:00", Look(), ["launch 1"]),
        ("09:00:00.1", died(1), [], "backoff until 09:00:01.100000"),
        ("09:00:00.2", launched(1), [], "backoff until 09:00:01.100000"),
        ("09:00:01.1", Look(), ["launch 2, restart 1"]),
    )


@pytest.mark.parametrize(
    ("end", "failure"),
    [
        (Exit(1, wall_at("10:00"), 0, code=0), False),
        (Exit(1, wall_at("10:00"), 0, code=2), True),
        (Exit(1, wall_at("10:00"), 0, signal=9), True),
        (Exit(1, wall_at("10:00"), 0, unknown=True), True),
        (Exit(1, wall_at("10:00"), 0, code=0, unknown=True), True),
        (Exit(1, wall_at("10:00"), 0, signal=15, stopped=Because.WINDOW), False),
        (Exit(1, wall_at("10:00"), 0, code=1, stopped=Because.HELD), False),
        (Exit(1, wall_at("10:00"), 0, signal=9, stopped=Because.LIMIT), True),
        (Exit(1, wall_at("10:00"), 0, code=0, stopped=Because.NOT_READY), True),
    ],
)
def test_what_counts_as_a_failure(end: Exit, *, failure: bool) -> None:
    assert is_failure(ON, end) is failure


def test_a_crash_in_the_course_of_a_stop_is_part_of_the_stop() -> None:
    state = play(
        DAY,
        *DAY_UP,
        ("15:30:00", Look(), ["tell 1, stop for window, kill at 15:30:10"]),
        ("15:30:01", died(1, 1), [], "idle"),
    )
    assert state.last_exit is not None
    assert state.last_exit.stopped is Because.WINDOW
    assert state.failures == ()


def test_a_stop_that_the_shim_began_by_itself_is_no_failure() -> None:
    play(
        DAY,
        *DAY_UP,
        ("15:30:00.5", died(1, None, stopped=Because.WINDOW), [], "idle"),
    )


# --- backoff -----------------------------------------------------------------------------------------


def test_the_delay_doubles_to_its_cap_and_restarts_are_counted() -> None:
    patient = restarting(ON, max_delay_ns=3 * SECOND, give_up=None)
    state = play(
        patient,
        *UP,
        ("09:00:01", died(1), [], "backoff until 09:00:02"),
        ("09:00:01.999999", Look(), [], "backoff until 09:00:02"),
        ("09:00:02", Look(), ["launch 2, restart 1"]),
        ("09:00:02", died(2), [], "backoff until 09:00:04"),
        ("09:00:04", Look(), ["launch 3, restart 2"]),
        ("09:00:04", died(3), [], "backoff until 09:00:07"),
        ("09:00:07", Look(), ["launch 4, restart 3"]),
        ("09:00:07", died(4), [], "backoff until 09:00:10"),
    )
    assert wake_at(at("09:00:07"), patient, state).boot_ns == at("09:00:10").boot_ns


def test_no_delay_is_a_restart_at_once_and_a_new_beginning() -> None:
    state = play(
        restarting(ON, delay_ns=0),
        ("09:00:00", Look(), ["launch 1"]),
        ("09:00:05", died(1), ["launch 2, restart 1"], "launching 2"),
    )
    assert state.since == wall_at("09:00:05")


def test_without_delay_a_child_that_exits_at_once_is_no_storm() -> None:
    eager = restarting(ON, delay_ns=0, max_delay_ns=0)
    assert [backoff_ns(eager, streak, streak) for streak in (1, 10, 11, 1000)] == [
        0,
        0,
        SECOND // 2,
        SECOND // 2,
    ]
    slow = restarting(ON, delay_ns=SECOND, factor=1, jitter=0)
    assert backoff_ns(slow, 11, 11) == SECOND


def test_a_run_long_enough_clears_the_count() -> None:
    state = play(
        ON,
        *UP,
        ("09:00:01", died(1), [], "backoff until 09:00:02"),
        ("09:00:02", Look(), ["launch 2, restart 1"]),
        ("09:01:01.9", died(2, ran=59.9), [], "backoff until 09:01:03.900000"),
        ("09:01:03.9", Look(), ["launch 3, restart 2"]),
        ("09:02:03.9", died(3, ran=60), [], "backoff until 09:02:04.900000"),
    )
    assert len(state.failures) == state.streak == 1


def test_a_late_news_of_an_end_does_not_make_the_delay_longer() -> None:
    play(
        ON,
        *UP,
        ("09:00:10", died(1, when="09:00:09.5"), [], "backoff until 09:00:10.500000"),
    )


@given(streak=st.integers(1, 100_000), run=st.integers(1), factor=st.floats(1, 1e300))
def test_a_delay_stays_between_its_bounds(streak: int, run: int, factor: float) -> None:
    spec = replace(ON, restart=Restart(factor=factor))
    least, most = 0.9 * SECOND, 1.1 * MINUTE
    assert least <= backoff_ns(spec, streak, run) <= most
    if streak == 1:
        assert backoff_ns(spec, streak, run) <= 1.1 * SECOND


def test_the_jitter_parts_strategies_that_died_together_and_repeats_itself() -> None:
    jittery = replace(ON, restart=Restart(jitter=1.0))
    delays = {backoff_ns(replace(jittery, id=f"s{n}"), 1, 1) for n in range(100)}
    assert len(delays) > 90
    assert min(delays) < 0.1 * SECOND
    assert max(delays) > 1.9 * SECOND
    assert {backoff_ns(jittery, 1, run) for run in (1, 1, 1)} == {backoff_ns(jittery, 1, 1)}
    assert backoff_ns(jittery, 1, 1) != backoff_ns(jittery, 1, 2)


def test_a_delay_longer_than_the_cap_is_the_cap() -> None:
    assert backoff_ns(restarting(ON, delay_ns=2 * MINUTE, max_delay_ns=MINUTE), 1, 1) == MINUTE


def test_the_wait_ends_where_nothing_is_wanted_and_a_window_begins_anew() -> None:
    state = play(
        TWO,
        ("11:59:59", Look(), ["launch 1, until 12:00:00"]),
        ("11:59:59.5", died(1), [], "backoff until 12:00:00.500000"),
        ("12:00:00", Look(), [], "idle"),
        ("13:00:00", Look(), ["launch 2, until 15:30:00"]),
    )
    assert (state.restarts, state.streak, state.failures) == (0, 0, ())


def test_an_edit_that_may_help_ends_the_wait() -> None:
    play(
        ON,
        *UP,
        ("09:00:01", died(1), [], "backoff until 09:00:02"),
        ("09:00:01.1", Edit(replace(ON, title="EMA", tags=("nifty",))), [], "backoff until 09:00:02"),
        ("09:00:01.2", Edit(other_env(ON)), ["launch 2"]),
    )


@pytest.mark.parametrize("verb", [START, RESTART])
def test_the_operator_need_not_wait(verb: Event) -> None:
    state = play(
        ON,
        *UP,
        ("09:00:01", died(1), [], "backoff until 09:00:02"),
        ("09:00:01.1", verb, ["launch 2"]),
    )
    assert state.hold is None


# --- refused launches --------------------------------------------------------------------------------


def test_a_refused_launch_is_tried_again_without_counting() -> None:
    state = play(
        restarting(ON, give_up=GiveUp(1), when=RestartWhen.NEVER),
        ("09:00:00", Look(), ["launch 1"]),
        ("09:00:01", LaunchFailed(1, "no space left"), [], "backoff until 09:00:06: no space left"),
        ("09:00:06", Look(), ["launch 2"]),
        ("09:00:06", LaunchFailed(2, "no space left"), [], "backoff until 09:00:11: no space left"),
        ("09:00:11", Look(), ["launch 3"]),
    )
    assert (state.restarts, state.streak, state.failures) == (0, 0, ())


def test_a_refused_restart_is_still_one_restart() -> None:
    play(
        ON,
        *UP,
        ("09:00:01", died(1), [], "backoff until 09:00:02"),
        ("09:00:02", Look(), ["launch 2, restart 1"]),
        ("09:00:02", LaunchFailed(2, "full"), [], "backoff until 09:00:07: full"),
        ("09:00:07", Look(), ["launch 3, restart 1"]),
    )


def test_a_launch_refused_after_the_window_is_not_tried_again() -> None:
    play(
        DAY,
        ("15:29:59", Look(), ["launch 1, until 15:30:00"]),
        ("15:30:01", LaunchFailed(1, "full"), [], "idle"),
    )


# --- giving up ---------------------------------------------------------------------------------------

THREE = restarting(TWO, give_up=GiveUp(3, MINUTE), factor=1.0)

GAVE_UP: tuple[Row, ...] = (
    ("10:00:00", Look(), ["launch 1, until 12:00:00"]),
    ("10:00:00", died(1), [], "backoff until 10:00:01"),
    ("10:00:01", Look(), ["launch 2, restart 1, until 12:00:00"]),
    ("10:00:01", died(2), [], "backoff until 10:00:02"),
    ("10:00:02", Look(), ["launch 3, restart 2, until 12:00:00"]),
    ("10:00:02", died(3), [], "gave up at 10:00:02 after 3"),
)


def test_giving_up_lasts_past_the_window_until_the_next() -> None:
    state = play(
        THREE,
        *GAVE_UP,
        ("12:00:00", Look(), [], "gave up at 10:00:02 after 3"),
        ("12:59:59", Look(), [], "gave up at 10:00:02 after 3"),
        ("13:00:00", Look(), ["launch 4, until 15:30:00"]),
    )
    assert (state.restarts, state.streak, state.failures) == (0, 0, ())


@pytest.mark.parametrize("verb", [START, RESTART])
def test_the_operator_lifts_a_give_up(verb: Event) -> None:
    state = play(THREE, *GAVE_UP, ("10:30:00", verb, ["launch 4, until 12:00:00"]))
    assert state.hold is None


@pytest.mark.parametrize(
    "edited",
    [
        other_env(THREE),
        restarting(THREE, give_up=None),
        replace(THREE, start=ReadyNotify()),
        replace(THREE, limits=replace(THREE.limits, memory=None)),
    ],
)
def test_an_edit_of_what_matters_lifts_a_give_up(edited: Spec) -> None:
    play(THREE, *GAVE_UP, ("10:30:00", Edit(edited), ["launch 4, until 12:00:00"]))


def test_an_edit_of_what_does_not_matter_leaves_a_give_up() -> None:
    edited = replace(THREE, title="EMA", tags=("x",), logs=Logs(keep_files=1), schedule=DAY.schedule)
    play(THREE, *GAVE_UP, ("10:30:00", Edit(edited), [], "gave up at 10:00:02 after 3"))


def test_a_stop_or_disabling_it_ends_the_error_and_a_file_that_comes_and_goes_does_not() -> None:
    play(THREE, *GAVE_UP, ("10:30:00", STOP, [], "idle"))
    play(THREE, *GAVE_UP, ("10:30:00", Edit(disabled(THREE)), [], "idle"))
    play(
        THREE,
        *GAVE_UP,
        ("10:30:00", Removed(), [], "gave up at 10:00:02 after 3"),
        ("10:30:01", Returned(), [], "gave up at 10:00:02 after 3"),
        ("10:30:02", ShutDown(), [], "gave up at 10:00:02 after 3"),
    )


def test_failures_spread_over_a_longer_time_do_not_add_up() -> None:
    play(
        THREE,
        ("10:00:00", Look(), ["launch 1, until 12:00:00"]),
        ("10:00:00", died(1), [], "backoff until 10:00:01"),
        ("10:00:01", Look(), ["launch 2, restart 1, until 12:00:00"]),
        ("10:00:50", died(2, ran=49), [], "backoff until 10:00:51"),
        ("10:00:51", Look(), ["launch 3, restart 2, until 12:00:00"]),
        ("10:01:00", died(3, ran=9), [], "backoff until 10:01:01"),
        ("10:01:01", Look(), ["launch 4, restart 3, until 12:00:00"]),
        ("10:01:01", died(4, ran=0), [], "gave up at 10:01:01 after 3"),
    )


def test_a_strategy_held_up_gives_up_too_and_tries_again_in_its_window() -> None:
    play(
        restarting(DAY, when=RestartWhen.NEVER),
        ("08:00:00", START, ["launch 1, until 15:30:00"]),
        ("08:00:01", died(1), [], "gave up at 08:00:01 after 1"),
        ("09:15:00", Look(), ["launch 2, until 15:30:00"]),
    )


# --- holds -------------------------------------------------------------------------------------------


def test_stop_holds_it_down_until_start() -> None:
    state = play(
        DAY,
        *DAY_UP,
        ("10:02:00", STOP, ["tell 1, stop for held, kill at 10:02:10"], "stopping 1 for held"),
        ("10:02:01", died(1, None), [], "idle"),
        ("Tue 10:00:00", Look(), [], "idle"),
    )
    assert held(state) == "down by ann since Mon 10:02:00 until operator"
    state = play(DAY, ("Tue 10:00:01", START, ["launch 2, until Tue 15:30:00"]), state=state)
    assert state.hold is None


def test_stop_until_next_holds_it_down_until_the_next_window() -> None:
    state = play(
        TWO,
        ("11:00:00", Look(), ["launch 1, until 12:00:00"]),
        ("11:00:00", launched(1), []),
        ("11:30:00", STOP_UNTIL_NEXT, ["tell 1, stop for held, kill at 11:30:10"]),
        ("11:30:01", died(1, None), [], "idle"),
        ("12:30:00", Look(), [], "idle"),
    )
    assert held(state) == "down by ann since Mon 11:30:00 until next"
    state = play(TWO, ("13:00:00", Look(), ["launch 2, until 15:30:00"]), state=state)
    assert state.hold is None


def test_stop_until_next_before_a_window_means_that_window() -> None:
    play(DAY, ("09:14:59", STOP_UNTIL_NEXT, []), ("09:15:00", Look(), ["launch 1, until 15:30:00"]))


def test_stop_until_next_as_a_window_begins_means_the_one_after() -> None:
    play(TWO, ("09:15:00", STOP_UNTIL_NEXT, []), ("11:00:00", Look(), []), ("12:30:00", Look(), [], "idle"))


@pytest.mark.parametrize("spec", [ON, MANUAL])
def test_stop_until_next_where_no_next_window_is_to_be_holds_for_good(spec: Spec) -> None:
    state = play(spec, ("10:00:00", STOP_UNTIL_NEXT, []), ("Sun 10:00:00", Look(), [], "idle"))
    assert held(state) == "down by ann since Mon 10:00:00 until operator"


def test_stopping_twice_is_stopping_once() -> None:
    again = OperatorStop("bob")
    state = play(
        DAY,
        *DAY_UP,
        ("10:00:00", STOP, ["tell 1, stop for held, kill at 10:00:10"]),
        ("10:00:05", again, []),
        ("10:00:10", died(1, None), []),
        ("10:00:11", again, [], "idle"),
    )
    assert held(state) == "down by ann since Mon 10:00:00 until operator"


def test_a_stop_that_says_something_else_is_a_new_one() -> None:
    state = play(
        DAY, ("08:00:00", STOP, []), ("Tue 10:00:00", STOP_UNTIL_NEXT, []), ("Tue 10:01:00", Look(), [])
    )
    assert held(state) == "down by ann since Tue 10:00:00 until next"
    state = play(DAY, ("Tue 11:00:00", STOP, []), ("Wed 10:00:00", Look(), [], "idle"), state=state)
    assert held(state) == "down by ann since Tue 11:00:00 until operator"


def test_a_stop_heard_after_an_earlier_one_ran_out_is_a_new_one() -> None:
    state = play(
        DAY,
        ("10:00:00", STOP_UNTIL_NEXT, []),
        ("Tue 09:15:00", STOP_UNTIL_NEXT, []),
        ("Tue 09:15:01", Look(), [], "idle"),
    )
    assert held(state) == "down by ann since Tue 09:15:00 until next"


def test_start_outside_a_window_holds_it_up_until_the_end_of_the_next() -> None:
    state = play(
        DAY,
        ("16:00:00", START, ["launch 1, until Tue 15:30:00"]),
        ("16:00:00", launched(1), []),
        ("Tue 09:15:00", Look(), [], "up 1, ready"),
        ("Tue 15:29:59", Look(), []),
    )
    assert held(state) == "up by ann since Mon 16:00:00 until window-end"
    state = play(
        DAY,
        ("Tue 15:30:00", Look(), ["tell 1, stop for window, kill at Tue 15:30:10"]),
        state=state,
    )
    assert state.hold is None


def test_start_outside_a_window_twice_is_start_once() -> None:
    state = play(
        DAY, ("16:00:00", START, ["launch 1, until Tue 15:30:00"]), ("17:00:00", OperatorStart("bob"), [])
    )
    assert held(state) == "up by ann since Mon 16:00:00 until window-end"


def test_a_hold_up_ends_with_its_window_even_if_nobody_looked_for_weeks() -> None:
    monthly = spec_of(Windows("UTC", (CronFor("0 9 25 * *", 60 * MINUTE),)))
    state = play(
        monthly,
        ("09:00:00", START, ["launch 1, until Wed 10:00:00"]),
        ("09:00:01", NewDaemon(), []),
        (_days_later("09:00:00", 20), Look(), [], "idle"),
    )
    assert state.hold is None


def test_start_inside_a_window_makes_no_hold() -> None:
    state = play(DAY, *DAY_UP, ("10:00:00", START, [], "up 1, ready"))
    assert state.hold is None


def test_stop_lifts_a_hold_up() -> None:
    state = play(
        DAY,
        ("16:00:00", START, ["launch 1, until Tue 15:30:00"]),
        ("16:00:00", launched(1), []),
        ("17:00:00", STOP, ["tell 1, stop for held, kill at 17:00:10"]),
    )
    assert held(state) == "down by ann since Mon 17:00:00 until operator"


def test_holds_survive_the_daemon() -> None:
    state = play(DAY, ("10:00:00", STOP, []), ("10:00:01", NewDaemon(), []), ("10:00:02", Look(), [], "idle"))
    assert held(state) == "down by ann since Mon 10:00:00 until operator"


def test_a_hold_up_ends_where_the_strategy_exits_as_it_should() -> None:
    state = play(
        DAY,
        ("16:00:00", START, ["launch 1, until Tue 15:30:00"]),
        ("16:00:00", launched(1), []),
        ("17:00:00", ended(1), [], "idle"),
        ("Tue 09:15:00", Look(), ["launch 2, until Tue 15:30:00"]),
    )
    assert state.hold is None


def test_a_hold_up_does_not_outlive_a_change_to_always_on() -> None:
    state = play(
        MANUAL,
        ("10:00:00", START, ["launch 1"]),
        ("10:00:00", launched(1), []),
        ("10:00:01", Edit(ON), [], "up 1, ready"),
        ("10:00:02", Edit(MANUAL), ["tell 1, stop for manual, kill at 10:00:12"]),
    )
    assert state.hold is None


def test_start_while_it_stops_makes_a_new_run_after_the_old() -> None:
    play(
        DAY,
        *DAY_UP,
        ("10:00:00", STOP, ["tell 1, stop for held, kill at 10:00:10"]),
        ("10:00:05", START, [], "stopping 1 for held"),
        ("10:00:10", died(1, None), ["launch 2, until 15:30:00"]),
    )


def test_a_stop_during_the_launch_stops_what_comes_of_it() -> None:
    play(
        DAY,
        ("09:15:00", Look(), ["launch 1, until 15:30:00"]),
        ("09:15:01", STOP, [], "launching 1"),
        ("09:15:02", launched(1), ["tell 1, stop for held, kill at 09:15:12"], "stopping 1 for held"),
        ("09:15:03", died(1, None), [], "idle"),
    )


def test_an_operators_stop_after_an_exit_counts_from_then_on() -> None:
    play(
        DAY,
        *DAY_UP,
        ("10:00:00", ended(1), [], "exited at 10:00:00"),
        ("10:01:00", STOP, [], "idle"),
        ("10:02:00", START, ["launch 2, until 15:30:00"]),
    )


# --- restart -----------------------------------------------------------------------------------------


def test_restart_stops_and_starts_and_begins_the_count_anew() -> None:
    state = play(
        ON,
        *UP,
        ("09:00:01", died(1), [], "backoff until 09:00:02"),
        ("09:00:02", Look(), ["launch 2, restart 1"]),
        ("09:00:02", launched(2), []),
        ("09:00:03", RESTART, ["tell 2, stop for restart, kill at 09:00:13"], "stopping 2 for restart"),
        ("09:00:04", RESTART, [], "stopping 2 for restart"),
        ("09:00:05", died(2, 1), ["launch 3"], "launching 3"),
        ("09:00:06", RESTART, [], "launching 3"),
    )
    assert (state.hold, state.restarts, state.streak, state.failures) == (None, 0, 0, ())


def test_restart_of_what_exited_is_a_new_run() -> None:
    play(ON, *UP, ("10:00:00", ended(1), []), ("10:00:01", RESTART, ["launch 2"]))


def test_restart_is_refused_where_nothing_is_wanted_and_changes_nothing() -> None:
    state = play(DAY, ("08:00:00", Look(), []))
    assert refuse_restart(at("08:00:00"), DAY, state)
    assert not refuse_restart(at("09:15:00"), DAY, state)
    play(DAY, ("08:00:01", RESTART, [], "idle"), state=state)

    state = play(DAY, *DAY_UP, ("10:00:00", STOP_UNTIL_NEXT, ["tell 1, stop for held, kill at 10:00:10"]))
    assert refuse_restart(at("10:00:01"), DAY, state)
    assert not refuse_restart(at("Tue 09:15:00"), DAY, state)
    again = play(DAY, ("10:00:01", RESTART, [], "stopping 1 for held"), state=state)
    assert again.hold == state.hold
    play(THREE, *GAVE_UP, ("12:30:00", RESTART, [], "gave up at 10:00:02 after 3"))


# --- disabling, removal, edits, shutdown -------------------------------------------------------------


def test_disabling_stops_and_start_is_refused() -> None:
    off = disabled(DAY)
    assert refuse_start(off)
    assert not refuse_start(DAY)
    state = play(
        DAY,
        *DAY_UP,
        ("10:00:00", Edit(off), ["tell 1, stop for disabled, kill at 10:00:10"]),
        ("10:00:01", died(1, None), [], "idle"),
        ("10:00:02", START, [], "idle"),
        ("10:00:03", STOP, [], "idle"),
        ("10:00:04", START, [], "idle"),
    )
    assert held(state) == "down by ann since Mon 10:00:03 until operator"


def test_disabling_ends_a_hold_up() -> None:
    state = play(
        MANUAL,
        ("10:00:00", START, ["launch 1"]),
        ("10:00:00", launched(1), []),
        ("10:00:01", Edit(disabled(MANUAL)), ["tell 1, stop for disabled, kill at 10:00:11"]),
        ("10:00:02", died(1, None), [], "idle"),
        ("10:00:03", Edit(MANUAL), [], "idle"),
    )
    assert state.hold is None


def test_a_removed_strategy_stops_and_one_that_returns_starts_again() -> None:
    state = play(
        ON,
        *UP,
        ("10:00:00", Removed(), ["tell 1, stop for removed, kill at 10:00:10"]),
        ("10:00:01", START, [], "stopping 1 for removed"),
        ("10:00:02", died(1, None), [], "idle"),
        ("10:00:03", Look(), [], "idle"),
    )
    assert state.removed
    assert state.hold is None
    play(ON, ("10:00:04", Returned(), ["launch 2"]), state=state)


def test_removal_ends_a_hold_up_but_not_a_hold_down() -> None:
    play(
        MANUAL,
        ("10:00:00", START, ["launch 1"]),
        ("10:00:01", Removed(), []),
        ("10:00:02", died(1), [], "idle"),
        ("10:00:03", Returned(), [], "idle"),
    )
    play(ON, ("10:00:00", STOP, []), ("10:00:01", Removed(), []), ("10:00:02", Returned(), [], "idle"))


def test_a_shutdown_takes_it_along_and_the_next_daemon_starts_it_again() -> None:
    state = play(
        ON,
        *UP,
        ("10:00:00", ShutDown(), ["tell 1, stop for shutdown, kill at 10:00:10"]),
        ("10:00:01", START, [], "stopping 1 for shutdown"),
        ("10:00:02", died(1, None), [], "idle"),
        ("10:00:03", Look(), [], "idle"),
    )
    assert state.hold is None
    play(ON, ("10:01:00", NewDaemon(), []), ("10:01:00", Look(), ["launch 2"]), state=state)


def test_an_edit_of_what_a_process_is_made_of_restarts_it() -> None:
    edited = other_env(ON)
    state = play(
        ON,
        *UP,
        ("10:00:00", Edit(edited), ["tell 1, stop for edited, kill at 10:00:10"], "stopping 1 for edited"),
    )
    assert restart_pending(edited, state)
    play(
        edited,
        ("10:00:01", died(1, None), ["launch 2"]),
        ("10:00:01", launched(2), [], "up 2"),
        state=state,
    )


def test_an_edit_waits_for_the_next_run_where_it_is_told_to() -> None:
    spec = replace(ON, on_change=OnChange.NEXT_RUN)
    edited = other_env(spec)
    state = play(spec, *UP, ("10:00:00", Edit(edited), [], "up 1, ready"))
    assert restart_pending(edited, state)
    assert not restart_pending(spec, state)
    assert not restart_pending(edited, State())
    play(ON, ("10:00:01", Edit(other_env(ON)), ["tell 1, stop for edited, kill at 10:00:11"]), state=state)


def test_an_edit_during_the_launch_restarts_what_comes_of_it() -> None:
    play(
        ON,
        ("09:00:00", Look(), ["launch 1"]),
        ("09:00:01", lambda stage: Launched(run_of(stage, 1)), [], "up 1"),
        ("09:00:02", Edit(other_env(ON)), ["tell 1, stop for edited, kill at 09:00:12"]),
    )


def test_other_edits_are_told_to_the_same_process() -> None:
    play(
        DAY,
        *DAY_UP,
        ("10:00:00", Edit(replace(DAY, title="EMA", tags=("x",))), [], "up 1, ready"),
        ("10:00:01", Edit(replace(DAY, logs=Logs(keep_files=3))), ["tell 1, until 15:30:00, keep 3 logs"]),
        (
            "10:00:02",
            Edit(replace(DAY, stop=Stop(("INT", "TERM"), SECOND))),
            ["tell 1, until 15:30:00, plan INT+TERM 1s"],
        ),
        ("10:00:03", Edit(spec_of(windows("09:15-16:00"))), ["tell 1, until 16:00:00"]),
        ("10:00:04", Edit(ON), ["tell 1"]),
        ("10:00:05", Edit(DAY), ["tell 1, until 15:30:00"]),
        ("10:00:06", Edit(spec_of(windows("11:00-12:00"))), ["tell 1, stop for window, kill at 10:00:16"]),
    )


def test_a_stop_goes_by_the_plan_of_its_time_and_its_signals_count_from_its_beginning() -> None:
    two = replace(ON, stop=Stop(("INT", "TERM"), 4 * SECOND))
    quick = replace(ON, stop=Stop(("TERM",), SECOND))
    state = play(
        two,
        *(("09:00:00", Look(), ["launch 1, plan INT+TERM 4s"]), ("09:00:00", launched(1), [])),
        ("10:00:00", STOP, ["tell 1, stop for held, kill at 10:00:08, plan INT+TERM 4s"]),
        ("10:00:01", Edit(quick), ["tell 1, stop for held, kill at 10:00:08, plan TERM 1s"]),
    )
    order = StopOrder(Because.HELD, "", at("10:00:00").boot_ns, two.stop)
    assert kill_ns(order) == at("10:00:08").boot_ns
    assert live_run(state) is not None
    assert wake_at(at("10:00:01"), quick, state).boot_ns is None


# --- readiness ---------------------------------------------------------------------------------------


def test_a_run_is_ready_by_age() -> None:
    spec = replace(ON, start=ReadyAfter(3 * SECOND))
    state = play(spec, *UP, ("09:00:02.999999", Look(), [], "up 1"))
    assert wake_at(at("09:00:02.999999"), spec, state).boot_ns == at("09:00:03").boot_ns
    state = play(spec, ("09:00:03", Look(), [], "up 1, ready"), state=state)
    assert wake_at(at("09:00:03"), spec, state).boot_ns is None
    assert state.since == wall_at("09:00:00")


NOTIFY = restarting(replace(ON, start=ReadyNotify(30 * SECOND)), give_up=GiveUp(2))


def test_a_run_is_ready_when_it_says_so() -> None:
    play(
        NOTIFY,
        *UP,
        ("09:00:29", Look(), [], "up 1"),
        ("09:00:29.9", BecameReady(1), [], "up 1, ready"),
        ("09:01:00", Look(), [], "up 1, ready"),
    )


def test_readiness_may_be_heard_of_before_the_launch() -> None:
    play(
        NOTIFY,
        ("09:00:00", Look(), ["launch 1"]),
        ("09:00:00.1", BecameReady(1), [], "launching 1"),
        ("09:00:00.2", launched(1), [], "up 1, ready"),
    )


def test_one_that_never_gets_ready_is_stopped_and_that_is_a_failure() -> None:
    state = play(
        NOTIFY,
        *UP,
        (
            "09:00:30",
            Look(),
            ["tell 1, stop for not-ready (did not send READY=1 in time), kill at 09:00:40"],
            "stopping 1 for not-ready",
        ),
        ("09:00:31", BecameReady(1), [], "stopping 1 for not-ready"),
        ("09:00:40", died(1, None), [], "backoff until 09:00:41"),
        ("09:00:41", Look(), ["launch 2, restart 1"]),
        ("09:00:41", launched(2), []),
    )
    assert wake_at(at("09:00:41"), NOTIFY, state).boot_ns == at("09:01:11").boot_ns
    play(
        NOTIFY,
        ("09:01:11", Look(), ["tell 2, stop for not-ready (did not send READY=1 in time), kill at 09:01:21"]),
        ("09:01:12", died(2, 0), [], "gave up at 09:01:12 after 2"),
        state=state,
    )


def test_news_that_comes_when_the_time_is_up_is_heard_first() -> None:
    play(NOTIFY, *UP, ("09:05:00", BecameReady(1), [], "up 1, ready"))


def test_the_window_s_end_outranks_a_missed_readiness() -> None:
    spec = replace(DAY, start=ReadyNotify(30 * SECOND))
    play(
        spec,
        ("15:29:30", Look(), ["launch 1, until 15:30:00"]),
        ("15:29:30", launched(1), []),
        ("15:30:00", Look(), ["tell 1, stop for window, kill at 15:30:10"]),
    )


# --- limits ------------------------------------------------------------------------------------------


def test_a_run_over_its_limit_is_killed_at_once_and_that_is_a_failure() -> None:
    state = play(
        ON,
        *UP,
        (
            "10:00:00",
            OverLimit(1, "memory 1.1GB over its limit 1GB"),
            ["tell 1, stop for limit (memory 1.1GB over its limit 1GB), kill at 10:00:00"],
            "stopping 1 for limit",
        ),
        ("10:00:01", OverLimit(1, "again"), [], "stopping 1 for limit"),
        ("10:00:01", died(1, None), [], "backoff until 10:00:02"),
    )
    assert state.last_exit is not None
    assert state.last_exit.stopped is Because.LIMIT
    assert len(state.failures) == 1


def test_a_stop_after_a_limit_still_holds_it_down() -> None:
    state = play(
        ON,
        *UP,
        ("10:00:00", OverLimit(1, "much"), ["tell 1, stop for limit (much), kill at 10:00:00"]),
        ("10:00:00", STOP, [], "stopping 1 for limit"),
        ("10:00:01", died(1, None), [], "idle"),
    )
    assert held(state) == "down by ann since Mon 10:00:00 until operator"


# --- a new daemon ------------------------------------------------------------------------------------


def found(number: int, stop: StopOrder | None = None, *, ready: bool = False) -> Launched:
    want = Want(stop, wall_at("15:30:00"), DAY.stop, DAY.logs)
    began = at("09:15:00")
    run = Run(number, 100 + number, began.boot_ns, began.wall, DAY.process.fingerprint, want)
    return Launched(run, ready=ready)


def test_a_live_run_is_adopted_as_it_is() -> None:
    state = play(
        DAY,
        *DAY_UP,
        ("10:00:00", NewDaemon(), []),
        ("10:00:01", found(1), [], "up 1, ready"),
    )
    assert state.since == wall_at("09:15:00")
    assert state.last_run == 1


def test_a_run_of_which_nothing_was_remembered_is_adopted_too() -> None:
    state = play(DAY, ("10:00:01", found(7), [], "up 7, ready"))
    assert state.last_run == 7
    play(
        DAY,
        ("10:00:02", died(7), [], "backoff until 10:00:03"),
        ("10:00:03", Look(), ["launch 8, restart 1, until 15:30:00"]),
        state=state,
    )


def test_an_adopted_run_keeps_the_readiness_it_had() -> None:
    spec = replace(DAY, start=ReadyNotify())
    play(spec, ("10:00:00", found(1, ready=True), [], "up 1, ready"))
    not_ready = "tell 1, stop for not-ready (did not send READY=1 in time), kill at 10:00:10"
    play(spec, ("10:00:00", found(1), [not_ready]))


def test_a_run_that_was_told_to_stop_is_stopped_on_and_by_the_same_order() -> None:
    order = StopOrder(Because.EDITED, "", at("10:00:00").boot_ns, DAY.stop)
    play(
        DAY,
        ("10:00:05", found(1, order), ["tell 1, stop for edited, kill at 10:00:10"], "stopping 1 for edited"),
        ("10:00:06", died(1, None), ["launch 2, until 15:30:00"]),
    )


def test_a_run_wanted_no_more_is_stopped_when_it_is_adopted() -> None:
    play(DAY, ("15:31:00", found(1), ["tell 1, stop for window, kill at 15:31:10"]))


def test_an_end_while_no_daemon_lived_follows_the_policy_of_its_time() -> None:
    gone: tuple[Row, ...] = (*DAY_UP, ("10:00:00", NewDaemon(), []))
    play(
        DAY,
        *gone,
        ("10:10:00", died(1, when="10:09:59.8"), [], "backoff until 10:10:00.800000"),
    )
    play(
        DAY,
        *gone,
        ("10:10:00", died(1, when="10:00:30"), ["launch 2, restart 1, until 15:30:00"]),
    )
    play(
        DAY,
        *gone,
        ("10:10:00", ended(1, when="10:00:30"), [], "exited at 10:00:30"),
    )
    play(
        DAY,
        *gone,
        ("10:10:00", died(1, None, when="10:00:30", stopped=Because.EDITED), ["launch 2, until 15:30:00"]),
    )


@pytest.mark.parametrize("when", RestartWhen)
@pytest.mark.parametrize("code", [0, 1])
def test_yesterdays_end_heard_of_today_keeps_nothing_down(when: RestartWhen, code: int) -> None:
    state = play(
        restarting(DAY, when=when, give_up=GiveUp(1)),
        *DAY_UP,
        ("15:00:00", NewDaemon(), []),
        ("Tue 09:20:00", died(1, code, when="15:10:00"), _launch_2(when, code)),
    )
    assert state.since == wall_at("Tue 09:20:00")


def _launch_2(when: RestartWhen, code: int) -> list[str]:
    again = when is RestartWhen.ALWAYS and code == 0
    return [f"launch 2{', restart 1' if again else ''}, until Tue 15:30:00"]


def test_since_is_when_it_ended_not_when_that_was_heard() -> None:
    state = play(DAY, *DAY_UP, ("10:00:00", NewDaemon(), []), ("10:10:00", ended(1, when="10:00:30"), []))
    assert state.since == wall_at("10:00:30")
    state = play(DAY, ("10:10:01", NewDaemon(), []), ("10:10:02", ended(2, when="10:05:00"), []), state=state)
    assert state.since == wall_at("10:05:00")


# --- stale news --------------------------------------------------------------------------------------

STALE: list[Event] = [
    Launched(Run(1, 101, 0, wall_at("09:15"), "x", Want(None, None, DAY.stop, DAY.logs))),
    Launched(Run(9, 109, 0, wall_at("09:15"), "x", Want(None, None, DAY.stop, DAY.logs))),
    LaunchFailed(1, "full"),
    LaunchFailed(9, "full"),
    BecameReady(1),
    BecameReady(9),
    OverLimit(1, "much"),
    OverLimit(9, "much"),
    Ended(Exit(1, wall_at("09:15:00.5"), 0, code=0)),
    Ended(Exit(9, wall_at("09:15:00.5"), 0, code=0)),
]

SECOND_RUN: tuple[Row, ...] = (
    *DAY_UP,
    ("09:15:00.5", died(1), [], "backoff until 09:15:01.500000"),
    ("09:15:01.5", Look(), ["launch 2, restart 1, until 15:30:00"]),
    ("09:15:01.5", launched(2), [], "up 2"),
    ("10:00:00", STOP, ["tell 2, stop for held, kill at 10:00:10"], "stopping 2 for held"),
)


@pytest.mark.parametrize("length", [4, 5, 6])
@pytest.mark.parametrize("news", STALE)
def test_news_of_another_run_changes_nothing(news: Event, length: int) -> None:
    state = play(DAY, *SECOND_RUN[:length])
    now = at("09:15:01.6") if length < 6 else at("10:00:01")
    assert step(now, DAY, state, news) == step(now, DAY, state, Look())


@pytest.mark.parametrize("news", STALE[::2])
def test_old_news_at_rest_changes_nothing(news: Event) -> None:
    state = play(DAY, *SECOND_RUN[:3])
    assert step(at("09:15:00.6"), DAY, state, news) == (state, ())


@pytest.mark.parametrize("news", [BecameReady(2), OverLimit(2, "much"), LaunchFailed(2, "full")])
def test_news_out_of_place_changes_nothing(news: Event) -> None:
    state = play(DAY, *SECOND_RUN)
    assert step(at("10:00:01"), DAY, state, news) == (state, ())


def test_a_second_word_of_the_same_launch_changes_nothing() -> None:
    state = play(DAY, *SECOND_RUN[:5])
    again = Launched(Run(2, 999, 0, wall_at("09:15"), "x", Want(None, None, DAY.stop, DAY.logs)))
    assert step(at("09:15:01.6"), DAY, state, again) == (state, ())


# --- clocks ------------------------------------------------------------------------------------------


def test_a_clock_set_forwards_ends_the_window_and_one_set_back_opens_it_again() -> None:
    late, true = Now(at("10:00:01").boot_ns, wall_at("16:00:00")), at("10:00:02")
    play(
        DAY,
        *DAY_UP,
        (late, Look(), ["tell 1, stop for window, kill at 10:00:11"]),
        (late, died(1, None), [], "idle"),
        (true, Look(), ["launch 2, until 15:30:00"]),
    )


def test_durations_do_not_follow_the_clock() -> None:
    play(
        ON,
        *UP,
        ("09:00:01", died(1), [], "backoff until 09:00:02"),
        (Now(at("09:00:01.5").boot_ns, wall_at("08:00:00")), Look(), [], "backoff until 09:00:02"),
        (Now(at("09:00:02").boot_ns, wall_at("08:00:00")), Look(), ["launch 2, restart 1"]),
    )


def test_an_end_noted_in_the_future_counts_as_now() -> None:
    play(
        DAY,
        *DAY_UP,
        ("10:00:00", ended(1, when="11:00:00"), [], "exited at 10:00:00"),
    )


def test_a_hold_up_from_a_clock_set_back_does_not_run_past_the_windows_end() -> None:
    ahead = Now(at("08:00:00").boot_ns, wall_at("Tue 16:00:00"))
    state = play(
        DAY,
        (ahead, START, ["launch 1, until Wed 15:30:00"]),
        (ahead, launched(1), []),
        ("08:00:01", Look(), ["tell 1, until 15:30:00"]),
        ("15:30:00", Look(), ["tell 1, stop for window, kill at 15:30:10"]),
    )
    assert state.hold is None


def test_a_give_up_from_a_clock_set_back_ends_with_the_next_window() -> None:
    ahead = Now(at("09:15:01").boot_ns, wall_at("Tue 09:15:01"))
    play(
        restarting(TWO, when=RestartWhen.NEVER),
        (ahead, Look(), ["launch 1, until Tue 12:00:00"]),
        (ahead, died(1), [], "gave up at Tue 09:15:01 after 1"),
        ("09:15:02", Look(), [], "gave up at 09:15:02 after 1"),
        ("13:00:00", Look(), ["launch 2, until 15:30:00"]),
    )


# --- waking ------------------------------------------------------------------------------------------


def test_it_wakes_at_the_edges_of_windows() -> None:
    assert wake_at(at("08:00:00"), DAY, State()).wall == wall_at("09:15:00")
    assert wake_at(at("09:15:00"), DAY, State()).wall == wall_at("15:30:00")
    assert wake_at(at("15:30:00"), DAY, State()).wall == wall_at("Tue 09:15:00")


@pytest.mark.parametrize("spec", [ON, MANUAL])
def test_it_sleeps_where_nothing_is_to_come(spec: Spec) -> None:
    state = play(spec, *(UP if spec is ON else ()), ("10:00:00", Look(), []))
    wake = wake_at(at("10:00:00"), spec, state)
    assert (wake.boot_ns, wake.wall) == (None, None)


def test_a_launch_is_no_rest() -> None:
    assert at_rest(State())
    for rows in (
        DAY_UP[:1],
        DAY_UP,
        (*DAY_UP, ("10:00:00", STOP, ["tell 1, stop for held, kill at 10:00:10"])),
    ):
        assert not at_rest(play(DAY, *rows))
    assert at_rest(play(DAY, *DAY_UP, ("10:00:00", died(1), [], "backoff until 10:00:01")))
