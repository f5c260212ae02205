"""YAML text as nodes: what is read, and every trap that is refused with its place."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from stratvisor.reading import document
from stratvisor.reading.document import kind_of, read
from stratvisor.reading.nodes import Broken, Kind, Mapping, Node, Scalar, Sequence

PARSERS = [pytest.param(yaml.SafeLoader, id="python"), pytest.param(document._LOADER, id="fastest")]


@pytest.fixture(params=PARSERS, autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs on the parser in C and on the one that stands in where it is missing."""
    monkeypatch.setattr(document, "_LOADER", request.param)


def plain(node: Node) -> object:
    match node:
        case Scalar():
            return (node.text, node.kind.name)
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {entry.key: plain(entry.value) for entry in node.entries}
        case Broken():
            return "broken"


def tree(text: str) -> object:
    root, problems = read(text.encode(), "f")
    assert not problems, [str(problem) for problem in problems]
    assert root is not None
    return plain(root)


def wrong(text: str | bytes) -> list[str]:
    _, problems = read(text.encode() if isinstance(text, str) else text, "f")
    return [str(problem) for problem in problems]


def test_a_tree_of_what_was_written() -> None:
    text = "a: 1\nb: [x, 'y', \"z\\t\"]\nc: {d: true, e: 1.5}\nf:\n  - g: ~\nh: |\n  two\n  lines\n"
    assert tree(text) == {
        "a": ("1", "WHOLE"),
        "b": [("x", "TEXT"), ("y", "TEXT"), ("z\t", "TEXT")],
        "c": {"d": ("true", "TRUTH"), "e": ("1.5", "DECIMAL")},
        "f": [{"g": ("~", "NOTHING")}],
        "h": ("two\nlines\n", "TEXT"),
    }


def test_every_node_knows_its_place() -> None:
    root, _ = read(b"# one\nstop:\n  signals: [TERM, INT]\n", "conf.d/x.yaml")
    assert isinstance(root, Mapping)
    stop = root.entries[0]
    assert isinstance(stop.value, Mapping)
    signals = stop.value.entries[0]
    assert isinstance(signals.value, Sequence)
    marks = [stop.mark, signals.mark, signals.value.mark, signals.value.items[1].mark]
    assert marks == [("conf.d/x.yaml", *place) for place in ((2, 1), (3, 3), (3, 12), (3, 19))]


def test_columns_count_characters_not_bytes() -> None:
    assert wrong("é: 1\nü: {é: [ß, *a]}\n") == [
        "f:2:12: ü.é[1]: aliases are not accepted; write the value out"
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NO", Kind.UNSURE),  # Norway
        ("yes", Kind.UNSURE),
        ("On", Kind.UNSURE),
        ("True", Kind.UNSURE),
        ("15:30", Kind.UNSURE),  # 930, to base 60
        ("09:15", Kind.UNSURE),
        ("1:2:3.5", Kind.UNSURE),
        ("010", Kind.UNSURE),  # 8, or 10
        ("0o10", Kind.UNSURE),
        ("0x1F", Kind.UNSURE),
        ("0b11", Kind.UNSURE),
        ("1_000", Kind.UNSURE),
        ("+1", Kind.UNSURE),
        ("1.", Kind.UNSURE),
        (".5", Kind.UNSURE),
        (".inf", Kind.UNSURE),
        (".NaN", Kind.UNSURE),
        ("2026-11-23", Kind.UNSURE),
        ("2026-11-23 09:15:00", Kind.UNSURE),
        ("=", Kind.UNSURE),
        ("true", Kind.TRUTH),
        ("false", Kind.TRUTH),
        ("0", Kind.WHOLE),
        ("-12", Kind.WHOLE),
        ("1e3", Kind.DECIMAL),  # text to YAML 1.1
        ("-0.5", Kind.DECIMAL),
        ("~", Kind.NOTHING),
        ("", Kind.NOTHING),
        ("null", Kind.NOTHING),
        ("none", Kind.TEXT),
        ("10s", Kind.TEXT),
        ("10%", Kind.TEXT),
        ("1GB", Kind.TEXT),
        ("mon-fri", Kind.TEXT),
        ("--fast", Kind.TEXT),
        ("y", Kind.TEXT),
    ],
)
def test_what_yaml_versions_make_of_plain_words(text: str, kind: Kind) -> None:
    assert kind_of(text) is kind
    assert tree(f"a: '{text}'\n") == {"a": (text, "TEXT")}, "quotes make it text"


@given(st.from_regex(r"[-+.0-9a-fonxyesOSETIN_:~= ]{0,8}", fullmatch=True))
@example("1__0")
@example("190:20:30.15")
@example("685_230.15")
@example("2001-12-14t21:59:43.10-05:00")
def test_text_is_text_to_the_library_too(text: str) -> None:
    """Whatever its YAML 1.1 resolver takes for more than text, is no text to us."""
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if tag != "tag:yaml.org,2002:str":
        assert kind_of(text) is not Kind.TEXT


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f:1:1: the file is empty; remove it, or write its keys"),
        ("# only this\n", "f:1:1: the file is empty; remove it, or write its keys"),
        ("hello", "f:1:1: must be keys and values, such as 'script: strategies/my_strategy.py'"),
        ("- a\n", "f:1:1: must be keys and values, such as 'script: strategies/my_strategy.py'"),
        ("a:\n\t- 1\n", "f:2:1: not YAML: a tab; indent with spaces"),
        ("a: @b\n", "f:1:4: not YAML: put a text that begins with '@' in quotes: \"@...\""),
        (
            "a: b: c\n",
            "f:1:5: not YAML: ': ' inside a value; put the value in quotes, or check the indentation",
        ),
        ("a: 1\n---\nb: 2\n", "f:2:1: a second document; one file holds one, remove the line '---'"),
        ("a: 1\nb: 2\na: 3\n", "f:3:1: a: given twice, first on line 1; keep one"),
        ("a: [{b: 1, b: 2}]\n", "f:1:12: a[0].b: given twice, first on line 1; keep one"),
        ("a:\n  <<: {b: 1}\n", "f:2:3: a.<<: merge keys are not accepted; write the keys out"),
        ("a: &x 1\n", "f:1:4: a: anchors are not accepted; remove '&x'"),
        ("a: *x\n", "f:1:4: a: aliases are not accepted; write the value out"),
        ("*x : 1\n", "f:1:1: aliases are not accepted; write the value out"),
        (
            "a: !!python/name:os.system 1\n",
            "f:1:4: a: tags are not accepted; remove '!!python/name:os.system'",
        ),
        ("a: !!int '3'\n", "f:1:4: a: tags are not accepted; remove '!!int'"),
        ("a: ! b\n", "f:1:4: a: tags are not accepted; remove '!'"),
        ("--- !set\na: 1\n", "f:1:5: tags are not accepted; remove '!set'"),
        ("? [a]\n: b\n", "f:1:3: a key must be plain text"),
        ("? \n: 1\n", "f:1:2: a key is missing before ':'"),
        ("a: \x07\n", "f:1:4: control character U+0007; remove it"),
        ("a: é\nb: \x00\n", "f:2:4: control character U+0000; remove it"),
        ("{a: " * 30, "f:1:81: nested more than 20 deep; no setting is"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    assert [found[: len(problem)] for found in wrong(text)] == [problem]


@pytest.mark.parametrize(
    "text", ["a: [", "a: 'b", 'a: "\\U00110000"', "a: |x", "%YAML 3.0\n---\na: 1\n", "a:\n b: 1\n c"]
)
def test_what_is_no_yaml_is_one_problem(text: str) -> None:
    (problem,) = wrong(text)
    assert ": not YAML: " in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: 1\nb: \xff\n", "f:2:4: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("a: é".encode("utf-16"), "f:1:1: byte 0xff is not UTF-8; save the file as UTF-8"),
    ],
)
def test_other_encodings_are_refused_with_their_place(content: bytes, problem: str) -> None:
    assert wrong(content) == [problem]


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = wrong("a: &x 1\nb: *x\nc: !t 2\nb: 3\n<<: 4\n")
    assert [problem.split(": ")[0] for problem in found] == ["f:1:4", "f:2:4", "f:3:4", "f:4:1", "f:5:1"]


def test_a_byte_order_mark_and_windows_line_ends_are_nothing() -> None:
    assert tree("\ufeffa: 1\r\nb:\r\n  - x\r\n") == {"a": ("1", "WHOLE"), "b": [("x", "TEXT")]}
    assert wrong("\ufeff@a: 1\n") == [wrong("@a: 1\n")[0]]
    assert wrong("\ufeffa: *b\n") == ["f:1:4: a: aliases are not accepted; write the value out"]
    assert wrong("\ufeffa: 1\r\nb: 2\r\na: 3\r\n") == ["f:3:1: a: given twice, first on line 1; keep one"]


def test_a_comment_for_an_editor_is_a_comment() -> None:
    assert tree("# yaml-language-server: $schema=../run/strategy.schema.json\na: b # c\n") == {
        "a": ("b", "TEXT")
    }


def test_what_is_broken_hides_nothing_else() -> None:
    root, problems = read(b"a: !!set {x: 1}\nb: [1, !t 2]\nc: 3\n", "f")
    assert root is not None
    assert plain(root) == {"a": "broken", "b": [("1", "WHOLE"), "broken"], "c": ("3", "WHOLE")}
    assert len(problems) == 2


def test_an_alias_bomb_costs_nothing() -> None:
    rows = [
        "a0: &a0 [x, x]",
        *(f"a{row}: &a{row} [{', '.join([f'*a{row - 1}'] * 9)}]" for row in range(1, 30)),
    ]
    found = wrong("\n".join(rows))
    assert len(found) == 30 + 29 * 9


def test_a_file_of_too_many_values_is_not_read_to_its_end() -> None:
    (problem,) = wrong(f"a: [{'1,' * 200_000}")
    assert problem.startswith("f:1:19")
    assert "more than 10000 values; no file of settings is that large" in problem


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{b: " * 50_000, "- " * 50_000, "? " * 50_000])
def test_nesting_without_end_is_a_problem(text: str) -> None:
    (problem,) = wrong(text)
    assert "nested more than 20 deep" in problem or "not YAML" in problem


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@example(b"\xed\xa0\x80")
@example(b'a: "\\ud800"')
def test_any_bytes_are_a_tree_or_a_problem(content: bytes) -> None:
    root, problems = read(content, "f")
    assert (root is not None) or problems
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert str(problem).isprintable()
