"""A market to try strategies on: replays a file of minute bars at an adjustable speed.

Knows files and the passing of time; nothing of orders. A real strategy would read its broker's
feed here instead.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Bar:
    """One minute of trading; `at` is its first moment, in exchange time."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


class StopSignal:
    """Notices SIGTERM, which the host sends when a window ends or somebody presses stop, and Ctrl-C.

    The handler only takes a note, so that a stop never falls into the middle of an order: the
    strategy's own loop looks at `asked` and squares off.
    """

    _LOOK_EVERY_S = 0.2

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGINT, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.asked = True

    def wait(self, seconds: float) -> None:
        """Wait that long, or until a stop is asked for."""
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, self._LOOK_EVERY_S))


def feed_options() -> argparse.ArgumentParser:
    """The arguments of every strategy on this feed: `ArgumentParser(parents=[feed_options()])`."""
    parser = argparse.ArgumentParser(add_help=False)
    prices = Path(__file__).parent / "prices" / "sbin_1min.csv"
    speed = os.environ.get("REPLAY_SPEED", "10")
    parser.add_argument("--symbol", default=os.environ.get("SYMBOL", "SBIN"))
    parser.add_argument("--prices", type=Path, default=prices, help="CSV of minute bars")
    parser.add_argument(
        "--speed", type=positive, default=speed, help="bars a second (else $REPLAY_SPEED, else 10)"
    )
    parser.add_argument("--once", action="store_true", help="end after one session")
    return parser


def positive(text: str) -> float:
    """A number greater than 0, for argparse."""
    number = float(text)
    if number > 0:
        return number
    raise argparse.ArgumentTypeError(f"{text} is not greater than 0")


def read_bars(path: Path) -> list[Bar]:
    """Every bar of a CSV file with the columns time,open,high,low,close,volume; `#` lines are comments."""
    with path.open(encoding="ascii", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return [
            Bar(
                at=datetime.fromisoformat(row["time"]),
                open=Decimal(row["open"]),
                high=Decimal(row["high"]),
                low=Decimal(row["low"]),
                close=Decimal(row["close"]),
                volume=int(row["volume"]),
            )
            for row in rows
        ]


def replay(bars: Sequence[Bar], bars_per_second: float, stop: StopSignal) -> Iterator[Bar]:
    """Each bar in its turn, at that speed; ends early where a stop is asked for."""
    for bar in bars:
        if stop.asked:
            return
        yield bar
        stop.wait(1 / bars_per_second)


def sessions(*, once: bool, stop: StopSignal) -> Iterator[int]:
    """Counts the sessions to trade: one, or without end until a stop is asked for."""
    number = 0
    while not stop.asked and not (once and number):
        number += 1
        yield number
