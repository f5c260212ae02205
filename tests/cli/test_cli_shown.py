from __future__ import annotations

import pytest

from stratvisor.cli.shown import clean, ending, moment, percent, size, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m 00s"),
        (3599, "59m 59s"),
        (3600, "1h 00m"),
        (86_399, "23h 59m"),
        (86_400, "1d 0h"),
        (10_000_000, "115d 17h"),
    ],
)
def test_span(seconds: float | None, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_500, "100 kB"),
        (1_500_000, "1.5 MB"),
        (5e15, "5000 TB"),
    ],
)
def test_size(count: float | None, words: str) -> None:
    assert size(count) == words


def test_percent() -> None:
    assert (percent(None), percent(0.04), percent(150)) == ("", "0.0%", "150.0%")


def test_a_moment_alone_has_its_date_and_offset() -> None:
    assert moment("2026-11-23T09:15:00.5+05:30") == "Mon 23 Nov 09:15 +05:30"
    assert moment(None) == ""


def test_a_moment_beside_another_has_its_date_where_that_differs_on_its_own_clock() -> None:
    assert moment("2026-11-23T09:15:02+05:30", "2026-11-22T20:00:00+00:00") == "09:15:02"
    assert moment("2026-11-23T09:15:00+05:30", "2026-11-22T18:00:00+00:00") == "Mon 23 Nov 09:15"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({"code": 1, "signal": None, "cause": None}, "exit 1"),
        ({"code": None, "signal": "SIGTERM", "cause": None}, "killed by SIGTERM"),
        ({"code": None, "signal": "SIGKILL", "cause": "its memory"}, "killed by SIGKILL: its memory"),
        ({"code": None, "signal": None, "cause": "the machine went down"}, "the machine went down"),
        ({"code": None, "signal": None, "cause": None}, "nobody saw it end"),
    ],
)
def test_ending(end: dict[str, object], words: str) -> None:
    assert ending(end) == words


def test_clean_text_is_one_line_without_controls() -> None:
    assert clean("a\x1b[1mb\r\nc\u202ed\u20b9") == "a [1mb  c d\u20b9"
