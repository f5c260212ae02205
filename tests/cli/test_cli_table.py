from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratvisor.cli.table import Column, Row, table

COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("PID", need=1, right=True),
    Column("CPU", need=2),
    Column("WHY"),
)
ROWS = (
    Row(("ema", "running", "12", "0.1%", "in its window")),
    Row(
        (
            "opening_range",
            "error",
            "",
            "",
            "gave up after 5 failures in 10m; last: exit 1 at 09:16; mend it",
        )
    ),
)


def test_without_a_width_a_row_is_a_line() -> None:
    assert table(COLUMNS, ROWS, None) == [
        "ID             STATE    PID  CPU   WHY",
        "ema            running   12  0.1%  in its window",
        "opening_range  error               gave up after 5 failures in 10m; last: exit 1 at 09:16; mend it",
    ]


def test_the_last_column_wraps_under_itself() -> None:
    assert table(COLUMNS, ROWS[1:], 60) == [
        "ID             STATE  WHY",
        "opening_range  error  gave up after 5 failures in 10m; last:",
        "                      exit 1 at 09:16; mend it",
    ]


def test_a_word_with_a_hyphen_is_one_word() -> None:
    row = Row(("ema", "exited", "", "", "not started again: restart.when is on-failure and it ended well"))
    assert table(COLUMNS, [row], 52)[1:] == [
        "ema  exited  not started again: restart.when is",
        "             on-failure and it ended well",
    ]


def test_columns_go_in_the_order_of_their_need() -> None:
    assert table(COLUMNS, ROWS, 61)[0] == "ID             STATE    CPU   WHY"
    assert table(COLUMNS, ROWS, 55)[0] == "ID             STATE    WHY"


def test_a_column_without_anything_in_it_is_left_out() -> None:
    assert table(COLUMNS, [Row(("ema", "stopped", "", "", "held"))], None)[0] == "ID   STATE    WHY"


def test_on_a_phone_each_row_is_a_paragraph() -> None:
    assert table(COLUMNS, ROWS, 30) == [
        "ema  running",
        "  in its window",
        "opening_range  error",
        "  gave up after 5 failures in",
        "  10m; last: exit 1 at 09:16;",
        "  mend it",
    ]


def test_paint_does_not_move_what_follows() -> None:
    painted = Row(ROWS[0].cells, 1, lambda text: f"<{text}>")
    assert table(COLUMNS, [painted], None)[1] == "ema  <running>   12  0.1%  in its window"


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
CELLS = st.tuples(WORDS, WORDS, WORDS, WORDS, st.lists(WORDS).map(" ".join))


@given(st.lists(CELLS, min_size=1, max_size=4), st.integers(20, 200))
def test_no_line_is_wider_than_the_terminal_and_no_word_of_why_is_lost(
    cells: list[tuple[str, str, str, str, str]], width: int
) -> None:
    lines = table(COLUMNS, [Row(row) for row in cells], width)
    assert all(len(line) <= max(width, 64) for line in lines)
    told = "".join("".join(lines).split())
    for row in cells:
        assert all(letter in told for letter in row[4] if letter != " ")
