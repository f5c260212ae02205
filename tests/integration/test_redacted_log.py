"""Secrets on their way from a real FIFO into real files: byte by byte, over parts, past a killed reader."""

from __future__ import annotations

import fcntl
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from stratvisor.shim import lognames
from stratvisor.shim.arrivals import Arrivals
from stratvisor.shim.held import CHUNK
from stratvisor.shim.logfile import Limits, Log
from stratvisor.shim.redaction import Redactor

NAME = "ema_20261123_091500_IST.log"
KEY = b"hK7bQ2vT9xLmZr4WcN8pYd3F"
WIDE = Limits(max_size=10**9, keep_files=1000, keep_days=1000, keep_total=10**12, timestamps=False)
REDACTOR = Redactor({"KEY": KEY.decode()})


class Stream:
    """A strategy's end of a FIFO, and the log at the other one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.mkfifo(folder / "out")
        self.writer = os.open(folder / "out", os.O_RDWR)
        self.reader = os.open(folder / "out", os.O_RDONLY | os.O_NONBLOCK)
        (folder / NAME).touch()
        self.log = self.open()

    def open(self, limits: Limits = WIDE, *, resumed: bool = False) -> Log:
        self.log = Log(str(self.folder / NAME), limits, "run 1 of ema", resumed=resumed, redactor=REDACTOR)
        return self.log

    def say(self, *texts: bytes) -> None:
        """One write each, and a look of the reader after each."""
        for text in texts:
            assert os.write(self.writer, text) == len(text)
            self.log.pump(self.reader)

    def text(self) -> bytes:
        return b"".join(Path(path).read_bytes() for path in lognames.of(self.folder, "ema"))

    def close(self) -> None:
        os.close(self.writer)
        os.close(self.reader)


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    monkeypatch.chdir(tmp_path)  # the record stands in the working directory, as in a run directory
    made = Stream(tmp_path)
    yield made
    made.close()


def test_byte_by_byte_is_as_good_as_at_once(stream: Stream) -> None:
    stream.say(*(bytes([byte]) for byte in b"key " + KEY + b" end\n"))
    assert stream.text() == b"key [redacted KEY] end\n"


@pytest.mark.parametrize("place", [0, 1, 7, 8, len(KEY) - 1])
def test_the_ends_of_a_readers_chunk_hide_nothing(stream: Stream, place: int) -> None:
    stream.log.pump(stream.reader)
    for size in (4096, CHUNK):
        stream.say(b"." * (size - place - 1) + b" ", KEY + b"\n")
    assert stream.text().count(b"[redacted KEY]") == 2
    assert KEY[:8] not in stream.text()


def test_a_prompt_is_there_at_once_and_the_beginning_of_a_secret_once_it_is_none(stream: Stream) -> None:
    stream.say(b"password: ")
    assert stream.text() == b"password: "
    stream.say(KEY[:5])
    assert stream.text() == b"password: "
    stream.say(b"!")
    assert stream.text() == b"password: " + KEY[:5] + b"!"


def test_the_end_of_a_run_decides(stream: Stream) -> None:
    stream.say(b"half " + KEY[:5])
    stream.log.finish(stream.reader)
    assert stream.text() == b"half " + KEY[:5]
    stream.say(b"\n", KEY[:12])
    stream.log.finish(stream.reader)
    assert stream.text() == b"half " + KEY[:5] + b"\n[redacted KEY]"


def test_what_waits_wakes_nobody_until_more_comes(stream: Stream) -> None:
    arrivals = Arrivals(stream.reader)
    poll = select.poll()
    poll.register(arrivals.fd, select.POLLIN)

    def look() -> bool:
        if not poll.poll(0):
            return False
        arrivals.take(lambda: stream.log.pump(stream.reader))
        return True

    os.write(stream.writer, KEY[:3])
    assert look()
    assert not look()
    os.write(stream.writer, b" key " + KEY[:3])
    assert look()
    assert look()  # once more, since something moved
    assert not look()
    os.write(stream.writer, KEY[3:4])
    assert look()
    assert not look()
    os.write(stream.writer, KEY[4:] + b"\n")
    assert look()
    assert stream.text() == KEY[:3] + b" key [redacted KEY]\n"


def test_what_is_left_over_by_one_look_is_looked_at_again(stream: Stream) -> None:
    arrivals = Arrivals(stream.reader)
    poll = select.poll()
    poll.register(arrivals.fd, select.POLLIN)
    stream.open(WIDE._replace(max_size=1_000))
    os.write(stream.writer, b"line\n" * 10_000)
    while poll.poll(0):
        arrivals.take(lambda: stream.log.pump(stream.reader, budget=1))  # a piece of 1,000 bytes at most
    assert stream.text().count(b"line\n") == 10_000


def test_parts_end_beside_a_secret_and_never_in_it(stream: Stream) -> None:
    stream.open(WIDE._replace(max_size=100))
    for _ in range(100):
        stream.say(b"a line with " + KEY + b" in it\n")
    stream.say(*[b"\r" + KEY] * 5_000)
    parts = [Path(path).read_bytes() for path in lognames.of(stream.folder, "ema")]
    assert len(parts) > 20
    assert all(KEY[:8] not in part for part in parts)
    assert stream.text().count(b"[redacted KEY]") == 5_100


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the program's own runs after it."""


@pytest.mark.parametrize("at", ["fill", "moving", "_append", "_take"])
def test_a_reader_killed_in_the_middle_of_a_secret_lets_none_of_it_through(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def die(*_arguments: object) -> None:
        raise Killed

    stream.say(b"one ", KEY[:10])
    monkeypatch.setattr(stream.log if at == "_append" else stream.log._held, at, die)
    with pytest.raises(Killed):
        stream.say(KEY[10:] + b" two " + KEY[:4])
    monkeypatch.undo()
    monkeypatch.chdir(stream.folder)
    stream.open(resumed=True).recover(stream.reader)
    stream.say(KEY[4:], b"\n")
    assert stream.text() == b"one [redacted KEY] two [redacted KEY]\n"


def test_a_secret_in_more_pieces_than_the_second_pipe_has_room_for(stream: Stream) -> None:
    """Where a user has too many pipes, the kernel makes the next ones small."""
    fcntl.fcntl(stream.log._held._pipe, fcntl.F_SETPIPE_SZ, 4096)
    stream.say(b"." * 4085 + b" " + KEY[:10], KEY[10:] + b"\n")
    assert stream.text() == b"." * 4085 + b" [redacted KEY]\n"


def test_times_stand_before_redacted_lines(stream: Stream) -> None:
    stream.open(WIDE._replace(timestamps=True))
    stream.say(b"a " + KEY[:9], KEY[9:] + b" b\n")
    stamp, _, line = stream.text().partition(b" a ")
    assert len(stamp) == len("2026-11-23 09:15:00.000")
    assert line == b"[redacted KEY] b\n"


def test_our_own_lines_and_texts_are_redacted_too(stream: Stream) -> None:
    stream.log.note(f"begins with {KEY.decode()}")
    assert stream.text() == b"[stratvisor] begins with [redacted KEY]\n"
    assert stream.log.redacted(f"cannot execute {KEY.decode()}") == "cannot execute [redacted KEY]"


def test_what_is_withheld_is_counted_and_never_written(stream: Stream) -> None:
    stream.log.withhold("nobody knows its secrets")
    stream.say(b"a secret\n", b"another\n")
    stream.log.finish(stream.reader)
    stream.log.close()
    assert stream.text().splitlines() == [
        b"[stratvisor] its output is withheld from here on: nobody knows its secrets",
        b"[stratvisor] 17 bytes lost here: nobody knows its secrets",
    ]
    assert stream.log.dropped == 17
