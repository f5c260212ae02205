"""Kills the readers of a strategy's output without end, and looks whether its log is whole all the same.

    killed_readers.py FOLDER same|numbered stamped|plain KILLS SEED

One process writes into the FIFO, and keeps both open as a strategy does; readers take turns, each killed
at a random instant of its work. Prints figures; exit code 1: the log is not what was written.
"""

from __future__ import annotations

import os
import random
import re
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "src"))

from stratvisor.shim import lognames, rundir
from stratvisor.shim.logfile import Limits, Log

NAME = "ema_20261123_091500_IST.log"
LINES: dict[str, Callable[[int], bytes]] = {
    "same": lambda _number: b"tick\n",
    "numbered": lambda number: b"line %d\n" % number,
}
STAMP = re.compile(rb"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ")
OWN = re.compile(rb"(?m)^\[stratvisor\] .*\n")


def write(kind: str, seed: int, told: int) -> None:
    """Lines in pieces of any size, until `stop` stands; says how many there were."""
    out = os.open(rundir.OUT, os.O_RDWR)
    os.open(rundir.HELD, os.O_RDWR)
    chance = random.Random(seed)
    count = 0
    os.write(told, b"up\n")
    while not os.path.exists("stop"):
        many = chance.choice((1, 1, 1, 2, 50, 800))
        text = b"".join(LINES[kind](number) for number in range(count, count + many))
        while text:
            text = text[os.write(out, text[: chance.choice((7, 4096, 65_536))]) :]
        count += many
    os.write(told, b"%d\n" % count)
    while not os.path.exists("end"):
        time.sleep(0.01)


def read(limits: Limits) -> None:
    """A shim, as far as its log goes."""
    out = os.open(rundir.OUT, os.O_RDONLY | os.O_NONBLOCK)
    log = Log(os.path.abspath(NAME), limits, "run 1 of ema", resumed=True)
    log.recover(out)
    log.note("replaced")
    poll = select.poll()
    poll.register(out, select.POLLIN)
    while True:
        while log.pump(out):
            pass
        if os.path.exists("stop") and not poll.poll(50) and not log._held.count:
            return
        poll.poll(50)


def fork(work: object, *arguments: object) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException:  # noqa: BLE001  the outermost edge of a process
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return pid


def kill_readers(limits: Limits, kills: int, chance: random.Random) -> None:
    for _ in range(kills):
        reader = fork(read, limits)
        until = time.monotonic_ns() + chance.randrange(6_000_000)
        while time.monotonic_ns() < until:
            pass
        os.kill(reader, signal.SIGKILL)
        _pid, status = os.waitpid(reader, 0)
        assert os.WIFSIGNALED(status), "a reader failed by itself"


def main(folder: str, kind: str, stamps: str, kills: str, seed: str) -> int:
    os.chdir(folder)
    for name in (rundir.OUT, rundir.HELD):
        os.mkfifo(name)
    Path(NAME).touch()
    limits = Limits(200_000, 10**6, 1000, 10**12, timestamps=stamps == "stamped")
    heard, told = os.pipe()
    writer = fork(write, kind, int(seed), told)
    os.read(heard, 16)
    kill_readers(limits, int(kills), random.Random(int(seed)))
    Path("stop").touch()
    reader = fork(read, limits)
    count = int(os.read(heard, 32))
    assert os.waitpid(reader, 0)[1] == 0, "the last reader failed"
    Path("end").touch()
    os.waitpid(writer, 0)
    parts = [Path(path).read_bytes() for path in lognames.of(".", "ema")]
    found = STAMP.sub(b"", OWN.sub(b"", b"".join(parts)))
    whole = found == b"".join(LINES[kind](number) for number in range(count))
    print(
        f"{kills} readers killed, {count} lines, {len(parts)} parts: {'each once' if whole else 'NOT WHOLE'}"
    )
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
