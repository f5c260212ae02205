from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from stratvisor import almanac, timeline
from stratvisor.skipped import Skip
from stratvisor.spec import (
    SECOND,
    Always,
    At,
    CronFor,
    DaysWindow,
    Every,
    Jobs,
    Manual,
    Process,
    Schedule,
    SessionWindow,
    Spec,
    Windows,
)
from stratvisor.timeline import (
    Bar,
    DayAhead,
    Outlook,
    day_of,
    days_ahead,
    fraction,
    midnights,
    outlook,
    ticks,
)
from stratvisor.windows import ALWAYS, Window

NEW_YORK = "America/New_York"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def nights(timezone: str) -> Windows:
    return Windows(timezone, (DaysWindow(frozenset(range(7)), time(22), time(4)),))


@pytest.mark.parametrize(
    ("noon", "timezone", "start", "hours"),
    [
        ("2026-11-23 06:30", "Asia/Kolkata", "2026-11-22 18:30", 24),
        ("2026-03-08 17:00", NEW_YORK, "2026-03-08 05:00", 23),
        ("2026-11-01 17:00", NEW_YORK, "2026-11-01 04:00", 25),
        ("2026-10-04 01:00", "Australia/Lord_Howe", "2026-10-03 13:30", 23.5),
        ("2026-09-06 15:00", "America/Santiago", "2026-09-06 04:00", 23),  # midnight itself is skipped
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(noon: str, timezone: str, start: str, hours: float) -> None:
    day = day_of(utc(noon), timezone)
    assert day == Window(utc(start), utc(start) + timedelta(hours=hours))
    assert day_of(day.start, timezone) == day
    assert day_of(day.end, timezone) != day


def test_a_fraction_is_a_share_of_elapsed_time() -> None:
    day = day_of(utc("2026-11-01 17:00"), NEW_YORK)  # 25 hours
    assert fraction(day, day.start) == 0
    assert fraction(day, day.start + timedelta(hours=5)) == pytest.approx(0.2)
    assert fraction(day, day.end) == 1


def test_an_instant_of_another_day_lies_on_the_edge() -> None:
    day = day_of(utc("2026-11-23 12:00"), "UTC")
    run = Bar(utc("2026-11-22 12:00"), utc("2026-11-24 12:00"), failed=False, run=7)
    assert run.end is not None
    assert (fraction(day, run.start), fraction(day, run.end)) == (0, 1)


def test_ticks_stand_at_the_hours_of_the_wall_clock() -> None:
    plain = dict(ticks(day_of(utc("2026-11-23 12:00"), "UTC"), "UTC", step=6))
    assert plain == {"00:00": 0, "06:00": 0.25, "12:00": 0.5, "18:00": 0.75}
    short = dict(ticks(day_of(utc("2026-03-08 17:00"), NEW_YORK), NEW_YORK))
    assert short["00:00"] == 0
    assert short["12:00"] == pytest.approx(11 / 23)


def by(schedule: Schedule, **more: Any) -> Spec:
    return Spec("ema", Process(), schedule=schedule, **more)


def bands(schedule: Schedule, day: Window) -> tuple[Window, ...]:
    return outlook(by(schedule), day.start, day.end).bands


def test_the_days_of_a_period_begin_where_their_zone_says() -> None:
    week = day_of(utc("2026-10-29 17:00"), NEW_YORK, days=7)
    found = midnights(week, NEW_YORK)
    assert [f"{day:%d}" for day, _ in found] == ["29", "30", "31", "01", "02", "03", "04"]
    assert found[0][1] == 0
    assert found[4][1] == pytest.approx((4 * 24 + 1) / (7 * 24 + 1))  # the 1st is 25 hours long


def test_bands_are_the_parts_of_windows_that_lie_in_the_day() -> None:
    day = day_of(utc("2026-11-23 12:00"), "UTC")
    assert bands(nights("UTC"), day) == (
        Window(utc("2026-11-23 00:00"), utc("2026-11-23 04:00")),
        Window(utc("2026-11-23 22:00"), utc("2026-11-24 00:00")),
    )


def test_always_is_one_band_and_manual_or_disabled_none() -> None:
    day = day_of(utc("2026-11-23 12:00"), "UTC")
    assert bands(Always(), day) == (day,)
    for nothing in (by(Manual()), by(Always(), enabled=False)):
        assert outlook(nothing, day.start, day.end) == Outlook()


def test_round_the_clock_is_one_band() -> None:
    day = day_of(utc("2026-11-01 17:00"), NEW_YORK)
    schedule = Windows(NEW_YORK, (DaysWindow(frozenset(range(7)), time(), time()),))
    assert bands(schedule, day) == (day,)


def test_what_a_calendar_takes_away_is_in_the_outlook() -> None:
    day = day_of(utc("2026-11-24 12:00"), "Asia/Kolkata")
    found = outlook(by(by_nse()), day.start, day.end)
    assert found.bands == ()
    assert found.skips == (Skip(utc("2026-11-24 03:45"), "Guru Nanak Jayanti: NSE is closed"),)


def test_a_schedule_that_starts_every_minute_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    week = day_of(utc("2026-11-23 12:00"), "UTC", days=7)
    schedule = Windows("UTC", (CronFor("* * * * *", 30 * SECOND),))
    assert len(bands(schedule, week)) == timeline.MOST // 2
    monkeypatch.setattr(timeline, "MOST", 5)  # the third start, without its stop
    last = bands(schedule, day_of(week.start, "UTC"))[-1]
    assert last == Window(utc("2026-11-23 00:01"), utc("2026-11-23 00:01:30"))


def test_jobs_are_moments_or_the_windows_that_they_are_counted_in() -> None:
    day = day_of(utc("2026-11-23 12:00"), "UTC")
    assert bands(Jobs("UTC", At("0 16 * * *")), day) == (
        Window(utc("2026-11-23 16:00"), utc("2026-11-23 16:00")),
    )
    every = Every(SECOND, (DaysWindow(frozenset(range(7)), time(9), time(15)),))
    assert bands(Jobs("UTC", every), day) == (Window(utc("2026-11-23 09:00"), utc("2026-11-23 15:00")),)


def test_a_job_of_every_minute_goes_on_to_the_end_of_the_week() -> None:
    """Its row broke off on the second day, as if nothing came after."""
    week = day_of(utc("2026-11-23 12:00"), "UTC", days=7)
    assert bands(Jobs("UTC", At("* * * * *")), week) == (Window(week.start, utc("2026-11-29 23:59")),)
    nine, *others = bands(Jobs("UTC", At("* 9-14 * * *")), week)
    assert (nine, len(others)) == (Window(utc("2026-11-23 09:00"), utc("2026-11-23 14:59")), 6)


def by_nse() -> Windows:
    return Windows("Asia/Kolkata", (SessionWindow(),), almanac.shipped()["NSE"])


def test_the_days_ahead_stand_on_the_clock_of_the_strategy() -> None:
    monday, tuesday, *rest = days_ahead(by(by_nse()), utc("2026-11-22 19:00"), 7)
    assert (monday.date, monday.skips) == (date(2026, 11, 23), ())
    assert monday.bands == (Window(utc("2026-11-23 03:45"), utc("2026-11-23 10:00")),)
    assert (tuesday.bands, [skip.why for skip in tuesday.skips]) == (
        (),
        ["Guru Nanak Jayanti: NSE is closed"],
    )
    assert rest[-1] == DayAhead(date(2026, 11, 29), (), ())


def test_a_window_of_the_last_night_is_seen_whole() -> None:
    ahead = days_ahead(by(nights("UTC"), timezone="UTC"), utc("2026-11-23 12:00"), 2)
    assert [day.bands[-1].end for day in ahead] == [utc("2026-11-24 04:00"), utc("2026-11-25 04:00")]


def test_what_never_ends_has_no_end() -> None:
    today, tomorrow = days_ahead(by(Always()), utc("2026-11-23 12:00"), 2)
    assert today.bands == (Window(utc("2026-11-22 18:30"), ALWAYS.end),)
    assert tomorrow.bands == ()
