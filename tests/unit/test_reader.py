"""Declared keys: facts for dataclasses, and every problem at its place and under its path."""

from __future__ import annotations

from dataclasses import dataclass, field

from stratvisor.reading import document
from stratvisor.reading.keys import MOST_PROBLEMS, At, Facts, Findings, Key, Section
from stratvisor.reading.values import Whole, free_text


@dataclass(frozen=True)
class Top:
    name: str = "unnamed"
    inner: tuple[int, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Inner:
    width: int = 3
    height_cm: int = 4


INNER = Section(
    (
        Key("width", Whole(0, 9), "How wide.", Inner),
        Key("height", Whole(0, 9), "How high.", Inner, "height_cm"),
        Key("unit", free_text(), "Of both.", required=True),
    )
)
TOP = Section(
    (Key("name", free_text(), "Its name.", Top), Key("inner", INNER, "What is in it.")),
    {"title": "call it name"},
)


def read(text: str) -> tuple[Facts, Findings]:
    root, problems = document.read(text.encode(), "f")
    assert root is not None, problems
    findings = Findings()
    return TOP.read(root, At(findings)), findings


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read(text)[1].in_order()]


def test_each_value_goes_to_its_dataclass_and_field() -> None:
    facts, findings = read("name: x\ninner: {height: 5, unit: cm}\n")
    assert findings.problems == []
    assert facts.of(Top) == {"name": "x"}
    assert facts.of(Inner) == {"height_cm": 5}
    assert facts.whole


def test_what_is_not_given_has_the_default_of_its_field() -> None:
    facts, _ = read("name: x\n")
    assert facts.get(Top, "name") == "x"
    assert facts.get(Top, "inner") == ()
    assert facts.get(Inner, "width") == 3


def test_places_of_keys_and_values_are_kept() -> None:
    _, findings = read("name: x\ninner:\n  width:  5\n  unit: cm\n")
    place = At(findings).key("inner").key("width").place
    assert place is not None
    assert (place.key[1:], place.value[1:]) == ((3, 3), (3, 11))
    assert At(findings).key("inner").key("height").place is None


def test_all_problems_in_the_order_of_lines() -> None:
    assert problems("inner:\n  wdth: 1\n  height: ten\nnmae: x\ntitle: y\nname: 5\n") == [
        "f:2:3: inner.wdth: unknown key; did you mean 'width'?",
        'f:3:11: inner.height: must be a whole number, 0 to 9, not "ten"',
        "f:4:1: nmae: unknown key; did you mean 'name'?",
        "f:5:1: title: call it name",
        'f:6:7: name: is a whole number; quote it: "5"',
    ]


def test_where_nothing_looks_like_it_all_keys_are_named() -> None:
    assert problems("inner: {colour: red, unit: cm}\n") == [
        "f:1:9: inner.colour: unknown key; known here: width, height, unit"
    ]


def test_a_required_key_is_missed_where_nothing_looks_like_it() -> None:
    assert problems("inner: {width: 1}\n") == ["f:1:8: inner: needs 'unit'"]
    assert problems("inner: {unti: cm}\n") == ["f:1:9: inner.unti: unknown key; did you mean 'unit'?"]


def test_a_section_must_be_one() -> None:
    assert problems("inner: 5\n") == ["f:1:8: inner: must be keys and values, not 5"]
    assert problems("inner: [5]\n") == ["f:1:8: inner: must be keys and values, not a list"]
    assert problems("inner:\n") == ["f:1:7: inner: has no value; write one, or remove the key"]


def test_facts_with_a_problem_are_not_whole() -> None:
    for text in ("nmae: x\n", "name: 5\n", "inner: {width: x, unit: cm}\n", "inner: {}\n", "inner: 5\n"):
        facts, _ = read(text)
        assert not facts.whole


def test_what_was_refused_before_is_not_told_again() -> None:
    root, before = document.read(b"name: !x y\ninner: *z\n", "f")
    assert root is not None
    findings = Findings()
    assert not TOP.read(root, At(findings)).whole
    assert findings.problems == []
    assert len(before) == 2


def test_a_spot_is_sound_until_something_below_is_not() -> None:
    _, findings = read("name: 5\ninner: {width: x, unit: cm}\n")
    at = At(findings)
    assert not at.key("name").sound
    assert not at.key("inner").sound
    assert at.key("inner").key("unit").sound
    assert at.key("nam").sound


def test_an_item_of_a_list_belongs_to_it() -> None:
    at = At(Findings())
    root, _ = document.read(b"a: 1", "f")
    assert root is not None
    at.key("days").item(1).problem(root.mark, "wrong")
    assert not at.key("days").sound
    assert at.findings.problems[0].key == "days[1]"


def test_of_endless_problems_some_are_told() -> None:
    found = problems("".join(f"k{number}: 1\n" for number in range(1000)))
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1] == f"f:{MOST_PROBLEMS + 1}:1: and {1000 - MOST_PROBLEMS} more problems from here on"


def test_a_strange_key_stays_on_one_line() -> None:
    (problem,) = problems('"a\\nb": 1\n')
    assert problem == 'f:1:1: "a\\nb": unknown key; known here: name, inner'
    (problem,) = problems(f"? {'x' * 5000}\n: 1\n")
    assert len(problem) < 120
