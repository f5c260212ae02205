from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

import pytest
from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]  # the oracle
from hypothesis import assume, example, given
from hypothesis import strategies as st

from stratvisor.cron import CronError, problem_of, rule

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905  as people write them
WEEKDAYS = "sun mon tue wed thu fri sat".split()  # noqa: SIM905


def firings(line: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The local times in [start, end) at which a line fires, in order."""
    found = rule(line)
    for day in map(date.fromordinal, range(start.toordinal(), end.toordinal() + 1)):
        if found.falls_on(day):
            yield from (at for at in (datetime.combine(day, at) for at in found.times) if start <= at < end)


def fired(line: str, start: str, end: str) -> list[str]:
    found = firings(line, datetime.fromisoformat(start), datetime.fromisoformat(end))
    return [f"{at:%a %Y-%m-%d %H:%M}" for at in found]


@pytest.mark.parametrize(
    "line",
    [
        "* * * * *",
        "15 9 * * mon-fri",
        "15 09 * * 1-5",
        "  0\t16 * * MON-Fri ",
        "*/5 9-15 * * 1-5",
        "0,30 9-15/2,17 * jan,mar-may *",
        "0 0 * * fri-sun",
        "0 0 * * 5-7",
        "0 0 * * 0-7",
        "0 0 29 2 *",
        "0 0 31 2 mon",
        "0 0 1,31 2 *",
        "0 0 1-31/2 * mon",
        "0 0 */2 * *",
        "0 0 * * */2",
    ],
)
def test_what_every_cron_reads_alike_is_accepted(line: str) -> None:
    assert problem_of(line) is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "a cron line has five fields, not 0; write minute hour day-of-month month day-of-week"),
        ("0 9 * *", "a cron line has five fields, not 4"),
        ("0 0 9 * * mon", "a cron line has five fields, not 6"),
        ("0 9 * * * * 2026", "a cron line has five fields, not 7"),
        ("@daily", "'@daily' is not accepted; write the five fields minute hour"),
        ("@every 5m", "'@every' is not accepted"),
        ("60 9 * * *", "minute '60': must be 0-59"),
        ("0 24 * * *", "hour '24': must be 0-23"),
        ("0 9 0 * *", "day-of-month '0': must be 1-31"),
        ("0 9 32 * *", "day-of-month '32': must be 1-31"),
        ("0 9 * 13 *", "month '13': must be 1-12 or jan-dec"),
        ("0 9 * * 8", "day-of-week '8': must be 0-7 or sun-sat"),
        ("0 9 * * monday", "day-of-week 'monday': must be 0-7 or sun-sat"),
        ("0 9 * mon *", "month 'mon': must be 1-12 or jan-dec"),
        ("0 9 L * *", "day-of-month 'l': must be 1-31"),
        ("0 9 15W * *", "day-of-month '15w': not understood; write 1-31"),
        ("0 9 * * mon#2", "day-of-week 'mon#2': not understood"),
        ("0 9 * * 5L", "day-of-week '5l': not understood"),
        ("0 9 ? * mon", "day-of-month '?': not understood"),
        ("H 9 * * *", "minute 'h': must be 0-59"),
        ("R(0-5) 9 * * *", "minute 'r(0-5)': not understood"),
        ("0 9,, * * *", "hour '': not understood"),
        ("-5 9 * * *", "minute '-5': not understood"),
        ("+5 9 * * *", "minute '+5': not understood"),
        ("5.0 9 * * *", "minute '5.0': not understood"),
        ("005 9 * * *", "minute '005': not understood"),
        ("\u0665 9 * * *", "minute '\u0665': not understood"),
        ("*-5 9 * * *", "minute '*-5': not understood"),
        ("** 9 * * *", "minute '**': not understood"),
        ("*,5 9 * * *", "minute '*,5': '*' says it all; write it alone"),
        ("59/15 9 * * *", "minute '59/15': a step needs '*' or a range before it; write '*/15'"),
        ("*/0 9 * * *", "minute '*/0': the step must be 1 to 59"),
        ("*/90 9 * * *", "minute '*/90': the step must be 1 to 59"),
        ("10-20/15 9 * * *", "minute '10-20/15': the step must be 1 to 10"),
        ("0 9-9 * * *", "hour '9-9': not a range; write '9'"),
        ("0 9 * * sun-sun", "day-of-week 'sun-sun': not a range; write 'sun'"),
        ("0 9 * * 7-sun", "day-of-week '7-sun': not a range; write '7'"),
        ("0 22-2 * * *", "hour '22-2': runs backwards; write '22-23,0-2'"),
        ("0 23-0 * * *", "hour '23-0': runs backwards; write '23,0'"),
        ("0 9 * nov-feb *", "month 'nov-feb': runs backwards; write 'nov-dec,jan-feb'"),
        ("0 9 * * fri-mon", "day-of-week 'fri-mon': runs backwards; write 'fri-sat,sun-mon'"),
        ("0 0 31 2 *", "day-of-month '31': no such date in month '2', so it never fires"),
        ("0 0 30-31 feb *", "day-of-month '30-31': no such date in month 'feb'"),
        ("0 0 31 4,6,9,11 *", "day-of-month '31': no such date in month '4,6,9,11'"),
        ("0 0 */2 * mon", "day-of-month '*/2': crons disagree what it means"),
        ("0 0 1 * */2", "day-of-week '*/2': crons disagree what it means"),
    ],
)
def test_what_crons_disagree_about_is_refused_with_the_field_and_what_would_be_right(
    line: str, problem: str
) -> None:
    text = problem_of(line)
    assert text is not None
    assert text.startswith(problem)
    with pytest.raises(CronError):
        rule(line)


@pytest.mark.parametrize("names", [MONTHS, WEEKDAYS, [str(hour) for hour in range(24)]])
def test_what_is_proposed_for_a_backward_range_is_accepted(names: list[str]) -> None:
    place = {12: "0 9 * {} *", 7: "0 9 * * {}", 24: "0 {} * * *"}[len(names)]
    for last, low in enumerate(names):
        for high in names[:last]:
            if high == "sun":
                continue  # a range up to Sunday does not run backwards
            text = problem_of(place.format(f"{low}-{high}"))
            assert text is not None
            proposed = text.split("'")[-2]
            assert problem_of(place.format(proposed)) is None
            assert proposed.startswith(low)
            assert proposed.endswith(high)


def test_a_line_fires_from_the_start_up_to_but_not_at_the_end() -> None:
    assert fired("30 9 * * *", "2026-11-23 09:30", "2026-11-25 09:30") == [
        "Mon 2026-11-23 09:30",
        "Tue 2026-11-24 09:30",
    ]
    assert fired("30 9 * * *", "2026-11-23 09:30:01", "2026-11-24 09:30:01") == ["Tue 2026-11-24 09:30"]
    assert fired("30 9 * * *", "2026-11-24", "2026-11-23") == []


def test_a_range_up_to_sunday_ends_with_the_week() -> None:
    assert fired("0 9 * * fri-sun", "2026-11-23", "2026-11-30") == [
        "Fri 2026-11-27 09:00",
        "Sat 2026-11-28 09:00",
        "Sun 2026-11-29 09:00",
    ]


def test_either_day_field_is_enough_where_both_are_restricted() -> None:
    assert fired("0 9 1 * mon", "2026-11-25", "2026-12-09") == [
        "Mon 2026-11-30 09:00",
        "Tue 2026-12-01 09:00",
        "Mon 2026-12-07 09:00",
    ]


def test_a_full_range_is_a_restriction_and_a_star_is_none() -> None:
    assert len(fired("0 9 1-31 * mon", "2026-11-02", "2026-11-30")) == 28
    assert len(fired("0 9 * * mon", "2026-11-02", "2026-11-30")) == 4


def test_the_leap_day_comes_in_leap_years() -> None:
    assert fired("0 0 29 2 *", "2026-01-01", "2033-01-01") == ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"]


@st.composite
def fields(draw: st.DrawFn, low: int, high: int, names: list[str]) -> str:
    def spelled(value: int) -> str:
        names_too = names and low <= value < low + len(names)
        return names[value - low] if names_too and draw(st.booleans()) else str(value)

    def item() -> str:
        first = draw(st.integers(low, high))
        last = draw(st.integers(low, high))
        if first >= last:
            return spelled(first)
        step = f"/{draw(st.integers(1, last - first))}" if draw(st.booleans()) else ""
        return f"{spelled(first)}-{spelled(last)}{step}"

    if draw(st.booleans()):
        return "*"
    if draw(st.booleans()):
        return f"*/{draw(st.integers(1, high - low))}"
    return ",".join(item() for _ in range(draw(st.integers(1, 3))))


LINES = st.tuples(
    fields(0, 59, []), fields(0, 23, []), fields(1, 31, []), fields(1, 12, MONTHS), fields(0, 7, WEEKDAYS)
).map(" ".join)


@given(LINES, st.datetimes(datetime(1999, 1, 1), datetime(2101, 1, 1)))  # noqa: DTZ001
@example("0 0 31 * *", datetime(2026, 1, 31))  # noqa: DTZ001
@example("0 0 31 2 mon", datetime(2026, 1, 31))  # noqa: DTZ001
@example("* * * * 1-7/3", datetime(2026, 1, 31))  # noqa: DTZ001
def test_firings_are_those_of_croniter(line: str, start: datetime) -> None:
    assume(problem_of(line) is None)
    end = start + timedelta(days=500)
    oracle = croniter(line, start - timedelta(microseconds=1))
    expected: list[datetime] = []
    try:
        while len(expected) < 40 and (at := oracle.get_next(datetime)) < end:
            expected.append(at)
    except CroniterBadDateError:
        pass  # nothing more within its 50 years
    assert list(islice(firings(line, start, end), 40)) == expected
