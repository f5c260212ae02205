"""What the daemons are given to host.

Shell and C, not Python: a hundred interpreters take two seconds of CPU to start, and would measure
themselves instead of the daemon. Only what prints while its daemon dies is Python, because how a
Python program takes a broken pipe is the point there.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SLEEPER = """\
echo "$2 $$ $VALUE" >"$1"
exec {sleep} 1000000
"""

_FLOODER = """\
echo "$2 $$ ready" >"$1"
while read -r size <"$4"; do
  {dd} if="$3" bs="$size" status=none
  echo "$2 $$ wrote" >"$1"
done
"""

_PRINTER = """\
import os, sys, time

post, name, ledger = sys.argv[1:]
with open(post, "w") as file:
    file.write(f"{name} {os.getpid()} ready\\n")
with open(ledger, "a") as book:
    for number in range(1_000_000):
        line = f"{name} {os.getpid()} {number}"
        print(line, flush=True)
        print(line, file=book, flush=True)
        time.sleep(0.02)
"""


@dataclass(frozen=True, slots=True)
class Program:
    """One hosted program."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=lambda: {"VALUE": "0"})


class Scripts:
    """The scripts, in a folder of their own, and the programs made of them."""

    def __init__(self, folder: Path) -> None:
        self._sleeper = folder / "sleeper.sh"
        self._flooder = folder / "flooder.sh"
        self._printer = folder / "printer.py"
        self._sleeper.write_text(_SLEEPER.format(sleep=_tool("sleep")), "ascii")
        self._flooder.write_text(_FLOODER.format(dd=_tool("dd")), "ascii")
        self._printer.write_text(_PRINTER, "ascii")

    def sleeper(self, post: Path, name: str, value: str = "0") -> Program:
        """Says once that it is there, with $VALUE, and sleeps."""
        return Program(name, (_tool("sh"), str(self._sleeper), str(post), name), {"VALUE": value})

    def flooder(self, post: Path, name: str, source: Path, orders: Path) -> Program:
        """Copies `source` to its output in writes of the size that it reads from the FIFO `orders`."""
        argv = (_tool("sh"), str(self._flooder), str(post), name, str(source), str(orders))
        return Program(name, argv)

    def printer(self, post: Path, name: str, ledger: Path) -> Program:
        """Prints numbered lines, and notes each in `ledger` once it is printed."""
        return Program(name, (sys.executable, str(self._printer), str(post), name, str(ledger)))


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"cannot run the benchmark: there is no {name} on this machine")
    return path
