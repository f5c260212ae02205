"""TOML text as the nodes that YAML gives, each with the place of the statement that sets it."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.reading.nodes import Broken, Kind, Mapping, Node, Scalar, Sequence
from stratvisor.reading.toml_document import MOST_LINES, read

TEXT = '''\
timezone = "Asia/Kolkata"
# a comment

[http]
  host = "127.0.0.1"   # another
"quoted.key" = 1
[defaults]
restart.when = "never"
env = {A = "1", B = """
[not a table]
C = 1
"""}
args = [
  "x",  # [table]
  {y = 1.5},
]
"then" = true
at = 09:15:00
[[defaults.schedule.windows]]
from = "a"
[[defaults.schedule.windows]]
from = "b"
[defaults.schedule.windows.below]
k = 0x10
[defaults.stop]
signals = ["TERM"]
'''

PLACES = {
    "timezone": (1, 1),
    "http": (4, 1),
    "http.host": (5, 3),
    "http.quoted.key": (6, 1),
    "defaults": (7, 1),
    "defaults.restart": (8, 1),
    "defaults.restart.when": (8, 1),
    "defaults.env": (9, 1),
    "defaults.env.A": (9, 1),
    "defaults.env.B": (9, 1),
    "defaults.args": (13, 1),
    "defaults.args.0": (13, 1),
    "defaults.args.1": (13, 1),
    "defaults.args.1.y": (13, 1),
    "defaults.then": (17, 1),
    "defaults.at": (18, 1),
    "defaults.schedule": (19, 1),
    "defaults.schedule.windows": (19, 1),
    "defaults.schedule.windows.0": (19, 1),
    "defaults.schedule.windows.0.from": (20, 1),
    "defaults.schedule.windows.1": (21, 1),
    "defaults.schedule.windows.1.from": (22, 1),
    "defaults.schedule.windows.1.below": (23, 1),
    "defaults.schedule.windows.1.below.k": (24, 1),
    "defaults.stop": (25, 1),
    "defaults.stop.signals": (26, 1),
    "defaults.stop.signals.0": (26, 1),
}


def root_of(text: str) -> Mapping:
    root, problems = read(text.encode(), "f")
    assert root is not None, problems
    return root


def places(node: Node, path: str = "") -> dict[str, tuple[int, int]]:
    found = {path: node.mark[1:]} if path else {}
    if isinstance(node, Mapping):
        for entry in node.entries:
            found |= places(entry.value, f"{path}.{entry.key}".removeprefix("."))
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            found |= places(item, f"{path}.{index}")
    return found


def plain(node: Node) -> object:
    match node:
        case Scalar(text=text, kind=Kind.TEXT):
            return text
        case Scalar(text=text):
            return int(text)
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Mapping(entries=entries):
            return {entry.key: plain(entry.value) for entry in entries}
        case Broken():
            raise AssertionError


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT])
def test_places(text: str) -> None:
    assert places(root_of(text)) == PLACES


def test_kinds() -> None:
    text = 'a = "1"\nb = 1_000\nc = 1.5\nd = true\ne = 09:15:00\nf = nan\ng = 2026-11-23\nh = 0x10\n'
    assert {
        entry.key: (entry.value.text, entry.value.kind)
        for entry in root_of(text).entries
        if isinstance(entry.value, Scalar)
    } == {
        "a": ("1", Kind.TEXT),
        "b": ("1000", Kind.WHOLE),
        "c": ("1.5", Kind.DECIMAL),
        "d": ("true", Kind.TRUTH),
        "e": ("09:15:00", Kind.UNSURE),
        "f": ("nan", Kind.UNSURE),
        "g": ("2026-11-23", Kind.UNSURE),
        "h": ("16", Kind.WHOLE),
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a = 1\nb = \n", "f:2:5: not TOML: Invalid value"),
        (b"a = 1\nb = 'x", "f:2:1: not TOML: "),
        (b"a = 1\na = 2\n", "f:2:6: not TOML: Cannot overwrite a value"),
        (b"a = 1\nb = '\xff'\n", "f:2:1: not UTF-8; save the file as UTF-8"),
        (b"a = " + b"[" * 50_000, "f:1:1: nested too deep; no setting is"),
        (b"a = 0x" + b"f" * 9_000, "f:1:1: not TOML: "),
    ],
)
def test_what_is_no_toml(content: bytes, problem: str) -> None:
    root, problems = read(content, "f")
    assert root is None
    assert [str(found)[: len(problem)] for found in problems] == [problem]


def test_after_a_statement_without_end_places_are_those_of_the_table() -> None:
    text = "[a]\nb = [\n" + "1,\n" * MOST_LINES + "]\nc = 2\n[d]\ne = 3\n"
    assert {name: line for name, (line, _) in places(root_of(text)).items() if name in ("a.c", "d.e")} == {
        "a.c": 1,
        "d.e": 1,
    }


@given(st.binary(max_size=60) | st.text("a.=\"'[]{}#\n 1", max_size=40).map(str.encode))
def test_any_bytes_are_a_tree_or_a_problem(content: bytes) -> None:
    root, problems = read(content, "f")
    assert (root is None) == bool(problems)


KEYS = st.text("ab.\"' ", min_size=1, max_size=4)
VALUES = st.recursive(
    st.integers(0, 9) | st.text("a\n#[=", max_size=4), lambda inner: st.lists(inner, max_size=3)
)


@given(st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=3), max_size=4))
def test_values_are_those_of_the_library(table: dict[str, object]) -> None:
    text = "\n".join(f"{quoted(key)} = {inline(value)}" for key, value in table.items())
    assert plain(root_of(text)) == table == tomllib.loads(text)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def inline(value: object) -> str:
    match value:
        case str():
            return quoted(value)
        case dict():
            return "{" + ", ".join(f"{quoted(key)} = {inline(part)}" for key, part in value.items()) + "}"
        case list():
            return "[\n" + ", ".join(map(inline, value)) + "]"
        case _:
            return str(value)
