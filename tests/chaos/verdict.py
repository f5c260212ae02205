"""Whether a chaos run left everything right: logs to the line, ends to the code, and nothing else behind.

Knows what the strategies noted of themselves (`ledger`) and what was done to them (`deeds`); asks the
host only what it says of the runs.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ledger
from cast import CAST
from stage import Run, Stage

from stratvisor.shim import lognames, rundir

STAMP = re.compile(rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ")
NOTE = b"[stratvisor] "
LOST = b"what it printed last may be lost"
OURS = re.compile(rb"^\[stratvisor\] .*\n|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ", re.MULTILINE)
TITLE = re.compile(rb"\[stratvisor\] run (\d+) of ")


@dataclass
class Figures:
    """What was counted."""

    runs: int = 0
    written: int = 0
    found: int = 0
    lost: int = 0
    """Lines lost, and said so, of runs without daemon, shim and strategy at one time."""
    unknown: int = 0
    """Ends that nobody saw, for the same reason."""
    wrong: list[str] = field(default_factory=list)


def judge(stage: Stage, may_lose: set[Run], hits: Mapping[Run, set[int]]) -> Figures:
    """All runs of all strategies; what is wrong stands in the figures."""
    figures = Figures()
    for role in CAST:
        logs = dict(_logs(stage.home, role.name))
        ends = {one["run"]: one for one in stage.get(f"runs/{role.name}?n=1000")["runs"]}
        runs = {Run(role.name, number) for number in _known(stage.home, role.name)}
        for run in sorted(runs):
            figures.runs += 1
            facts = ledger.read(ledger.path_of(stage.home, *run))
            _judge_log(run, facts, logs.get(run.number, b""), figures, excused=run in may_lose)
            if run.number in ends:
                _judge_end(run, facts, ends[run.number], figures, (run in may_lose, hits.get(run, set())))
            elif len(ends) < 1000:
                figures.wrong.append(f"{run}: the history does not know it")
    return figures


def _known(home: Path, strategy: str) -> Iterator[int]:
    for path in (home / "data" / strategy).glob("*.ledger"):
        yield int(path.stem)


def _logs(home: Path, strategy: str) -> Iterator[tuple[int, bytes]]:
    """The bytes of each run's log, all parts; by the number that its first line tells."""
    parts: dict[str, bytes] = {}
    for path in lognames.of(home / "log" / "strategies", strategy):
        name = lognames.parse(Path(path).name)
        if name is not None:
            parts[name.run] = parts.get(name.run, b"") + Path(path).read_bytes()
    for text in parts.values():
        title = TITLE.search(text)
        if title:
            yield int(title[1]), text


def printed(text: bytes) -> tuple[list[int], list[bytes]]:
    """The numbers of the lines that a strategy printed, and what is none of them.

    A note of the host's begins a line of its own, also in the middle of a strategy's: that goes on after it.
    """
    numbers: list[int] = []
    odd: list[bytes] = []
    half = b""
    for line in text.split(b"\n"):
        if line.startswith(NOTE):
            continue
        whole = half + STAMP.sub(b"", line)
        match = ledger.LINE.fullmatch(whole)
        half = b"" if match else whole
        if match:
            numbers.append(int(match[2]))
        elif len(whole) > 200:
            odd.append(whole[:300])
            half = b""
    return numbers, [*odd, *([half] if half else [])]


def _judge_log(run: Run, facts: ledger.Facts | None, text: bytes, figures: Figures, *, excused: bool) -> None:
    written, begun = (facts.written, facts.begun) if facts else (0, 0)
    if OURS.sub(b"", text) == b"".join(ledger.line(run.number, number) for number in range(written)):
        figures.written += written  # the short way to what follows
        figures.found += written
        return
    numbers, odd = printed(text)
    figures.written += written
    figures.found += len(numbers)
    whole = numbers == list(range(len(numbers))) and not odd
    if whole and len(numbers) in {written, begun}:
        return
    if whole and excused and len(numbers) < written and LOST in text:
        figures.lost += written - len(numbers)
        return
    figures.wrong.append(f"{run}: wrote {written} to {begun} lines, {_described(numbers)}, and {odd[:3]}")


def _described(numbers: list[int]) -> str:
    """Where what was found is not what was written."""
    twice = [number for number, count in Counter(numbers).items() if count > 1]
    missing = sorted(set(range(max(numbers, default=0))) - set(numbers))
    return f"found {len(numbers)}, twice {twice[:5]} ({len(twice)}), missing {missing[:5]} ({len(missing)})"


def _judge_end(
    run: Run,
    facts: ledger.Facts | None,
    end: Mapping[str, Any],
    figures: Figures,
    done_to_it: tuple[bool, set[int]],
) -> None:
    excused, hits = done_to_it
    if end["unknown"]:
        figures.unknown += 1
        if not (excused and end["cause"]):
            figures.wrong.append(f"{run}: its end is unknown: {end['cause']}")
        return
    said = ("code", end["code"]) if end["code"] is not None else ("signal", end["signal"])
    if said not in set(_possible_ends(run, facts, end, hits)):
        figures.wrong.append(f"{run}: ended by {said}, but {facts}, hit by {hits}; {dict(end)}")


def _possible_ends(
    run: Run, facts: ledger.Facts | None, end: Mapping[str, Any], hits: set[int]
) -> Iterator[tuple[str, object]]:
    if facts and facts.leaving is not None:
        yield "code", facts.leaving
    if run.strategy == "away_two":
        yield "code", 0  # the main process leaves while another counts
    for number in hits | ({signal.SIGTERM, signal.SIGKILL} if end["stopped"] else set()):
        yield "signal", signal.Signals(number).name


# What is left.


def litter(stage: Stage) -> Iterator[str]:
    """What should not be there once daemon and strategies have ended."""
    yield from (f"{run} lives: {people}" for run, people in stage.living().items())
    folder = os.fspath(stage.home / "run")
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with suppress(OSError):
                links = [f"/proc/{name}/fd/{one}" for one in os.listdir(f"/proc/{name}/fd")]
                for link in (f"/proc/{name}/cwd", *links):
                    with suppress(OSError):
                        if os.readlink(link).startswith(folder):
                            yield f"pid {name} holds {os.readlink(link)}"
    for role in CAST:
        yield from _litter_of(stage, role.name)


def _litter_of(stage: Stage, strategy: str) -> Iterator[str]:
    folder = stage.home / "run" / strategy
    runs = stage.runs_of(strategy)
    if len(runs) > 1:
        yield f"more than one run directory: {runs}"
    yield from (f"not finished: {run}" for run in runs if not stage.is_finished(run))
    yield from (f"half removed: {path}" for path in folder.glob("*.gone"))
    for name in (rundir.LOCK, rundir.LOCK_STRATEGY):
        with suppress(FileNotFoundError), (folder / name).open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield f"{folder / name} is held"


def descriptors(pid: int) -> int:
    """How many a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
