"""Single values: units, bounds, and nothing coerced."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
from filing import value_of, wrong
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.reading.keys import Grammar
from stratvisor.reading.values import (
    Decimal,
    Flag,
    Whole,
    choice,
    duration,
    free_text,
    line,
    matching,
    one_of,
    path,
    share,
    size,
)
from stratvisor.spec import DAY, GB, HOUR, KB, MB, MILLISECOND, MINUTE, SECOND


class Colour(StrEnum):
    RED = "red"
    DARK_BLUE = "dark-blue"


SPAN = duration(0, 7 * DAY)
SIZE = size(0, 1000 * GB)


@pytest.mark.parametrize(
    ("grammar", "text", "value"),
    [
        (SPAN, "250ms", 250 * MILLISECOND),
        (SPAN, "10s", 10 * SECOND),
        (SPAN, "'5m'", 5 * MINUTE),
        (SPAN, "2h", 2 * HOUR),
        (SPAN, "1d", DAY),
        (SPAN, "0s", 0),
        (SIZE, "10B", 10),
        (SIZE, "500KB", 500 * KB),
        (SIZE, "10MB", 10 * MB),
        (SIZE, "1GB", GB),
        (SIZE, "512KiB", 512 * 1024),
        (SIZE, "512MiB", 512 * 1024**2),
        (SIZE, "1GiB", 1024**3),
        (share(), "10%", 0.1),
        (share(), "12.5%", 0.125),
        (share(), "100%", 1.0),
        (share(), "0%", 0.0),
        (Whole(-20, 19), "-20", -20),
        (Whole(-20, 19), "19", 19),
        (Decimal(1, 100), "2", 2.0),
        (Decimal(1, 100), "1.5", 1.5),
        (Decimal(1, 1000), "1e2", 100.0),
        (Flag(), "true", True),
        (Flag(), "false", False),
        (free_text(), "''", ""),
        (free_text(), "SBIN", "SBIN"),
        (free_text(), "'1'", "1"),
        (free_text(), '"two\\nlines"', "two\nlines"),
        (line(5), "कीमत", "कीमत"),
        (path(), "a/b c.py", "a/b c.py"),
        (one_of("a", "b"), "b", "b"),
        (choice(Colour), "dark-blue", Colour.DARK_BLUE),
        (matching("letter", "[a-c]", "a letter"), "c", "c"),
    ],
)
def test_values(grammar: Grammar[Any], text: str, value: object) -> None:
    assert value_of(grammar, text) == value


NO_DURATION = "must be a whole number with a unit, such as 250ms, 10s, 5m, 2h or 1d, not "
NO_SIZE = "must be a whole number with a unit, such as 500KB, 10MB, 1GB or 512MiB, not "
NOT_ALL = "is a number, a date or a yes/no to some readers; quote it: "


@pytest.mark.parametrize(
    ("grammar", "text", "message"),
    [
        (SPAN, "10", "has no unit; write 10s"),
        (SPAN, "1.5", NO_DURATION + '"1.5"'),
        (SPAN, "1.5h", NO_DURATION + '"1.5h"'),
        (SPAN, "10 s", NO_DURATION + '"10 s"'),
        (SPAN, "10S", NO_DURATION + '"10S"'),
        (SPAN, "-1s", NO_DURATION + '"-1s"'),
        (SPAN, "\u0661s", NO_DURATION + '"\u0661s"'),  # a digit to Python, not to us
        (SPAN, "8d", "must be 0s to 7d, not 8d"),
        (duration(MINUTE, DAY), "90m", None),
        (duration(MINUTE, DAY), "59s", "must be 1m to 1d, not 59s"),
        (duration(SECOND, DAY, step=SECOND), "1500ms", 'must be a multiple of 1s, not "1500ms"'),
        (duration(SECOND, DAY, step=SECOND), "2000ms", None),
        (SIZE, "10", "has no unit; write 10MB"),
        (SIZE, "10mb", NO_SIZE + '"10mb"'),
        (SIZE, "10M", NO_SIZE + '"10M"'),
        (size(MB, GB), "999KB", "must be 1MB to 1GB, not 999KB"),
        (share(), "10", "has no unit; write 10%"),
        (share(), "0.1", 'must be 0% to 100%, such as 10%, not "0.1"'),
        (share(), "101%", 'must be 0% to 100%, such as 10%, not "101%"'),
        (Whole(0, 255), "256", "must be a whole number, 0 to 255, not 256"),
        (Whole(0, 255), "1.0", "must be a whole number, 0 to 255, not 1.0"),
        (Whole(0, 255), "'1'", "is text; remove the quotes: 1"),
        (Whole(0, 255), "'256'", 'must be a whole number, 0 to 255, not "256"'),
        (Whole(0, 255), "ten", 'must be a whole number, 0 to 255, not "ten"'),
        (Whole(0, 255), "010", "must be a whole number, 0 to 255, not 010"),
        (Whole(0, 255), "0x10", "must be a whole number, 0 to 255, not 0x10"),
        (Whole(0, 255), "true", "must be a whole number, 0 to 255, not true"),
        (Whole(0, 255), "9" * 5000, f'must be a whole number, 0 to 255, not "{"9" * 64}..."'),
        (Decimal(1, 100), "1e999", "must be a number, 1 to 100, not 1e999"),
        (Decimal(1, 100), "two", 'must be a number, 1 to 100, not "two"'),
        (Decimal(1, 100), "'2'", "is text; remove the quotes: 2"),
        (Decimal(1, 100), "'2.5'", "is text; remove the quotes: 2.5"),
        (Decimal(1, 100), f"'1.{'0' * 5000}'", f'is text; remove the quotes: "1.{"0" * 62}..."'),
        (Decimal(1, 100), ".nan", "must be a number, 1 to 100, not .nan"),
        (Flag(), "yes", "must be true or false, not yes"),
        (Flag(), "'true'", "is text; remove the quotes: true"),
        (Flag(), "'yes'", 'must be true or false, not "yes"'),
        (Flag(), "1", "must be true or false, not 1"),
        (free_text(), "1", 'is a whole number; quote it: "1"'),
        (free_text(), "1.10", 'is a number; quote it: "1.10"'),
        (free_text(), "1e3", 'is a number; quote it: "1e3"'),
        (free_text(), "010", NOT_ALL + '"010"'),
        (free_text(), "NO", NOT_ALL + '"NO"'),
        (free_text(), "2026-11-23", NOT_ALL + '"2026-11-23"'),
        (free_text(), "15:30", NOT_ALL + '"15:30"'),
        (free_text(), "true", 'is true or false; quote it: "true"'),
        (free_text(), "~", "has no value; write one, or remove the key"),
        (free_text(), "", "has no value; write one, or remove the key"),
        (free_text(), "[a]", "must be one value, not a list"),
        (free_text(), "{a: b}", "must be one value, not keys and values"),
        (free_text(), '"a\\0b"', 'holds NUL or half a character: "a\\u0000b"; remove it'),
        (line(3), "four", "must be one line of 1 to 3 characters that can be shown"),
        (line(3), "''", "must be one line of 1 to 3 characters that can be shown"),
        (line(3), '"a\\nb"', "must be one line of 1 to 3 characters that can be shown"),
        (line(3), '"\\u202e"', "must be one line of 1 to 3 characters that can be shown"),
        (path(), "' '", 'must be a path, not " "'),
        (path(), '"a\\nb"', 'must be a path, not "a\\nb"'),
        (one_of("skip", "run"), "runn", "must be skip or run, not \"runn\"; did you mean 'run'?"),
        (one_of("a", "b", "c"), "7", 'must be a, b or c, not "7"'),
        (one_of("a"), "7", 'must be a, not "7"'),
        (
            choice(Colour),
            "dark_blue",
            "must be red or dark-blue, not \"dark_blue\"; did you mean 'dark-blue'?",
        ),
        (matching("letter", "[a-c]", "a letter"), "d", 'must be a letter, not "d"'),
    ],
)
def test_what_is_refused_says_what_would_be_right(
    grammar: Grammar[Any], text: str, message: str | None
) -> None:
    if message is None:
        value_of(grammar, text)
    else:
        assert wrong(grammar, text) == [message]


@given(st.integers(0, 7 * DAY // MILLISECOND).map(lambda count: count * MILLISECOND))
def test_durations_are_shown_as_they_are_written(value: int) -> None:
    assert value_of(SPAN, str(SPAN.plain(value))) == value


@given(st.integers(0, 1000 * GB))
def test_sizes_are_shown_as_they_are_written(value: int) -> None:
    assert value_of(SIZE, str(SIZE.plain(value))) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0B"), (MB, "1MB"), (1500 * KB, "1500KB"), (512 * 1024**2, "512MiB"), (1024, "1KiB")],
)
def test_sizes_are_shown_in_their_largest_unit(value: int, text: str) -> None:
    assert SIZE.plain(value) == text


@given(st.integers(0, 1000).map(lambda tenths: tenths / 1000))
def test_shares_are_shown_as_they_are_written(value: float) -> None:
    assert value_of(share(), str(share().plain(value))) == pytest.approx(value, abs=1e-12)


def test_numbers_and_truths_are_plain() -> None:
    assert (Whole(0, 9).plain(3), Flag().plain(True)) == (3, True)  # noqa: FBT003  a value
    assert str(Decimal(1, 9).plain(2.0)) == "2"
    assert str(Decimal(1, 9).plain(2.5)) == "2.5"
    assert choice(Colour).plain(Colour.RED) == "red"
