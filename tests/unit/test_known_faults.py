"""What hosts of strategies get wrong: one test for each fault, from the text of a file to what is wanted when."""

from __future__ import annotations

# ruff: noqa: E501  tables have one case a row
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from filing import RUN, problems_of, spec_of

from stratvisor import config
from stratvisor.machine import step, wake_at, wish
from stratvisor.settings import Settings
from stratvisor.spec import Spec
from stratvisor.state import Launch, LaunchFailed, Look, Now, State
from stratvisor.vault.contents import Vault
from stratvisor.why import sentence

KOLKATA, NEW_YORK = "Asia/Kolkata", "America/New_York"
MARKET_HOURS = "{start: 09:15, stop: 15:30, days: mon-fri}"


def strategy(schedule: str) -> Spec:
    return spec_of(f"{RUN}schedule: {schedule}\n")


def at(text: str, zone: str = KOLKATA) -> Now:
    """A local time; with ` again` the second of two."""
    local = datetime.fromisoformat(text.removesuffix(" again"))
    wall = local.replace(tzinfo=ZoneInfo(zone), fold=int(text.endswith(" again")))
    return Now(int(wall.timestamp() * 1e9), wall.astimezone(ZoneInfo("UTC")))


def wanted(schedule: str, text: str, zone: str = KOLKATA) -> bool:
    return wish(at(text, zone), strategy(schedule), State()).up


def test_a_daemon_that_comes_up_at_0920_still_starts_the_job_of_0915() -> None:
    _, actions = step(at("2026-11-23 09:20"), strategy(MARKET_HOURS), State(), Look())
    assert any(isinstance(action, Launch) for action in actions)


def test_mcx_starts_at_1700_on_the_evening_of_a_holiday() -> None:
    sessions = "{calendar: MCX, windows: [{session: {}}]}"
    assert not wanted(sessions, "2026-11-24 09:15")
    assert not wanted(sessions, "2026-11-24 16:59:59")
    assert wanted(sessions, "2026-11-24 17:00")


def test_the_end_of_the_session_stops() -> None:
    sessions = "{calendar: NSE, windows: [{session: {}}]}"
    assert wanted(sessions, "2026-11-23 15:29:59")
    assert not wanted(sessions, "2026-11-23 15:30")


def test_a_scheduled_start_that_failed_is_tried_again() -> None:
    spec = strategy(MARKET_HOURS)
    now = at("2026-11-23 09:15")
    state, _ = step(now, spec, State(), Look())
    state, _ = step(now, spec, state, LaunchFailed(1, "no memory"))
    again = wake_at(now, spec, state).boot_ns
    assert again is not None
    _, actions = step(Now(again, at("2026-11-23 09:15:05").wall), spec, state, Look())
    assert any(isinstance(action, Launch) for action in actions)


def test_midnight_to_midnight_is_refused_with_its_cure() -> None:
    assert problems_of(f"{RUN}schedule: {{start: 00:00, stop: 00:00}}") == [
        '2:11: schedule: begins when it ends; for a whole day write "00:00" and "24:00"'
    ]


@pytest.mark.parametrize("text", ["2026-11-22 00:00", "2026-11-23 00:00", "2026-11-25 23:59:59"])
def test_round_the_clock_is_possible(text: str) -> None:
    assert wanted("{start: 00:00, stop: 24:00}", text)


def test_a_night_is_one_window() -> None:
    night = "{start: 22:00, stop: 04:00, days: fri}"
    assert [wanted(night, f"2026-11-{text}") for text in ("27 21:59", "27 22:00", "28 03:59", "28 04:00")] == [
        False, True, True, False,
    ]  # fmt: skip
    assert not wanted(night, "2026-11-27 03:59"), "Thursday has no night"


@pytest.mark.parametrize("hour", ["00:00", "09:15", "12:00", "23:59"])
def test_that_the_last_start_is_later_than_the_last_stop_puts_no_sunday_inside(hour: str) -> None:
    """By edges, a start of Friday 17:00 and no stop since Friday 09:00 read as running, all weekend."""
    for pair in (
        'start: "15 9 * * mon-fri", stop: "30 15 * * mon-fri"',
        'start: "0 17 * * 5", stop: "0 9 * * 5"',
    ):
        assert not wanted(f"{{windows: [{{{pair}}}]}}", f"2026-11-22 {hour}")


@pytest.mark.parametrize(
    "form", [f"{MARKET_HOURS[:-1]}, calendar: X}}", "{calendar: X, windows: [{session: {}}]}"]
)
def test_a_missing_calendar_is_neither_a_holiday_nor_a_trading_day(tmp_path: Path, form: str) -> None:
    text = f"{RUN}schedule: {form}\n".encode()
    found = config.parse("x", text, "conf.d/x.yaml", Settings(tmp_path))
    assert isinstance(found, tuple)
    assert "no calendar 'X'" in found[0].message, "it is said"
    known = config.read(tmp_path, Settings(tmp_path), {}).almanac
    recalled = config.recall("x", text, Settings(tmp_path), known, Vault())
    assert recalled is not None
    now = at("2026-11-23 10:00")
    assert not wish(now, recalled, State()).up, "a last good version whose calendar went away starts nothing"
    assert "the calendar X is not known" in sentence(now, recalled, State())


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("{start: 99:99, stop: 15:30}", 'schedule.start: must be a time of day such as "09:15" or "15:30:00", not "99:99"'),
        ("{start: 09:15, stop: 15:30, days: funday}", 'schedule.days: must name days such as mon or mon-fri, not "funday"'),
        ("{start: 09:15, stop: 15:30, calendar: NYSE}", "schedule.calendar: no calendar 'NYSE'; did you mean 'NSE'?"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(schedule: str, says: str) -> None:
    (problem,) = problems_of(f"{RUN}schedule: {schedule}\n")
    assert problem.split(": ", 1)[1] == says


@pytest.mark.parametrize("day", ["2026-03-06", "2026-03-09", "2026-10-30", "2026-11-02"])
def test_hours_stay_what_they_are_when_the_clock_is_changed(day: str) -> None:
    hours = "{timezone: America/New_York, start: 09:30, stop: 16:00, days: mon-fri}"
    assert [wanted(hours, f"{day} {text}", NEW_YORK) for text in ("09:29", "09:30", "15:59", "16:00")] == [
        False, True, True, False,
    ]  # fmt: skip


def test_what_comes_twice_on_the_night_that_clocks_go_back_fires_once() -> None:
    job = '{timezone: America/New_York, windows: [{start: "30 1 * * *", for: 10m}]}'
    assert wanted(job, "2026-11-01 01:30", NEW_YORK)
    assert not wanted(job, "2026-11-01 01:30 again", NEW_YORK)


def test_the_tail_of_a_muhurat_session_after_midnight_is_kept() -> None:
    sessions = "{calendar: MCX, special_sessions: run, windows: [{session: {}}]}"
    assert wanted(sessions, "2026-11-08 23:59:59")
    assert wanted(sessions, "2026-11-09 00:14:59")
    assert not wanted(sessions, "2026-11-09 00:15")
