"""Zones, times, days, cron lines, signals and variables, as their own text says them."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from filing import value_of, wrong
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.reading.keys import Grammar
from stratvisor.reading.words import BEGIN, CRON, DAYS, END, EVERY_DAY, SIGNAL, VARIABLE, ZONE, clock
from stratvisor.spec import DAY_NAMES

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ('"09:15"', time(9, 15)),
        ("09:15", time(9, 15)),
        ("15:30", time(15, 30)),  # 930 to YAML 1.1
        ("'23:59:59'", time(23, 59, 59)),
        ("00:00", time(0, 0)),
    ],
)
def test_times_quoted_or_not(text: str, at: time) -> None:
    assert clock(value_of(BEGIN, text)) == clock(value_of(END, text)) == at


def test_a_day_may_end_at_24_00_and_not_begin_there() -> None:
    assert clock(value_of(END, "24:00")) == clock(value_of(END, '"24:00:00"')) == time(0, 0)
    assert value_of(END, "24:00") != value_of(END, "00:00")
    assert wrong(BEGIN, "24:00") == ['must be a time of day such as "09:15" or "15:30:00", not "24:00"']


@pytest.mark.parametrize(
    "text", ["9:15", "99:99", "24:01", "09:60", "09:15:60", "0915", "930", "9am", "09:15 "]
)
def test_what_is_no_time(text: str) -> None:
    (message,) = wrong(BEGIN, f'"{text}"' if text.endswith(" ") else text)
    assert message == f'must be a time of day such as "09:15" or "15:30:00", not "{text}"'


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", {MON}),
        ("mon-fri", {MON, TUE, WED, THU, FRI}),
        ("mon,wed", {MON, WED}),
        ("fri-mon", {FRI, SAT, SUN, MON}),
        ("sat - sun", None),
        ("mon-tue, thu", {MON, TUE, THU}),
        ("daily", EVERY_DAY),
        ("[mon, tue]", {MON, TUE}),
        ("[mon-wed, sun]", {MON, TUE, WED, SUN}),
        ("[daily]", EVERY_DAY),
    ],
)
def test_days(text: str, days: set[int] | None) -> None:
    if days is None:
        assert wrong(DAYS, text)
    else:
        assert value_of(DAYS, text) == days


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("funday", 'must name days such as mon or mon-fri, not "funday"'),
        ("monday", "must name days such as mon or mon-fri, not \"monday\"; did you mean 'mon'?"),
        ("Mon-fri", "must name days such as mon or mon-fri, not \"Mon\"; did you mean 'mon'?"),
        ("mon-mon", "'mon-mon' is one day or the whole week; write 'mon' or 'daily'"),
        ("mon,", 'must name days such as mon or mon-fri, not ""'),
        ("1-5", 'must name days such as mon or mon-fri, not "1"'),
        ("5", 'must name days such as mon or mon-fri, not "5"'),
        ("[]", "must have 1 to 7 items"),
        ("{mon: 1}", "must be one value, not keys and values"),
        ("~", "has no value; write one, or remove the key"),
    ],
)
def test_what_are_no_days(text: str, message: str) -> None:
    assert wrong(DAYS, text) == [message]


@given(st.frozensets(st.integers(0, 6), min_size=1))
def test_days_are_shown_as_they_are_written(days: frozenset[int]) -> None:
    assert value_of(DAYS, DAYS.plain(days)) == days


@given(st.integers(0, 6), st.integers(1, 6))
def test_a_range_goes_round_the_week(begin: int, steps: int) -> None:
    text = f"{DAY_NAMES[begin]}-{DAY_NAMES[(begin + steps) % 7]}"
    assert value_of(DAYS, text) == {(begin + step) % 7 for step in range(steps + 1)}


@pytest.mark.parametrize("name", ["Asia/Kolkata", "UTC", "America/Argentina/Buenos_Aires", "Asia/Calcutta"])
def test_zones(name: str) -> None:
    assert value_of(ZONE, name) == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("kolkata", "; did you mean 'Asia/Kolkata'?"),
        ("New York", "; did you mean 'America/New_York'?"),
        ("Asia/Kolkatta", "; did you mean 'Asia/Kolkata'?"),
        ("asia/kolkata", "; did you mean 'Asia/Kolkata'?"),
        ("IST", ""),
        ("localtime", ""),
        ("../../etc/passwd", ""),
        ("Asia", ""),
        ("+05:30", ""),
    ],
)
def test_what_is_no_zone(name: str, hint: str) -> None:
    assert wrong(ZONE, f'"{name}"') == [f'must be an IANA time zone such as Asia/Kolkata, not "{name}"{hint}']


def test_cron_lines_are_those_of_the_cron_module() -> None:
    assert value_of(CRON, '"15 9 * * mon-fri"') == "15 9 * * mon-fri"
    (message,) = wrong(CRON, '"15 9 * *"')
    assert message.startswith("a cron line has five fields, not 4")
    assert wrong(CRON, "915") == ['is a whole number; quote it: "915"']


@pytest.mark.parametrize(("text", "name"), [("TERM", "TERM"), ("SIGINT", "INT"), ("USR1", "USR1")])
def test_signals_with_and_without_sig(text: str, name: str) -> None:
    assert value_of(SIGNAL, text) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("KILL", "KILL comes by itself when the timeouts are over; name what comes before it"),
        ("SIGKILL", "KILL comes by itself when the timeouts are over; name what comes before it"),
        ("STOP", 'must be one of TERM, INT, HUP, QUIT, USR1, USR2, ALRM, ABRT, WINCH, not "STOP"'),
        ("15", 'must be one of TERM, INT, HUP, QUIT, USR1, USR2, ALRM, ABRT, WINCH, not "15"'),
    ],
)
def test_what_is_no_signal_to_stop_with(text: str, message: str) -> None:
    assert wrong(SIGNAL, text) == [message]


def test_a_signal_that_is_nearly_one() -> None:
    assert wrong(SIGNAL, "term")[0].endswith("; did you mean 'TERM'?")


@pytest.mark.parametrize("name", ["A", "_", "OMP_NUM_THREADS", "lower", "A1", "STRATEGY", "NOTIFY_SOCKET2"])
def test_variables(name: str) -> None:
    assert value_of(VARIABLE, name) == name


@pytest.mark.parametrize(
    "name",
    ["STRATVISOR_RUN", "STRATEGY_ID", "STRATEGY_", "NOTIFY_SOCKET", "1A", "A-B", "A B", "'A=B'", "É", "''"],
)
def test_what_is_no_variable_to_set(name: str) -> None:
    assert wrong(VARIABLE, name)


@pytest.mark.parametrize("grammar", [BEGIN, END, DAYS, ZONE, CRON, SIGNAL, VARIABLE])
@given(text=st.text(max_size=20))
def test_any_text_is_a_value_or_a_problem(grammar: Grammar[Any], text: str) -> None:
    from stratvisor.reading.keys import At, Findings, UnreadableError
    from stratvisor.reading.nodes import Kind, Mark, Scalar

    findings = Findings()
    try:
        grammar.read(Scalar(text, Kind.TEXT, Mark("f", 1, 1)), At(findings))
    except UnreadableError:
        assert findings.problems
        assert all(str(problem).isprintable() for problem in findings.problems)
