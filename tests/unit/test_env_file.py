"""An env_file's lines: what shells and containers agree upon, and nothing expanded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.reading.env_file import read

TEXT = r"""
# a comment
PLAIN=value
export SHOUTED=VALUE
  SPACED = a b  # a comment
HASH=a#b
EMPTY=
COMMENT= # nothing but this
DOUBLE="a \"b\" \\ \n \$HOME \d # no comment"  # a comment
SINGLE='a \n "b" # no comment'
HOME_DIR=$HOME
URL=postgres://a:b@c/d?e=f
ITS=it's
"""

VALUES = {
    "PLAIN": "value",
    "SHOUTED": "VALUE",
    "SPACED": "a b",
    "HASH": "a#b",
    "EMPTY": "",
    "COMMENT": "",
    "DOUBLE": 'a "b" \\ \n $HOME \\d # no comment',
    "SINGLE": 'a \\n "b" # no comment',
    "HOME_DIR": "$HOME",
    "URL": "postgres://a:b@c/d?e=f",
    "ITS": "it's",
}


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT])
def test_values(text: str) -> None:
    pairs, problems = read(text.encode(), "common.env")
    assert problems == ()
    assert dict(pairs) == VALUES
    assert pairs == tuple(sorted(pairs))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("KEY", "must be NAME=VALUE"),
        ("KEY: value", "must be NAME=VALUE"),
        ("1KEY=a", '1KEY must be letters, digits and _, such as SYMBOL, not "1KEY"'),
        ("=a", '"" must be letters, digits and _, such as SYMBOL, not ""'),
        ("MY KEY=a", 'MY KEY must be letters, digits and _, such as SYMBOL, not "MY KEY"'),
        ("STRATEGY_ID=a", "STRATEGY_ID is set by stratvisor itself; choose another name"),
        ("NOTIFY_SOCKET=a", "NOTIFY_SOCKET is set by stratvisor itself; choose another name"),
        ('KEY="a', "KEY must end with the quote that it begins with, on the same line"),
        ("KEY='a'b", "KEY must end with the quote that it begins with, on the same line"),
        ('KEY="a"#b', "KEY must end with the quote that it begins with, on the same line"),
        ("KEY=a\0b", 'KEY holds NUL or half a character: "a\\u0000b"; remove it'),
    ],
)
def test_problems_have_the_place_of_their_line(line: str, problem: str) -> None:
    pairs, problems = read(f"A=1\n  {line}\nB=2\n".encode(), "common.env")
    assert [str(found) for found in problems] == [f"common.env:2:3: {problem}"]
    assert pairs == (("A", "1"), ("B", "2"))


def test_a_name_given_twice() -> None:
    _, problems = read(b"A=1\nB=2\nA=3\nA=4", "f")
    assert [str(problem) for problem in problems] == [
        "f:3:1: A is given twice, first on line 1; keep one",
        "f:4:1: A is given twice, first on line 1; keep one",
    ]


def test_other_encodings() -> None:
    _, problems = read(b"A=1\nB=\xff", "f")
    assert [str(problem) for problem in problems] == ["f:2:1: not UTF-8; save the file as UTF-8"]


@given(st.binary(max_size=80) | st.text("A=\"'\\# \nexport", max_size=40).map(str.encode))
def test_any_bytes(content: bytes) -> None:
    pairs, problems = read(content, "f")
    assert all(name and "\0" not in value for name, value in pairs)
    assert all(str(problem).isprintable() for problem in problems)


@given(st.text(st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), max_size=30))
def test_what_is_quoted_comes_back(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
    assert read(f'A="{escaped}"'.encode(), "f") == ((("A", value),), ())
