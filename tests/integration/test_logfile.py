"""From a real FIFO into real files: rotation, full disks, killed readers, endless lines."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from stratvisor.shim import lognames
from stratvisor.shim.held import CHUNK, Held
from stratvisor.shim.logfile import Limits, Log

KILLING = Path(__file__).parent.parent / "children" / "killed_readers.py"
NAME = "ema_20261123_091500_IST.log"
WIDE = Limits(max_size=10**9, keep_files=1000, keep_days=1000, keep_total=10**12, timestamps=False)
STAMPED = WIDE._replace(timestamps=True)


class Pipe:
    """A FIFO as a strategy and a shim have it, and the log that it goes into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.mkfifo(folder / "out")
        self.writer = os.open(folder / "out", os.O_RDWR)
        self.reader = os.open(folder / "out", os.O_RDONLY | os.O_NONBLOCK)
        (folder / NAME).touch()

    def open(self, limits: Limits = WIDE, *, resumed: bool = False) -> Log:
        return Log(str(self.folder / NAME), limits, "run 1 of ema", resumed=resumed)

    def say(self, text: bytes) -> None:
        assert os.write(self.writer, text) == len(text)

    def text(self) -> bytes:
        return b"".join(Path(path).read_bytes() for path in lognames.of(self.folder, "ema"))

    def lines(self) -> list[bytes]:
        return [line for line in self.text().splitlines() if not line.startswith(b"[stratvisor] ")]

    def close(self) -> None:
        os.close(self.writer)
        os.close(self.reader)


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    monkeypatch.chdir(tmp_path)  # the record stands in the working directory, as in a run directory
    made = Pipe(tmp_path)
    yield made
    made.close()


def test_bytes_arrive_as_they_are(pipe: Pipe) -> None:
    log = pipe.open()
    pipe.say(b"one\ntwo\xff\x00\r\nhalf")
    log.pump(pipe.reader)
    assert pipe.text() == b"one\ntwo\xff\x00\r\nhalf"


def test_our_own_lines_stand_on_lines_of_their_own(pipe: Pipe) -> None:
    log = pipe.open()
    pipe.say(b"half")
    log.pump(pipe.reader)
    log.conclude("ended")
    assert pipe.text() == b"half\n[stratvisor] ended\n"
    assert log.last_line() == "half"
    pipe.say(b"not yet\n")
    log.pump(pipe.reader)
    assert pipe.text() == b"half\n[stratvisor] ended\nnot yet\n"


def test_a_file_that_takes_no_splice_is_written_to(pipe: Pipe) -> None:
    """As some file systems do, and every one for a file that is open to be appended to (splice(2))."""
    log = pipe.open()
    fcntl.fcntl(log._file, fcntl.F_SETFL, os.O_APPEND)
    pipe.say(b"one\ntwo\n")
    log.pump(pipe.reader)
    assert pipe.text() == b"one\ntwo\n"


def test_stamps_stand_before_every_line_and_only_there(pipe: Pipe) -> None:
    log = pipe.open(STAMPED)
    for piece in (b"one\ntw", b"o\n", b"\n", b"three"):
        pipe.say(piece)
        log.pump(pipe.reader)
    stamp = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} "
    expected = stamp + b"one\n" + stamp + b"two\n" + stamp + b"\n" + stamp + b"three"
    assert re.fullmatch(expected, pipe.text())


@pytest.mark.parametrize("limits", [WIDE, STAMPED])
def test_a_line_longer_than_any_buffer_is_cut_between_parts_without_loss(pipe: Pipe, limits: Limits) -> None:
    log = pipe.open(limits._replace(max_size=10_000))
    for _ in range(10):
        pipe.say(b"\rx" * (CHUNK // 4))
        log.pump(pipe.reader)
    assert pipe.text().count(b"\rx") == 10 * CHUNK // 4
    assert len(lognames.of(pipe.folder, "ema")) > 2


def test_a_part_ends_with_a_line_where_one_ends_in_reach(pipe: Pipe) -> None:
    log = pipe.open(WIDE._replace(max_size=100))
    pipe.say(b"".join(b"line %03d\n" % number for number in range(200)))
    log.pump(pipe.reader)
    parts = [Path(path).read_bytes() for path in lognames.of(pipe.folder, "ema")]
    assert len(parts) > 10
    assert all(part.endswith(b"\n") and len(part) < 200 for part in parts)
    assert pipe.lines() == [b"line %03d" % number for number in range(200)]


def test_a_part_that_cannot_be_made_lets_the_old_one_grow(pipe: Pipe) -> None:
    log = pipe.open(WIDE._replace(max_size=100))
    (pipe.folder / NAME.replace(".log", ".2.log")).touch()  # the name is taken
    for number in range(100):
        pipe.say(b"line %03d\n" % number)
        log.pump(pipe.reader)
    assert (pipe.folder / NAME).read_bytes().splitlines() == [b"line %03d" % number for number in range(100)]


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the program's own runs after it."""


def die(*_arguments: object) -> None:
    raise Killed


STEPS = ("peek_before", "fill", "moving", "_append", "_take", "clear")
"""Of a chunk on its way to the log, each cut off before it happens."""


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("at", STEPS)
def test_a_reader_killed_at_any_step_loses_and_doubles_nothing(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, at: str, *, twice: bool
) -> None:
    """The chunk after the killed one is the same: bytes compared would not tell them apart."""
    log = pipe.open(STAMPED)
    pipe.say(b"one\ntw")
    log.pump(pipe.reader)
    pipe.say(b"o\nthree\n")
    for _ in range(2 if twice else 1):
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            patch.setattr(log if at == "_append" else log._held, at, die)
            log.recover(pipe.reader)  # of the first: finds nothing to do
            log.pump(pipe.reader)
        log = pipe.open(STAMPED, resumed=True)
    pipe.say(b"o\nthree\n")
    heir = pipe.open(STAMPED, resumed=True)
    heir.recover(pipe.reader)
    heir.pump(pipe.reader)
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} "
    found = [re.sub(stamp, "", line.decode()) for line in pipe.lines()]
    assert found == ["one", "two", "three", "o", "three"]


def test_what_a_killed_reader_held_is_written_though_nothing_more_comes(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = pipe.open(STAMPED)
    pipe.say(b"the last words\n")
    monkeypatch.setattr(log, "_append", die)
    with pytest.raises(Killed):
        log.pump(pipe.reader)
    pipe.open(STAMPED, resumed=True).recover(pipe.reader)
    assert pipe.text().endswith(b" the last words\n")


def test_a_reader_killed_half_way_through_the_bytes_it_takes(pipe: Pipe) -> None:
    log = pipe.open(STAMPED)
    pipe.say(b"one\ntwo\n")
    taking = log._held._take

    def half(count: int) -> None:
        taking(count // 2)
        raise Killed

    log._held._take = half  # type: ignore[method-assign]
    with pytest.raises(Killed):
        log.pump(pipe.reader)
    heir = pipe.open(STAMPED, resumed=True)
    heir.recover(pipe.reader)
    pipe.say(b"three\n")
    heir.pump(pipe.reader)
    assert [line.split()[-1] for line in pipe.lines()] == [b"one", b"two", b"three"]


def test_our_own_line_cut_off_is_undone_and_the_next_waits_for_the_end_of_a_line(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = pipe.open()
    pipe.say(b"one\n")
    log.pump(pipe.reader)
    append = log._append

    def half(text: bytes) -> None:
        append(text[: len(text) // 2])
        raise Killed

    monkeypatch.setattr(log, "_append", half)
    with pytest.raises(Killed):
        log.note("a note that is cut off")
    heir = pipe.open(resumed=True)
    heir.recover(pipe.reader)
    pipe.say(b"two, begun")
    heir.pump(pipe.reader)
    heir.note("a note in the midst of a line")
    pipe.say(b" and ended\nthree\n")
    heir.pump(pipe.reader)
    expected = b"one\ntwo, begun and ended\n[stratvisor] a note in the midst of a line\nthree\n"
    assert pipe.text() == expected


def test_a_note_that_waits_for_a_line_without_end_goes_into_the_next_part(pipe: Pipe) -> None:
    log = pipe.open(WIDE._replace(max_size=10_000))
    pipe.say(b"x")
    log.pump(pipe.reader)
    log.note("at last")
    for _ in range(4):
        pipe.say(b"x" * CHUNK)
        log.pump(pipe.reader)
    assert b"at last" in pipe.text()
    assert pipe.text().count(b"x") == 4 * CHUNK + 1


@pytest.mark.parametrize("kind", ["same", "numbered"])
@pytest.mark.parametrize("timestamps", ["stamped", "plain"])
def test_readers_killed_by_the_hundred_lose_and_double_nothing(
    tmp_path: Path, kind: str, timestamps: str
) -> None:
    arguments = [sys.executable, str(KILLING), str(tmp_path), kind, timestamps, "150", "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_successor_goes_on_in_the_newest_part(pipe: Pipe) -> None:
    log = pipe.open(WIDE._replace(max_size=50))
    pipe.say(b"".join(b"line %03d\n" % number for number in range(50)))
    log.pump(pipe.reader)
    heir = pipe.open(WIDE._replace(max_size=50), resumed=True)
    assert heir.path == log.path
    pipe.say(b"line 050\n")
    heir.pump(pipe.reader)
    assert pipe.lines() == [b"line %03d" % number for number in range(51)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no small file system can be mounted here: only root may")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("limits", [WIDE, STAMPED])
def test_a_full_disk_costs_counted_bytes_and_never_blocks(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: Limits
) -> None:
    monkeypatch.chdir(tmp_path)
    pipe = Pipe(small_disk)
    log = pipe.open(limits)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 150_000)
    said = 0
    for number in range(2_000):
        line = b"line %04d %s\n" % (number, b"y" * 90)
        pipe.say(line)
        said += len(line)
        log.pump(pipe.reader)
    assert "No space left" in str(log.problem)
    assert log.dropped > 0
    ballast.unlink()
    pipe.say(b"after\n")
    log.pump(pipe.reader)
    assert log.problem is None
    text = pipe.text().decode()
    lost = re.findall(r"\[stratvisor\] (\d+) bytes lost here: No space left on device\n", text)
    assert sum(map(int, lost)) == log.dropped
    assert text.rstrip().endswith("after")
    kept = len(re.sub(r"\n?\[stratvisor\] .*\n", "", re.sub(r"(?m)^[\d-]{10} [\d:.]{12} ", "", text)))
    assert said + len("after\n") - log.dropped <= kept + len(lost) + 1
    log.close()
    pipe.close()


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_a_flood_leaves_time_for_other_things(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop must be heard while there is always more to read."""
    log = pipe.open()
    monkeypatch.setattr(log, "_step", Mock(side_effect=[CHUNK] * 16))
    assert log.pump(pipe.reader) == 16 * CHUNK


def test_a_write_that_breaks_off_is_undone(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    log = pipe.open(STAMPED)
    pipe.say(b"a line\n")
    write = os.pwrite

    def three_bytes(file: int, text: bytes, at: int) -> int:
        if file == log._file and at:
            raise FULL
        return write(file, text[:3] if file == log._file else text, at)

    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", three_bytes)
        log.pump(pipe.reader)
    assert pipe.text() == b""


def test_a_disk_that_takes_no_note_is_no_end(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    log = pipe.open()
    monkeypatch.setattr(log, "_append", Mock(side_effect=FULL))
    log.note("run 1 of ema begins")
    assert log.problem == "No space left on device"


def test_what_is_missing_at_the_end_is_said(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    log = pipe.open()
    pipe.say(b"twelve bytes")
    with monkeypatch.context() as disk:
        disk.setattr(os, "splice", Mock(side_effect=FULL))
        disk.setattr(log, "_append", Mock(side_effect=FULL))
        log.pump(pipe.reader)
    assert log.dropped == 12
    log.close()
    assert pipe.text() == b"[stratvisor] 12 bytes lost here: No space left on device\n"


def test_a_write_that_failed_leaves_no_record(pipe: Pipe) -> None:
    """It would speak of bytes that were dropped meanwhile, and no reader could be made any more."""
    pipe.say(b"lost\n")
    held = Held()
    held.fill(pipe.reader, 5)
    with contextlib.suppress(OSError), held.moving(0, 2):
        raise FULL
    assert held.drop() == 5
    assert Held().recover() is None


def test_only_a_disk_that_takes_no_more_costs_bytes(pipe: Pipe) -> None:
    """Anything else is an error of ours: the bytes wait for another shim."""
    log = pipe.open()
    os.close(log._file)
    pipe.say(b"all of it\n")
    with pytest.raises(OSError, match="Bad file descriptor"):
        log.pump(pipe.reader)
    assert os.read(pipe.reader, 99) == b"all of it\n"


def test_a_disk_that_cannot_sync_is_no_end(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    log = pipe.open()
    monkeypatch.setattr(os, "fsync", Mock(side_effect=OSError(errno.EIO, "Input/output error")))
    log.sync()
    assert log.problem == "Input/output error"


def test_a_log_that_cannot_be_removed_keeps_no_other(tmp_path: Path) -> None:
    names = [f"ema_2026110{day}_091500_IST.log" for day in (1, 2, 3)]
    (tmp_path / names[1]).mkdir()
    for name in (names[0], names[2]):
        (tmp_path / name).touch()
    lognames.prune(
        str(tmp_path), "ema", keep_files=1, keep_days=10**6, keep_total=10**9, now_s=0, spare=names[2]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == names[1:]


def test_what_retention_removes(tmp_path: Path) -> None:
    def log(day: int, age_days: float, size: int = 10, strategy: str = "ema", part: str = "") -> str:
        path = tmp_path / f"{strategy}_202611{day:02d}_091500_IST{part}.log"
        path.write_bytes(b"x" * size)
        os.utime(path, (10**9 - age_days * 86_400,) * 2)
        return path.name

    def prune(**limits: int) -> list[str]:
        known = {"keep_files": 100, "keep_days": 100, "keep_total": 10**6} | limits
        spare = "ema_20261109_091500_IST.log"
        removed = lognames.prune(
            str(tmp_path),
            "ema",
            keep_files=known["keep_files"],
            keep_days=known["keep_days"],
            keep_total=known["keep_total"],
            now_s=10**9,
            spare=spare,
        )
        return sorted(Path(path).name for path in removed)

    others = [log(1, 999, strategy="ema_b"), log(1, 999, strategy="ema-b"), log(1, 999, strategy="a")]
    first, second, third = log(1, 9), log(1, 8, part=".2"), log(2, 7)
    log(9, 0)
    assert prune() == []
    assert prune(keep_days=8) == [first]
    assert prune(keep_files=2) == [second]
    assert prune(keep_total=15) == [third]
    assert prune(keep_files=0, keep_days=0, keep_total=0) == []
    assert all((tmp_path / name).exists() for name in others)


@pytest.mark.parametrize(
    "name",
    [
        "ema_20261123_091500_IST.log",
        "ema_20261123_091500_IST-2.log",
        "ema_20261123_091500_IST.3.log",
        "ema_20261123_091500_IST-2.3.log",
        "a_b-c_20261123_091500_UTC+0530.log",
    ],
)
def test_a_name_survives_being_taken_apart(name: str) -> None:
    parsed = lognames.parse(name)
    assert parsed is not None
    assert str(parsed) == name


@pytest.mark.parametrize("name", ["ema.log", "ema_2026_09_IST.log", "ema_20261123_091500_IST.log.gz", "x"])
def test_other_files_are_no_logs_of_ours(name: str) -> None:
    assert lognames.parse(name) is None


def test_zones_without_a_name_are_written_by_their_offset() -> None:
    assert [lognames.zone_name(name) for name in ("IST", "+04", "-0330")] == ["IST", "UTC+04", "UTC-0330"]
