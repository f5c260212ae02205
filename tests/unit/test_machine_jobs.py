"""Jobs: begun when due and once, whatever dies, sleeps or is set; overlap, catch_up, timeout, holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

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
    spec_of,
    wall_at,
    windows,
)

from stratvisor.kept import after_boot, from_kept, to_kept
from stratvisor.machine import live_run, refuse_restart, step, wish
from stratvisor.spec import (
    HOUR,
    MINUTE,
    SECOND,
    At,
    DaysWindow,
    Every,
    Jobs,
    Once,
    Overlap,
    Restart,
    RestartWhen,
    Schedule,
    Spec,
)
from stratvisor.state import (
    Agenda,
    Because,
    Ended,
    Event,
    Exit,
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
    Run,
    ShutDown,
    State,
    Stopping,
)

AT_FOUR = Jobs("UTC", At("0 16 * * *"))
FROM_NINE_TO_TEN = (DaysWindow(frozenset(range(7)), time(9), time(10)),)
EVERY_FIVE = Jobs("UTC", Every(5 * MINUTE, FROM_NINE_TO_TEN))
DAILY = spec_of(AT_FOUR)
OFTEN = spec_of(EVERY_FIVE)

BEGUN: tuple[Row, ...] = (
    ("15:00:00", Look(), [], "idle"),
    ("16:00:00", Look(), ["launch 1"], "launching 1"),
    ("16:00:00", launched(1), [], "up 1"),
)
OFTEN_BEGUN: tuple[Row, ...] = (
    ("08:59:00", Look(), [], "idle"),
    ("09:00:00", Look(), ["launch 1, until 10:00:00"], "launching 1"),
    ("09:00:00", launched(1), [], "up 1"),
)


def of(spec: Spec, **changes: object) -> Spec:
    schedule = spec.schedule
    assert isinstance(schedule, Jobs)
    return replace(spec, schedule=replace(schedule, **changes))  # type: ignore[arg-type]


def restarting(spec: Spec, **changes: object) -> Spec:
    return replace(spec, restart=replace(spec.restart, **changes))  # type: ignore[arg-type]


def missed(state: State) -> str | None:
    what = state.agenda.passed_over
    return None if what is None else f"{what.due:%a %H:%M} {what.because}"


# --- due ---------------------------------------------------------------------------------------------


def test_a_job_runs_when_it_is_due_and_is_done_when_it_ends() -> None:
    play(
        DAILY,
        ("15:00:00", Look(), [], "idle"),
        ("15:59:59.999999", Look(), [], "idle"),
        ("16:00:00", Look(), ["launch 1"], "launching 1"),
        ("16:00:00", launched(1), [], "up 1"),
        ("16:20:00", ended(1, ran=1200), [], "exited at 16:20:00"),
        ("23:00:00", Look(), [], "exited at 16:20:00"),
        ("Tue 16:00:00", Look(), ["launch 2"], "launching 2"),
    )


def test_what_was_due_before_a_strategy_was_known_is_not_missed() -> None:
    state = play(of(DAILY, catch_up=True), ("16:00:05", Look(), [], "idle"))
    assert missed(state) is None


def test_nobody_is_late_by_a_moment() -> None:
    play(DAILY, BEGUN[0], ("16:00:10", Look(), ["launch 1"], "launching 1"))


def test_what_nobody_was_there_for_is_missed_and_said_so() -> None:
    state = play(
        DAILY,
        BEGUN[0],
        ("16:00:10.1", Look(), [], "idle"),
        ("Tue 15:59:00", Look(), [], "idle"),
    )
    assert missed(state) == "Mon 16:00 late"
    state = play(DAILY, ("Tue 16:00:00", Look(), ["launch 1"], "launching 1"), state=state)
    assert missed(state) is None


def test_catching_up_runs_the_last_of_them_once() -> None:
    play(
        of(DAILY, catch_up=True),
        BEGUN[0],
        ("Thu 08:00:00", Look(), ["launch 1"], "launching 1"),
        ("Thu 08:00:00", launched(1), [], "up 1"),
        ("Thu 08:01:00", ended(1, ran=60), [], "exited at Thu 08:01:00"),
        ("Thu 15:59:00", Look(), [], "exited at Thu 08:01:00"),
        ("Thu 16:00:00", Look(), ["launch 2"], "launching 2"),
    )


def test_catching_up_keeps_to_the_windows_of_every() -> None:
    spec = of(OFTEN, catch_up=True)
    play(spec, ("08:00:00", Look(), [], "idle"), ("10:30:00", Look(), [], "idle"))
    play(spec, ("08:00:00", Look(), [], "idle"), ("09:59:00", Look(), ["launch 1, until 10:00:00"]))


def test_once_is_once() -> None:
    once = spec_of(Jobs("UTC", Once(datetime(2026, 11, 23, 16))))  # noqa: DTZ001  local
    play(
        once,
        *BEGUN,
        ("16:20:00", ended(1, ran=1200), [], "exited at 16:20:00"),
        ("Sun 16:00:00", Look(), [], "exited at 16:20:00"),
        ("Sun 16:00:00", NewDaemon(), [], "exited at 16:20:00"),
        ("Sun 16:00:00", Look(), [], "exited at 16:20:00"),
    )


# --- how it ends -------------------------------------------------------------------------------------


def test_a_failed_job_is_tried_again_and_done_when_it_succeeds() -> None:
    play(
        DAILY,
        *BEGUN,
        ("16:00:01", died(1), [], "backoff until 16:00:02"),
        ("16:00:02", Look(), ["launch 2, restart 1"], "launching 2"),
        ("16:00:02", launched(2), [], "up 2"),
        ("16:05:00", ended(2, ran=298), [], "exited at 16:05:00"),
    )


def test_a_job_that_gives_up_waits_in_error_for_the_next() -> None:
    never = restarting(DAILY, when=RestartWhen.NEVER)
    play(
        never,
        *BEGUN,
        ("16:01:00", died(1, ran=60), [], "gave up at 16:01:00 after 1"),
        ("Tue 15:59:00", Look(), [], "gave up at 16:01:00 after 1"),
        ("Tue 16:00:00", Look(), ["launch 2"], "launching 2"),
    )


def test_no_job_is_followed_by_another_because_it_ended_well() -> None:
    always = replace(DAILY, restart=Restart(RestartWhen.ALWAYS))
    play(always, *BEGUN, ("16:01:00", ended(1, ran=60), [], "exited at 16:01:00"))


def test_a_launch_that_is_refused_is_tried_until_the_job_is_begun() -> None:
    play(
        DAILY,
        *BEGUN[:2],
        ("16:00:00.1", LaunchFailed(1, "full disk"), [], "backoff until 16:00:05.100000: full disk"),
        ("16:00:05.1", Look(), ["launch 2"], "launching 2"),
    )


def test_the_end_of_a_window_of_every_ends_its_job() -> None:
    play(
        OFTEN,
        *OFTEN_BEGUN,
        ("10:00:00", Look(), ["tell 1, stop for window, kill at 10:00:10"], "stopping 1 for window"),
        ("10:00:01", died(1, None, stopped=Because.WINDOW), [], "idle"),
        ("Tue 08:59:00", Look(), [], "idle"),
        ("Tue 09:00:00", Look(), ["launch 2, until Tue 10:00:00"], "launching 2"),
    )


def test_the_end_of_a_window_is_waited_for_where_nothing_is_due_before_it() -> None:
    hourly = of(OFTEN, timing=Every(HOUR, FROM_NINE_TO_TEN))
    play(
        hourly,
        *OFTEN_BEGUN,
        ("09:00:01", Look(), [], "up 1, ready"),
        ("10:00:00", Look(), ["tell 1, stop for window, kill at 10:00:10"], "stopping 1 for window"),
    )


def test_no_try_is_made_outside_the_windows_of_every() -> None:
    hourly = of(OFTEN, timing=Every(HOUR, FROM_NINE_TO_TEN))
    play(
        restarting(hourly, delay_ns=10 * MINUTE, max_delay_ns=HOUR),
        *OFTEN_BEGUN,
        ("09:55:00", died(1), [], "backoff until 10:05:00"),
        ("10:00:00", Look(), [], "idle"),
        ("10:05:00", Look(), [], "idle"),
    )


# --- overlap -----------------------------------------------------------------------------------------


def test_what_is_due_while_a_run_lives_is_skipped() -> None:
    state = play(
        OFTEN,
        *OFTEN_BEGUN,
        ("09:05:00", Look(), [], "up 1, ready"),
        ("09:06:00", ended(1, ran=360), [], "exited at 09:06:00"),
    )
    assert missed(state) == "Mon 09:05 overlap"
    play(OFTEN, ("09:10:00", Look(), ["launch 2, until 10:00:00"], "launching 2"), state=state)


def test_one_that_waits_follows_at_once_and_there_is_one_alone() -> None:
    play(
        of(OFTEN, overlap=Overlap.QUEUE),
        *OFTEN_BEGUN,
        ("09:05:00", Look(), [], "up 1, ready"),
        ("09:10:00", Look(), [], "up 1, ready"),
        ("09:11:00", ended(1, ran=660), ["launch 2, until 10:00:00"], "launching 2"),
        ("09:11:00", launched(2), [], "up 2"),
        ("09:11:30", ended(2, ran=30), [], "exited at 09:11:30"),
        ("09:14:00", Look(), [], "exited at 09:11:30"),
    )


def test_one_that_waits_follows_a_failure_too_and_begins_anew() -> None:
    play(
        of(OFTEN, overlap=Overlap.QUEUE),
        *OFTEN_BEGUN,
        ("09:05:00", Look(), [], "up 1, ready"),
        ("09:06:00", died(1, ran=360), ["launch 2, until 10:00:00"], "launching 2"),
    )


def test_the_next_one_may_take_the_place_of_the_last() -> None:
    play(
        of(OFTEN, overlap=Overlap.RESTART),
        *OFTEN_BEGUN,
        ("09:05:00", Look(), ["tell 1, stop for overlap, kill at 09:05:10"], "stopping 1 for overlap"),
        ("09:05:01", died(1, None, stopped=Because.OVERLAP), ["launch 2, until 10:00:00"], "launching 2"),
    )


def test_what_is_due_while_a_try_is_waited_for_begins_anew() -> None:
    slow = restarting(OFTEN, delay_ns=10 * MINUTE, max_delay_ns=HOUR)
    play(
        slow,
        *OFTEN_BEGUN,
        ("09:01:00", died(1), [], "backoff until 09:11:00"),
        ("09:05:00", Look(), ["launch 2, until 10:00:00"], "launching 2"),
    )


QUEUEING = of(OFTEN, overlap=Overlap.QUEUE)
WAITING: tuple[Row, ...] = (*OFTEN_BEGUN, ("09:05:00", Look(), [], "up 1, ready"))


def test_what_waited_is_not_begun_again_by_the_next_daemon() -> None:
    """The last one began it, and was killed before it could note that."""
    noted = play(QUEUEING, *WAITING)
    play(
        QUEUEING,
        ("09:06:02", NewDaemon(), [], "idle"),
        ("09:06:02", launched(2, began="09:06:00"), ["tell 2, until 10:00:00"], "up 2, ready"),
        ("09:07:00", ended(2, ran=60), [], "exited at 09:07:00"),
        state=noted,
    )
    over = died(2, 0, ran=1, when="09:06:01")
    play(QUEUEING, ("09:06:02", over, [], "exited at 09:06:01"), state=from_kept(to_kept(noted)))


def test_what_waits_for_a_run_that_goes_on_waits_on_under_the_next_daemon() -> None:
    play(
        QUEUEING,
        *WAITING,
        ("09:05:30", NewDaemon(), [], "idle"),
        ("09:05:30", launched(1, began="09:00:00"), [], "up 1, ready"),
        ("09:06:00", ended(1, ran=360), ["launch 2, until 10:00:00"], "launching 2"),
    )


def test_what_waited_is_not_begun_hours_late() -> None:
    daily = of(DAILY, timing=At("0 16,17 * * *"), overlap=Overlap.QUEUE)
    noted = play(daily, *BEGUN, ("17:00:00", Look(), [], "up 1, ready"))
    late = ("Tue 11:00:00", died(1, 0, when="17:10:00"))
    state = play(
        daily,
        ("Tue 11:00:00", NewDaemon(), [], "idle"),
        (*late, [], "exited at 17:10:00"),
        state=noted,
    )
    assert missed(state) == "Mon 17:00 late"
    catching_up = of(daily, catch_up=True)
    play(catching_up, (*late, ["launch 2"], "launching 2"), state=from_kept(to_kept(noted)))


def test_nothing_that_waited_is_left_over_from_a_window_that_has_ended() -> None:
    state = play(QUEUEING, *WAITING, ("10:00:00", ended(1, ran=3600), [], "exited at 10:00:00"))
    assert (state.agenda.job, state.agenda.queued) == (None, None)


def test_what_waits_is_not_lost_with_a_job_that_took_too_long() -> None:
    hourly = of(DAILY, timing=At("0 16,17 * * *"), overlap=Overlap.QUEUE, timeout_ns=61 * MINUTE)
    play(
        hourly,
        BEGUN[0],
        ("16:00:00", Look(), ["launch 1, expires 17:01:00"], "launching 1"),
        ("16:00:00", launched(1), [], "up 1"),
        ("17:00:00", Look(), [], "up 1, ready"),
        (
            "17:00:55",
            OperatorRestart("ann"),
            ["tell 1, stop for restart, kill at 17:01:05"],
            "stopping 1 for restart",
        ),
        (
            "17:01:05",
            died(1, None, stopped=Because.RESTART),
            ["launch 2, expires 18:02:05"],
            "launching 2",
        ),
    )


# --- timeout -----------------------------------------------------------------------------------------

HALF_AN_HOUR = of(DAILY, timeout_ns=30 * MINUTE)
TIMED: tuple[Row, ...] = (
    BEGUN[0],
    ("16:00:00", Look(), ["launch 1, expires 16:30:00"], "launching 1"),
    ("16:00:00", launched(1), [], "up 1"),
)


def test_a_job_that_takes_too_long_is_stopped_and_not_tried_again() -> None:
    play(
        HALF_AN_HOUR,
        *TIMED,
        ("16:30:00", Look(), ["tell 1, stop for timeout, kill at 16:30:10"], "stopping 1 for timeout"),
        ("16:30:01", died(1, 0, ran=1801, stopped=Because.TIMEOUT), [], "gave up at 16:30:01 after 1"),
        ("Tue 16:00:00", Look(), ["launch 2, expires Tue 16:30:00"], "launching 2"),
    )


def test_other_tries_are_part_of_its_time() -> None:
    slow = restarting(HALF_AN_HOUR, delay_ns=20 * MINUTE, max_delay_ns=HOUR)
    play(
        slow,
        *TIMED,
        ("16:05:00", died(1, ran=300), [], "backoff until 16:25:00"),
        ("16:25:00", Look(), ["launch 2, restart 1, expires 16:30:00"], "launching 2"),
        ("16:25:00", launched(2), [], "up 2"),
        ("16:26:00", died(2, ran=60), [], "backoff until 16:46:00"),
        ("16:30:00", Look(), [], "gave up at 16:30:00 after 1"),
    )


def test_a_changed_timeout_holds_for_the_job_under_way() -> None:
    play(
        HALF_AN_HOUR,
        *TIMED,
        ("16:10:00", Edit(of(DAILY, timeout_ns=HOUR)), ["tell 1, expires 17:00:00"], "up 1, ready"),
        ("16:11:00", Edit(DAILY), ["tell 1"], "up 1, ready"),
    )


def test_its_time_is_elapsed_time_whatever_the_wall_clock_says() -> None:
    later = replace(after(at("16:10:00"), 0), wall=wall_at("18:00:00"))
    play(HALF_AN_HOUR, *TIMED, (later, Look(), [], "up 1, ready"))


# --- the operator ------------------------------------------------------------------------------------


def test_start_runs_it_once_now_and_holds_nothing() -> None:
    state = play(
        DAILY,
        ("12:00:00", Look(), [], "idle"),
        ("12:00:00", OperatorStart("ann"), ["launch 1"], "launching 1"),
        ("12:00:00", launched(1), [], "up 1"),
        ("12:00:01", OperatorStart("ann"), [], "up 1, ready"),
        ("12:01:00", ended(1, ran=60), [], "exited at 12:01:00"),
        ("16:00:00", Look(), ["launch 2"], "launching 2"),
    )
    assert state.hold is None


def test_start_gives_a_job_under_way_no_more_time() -> None:
    play(HALF_AN_HOUR, *TIMED, ("16:10:00", OperatorStart("ann"), [], "up 1, ready"))


def test_start_outside_the_windows_of_every_is_the_operators_word() -> None:
    play(
        OFTEN,
        ("12:00:00", Look(), [], "idle"),
        ("12:00:00", OperatorStart("ann"), ["launch 1"], "launching 1"),
        ("12:00:00", launched(1), [], "up 1"),
        ("13:00:00", Look(), [], "up 1, ready"),
    )


def test_start_while_it_stops_runs_it_after_that() -> None:
    play(
        DAILY,
        *BEGUN,
        ("16:01:00", OperatorStop("ann"), ["tell 1, stop for held, kill at 16:01:10"], "stopping 1 for held"),
        ("16:01:01", OperatorStart("ann"), [], "stopping 1 for held"),
        ("16:01:02", died(1, None, stopped=Because.HELD), ["launch 2"], "launching 2"),
    )


def test_what_is_due_while_it_is_held_down_is_gone() -> None:
    catching_up = of(DAILY, catch_up=True)
    state = play(
        catching_up,
        ("15:00:00", OperatorStop("ann"), [], "idle"),
        ("16:00:00", Look(), [], "idle"),
        ("17:00:00", OperatorStart("ann"), ["launch 1"], "launching 1"),
        ("17:00:00", launched(1), [], "up 1"),
        ("17:01:00", ended(1, ran=60), [], "exited at 17:01:00"),
    )
    assert missed(state) is None


def test_held_until_the_next_one_is_until_it_is_due() -> None:
    state = play(
        OFTEN,
        *OFTEN_BEGUN,
        (
            "09:01:00",
            OperatorStop("ann", until_next=True),
            ["tell 1, stop for held, kill at 09:01:10"],
            "stopping 1 for held",
        ),
        ("09:01:01", died(1, None, stopped=Because.HELD), [], "idle"),
        ("09:04:59", Look(), [], "idle"),
        ("09:05:00", Look(), ["launch 2, until 10:00:00"], "launching 2"),
    )
    assert state.hold is None


def test_a_disabled_job_is_not_made_up_for_when_enabled() -> None:
    off = replace(of(DAILY, catch_up=True), enabled=False)
    play(
        off,
        BEGUN[0],
        ("16:00:00", Look(), [], "idle"),
        ("17:00:00", Edit(replace(off, enabled=True)), [], "idle"),
    )


def test_restart_begins_the_job_under_way_again() -> None:
    state = play(
        DAILY,
        *BEGUN,
        (
            "16:01:00",
            OperatorRestart("ann"),
            ["tell 1, stop for restart, kill at 16:01:10"],
            "stopping 1 for restart",
        ),
        ("16:01:01", died(1, None, stopped=Because.RESTART), ["launch 2"], "launching 2"),
        ("16:01:01", launched(2), [], "up 2"),
        ("16:02:00", ended(2, ran=59), [], "exited at 16:02:00"),
    )
    assert refuse_restart(at("16:03:00"), DAILY, state)


# --- daemons come and go -----------------------------------------------------------------------------


def test_a_run_whose_job_was_not_noted_before_the_daemon_died_is_not_run_twice() -> None:
    before = play(of(DAILY, overlap=Overlap.QUEUE), BEGUN[0])
    spec = of(DAILY, overlap=Overlap.QUEUE)
    alive = launched(1, began="16:00:00.5")
    play(
        spec,
        ("16:00:03", NewDaemon(), [], "idle"),
        ("16:00:03", alive, [], "up 1, ready"),
        ("16:20:00", ended(1, ran=1200), [], "exited at 16:20:00"),
        ("16:20:01", Look(), [], "exited at 16:20:00"),
        state=before,
    )
    over = died(1, 0, ran=1, when="16:00:01.5")
    play(spec, ("16:00:03", over, [], "exited at 16:00:01.500000"), state=before)


def test_a_run_is_a_job_where_everything_was_forgotten() -> None:
    play(DAILY, ("16:10:00", launched(1, began="16:00:00"), [], "up 1, ready"), state=State())


def test_a_job_goes_on_under_the_next_daemon() -> None:
    play(
        HALF_AN_HOUR,
        *TIMED,
        ("16:10:00", NewDaemon(), [], "idle"),
        ("16:10:00", launched(1, began="16:00:00"), [], "up 1, ready"),
        ("16:30:00", Look(), ["tell 1, stop for timeout, kill at 16:30:10"], "stopping 1 for timeout"),
    )


def test_what_was_to_be_launched_as_the_daemon_died_is_launched_by_the_next_if_it_is_there_soon() -> None:
    play(
        DAILY,
        *BEGUN[:2],
        ("16:00:05", NewDaemon(), [], "idle"),
        ("16:00:05", Look(), ["launch 2"], "launching 2"),
    )
    state = play(DAILY, *BEGUN[:2], ("16:00:11", NewDaemon(), [], "idle"), ("16:00:11", Look(), [], "idle"))
    assert missed(state) == "Mon 16:00 late"


def test_a_job_that_the_machine_went_down_on_is_not_tried_again_hours_later() -> None:
    state = play(DAILY, *BEGUN, ("16:01:00", died(1), [], "backoff until 16:01:01"))
    booted = from_kept(after_boot(to_kept(state)))
    state = play(DAILY, ("20:00:00", Look(), [], "idle"), state=booted)
    assert missed(state) == "Mon 16:00 late"
    catching_up = of(DAILY, catch_up=True)
    play(catching_up, ("20:00:00", Look(), ["launch 2"], "launching 2"), state=booted)


def test_its_time_goes_on_while_the_machine_is_down() -> None:
    spec = of(HALF_AN_HOUR, catch_up=True)
    state = play(spec, *TIMED, ("16:01:00", died(1), [], "backoff until 16:01:01"))
    booted = from_kept(after_boot(to_kept(state)))
    play(spec, ("16:20:00", Look(), ["launch 2, expires 16:30:00"], "launching 2"), state=booted)
    play(spec, ("16:30:00", Look(), [], "idle"), state=booted)


def test_shutting_down_ends_the_job_for_good() -> None:
    play(
        DAILY,
        *BEGUN,
        ("16:01:00", ShutDown(), ["tell 1, stop for shutdown, kill at 16:01:10"], "stopping 1 for shutdown"),
        ("16:01:01", died(1, None, stopped=Because.SHUTDOWN), [], "idle"),
        ("16:01:02", NewDaemon(), [], "idle"),
        ("16:01:02", Look(), [], "idle"),
    )


def test_a_file_that_was_away_for_a_second_misses_nothing_that_is_due() -> None:
    play(
        DAILY,
        BEGUN[0],
        ("15:59:59", Removed(), [], "idle"),
        ("16:00:00", Look(), [], "idle"),
        ("16:00:01", Returned(), ["launch 1"], "launching 1"),
    )


# --- edits and clocks --------------------------------------------------------------------------------


def test_an_earlier_time_that_a_file_says_now_was_not_missed() -> None:
    earlier = of(DAILY, timing=At("0 11 * * *"), catch_up=True)
    state = play(DAILY, ("10:00:00", Look(), [], "idle"))
    play(earlier, ("12:00:00", Returned(), [], "idle"), state=state)


def test_a_strategy_that_becomes_a_job_stops_until_it_is_due() -> None:
    play(
        spec_of(windows("09:15-15:30")),
        ("09:15:00", Look(), ["launch 1, until 15:30:00"], "launching 1"),
        ("09:15:00", launched(1), [], "up 1"),
        ("10:00:00", Edit(DAILY), ["tell 1, stop for not-due, kill at 10:00:10"], "stopping 1 for not-due"),
        ("10:00:01", died(1, None, stopped=Because.NOT_DUE), [], "idle"),
        ("16:00:00", Look(), ["launch 2"], "launching 2"),
    )


def test_a_job_that_becomes_a_strategy_of_windows_leaves_nothing_behind() -> None:
    state = play(DAILY, *BEGUN, ("16:01:00", ended(1, ran=60), [], "exited at 16:01:00"))
    state = play(spec_of(windows("09:15-15:30")), ("16:02:00", Look(), [], "idle"), state=state)
    assert state.agenda == Agenda()


def test_what_comes_again_because_the_clock_was_set_back_is_not_run_again() -> None:
    done = play(DAILY, *BEGUN, ("16:01:00", ended(1, ran=60), [], "exited at 16:01:00"))
    then = after(at("16:02:00"), 0)
    back = replace(then, wall=wall_at("15:30:00"))
    again = replace(after(then, 30 * MINUTE), wall=wall_at("16:00:00"))
    play(
        DAILY,
        (back, Look(), [], "exited at 16:01:00"),
        (again, Look(), [], "exited at 16:01:00"),
        ("Tue 16:00:00", Look(), ["launch 2"], "launching 2"),
        state=done,
    )


def test_a_clock_that_was_far_ahead_costs_no_job() -> None:
    ahead = replace(at("15:00:00"), wall=wall_at("Sun 16:00:05"))
    play(
        DAILY,
        (replace(ahead, wall=wall_at("Sun 15:00:00")), Look(), [], "idle"),
        (ahead, Look(), ["launch 1"], "launching 1"),
        ("15:00:01", launched(1), [], "up 1"),
        ("15:01:00", ended(1, ran=59), [], "exited at 15:01:00"),
        ("16:00:00", Look(), ["launch 2"], "launching 2"),
    )


def test_a_wall_clock_that_jumps_takes_no_try_away() -> None:
    jumped = replace(at("16:00:02"), wall=wall_at("17:00:00"))
    play(
        DAILY,
        *BEGUN,
        ("16:00:01", died(1), [], "backoff until 16:00:02"),
        (jumped, Look(), ["launch 2, restart 1"], "launching 2"),
    )


@pytest.mark.parametrize("schedule", [AT_FOUR, EVERY_FIVE], ids=["at", "every"])
def test_why_it_is_not_wanted(schedule: Schedule) -> None:
    assert wish(at("12:00:00"), spec_of(schedule), State()).because is Because.NOT_DUE


# --- whatever happens --------------------------------------------------------------------------------

HAPPENINGS = st.sampled_from(
    ["wait", "launched", "ends", "fails", "daemon", "stop", "start", "back", "on", "edit"]
)
WAITS = st.sampled_from([SECOND, 9 * SECOND, MINUTE, 7 * MINUTE, 3 * HOUR, 26 * HOUR])


@given(
    schedule=st.builds(
        replace,
        st.sampled_from([AT_FOUR, EVERY_FIVE]),
        overlap=st.sampled_from(Overlap),
        catch_up=st.booleans(),
        timeout_ns=st.sampled_from([None, 2 * MINUTE]),
    ),
    happenings=st.lists(st.tuples(HAPPENINGS, WAITS), max_size=60),
)
def test_no_due_time_is_begun_twice(schedule: Jobs, happenings: list[tuple[str, int]]) -> None:
    spec, state, now = spec_of(schedule), State(), at("08:50:00")
    begun: list[datetime] = []
    for what, wait_ns in happenings:
        now = after(now, wait_ns)
        if what in {"back", "on"}:
            step_ns = HOUR if what == "on" else -HOUR
            now = replace(now, wall=now.wall + timedelta(microseconds=step_ns // 1000))
        if what == "daemon":
            run = live_run(state)
            state = from_kept(to_kept(state))
            if run is not None:
                state, _ = step(now, spec, state, Launched(run))
        before = state.agenda.job
        state, _ = step(now, spec, state, _news(what, now, state))
        job = state.agenda.job
        if job is not None and job != before and what != "start":
            begun.append(job.due)
    assert len(begun) == len(set(begun))


def _news(what: str, now: Now, state: State) -> Event:
    run, phase = live_run(state), state.phase
    match what:
        case "launched" if isinstance(phase, Launching):
            return Launched(Run(phase.number, 1, now.boot_ns, now.wall, phase.fingerprint, phase.told))
        case "ends" | "fails" if run is not None:
            stopped = phase.order.because if isinstance(phase, Stopping) else None
            ran_ns = now.boot_ns - run.began_ns
            return Ended(Exit(run.number, now.wall, ran_ns, int(what == "fails"), stopped=stopped))
        case "stop":
            return OperatorStop("ann", until_next=True)
        case "start":
            return OperatorStart("ann")
        case "edit":
            return Returned()
        case _:
            return Look()
