from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from stratvisor.spec import Always, DaysWindow, Manual, Windows
from stratvisor.timeline import Bar, bands, day_of, fraction, ticks
from stratvisor.windows import Window

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


def test_bands_are_the_parts_of_windows_that_lie_in_the_day() -> None:
    day = day_of(utc("2026-11-23 12:00"), "UTC")
    assert bands(nights("UTC"), day.start, day.end) == (
        Window(utc("2026-11-23 00:00"), utc("2026-11-23 04:00")),
        Window(utc("2026-11-23 22:00"), utc("2026-11-24 00:00")),
    )


def test_always_is_one_band_and_manual_none() -> None:
    day = day_of(utc("2026-11-23 12:00"), "UTC")
    assert bands(Always(), day.start, day.end) == (day,)
    assert bands(Manual(), day.start, day.end) == ()


def test_round_the_clock_is_one_band() -> None:
    day = day_of(utc("2026-11-01 17:00"), NEW_YORK)
    schedule = Windows(NEW_YORK, (DaysWindow(frozenset(range(7)), time(), time()),))
    assert bands(schedule, day.start, day.end) == (day,)
