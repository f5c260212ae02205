"""Reading log files: the end of them, lines that hold a text, and what is added meanwhile.

Knows files and bytes, nothing of who asks or of what else a strategy does. Everything here may block
on a disk, so the loop calls it in a thread. The paths it gets are one strategy's logs in the order of
their runs and parts (`lognames.of`); a file that retention removes meanwhile is passed over.

Rule: memory is bounded, whatever a strategy printed. A line longer than `CHUNK` comes in pieces, and
`tail` looks at no more than `TAIL_BYTES` of the end.
"""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from stratvisor.shim import lognames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CHUNK = 65_536
"""Bytes read at a time, and the most of a line that is shown in one piece."""

TAIL_BYTES = 4_000_000
"""How far back `tail` looks, however many lines it was asked for."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: window titles, links
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"  # all shorter ones
)
_UNSEEN = (*range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_PICTURES = (
    {code: 0x2400 + code for code in range(0x20) if code != 0x09}
    | {0x7F: 0x2421}
    | dict.fromkeys(_UNSEEN, 0xFFFD)
)
"""Controls, line separators and bidirectional overrides, which could make a page show what is not there."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a strategy's logs: the first byte that was not given out yet."""

    file: str
    """A log's name, without its folder."""
    offset: int

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What `str` made; None: it is no position."""
        file, _, offset = text.rpartition(":")
        if lognames.parse(file) is None or not re.fullmatch(r"[0-9]{1,18}", offset):
            return None
        return cls(file, int(offset))


class Tail(NamedTuple):
    """The end of a log."""

    lines: list[str]
    partial: str
    """What stands after the last newline; it may still grow."""
    position: Position | None
    """Where `partial` begins; None: there is no log."""


class Match(NamedTuple):
    """A line that holds what was looked for."""

    log: str
    line: int
    """From 1, in its file."""
    text: str


def shown(line: bytes) -> str:
    """One line as people see it: invalid UTF-8 replaced, terminal escapes taken out, controls visible.

    A line that a carriage return overwrites (a progress bar) shows its last state, as a terminal would.
    """
    text = _ESCAPES.sub("", line.decode("utf-8", "replace")).rstrip("\r")
    return text[text.rfind("\r") + 1 :].translate(_PICTURES)


def of_run(paths: Sequence[Path], run: str) -> list[Path]:
    """The parts of the run of this name (`LogName.run`), in order."""
    return [path for path in paths if (name := lognames.parse(path.name)) and name.run == run]


def tail(paths: Sequence[Path], lines: int) -> Tail:
    """The last `lines` lines, across parts and runs."""
    position = _back(paths, lines)
    if position is None:
        return Tail([], "", None)
    found: deque[str] = deque(maxlen=lines)
    # As many steps as the bytes looked back at can take: a flood must not keep its reader for ever.
    for _ in range(2 * (TAIL_BYTES // CHUNK) + len(paths) + 1):
        more, after = forward(paths, position)
        found.extend(more)
        if after == position:
            break
        position = after
    return Tail(list(found), partial(paths, position), position)


def forward(paths: Sequence[Path], position: Position) -> tuple[list[str], Position]:
    """The lines that follow `position` in its file, and the position after them.

    At most `CHUNK` bytes of one file. An unfinished last line waits for its newline, unless a later
    file stands: then nothing is added to this one any more, and the position moves on to that.
    Where nothing follows, the position comes back as it went in.
    """
    # The list of files is older than the bytes read below: where it holds a later one, this one is complete.
    path, after = _place(paths, position)
    data = _read(path, position.offset, CHUNK) if path is not None else b""
    end = data.rfind(b"\n") + 1
    if end:
        lines = [shown(line) for line in data[: end - 1].split(b"\n")]
        return lines, Position(position.file, position.offset + end)
    if len(data) == CHUNK:
        return [shown(data)], Position(position.file, position.offset + CHUNK)
    if after is None:
        return [], position
    return [shown(data)] if data else [], Position(after.name, 0)


def partial(paths: Sequence[Path], position: Position) -> str:
    """What stands at `position` of a line that may still grow."""
    path, _ = _place(paths, position)
    return shown(_read(path, position.offset, CHUNK)) if path is not None else ""


def grep(paths: Sequence[Path], text: str, most: int) -> list[Match]:
    """The last `most` lines that hold `text`, compared as it stands (no pattern, upper is not lower case)."""
    matches: deque[Match] = deque(maxlen=most)
    for path in paths:
        file = _open(path)
        if file is not None:
            with file:
                matches.extend(_matches(path.name, file, text.encode("utf-8", "replace")))
    return list(matches)


def content(path: Path) -> Iterator[bytes]:
    """A file's bytes as they are, a chunk at a time; those of a file that is gone: none."""
    file = _open(path)
    if file is None:
        return
    with file:
        while data := file.read(CHUNK):
            yield data


def _back(paths: Sequence[Path], lines: int) -> Position | None:
    """Where the last `lines` whole lines begin, or as far back as `TAIL_BYTES` allows."""
    missing, budget = lines, TAIL_BYTES
    position = None
    for path in reversed(paths):
        file = _open(path)
        if file is None:
            continue
        with file:
            offset, missing, budget = _back_in(file, missing, budget)
        position = Position(path.name, offset)
        if missing < 0 or budget <= 0:
            break
    return position


def _back_in(file: BinaryIO, missing: int, budget: int) -> tuple[int, int, int]:
    """One file's share of `_back`: the offset, and what is left of `missing` (-1: found) and of `budget`."""
    offset = file.seek(0, os.SEEK_END)
    while offset > 0 and budget > 0:
        size = min(CHUNK, offset, budget)
        offset -= size
        budget -= size
        file.seek(offset)
        data = file.read(size)
        # The newline that ends the last wanted line's predecessor is one more than the lines wanted.
        place = len(data)
        while (place := data.rfind(b"\n", 0, place)) >= 0:
            if missing == 0:
                return offset + place + 1, -1, budget
            missing -= 1
    return offset, missing, budget


def _place(paths: Sequence[Path], position: Position) -> tuple[Path | None, Path | None]:
    """The file of a position, unless it is gone, and the one after it, if any."""
    here = _order(position.file)
    current = next((path for path in paths if path.name == position.file), None)
    later = next((path for path in paths if _order(path.name) > here), None)
    return current, later


def _order(name: str) -> tuple[str, str, int, int]:
    parsed = lognames.parse(name)
    return ("", "", 0, 0) if parsed is None else (parsed.stamp, parsed.zone, parsed.ordinal, parsed.part)


def _matches(name: str, file: BinaryIO, needle: bytes) -> Iterator[Match]:
    passed = 0
    for block in _blocks(file, len(needle)):
        place = block.find(needle)
        while place >= 0:
            start = max(block.rfind(b"\n", 0, place) + 1, place - CHUNK // 2)
            stop = block.find(b"\n", place)
            stop = len(block) if stop < 0 else stop
            line = passed + block.count(b"\n", 0, place) + 1
            yield Match(name, line, shown(block[start : min(stop, start + CHUNK)]))
            place = block.find(needle, stop)
        passed += block.count(b"\n")


def _blocks(file: BinaryIO, overlap: int) -> Iterator[bytes]:
    """The file in pieces of whole lines; those of a longer line share `overlap` - 1 bytes with each other."""
    rest = b""
    while data := file.read(CHUNK):
        data = rest + data
        end = data.rfind(b"\n") + 1
        if end:
            yield data[:end]
            rest = data[end:]
        elif len(data) >= CHUNK:
            yield data
            rest = data[len(data) - overlap + 1 :]
        else:
            rest = data
    if rest:
        yield rest


def _read(path: Path, offset: int, size: int) -> bytes:
    file = _open(path)
    if file is None:
        return b""
    with file:
        file.seek(offset)
        return file.read(size)


def _open(path: Path) -> BinaryIO | None:
    """The file, if it is one: a link or a pipe that a strategy put there under a log's name is not opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb", buffering=0)
