from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratvisor import logs
from stratvisor.logs import CHUNK, Match, Position
from stratvisor.shim import lognames

FIRST = "ema_20261123_091500_IST.log"
SECOND_PART = "ema_20261123_091500_IST.2.log"
NEXT_RUN = "ema_20261123_101500_IST.log"


def write(folder: Path, **texts: bytes) -> list[Path]:
    """Files named by their keys' place in the order of a log's names."""
    names = {"first": FIRST, "second": SECOND_PART, "later": NEXT_RUN}
    for key, text in texts.items():
        (folder / names[key]).write_bytes(text)
    return listed(folder)


def listed(folder: Path) -> list[Path]:
    return [folder / Path(path).name for path in lognames.of(folder, "ema")]


def read_on(folder: Path, position: Position | None) -> tuple[list[str], Position]:
    """All that follows now."""
    assert position is not None
    lines: list[str] = []
    while True:
        more, after = logs.forward(listed(folder), position)
        lines += more
        if after == position:
            return lines, position
        position = after


# shown


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"plain", "plain"),
        ("\N{INDIAN RUPEE SIGN} 812".encode(), "\N{INDIAN RUPEE SIGN} 812"),
        (b"bad \xff\xfe utf-8", "bad \ufffd\ufffd utf-8"),
        (b"\x1b[1;32mBUY\x1b[0m", "BUY"),
        (b"\x1b]0;owned\x07title", "title"),
        (b"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPq#0\x1b\\sixel", "sixel"),
        (b"\x1b(Bcharset", "charset"),
        (b"bell\x07 nul\x00 tab\t", "bell\u2407 nul\u2400 tab\t"),
        (b"lone \x1b", "lone \u241b"),
        (b"windows line\r", "windows line"),
        (b" 10%\r 55%\r100%", "100%"),
        ("a\u202egnp.exe".encode(), "a\ufffdgnp.exe"),
        ("one\u2028two\u0085three".encode(), "one\ufffdtwo\ufffdthree"),
    ],
)
def test_a_line_is_shown_as_harmless_text(line: bytes, text: str) -> None:
    assert logs.shown(line) == text


@given(st.binary(max_size=300))
def test_no_control_ever_gets_through(line: bytes) -> None:
    assert not [
        letter
        for letter in logs.shown(line)
        if letter != "\t" and not letter.isprintable() and ord(letter) < 0xA0
    ]


# tail


def test_the_tail_of_nothing(tmp_path: Path) -> None:
    assert logs.tail([], 5) == ([], "", None)
    assert logs.tail([tmp_path / FIRST], 5) == ([], "", None)
    assert logs.tail(write(tmp_path, first=b""), 5) == ([], "", Position(FIRST, 0))


def test_the_tail_ends_with_what_may_still_grow(tmp_path: Path) -> None:
    files = write(tmp_path, first=b"one\ntwo\nthree\nfo")
    assert logs.tail(files, 2) == (["two", "three"], "fo", Position(FIRST, 14))


@pytest.mark.parametrize(
    ("count", "lines"),
    [(0, []), (1, ["d"]), (2, ["c", "d"]), (3, ["b", "c", "d"]), (9, ["a", "b", "c", "d"])],
)
def test_the_tail_goes_across_parts_and_runs(tmp_path: Path, count: int, lines: list[str]) -> None:
    files = write(tmp_path, first=b"a\nb\n", second=b"c\n", later=b"d\n")
    assert logs.tail(files, count).lines == lines


def test_a_file_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    files = write(tmp_path, first=b"a\n", second=b"b\n", later=b"c\n")
    files[1].unlink()
    assert logs.tail(files, 5).lines == ["a", "c"]


def test_the_tail_of_a_huge_file_reads_only_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FIRST
    with path.open("wb") as file:
        file.seek(10 * 2**30)  # a hole: ten gigabytes that no disk holds
        file.write(b"\nlast but one\nlast\n")
    assert logs.tail([path], 2).lines == ["last but one", "last"]


def test_the_tail_of_a_line_without_end_is_bounded(tmp_path: Path) -> None:
    files = write(tmp_path, first=b"x" * (logs.TAIL_BYTES + 3 * CHUNK))
    lines, partial, _ = logs.tail(files, 10)
    assert len(lines) <= 10
    assert sum(map(len, lines)) + len(partial) <= logs.TAIL_BYTES


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(
    parts=st.lists(
        st.lists(st.sampled_from(["", "a", "bc", "x" * 60_000]), max_size=6), min_size=1, max_size=3
    ),
    rest=st.sampled_from(["", "rest"]),
    count=st.integers(0, 20),
)
def test_the_tail_is_the_end_of_all_lines(
    tmp_path: Path, parts: list[list[str]], rest: str, count: int
) -> None:
    for path in listed(tmp_path):
        path.unlink()
    texts = ["".join(f"{line}\n" for line in part) for part in parts]
    texts[-1] += rest
    pairs = zip(("first", "second", "later"), texts, strict=False)
    files = write(tmp_path, **{key: text.encode() for key, text in pairs})
    everything = [line for part in parts for line in part]
    assert logs.tail(files, count)[:2] == (everything[-count:] if count else [], rest)


# forward


def test_following_gives_each_line_once(tmp_path: Path) -> None:
    path = write(tmp_path, first=b"one\ntw")[0]
    lines, position = read_on(tmp_path, Position(FIRST, 0))
    assert lines == ["one"]
    with path.open("ab") as file:
        file.write(b"o\nthree\n")
    lines, position = read_on(tmp_path, position)
    assert lines == ["two", "three"]
    assert read_on(tmp_path, position) == ([], position)


def test_following_goes_on_into_the_next_part_and_the_next_run(tmp_path: Path) -> None:
    write(tmp_path, first=b"one\n")
    lines, position = read_on(tmp_path, Position(FIRST, 0))
    write(tmp_path, second=b"two\n", later=b"three\n")
    assert read_on(tmp_path, position)[0] == ["two", "three"]
    assert lines == ["one"]


def test_an_unfinished_line_waits_only_while_it_may_grow(tmp_path: Path) -> None:
    write(tmp_path, first=b"killed in mid-")
    lines, position = read_on(tmp_path, Position(FIRST, 0))
    assert lines == []
    assert logs.partial(listed(tmp_path), position) == "killed in mid-"
    write(tmp_path, later=b"next run\n")
    assert read_on(tmp_path, position)[0] == ["killed in mid-", "next run"]


def test_a_file_that_retention_took_is_passed_over(tmp_path: Path) -> None:
    files = write(tmp_path, first=b"one\n", second=b"two\n", later=b"three\n")
    files[0].unlink()
    files[1].unlink()
    assert read_on(tmp_path, Position(FIRST, 2))[0] == ["three"]


def test_one_step_is_bounded(tmp_path: Path) -> None:
    files = write(tmp_path, first=b"y" * (2 * CHUNK) + b"\n")
    lines, position = logs.forward(files, Position(FIRST, 0))
    assert lines == ["y" * CHUNK]
    assert position == Position(FIRST, CHUNK)
    assert "".join(read_on(tmp_path, Position(FIRST, 0))[0]) == "y" * (2 * CHUNK)


def test_a_log_that_was_cut_back_is_no_harm(tmp_path: Path) -> None:
    files = write(tmp_path, first=b"one\n")
    assert logs.forward(files, Position(FIRST, 400)) == ([], Position(FIRST, 400))


@pytest.mark.parametrize("name", [FIRST, "ema_20261123_091500_IST-2.3.log", "a_b_20261123_091500_UTC+04.log"])
def test_a_position_reads_back(name: str) -> None:
    assert Position.parse(str(Position(name, 12))) == Position(name, 12)


@pytest.mark.parametrize(
    "text", ["", "12", f"{FIRST}:", f"{FIRST}:-1", f"{FIRST}:1e3", "../../etc/passwd:0", f"x/{FIRST}:0"]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    assert Position.parse(text) is None


# grep


def test_grep_finds_lines_with_their_places(tmp_path: Path) -> None:
    files = write(tmp_path, first=b"BUY 1\nsell 2\n", second=b"x\nBUY \x1b[31m3\x1b[0m BUY\nBUY")
    assert logs.grep(files, "BUY", 10) == [
        Match(FIRST, 1, "BUY 1"),
        Match(SECOND_PART, 2, "BUY 3 BUY"),
        Match(SECOND_PART, 3, "BUY"),
    ]
    assert logs.grep(files, "BUY", 1) == [Match(SECOND_PART, 3, "BUY")]
    assert logs.grep(files, "buy", 10) == []
    assert logs.grep(files, "B.Y", 10) == []


@pytest.mark.parametrize("place", [count * CHUNK - back for count in (1, 2, 3) for back in range(7)])
def test_grep_finds_what_lies_across_two_reads(tmp_path: Path, place: int) -> None:
    line = b"z" * place + b"needle" + b"z" * CHUNK
    files = write(tmp_path, first=b"one\n" + line + b"\nneedle\n")
    found = logs.grep(files, "needle", 10)
    assert [match.line for match in found] == [2, 3]
    assert "needle" in found[0].text
    assert len(found[0].text) <= CHUNK


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(lines=st.lists(st.sampled_from(["", "ab", "b" * 40_000, "xabx", "a" * 65_535 + "b"]), max_size=8))
def test_grep_is_exact(tmp_path: Path, lines: list[str]) -> None:
    files = write(tmp_path, first="".join(f"{line}\n" for line in lines).encode())
    found = [match.line for match in logs.grep(files, "ab", 100)]
    assert found == [number for number, line in enumerate(lines, 1) if "ab" in line]


# files


def test_a_link_or_a_pipe_under_a_logs_name_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"key\n")
    (tmp_path / FIRST).symlink_to(secret)
    os.mkfifo(tmp_path / NEXT_RUN)
    assert logs.tail(listed(tmp_path), 5) == ([], "", None)
    assert list(logs.content(tmp_path / FIRST)) == []
    assert logs.grep(listed(tmp_path), "key", 5) == []


def test_content_is_the_bytes_as_they_are(tmp_path: Path) -> None:
    text = os.urandom(3 * CHUNK + 7)
    (path,) = write(tmp_path, first=text)
    assert b"".join(logs.content(path)) == text
    assert list(logs.content(tmp_path / "gone")) == []


def test_the_parts_of_one_run(tmp_path: Path) -> None:
    files = write(tmp_path, first=b"", second=b"", later=b"")
    assert [path.name for path in logs.of_run(files, "ema_20261123_091500_IST")] == [FIRST, SECOND_PART]
    assert logs.of_run(files, "ema_20261123_0915") == []
