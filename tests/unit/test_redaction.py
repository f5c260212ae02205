"""Every print of a secret is found, however it is cut, and nothing else is touched."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.shim.redaction import LEAST, Redactor

KEY = "hK7bQ2vT9xLmZr4WcN8pYd3F"
ODD = "p@ss/wörd \"x\\y'z+ %25😀end"
REDACTOR = Redactor({"KEY": KEY, "ODD": ODD})


def in_pieces(redactor: Redactor, pieces: list[bytes]) -> bytes:
    """As a log does it: what is not taken stays for the next time."""
    written, left = b"", b""
    for number, piece in enumerate(pieces, 1):
        left += piece
        text, taken = redactor.cut(left, len(left), final=number == len(pieces))
        written, left = written + text, left[taken:]
    assert left == b""
    return written


def forms(value: str) -> list[str]:
    raw = value.encode()
    return [
        value,
        repr(value)[1:-1],
        ascii(value)[1:-1],
        repr(raw)[2:-1],
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(value)[1:-1].replace("/", "\\/"),
        urllib.parse.quote(value),
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote(value, safe="!'()*~"),
        urllib.parse.quote_plus(value),
        re.sub("%..", lambda escape: escape[0].lower(), urllib.parse.quote_plus(value)),
        value[:LEAST],
        value[:-1],
    ]


@pytest.mark.parametrize(("name", "value"), [("KEY", KEY), ("ODD", ODD)])
def test_a_print_is_replaced_as_a_whole(name: str, value: str) -> None:
    for form in forms(value):
        assert REDACTOR.whole(f"<{form}>\n".encode()) == f"<[redacted {name}]>\n".encode(), form


@pytest.mark.parametrize("value", [KEY, ODD])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("front", [b"", b"a", b"ab", b"abc", b"NAME="])
@pytest.mark.parametrize("back", [b"", b"x", b"xy", b"xyz"])
def test_base64_is_found_wherever_the_value_begins_in_it(
    value: str, encode: object, front: bytes, back: bytes
) -> None:
    assert callable(encode)
    text = encode(front + value.encode() + back)
    left = REDACTOR.whole(text).replace(b"[redacted KEY]", b"").replace(b"[redacted ODD]", b"")
    own = len(text) - len(encode(front)) - len(encode(back))
    assert len(left) <= len(text) - own + 4
    assert REDACTOR.whole(urllib.parse.quote(text).encode()).count(b"[redacted") == 1


def test_what_only_resembles_a_secret_stays() -> None:
    for text in (KEY[: LEAST - 1], KEY[1:], KEY[::-1], KEY.lower(), f"{KEY[:4]} {KEY[4:]}"):
        assert REDACTOR.whole(text.encode()) == text.encode()


def test_two_secrets_with_one_beginning_are_told_apart() -> None:
    redactor = Redactor({"A": "abcdefgh-one", "B": "abcdefgh-two"})
    assert redactor.whole(b"abcdefgh-two abcdefgh-one") == b"[redacted B] [redacted A]"


def test_secrets_that_overlap_are_both_gone() -> None:
    redactor = Redactor({"A": "abcdefghijkl", "B": "jklmnopqrstu"})
    assert redactor.whole(b"<abcdefghijklmnopqrstu>") == b"<[redacted A, B]>"
    assert redactor.whole(b"<abcdefghijklmno>") == b"<[redacted A]mno>"


def test_a_print_goes_past_the_limit() -> None:
    text = b"key " + KEY.encode() + b" end"
    assert REDACTOR.cut(text, 10) == (b"key [redacted KEY]", 4 + len(KEY))
    assert REDACTOR.cut(text, 4) == (b"key ", 4)


def test_only_what_may_become_a_secret_waits() -> None:
    assert REDACTOR.cut(b"price 812.35", 99) == (b"price 812.35", 12)
    assert REDACTOR.cut(b"price " + KEY[:3].encode(), 99) == (b"price ", 6)
    assert REDACTOR.cut(b"price " + KEY[:3].encode() + b"\n", 99) == (
        b"price " + KEY[:3].encode() + b"\n",
        10,
    )
    assert REDACTOR.cut(b"price " + KEY[:12].encode(), 99) == (b"price ", 6)
    assert REDACTOR.cut(b"price " + KEY.encode(), 99) == (b"price [redacted KEY]", 6 + len(KEY))


def test_an_end_without_end_is_not_waited_for() -> None:
    """A secret that is its own continuation must not hold back output until the pipe is full."""
    redactor = Redactor({"A": "a" * 20})
    text, taken = redactor.cut(b"a" * 10_000, 10_000)
    assert text == b"[redacted A]"
    assert taken > 9_900


TEXTS = st.lists(
    st.one_of(
        st.sampled_from([form.encode() for value in (KEY, ODD) for form in forms(value)]),
        st.sampled_from([KEY[:cut].encode() for cut in range(1, 12)]),
        st.sampled_from([base64.b64encode(front + KEY.encode()) for front in (b"", b"a", b"ab")]),
        st.binary(max_size=6),
        st.just(b"\n"),
    ),
    max_size=8,
).map(b"".join)


@given(TEXTS, st.lists(st.integers(1, 40), max_size=30))
def test_it_makes_no_difference_how_a_text_is_cut(text: bytes, sizes: list[int]) -> None:
    pieces, place = [], 0
    for size in sizes:
        pieces.append(text[place : place + size])
        place += size
    pieces.append(text[place:])
    assert in_pieces(REDACTOR, pieces) == REDACTOR.whole(text)


@given(TEXTS)
def test_nothing_of_a_secret_is_left_that_is_long_enough_to_be_one(text: bytes) -> None:
    left = REDACTOR.whole(text)
    for value in (KEY, ODD):
        assert value[:LEAST].encode() not in left
    assert base64.b64encode(KEY.encode())[:LEAST] not in left


@given(st.binary(max_size=200))
def test_text_without_a_secret_stays_as_it_is(text: bytes) -> None:
    assert REDACTOR.whole(text) == text
