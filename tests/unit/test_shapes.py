"""Values made of others: lists, names with values, words that stand alone, and several forms."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from filing import value_of, wrong

from stratvisor.reading.keys import Facts, Key, Section
from stratvisor.reading.shapes import Form, ListOf, Named, OneOf, Or, walk
from stratvisor.reading.values import UnsuitableError, Whole, free_text, matching

NAME = matching("name", "[A-Z]+", "capitals")


@dataclass(frozen=True)
class Span:
    low: int
    high: int = 9


def span(facts: Facts) -> Span:
    made = Span(**facts.of(Span))
    if made.low > made.high:
        raise UnsuitableError("is empty")
    return made


DIGIT = Whole(0, 9)
SPAN: OneOf[Span | str | None] = OneOf(
    (
        Form(
            Section(
                (Key("low", DIGIT, "", Span, required=True), Key("high", DIGIT, "", Span)),
                {"of": "not with low"},
            ),
            span,
            frozenset({"low", "high"}),
        ),
        Form(
            Section((Key("of", free_text(), "", Span),)),
            lambda facts: str(facts.of(Span)["of"]),
            frozenset({"of"}),
        ),
    ),
    meant="a span or nothing",
    words={"nothing": None},
)


def test_a_list() -> None:
    assert value_of(ListOf(DIGIT), "[1, 2, 1]") == (1, 2, 1)
    assert value_of(ListOf(DIGIT), "[]") == ()
    assert value_of(ListOf(DIGIT, repeats=False), "[1, 2]") == (1, 2)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("1", ["must be a list, such as [a, b], not 1"]),
        ("{a: b}", ["must be a list, such as [a, b], not keys and values"]),
        ("", ["has no value; write one, or remove the key"]),
        ("[]", ["must have 1 to 3 items"]),
        ("[1, 2, 3, 4]", ["must have 1 to 3 items"]),
        ("[1, 1]", ["given twice; keep one"]),
        ("[10, x, 1]", [f"must be a whole number, 0 to 9, not {item}" for item in ("10", '"x"')]),
    ],
)
def test_what_is_no_such_list(text: str, messages: list[str]) -> None:
    assert wrong(ListOf(DIGIT, least=1, most=3, repeats=False), text) == messages


def test_names_are_sorted() -> None:
    assert value_of(Named(NAME, DIGIT), "{B: 1, A: 2}") == (("A", 2), ("B", 1))
    assert value_of(Named(NAME, DIGIT), "{}") == ()


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("[A]", ["must be keys and values, not a list"]),
        ("A=1", ['must be keys and values, not "A=1"']),
        ("~", ["has no value; write one, or remove the key"]),
        ("{a: x, B: y}", ['must be capitals, not "a"', 'must be a whole number, 0 to 9, not "y"']),
    ],
)
def test_what_are_no_such_names(text: str, messages: list[str]) -> None:
    assert wrong(Named(NAME, DIGIT), text) == messages


def test_a_word_beside_a_value() -> None:
    grammar = Or(DIGIT)
    assert value_of(grammar, "none") is None
    assert value_of(grammar, "3") == 3
    assert wrong(grammar, "~") == ["has no value; write one, or remove the key"]
    assert value_of(Or(NAME, 0, "zero"), "0") == "zero"
    assert (grammar.plain(None), grammar.plain(3), Or(NAME, 0, "zero").plain("zero")) == ("none", 3, 0)


@pytest.mark.parametrize(
    ("text", "value"),
    [("{low: 1}", Span(1)), ("{high: 3, low: 2}", Span(2, 3)), ("{of: x}", "x"), ("nothing", None)],
)
def test_the_form_is_told_by_its_keys(text: str, value: object) -> None:
    assert value_of(SPAN, text) == value


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("{}", ["needs 'low'"]),
        ("{high: 1}", ["needs 'low'"]),
        ("{ow: x}", ["unknown key; did you mean 'low'?"]),
        ("{xyz: x}", ["unknown key; known here: low, high, of"]),
        ("{low: 1, xyz: x}", ["unknown key; known here: low, high"]),
        ("{lwo: 1}", ["unknown key; did you mean 'low'?"]),
        ("{low: 1, of: x}", ["not with low"]),
        ("{low: x, high: 10}", [f"must be a whole number, 0 to 9, not {item}" for item in ('"x"', "10")]),
        ("{low: 4, high: 3}", ["is empty"]),
        ("something", ['must be a span or nothing, not "something"']),
        ("[low]", ["must be a span or nothing, not a list"]),
        ("", ["has no value; write one, or remove the key"]),
    ],
)
def test_what_is_none_of_the_forms(text: str, messages: list[str]) -> None:
    assert wrong(SPAN, text) == messages


def test_a_walk_comes_by_every_key() -> None:
    inner = Section((Key("spans", ListOf(SPAN), ""), Key("span", Or(SPAN), "")))
    outer = Section((Key("a", inner, ""), Key("b", DIGIT, "")))
    assert [path for path, _ in walk(outer)] == [
        "a",
        "a.spans",
        "a.spans[].low",
        "a.spans[].high",
        "a.spans[].of",
        "a.span",
        "a.span.low",
        "a.span.high",
        "a.span.of",
        "b",
    ]
