"""Messages stay one printable line, whatever somebody wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.wording import bytes_text, did_you_mean, label, nearest, quoted


@given(st.text(max_size=200))
def test_what_somebody_wrote_is_one_printable_line_of_bounded_length(text: str) -> None:
    for shown in (quoted(text), label(text)):
        assert shown.isprintable()
        assert shown
        assert len(shown) <= 14 * 64


def test_quotes_can_be_pasted_back() -> None:
    assert quoted('say "hi" in é') == '"say \\"hi\\" in é"'
    assert quoted("two\nlines") == '"two\\nlines"'
    assert quoted("x" * 100) == '"' + "x" * 64 + '..."'


@pytest.mark.parametrize(
    ("word", "guess"),
    [
        ("polcy", "policy"),
        ("max-delay", "max_delay"),
        ("MAX_DELAY", "max_delay"),
        ("Wehn", "when"),
        ("memory", None),
        ("", None),
        ("policy" * 100_000, None),
    ],
)
def test_a_slip_is_understood_and_nothing_else(word: str, guess: str | None) -> None:
    assert nearest(word, ["policy", "max_delay", "when"]) == guess


def test_nobody_slips_in_a_word_without_end() -> None:
    assert nearest("x" * 100, ["x" * 99]) is None


def test_a_guess_ends_a_sentence() -> None:
    assert did_you_mean("polcy", ["policy"]) == "; did you mean 'policy'?"
    assert did_you_mean("x", ["policy"]) == ""


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1KB"),
        (256_000_000, "256MB"),
        (999_960_000, "1GB"),
        (1_100_000_000, "1.1GB"),
        (2_500_000_000_000_000, "2500TB"),
    ],
)
def test_bytes_in_their_largest_unit(amount: int, text: str) -> None:
    assert bytes_text(amount) == text
