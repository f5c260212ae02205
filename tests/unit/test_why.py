"""The sentence that says why, phase by phase."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from stratvisor import almanac, why
from stratvisor.calendar import Calendar, Day
from stratvisor.spec import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Always,
    At,
    DaysWindow,
    Edge,
    GiveUp,
    Jobs,
    Logs,
    Manual,
    Once,
    Problem,
    Process,
    Restart,
    SessionTime,
    SessionWindow,
    Spec,
    Stop,
    WindowForm,
    Windows,
)
from stratvisor.state import (
    Agenda,
    Backoff,
    Because,
    Exit,
    Exited,
    GaveUp,
    Hold,
    Idle,
    Job,
    Launching,
    Now,
    PassedOver,
    Phase,
    Run,
    State,
    StopOrder,
    Stopping,
    Until,
    Up,
    Want,
    Wants,
)

IST = ZoneInfo("Asia/Kolkata")
SCHOOL_DAYS = Windows("Asia/Kolkata", (DaysWindow(frozenset(range(5)), time(9, 15), time(15, 30)),))
SPEC = Spec("ema", Process(script="s.py"), title="EMA", schedule=SCHOOL_DAYS)
WANT = Want(None, None, Stop(), Logs())


def at(clock: str, day: int = 23) -> datetime:
    """An instant of November 2026, read in IST; the 23rd is a Monday."""
    return datetime.fromisoformat(f"2026-11-{day:02d}T{clock}").replace(tzinfo=IST).astimezone(UTC)


def now(clock: str = "10:00", day: int = 23) -> Now:
    return Now(boot_ns=100 * HOUR, wall=at(clock, day))


def run(began: str = "09:15:00") -> Run:
    return Run(3, 4711, 99 * HOUR, at(began), SPEC.process.fingerprint, WANT)


def said(phase: Phase, moment: Now | None = None, spec: Spec = SPEC, **known: object) -> str:
    state = replace(State(phase=phase), **known)  # type: ignore[arg-type]
    return why.sentence(moment or now(), spec, state)


FAILED = Exit(3, at("09:16:02"), SECOND, code=1, last_line="ModuleNotFoundError: No module named 'pandas'")


def test_outside_its_window_it_names_the_next() -> None:
    assert said(Idle(), now("16:00")) == "outside its window; opens Tue 24 Nov 09:15 IST"
    assert said(Idle(), now("09:00")) == "outside its window; opens 09:15 IST"


def test_a_schedule_without_a_window_to_come_says_so() -> None:
    never = replace(SPEC, schedule=Windows("Asia/Kolkata", ()))
    assert said(Idle(), spec=never) == "outside its window, and none is to come in the next 400 days"


def by(calendar: str, *forms: WindowForm) -> Spec:
    forms = forms or (SessionWindow(),)
    return replace(SPEC, schedule=Windows("Asia/Kolkata", forms, almanac.shipped()[calendar]))


EARLY = SessionWindow(SessionTime(Edge.OPEN, -10 * MINUTE), SessionTime(Edge.CLOSE))


@pytest.mark.parametrize(
    ("spec", "moment", "text"),
    [
        (by("NSE"), now("16:00"), "NSE opens Wed 25 Nov 09:15 IST (Tue 24 Nov: Guru Nanak Jayanti)"),
        (by("NSE"), now("12:00", 24), "NSE opens Wed 25 Nov 09:15 IST (Tue 24 Nov: Guru Nanak Jayanti)"),
        (by("MCX"), now("09:00", 24), "MCX opens 17:00 IST (Tue 24 Nov: Guru Nanak Jayanti)"),
        (by("NSE"), now("16:00", 25), "NSE opens Thu 26 Nov 09:15 IST"),
        (by("NSE"), now("16:00", 27), "NSE opens Mon 30 Nov 09:15 IST"),
        (by("NSE", EARLY), now("16:00", 25), "opens Thu 26 Nov 09:05 IST"),
    ],
)
def test_outside_a_session_it_names_the_next_and_the_closed_days_before(
    spec: Spec, moment: Now, text: str
) -> None:
    assert said(Idle(), moment, spec) == f"outside its window; {text}"


def test_only_a_few_closed_days_are_named() -> None:
    nse = almanac.shipped()["NSE"]
    days = tuple(Day(date(2026, 11, day), f"Day {day}") for day in range(23, 28))
    spec = replace(SPEC, schedule=Windows("Asia/Kolkata", (SessionWindow(),), replace(nse, days=days)))
    assert said(Idle(), now("16:00"), spec).endswith(
        "(Mon 23 Nov: Day 23, Tue 24 Nov: Day 24, Wed 25 Nov: Day 25, ...)"
    )


CURE = "update stratvisor, or write calendars/NSE.yaml with a later known_until"


def test_the_end_of_a_calendar_is_spoken_of_a_month_before() -> None:
    december = Now(0, datetime(2026, 12, 1, 12, tzinfo=UTC))
    warning = f"; NSE is known until Thu 31 Dec 2026: {CURE}"
    assert said(Idle(), december, by("NSE")) == f"outside its window; NSE opens Wed 2 Dec 09:15 IST{warning}"
    assert said(Up(run(), ready=True), december, by("NSE")).endswith(warning)
    before = Now(0, datetime(2026, 11, 30, 12, tzinfo=UTC))
    assert "known" not in said(Idle(), before, by("NSE"))
    assert "known" not in said(Up(run(), ready=True), december, by("CRYPTO"))


def test_past_the_end_of_a_calendar_it_says_so_with_the_cure() -> None:
    january = Now(0, datetime(2027, 1, 4, 5, tzinfo=UTC))
    assert said(Idle(), january, by("NSE")) == (
        f"outside its window, and none is to come: NSE is known until Thu 31 Dec 2026; {CURE}"
    )
    unread = replace(SPEC, schedule=Windows("UTC", (SessionWindow(),), Calendar("TSE")))
    assert "the calendar TSE is not known" in said(Idle(), january, unread)


@pytest.mark.parametrize(("late_ns", "rule"), [(0, "never"), (10 * MINUTE, "10m")])
def test_too_late_it_names_the_rule_and_the_cure(late_ns: int, rule: str) -> None:
    spec = replace(SPEC, schedule=replace(SCHOOL_DAYS, late_start_ns=late_ns))
    assert said(Idle(), now("12:00"), spec) == (
        f"too late for its window that began 09:15 IST (late_start: {rule}); opens Tue 24 Nov 09:15 IST; "
        "`stratvisor start ema` starts it now"
    )


def test_idle_for_each_reason() -> None:
    hold = Hold(Wants.DOWN, "token 'phone'", at("09:30"), Until.OPERATOR)
    assert said(Idle()) == "about to start"
    assert said(Idle(), hold=hold) == (
        "held down since 09:30 IST by token 'phone'; `stratvisor start ema` lifts it"
    )
    until_next = replace(hold, until=Until.NEXT_WINDOW)
    assert said(Idle(), hold=until_next) == (
        "held down since 09:30 IST by token 'phone' until its next window at Tue 24 Nov 09:15 IST; "
        "`stratvisor start ema` lifts it"
    )
    never = replace(SPEC, schedule=Windows("Asia/Kolkata", ()))
    assert " until its next window; `" in said(Idle(), spec=never, hold=until_next)
    assert said(Idle(), spec=replace(SPEC, schedule=Manual())).startswith("its schedule is manual: ")
    assert said(Idle(), spec=replace(SPEC, enabled=False)) == "its file says enabled: false (conf.d/ema.yaml)"
    assert said(Idle(), removed=True) == "its file is gone"
    assert said(Idle(), closing=True) == "the daemon is shutting down"


def test_running() -> None:
    assert said(Launching(3, "", WANT)) == "run 3 is being made"
    assert said(Up(run(), ready=False)) == "started at 09:15 IST, not ready yet; its window ends 15:30 IST"
    assert said(Up(run(), ready=True)) == "running since 09:15 IST; its window ends 15:30 IST"
    assert said(Up(run(), ready=True), spec=replace(SPEC, schedule=Always())) == "running since 09:15 IST"


def test_running_endlessly_has_no_end_to_name() -> None:
    endless = Windows("Asia/Kolkata", (DaysWindow(frozenset(range(7)), time(0), time(0)),))
    assert said(Up(run(), ready=True), spec=replace(SPEC, schedule=endless)) == "running since 09:15 IST"


def test_running_under_a_hold_after_failures_with_an_edit_to_come() -> None:
    hold = Hold(Wants.UP, "page", at("08:00"), Until.WINDOW_END)
    edited = replace(SPEC, process=replace(SPEC.process, cwd="elsewhere"))
    text = said(Up(run(), ready=True), spec=edited, hold=hold, restarts=2, last_exit=FAILED)
    assert text == (
        "running since 09:15 IST; held up since 08:00 IST by page until `stop` or the end of its next "
        "window; "
        "restarted 2 times, last after exit 1 at 09:16:02 IST, ModuleNotFoundError: No module named "
        "'pandas'; "
        "its file was edited, which takes effect with the next run"
    )
    assert "restarted once" in said(Up(run(), ready=True), restarts=1, last_exit=FAILED)


def test_a_bad_edit_is_told_with_its_place_whatever_the_phase() -> None:
    wrong = Problem("conf.d/ema.yaml", 38, 1, "restart.dealy", "unknown key; did you mean 'delay'?")
    other = replace(wrong, line=40)
    assert why.sentence(now(), SPEC, State(Up(run(), ready=True)), (wrong,)) == (
        "running since 09:15 IST; its window ends 15:30 IST; its file has a problem "
        "(conf.d/ema.yaml:38:1), its last good version is in force"
    )
    assert why.sentence(now("16:00"), SPEC, State(), (wrong, other)) == (
        "outside its window; opens Tue 24 Nov 09:15 IST; its file has 2 problems "
        "(first conf.d/ema.yaml:38:1), its last good version is in force"
    )


WALLED = " (sandbox: standard; does 'read' or 'write' of its file name what it needs?)"


def test_stopping_names_the_reason_and_the_last_moment() -> None:
    order = StopOrder(Because.WINDOW, "", 100 * HOUR - 4 * SECOND, Stop(timeout_ns=10 * SECOND))
    assert said(Stopping(run(), order)) == (
        "told to stop: its window has ended; killed at 10:00:06 IST at the latest"
    )
    detailed = replace(order, because=Because.LIMIT, detail="memory 1.1GB over its limit 1GB")
    assert said(Stopping(run(), detailed)).startswith("told to stop: memory 1.1GB over its limit 1GB; ")


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (FAILED, "exit 1 at 09:16:02 IST, ModuleNotFoundError: No module named 'pandas'"),
        (replace(FAILED, last_line=None), "exit 1 at 09:16:02 IST"),
        (
            replace(FAILED, last_line="PermissionError: [Errno 13] Permission denied: 'x'"),
            "exit 1 at 09:16:02 IST, PermissionError: [Errno 13] Permission denied: 'x'" + WALLED,
        ),
        (replace(FAILED, code=None, signal=9), "killed by SIGKILL at 09:16:02 IST"),
        (replace(FAILED, code=None, signal=250), "killed by signal 250 at 09:16:02 IST"),
        (
            replace(FAILED, code=None, signal=9, cause="memory 1.1GB over its limit 1GB"),
            "killed by SIGKILL: memory 1.1GB over its limit 1GB at 09:16:02 IST",
        ),
        (
            replace(FAILED, code=None, unknown=True, cause="nobody saw it end: the machine went down"),
            "nobody saw it end: the machine went down at 09:16:02 IST",
        ),
        (replace(FAILED, code=None, unknown=True, cause=None), "nobody saw it end at 09:16:02 IST"),
        (None, "a run of which nothing is known"),
    ],
)
def test_backoff_names_the_failure_and_the_next_try(end: Exit | None, text: str) -> None:
    backoff = Backoff(101 * HOUR, at("10:00:04"), None)
    assert said(backoff, last_exit=end) == f"{text}; next try at 10:00:04 IST"


def test_a_refused_launch_names_its_cause() -> None:
    backoff = Backoff(101 * HOUR, at("10:00:05"), "No space left on device (/srv/run/ema/3)")
    assert said(backoff) == "cannot start: No space left on device (/srv/run/ema/3); next try at 10:00:05 IST"


def test_exited_says_when_it_goes_on() -> None:
    done = Exit(3, at("09:50"), SECOND, code=0)
    assert said(Exited(at("09:50")), last_exit=done) == (
        "ended by itself at 09:50 IST: exit 0; starts again at Tue 24 Nov 09:15 IST"
    )
    manual = replace(SPEC, schedule=Manual())
    assert said(Exited(at("09:50")), spec=manual, last_exit=done) == (
        "ended by itself at 09:50 IST: exit 0; not started again by itself"
    )


def test_gave_up_names_the_last_failure_and_the_cure() -> None:
    assert said(GaveUp(at("09:17"), 5, ""), last_exit=FAILED) == (
        "gave up after 5 failures in 10m; last: exit 1 at 09:16:02 IST, ModuleNotFoundError: No module named "
        "'pandas'; starts again at Tue 24 Nov 09:15 IST; an edit of its file or `stratvisor start ema` tries "
        "again"
    )
    never = replace(SPEC, schedule=Always(), restart=Restart(give_up=None))
    assert said(GaveUp(at("09:17"), 1, ""), spec=never, last_exit=FAILED).startswith("failed: exit 1 at ")
    assert GiveUp().failures == 5


def test_moments_are_short_today_and_whole_on_other_days() -> None:
    assert why.moment(at("15:30"), now(), IST) == "15:30 IST"
    assert why.moment(at("15:30:09"), now(), IST) == "15:30:09 IST"
    assert why.moment(at("15:30"), now(), IST, seconds=True) == "15:30:00 IST"
    assert why.moment(at("09:15", 25), now(), IST) == "Wed 25 Nov 09:15 IST"
    assert why.moment(at("15:30"), now(), ZoneInfo("Asia/Dubai")) == "14:00 UTC+04"
    assert why.moment(at("00:10"), now("23:50", 22), IST) == "Mon 23 Nov 00:10 IST"


@pytest.mark.parametrize(
    ("length_ns", "text"),
    [
        (0, "0s"),
        (250_000_000, "250ms"),
        (90 * SECOND, "1m30s"),
        (10 * MINUTE, "10m"),
        (DAY + 2 * HOUR, "1d2h"),
    ],
)
def test_durations_read_as_in_a_config_file(length_ns: int, text: str) -> None:
    assert why.duration(length_ns) == text


def test_a_kill_is_placed_on_the_wall_clock() -> None:
    order = StopOrder(Because.HELD, "", 100 * HOUR, Stop(signals=("INT", "TERM"), timeout_ns=5 * SECOND))
    assert why.kill_at(now(), Stopping(run(), order)) == now().wall + timedelta(seconds=10)


# Jobs.

AT_FOUR = replace(SPEC, schedule=Jobs("Asia/Kolkata", At("0 16 * * *"), almanac.shipped()["NSE"]))
TIMED = replace(SPEC, schedule=Jobs("Asia/Kolkata", At("0 16 * * *"), timeout_ns=30 * MINUTE))


def test_between_jobs_it_names_the_next_and_the_closed_days_before() -> None:
    expected = "no job is due; the next is due Wed 25 Nov 16:00 IST (Tue 24 Nov: Guru Nanak Jayanti)"
    assert said(Idle(), now("17:00"), AT_FOUR) == expected


def test_one_time_that_is_past_is_said_with_what_runs_it_now() -> None:
    once = replace(SPEC, schedule=Jobs("Asia/Kolkata", Once(datetime(2026, 11, 23, 9, 20))))  # noqa: DTZ001  local
    assert said(Idle(), now("09:00"), once) == "no job is due; the next is due 09:20 IST"
    expected = "its one time, 09:20 IST, is past; `stratvisor start ema` runs it now"
    assert said(Idle(), now(), once) == expected


@pytest.mark.parametrize(
    ("because", "text"),
    [
        (Because.LATE, "was missed, as nobody was there for it (catch_up: false)"),
        (Because.OVERLAP, "was skipped, as the one before it was under way (overlap: skip)"),
    ],
)
def test_a_job_that_did_not_run_is_said(because: Because, text: str) -> None:
    agenda = Agenda(at("16:00"), passed_over=PassedOver(at("16:00"), because))
    assert said(Idle(), now("17:00"), AT_FOUR, agenda=agenda).endswith(f"; the job due 16:00 IST {text}")


def test_a_job_under_way_says_when_its_time_is_up_and_what_waits() -> None:
    began_ns = now("16:00").boot_ns
    agenda = Agenda(at("16:05"), Job(at("16:00"), began_ns), queued=at("16:05"))
    text = said(Up(run("16:00"), ready=True), now("16:00"), TIMED, agenda=agenda)
    assert text == (
        "running since 16:00 IST; its job was due 16:00 IST and is stopped 16:30 IST;"
        " the one due 16:05 IST waits for its end"
    )


def test_a_job_that_took_too_long_is_an_error_until_the_next() -> None:
    end = Exit(3, at("16:30:01"), 1801 * SECOND, signal=15, stopped=Because.TIMEOUT)
    text = said(GaveUp(at("16:30:01"), 1, "key"), now("17:00"), TIMED, last_exit=end)
    assert text == (
        "failed: killed by SIGTERM: it took longer than its timeout at 16:30:01 IST;"
        " runs again at Tue 24 Nov 16:00 IST; `stratvisor start ema` tries again"
    )


def test_a_hold_until_the_next_job_says_which() -> None:
    hold = Hold(Wants.DOWN, "ann", at("15:00"), Until.NEXT_WINDOW)
    assert "until its next job at 16:00 IST;" in said(Idle(), now("15:30"), TIMED, hold=hold)
