"""The chain: whatever is done to a line of it is found, by whoever looks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvisor import trail
from stratvisor.trail import NO_HEAD, Head, check, head_text, parse_head, seal


def chain(count: int) -> list[bytes]:
    lines, head = [], NO_HEAD
    for number in range(count):
        line, head = seal(head, {"who": "uid 0", "what": f"stop {number}", "after": {"ü": '"\n'}})
        lines.append(line)
    return lines


LINES = chain(6)
HEAD = check(LINES).head


def test_a_chain_that_nobody_touched() -> None:
    found = check(LINES, HEAD)
    assert (found.records, found.findings, found.head.number) == (6, (), 6)
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in LINES)
    assert [json.loads(line)["n"] for line in LINES] == [1, 2, 3, 4, 5, 6]


def test_an_empty_one_is_whole() -> None:
    assert check([], None).findings == ()
    assert check([], NO_HEAD).findings == ()


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        (LINES[2].replace(b"stop 2", b"stop 9"), "it was edited"),
        (LINES[2].replace(b'"who":', b'"who": '), "it was edited"),
        (LINES[2].replace(b'"uid 0"', b'"uid \\u0030"'), "it was edited"),
        (LINES[2].replace(b"}\n", b"} \n"), "it was edited"),
        (LINES[2].replace(b'"n":3', b'"n":30'), "it was edited"),
        (b"not JSON\n", "is no record"),
        (b"[]\n", "is no record"),
        (b'{"n": true, "prev": "", "hash": ""}\n', "is no record"),
        (b"[" * 100_000 + b"\n", "is no record"),
    ],
)
def test_an_edited_line(edited: bytes, told: str) -> None:
    found = check([*LINES[:2], edited, *LINES[3:]], HEAD)
    assert found.findings
    assert found.findings[0].startswith("line 3")
    assert told in found.findings[0]


def test_a_line_that_was_made_anew_with_its_hash_does_not_fit_the_next() -> None:
    forged, _ = seal(check(LINES[:2]).head, {"who": "uid 0", "what": "nothing"})
    found = check([*LINES[:2], forged, *LINES[3:]], HEAD)
    assert found.findings == (
        "line 4, record 4: it does not follow record 3: records were removed, added or moved here",
    )


@pytest.mark.parametrize("gone", range(6))
def test_a_removed_line(gone: int) -> None:
    found = check(LINES[:gone] + LINES[gone + 1 :], HEAD)
    assert len(found.findings) == 1
    words = {0: "what came before it is missing", 5: "the end was cut off"}.get(
        gone, "it does not follow record"
    )
    assert words in found.findings[0]


def test_moved_lines() -> None:
    found = check([LINES[0], LINES[2], LINES[1], *LINES[3:]], HEAD)
    assert [finding.partition(":")[0] for finding in found.findings] == [
        "line 2, record 3",
        "line 3, record 2",
        "line 4, record 4",
    ]


@pytest.mark.parametrize("left", range(6))
def test_a_cut_end_is_found_by_the_head_alone(left: int) -> None:
    assert check(LINES[:left]).findings == ()
    (finding,) = check(LINES[:left], HEAD).findings
    assert finding.startswith("the end was cut off or made anew: record 6 with the hash ")


def test_a_head_that_lags_behind_is_no_finding() -> None:
    assert check(LINES, check(LINES[:4]).head).findings == ()


def test_a_chain_made_anew_is_found_by_a_head_from_elsewhere() -> None:
    lines, head = [], NO_HEAD
    for number in range(6):
        line, head = seal(head, {"what": f"start {number}"})
        lines.append(line)
    assert check(lines).findings == ()
    assert len(check(lines, HEAD).findings) == 1


def test_heads_are_kept_as_text() -> None:
    assert parse_head(head_text(HEAD)) == HEAD
    for damaged in ("", "6", "x " + "0" * 64, "6 abc", "-6 " + "0" * 64, "9" * 5_000 + " " + "0" * 64):
        assert parse_head(damaged) is None
    assert parse_head(f"{NO_HEAD.number} {NO_HEAD.hash}") == Head(0, "0" * 64)


@given(st.data())
def test_any_change_of_any_byte_is_found(data: st.DataObject) -> None:
    whole = b"".join(LINES)
    place = data.draw(st.integers(0, len(whole) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    changed = whole[:place] + bytes([byte]) + whole[place + 1 :]
    assert check(changed.splitlines(keepends=True), HEAD).findings


def test_what_is_parsed_is_what_was_sealed() -> None:
    record = trail.parse(LINES[1])
    assert record is not None
    assert (record["n"], record["what"], record["after"]) == (2, "stop 1", {"ü": '"\n'})
    assert record["prev"] == json.loads(LINES[0])["hash"]
