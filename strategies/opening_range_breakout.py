"""Opening-range breakout: trades out of the range of the session's first minutes.

Long when a bar closes above the range, short when one closes below it, once each a session; out at
the range's other side, at the target, or at the square-off time.

    python strategies/opening_range_breakout.py --symbol SBIN --minutes 15 --speed 10
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from datetime import time
from decimal import Decimal

from paper_broker import PaperBroker, TradeFile
from price_feed import Bar, StopSignal, feed_options, read_bars, replay, sessions

SQUARE_OFF = time(15, 15)


@dataclass(frozen=True)
class Range:
    """Where prices were in the first minutes."""

    high: Decimal
    low: Decimal

    @classmethod
    def of(cls, bars: list[Bar]) -> Range:
        """The range of these bars."""
        return cls(high=max(bar.high for bar in bars), low=min(bar.low for bar in bars))

    @property
    def height(self) -> Decimal:
        """From low to high."""
        return self.high - self.low


class Breakout:
    """The rules of one session, bar by bar."""

    def __init__(self, broker: PaperBroker, quantity: int, minutes: int) -> None:
        self._broker = broker
        self._quantity = quantity
        self._minutes = minutes
        self._first: list[Bar] = []
        self._range: Range | None = None
        self._sides_left = {1, -1}

    def add(self, bar: Bar) -> None:
        """Look at one bar and trade where the rules say so."""
        if self._range is None:
            self._first.append(bar)
            if len(self._first) == self._minutes:
                self._range = Range.of(self._first)
                print(f"{bar.at:%H:%M} opening range {self._range.low:.2f} to {self._range.high:.2f}")
        elif bar.at.time() >= SQUARE_OFF:
            self._broker.move_to(0, bar.close, bar.at, "square-off time")
        elif self._broker.position:
            self._leave(bar, self._range)
        else:
            self._enter(bar, self._range)

    def _enter(self, bar: Bar, opening: Range) -> None:
        side = 1 if bar.close > opening.high else -1 if bar.close < opening.low else 0
        if side in self._sides_left:
            self._sides_left.remove(side)
            why = "broke above the range" if side > 0 else "broke below the range"
            self._broker.move_to(side * self._quantity, bar.close, bar.at, why)

    def _leave(self, bar: Bar, opening: Range) -> None:
        side = 1 if self._broker.position > 0 else -1
        edge, other_edge = (opening.high, opening.low) if side > 0 else (opening.low, opening.high)
        if (bar.close - other_edge) * side <= 0:
            self._broker.move_to(0, bar.close, bar.at, "stop loss")
        elif (bar.close - edge) * side >= opening.height:
            self._broker.move_to(0, bar.close, bar.at, "target reached")


def trade_session(
    bars: list[Bar], options: argparse.Namespace, stop: StopSignal, broker: PaperBroker
) -> None:
    """One session from its first bar to its last, or to a stop; nothing is open afterwards."""
    breakout = Breakout(broker, options.quantity, options.minutes)
    last = bars[0]
    for bar in replay(bars, options.speed, stop):
        breakout.add(bar)
        last = bar
    broker.move_to(0, last.close, last.at, "stop asked" if stop.asked else "session over")


def read_options() -> argparse.Namespace:
    """Arguments first, then the environment, then a default: `args` and `env` of a YAML file both work."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, parents=[feed_options()]
    )
    parser.add_argument("--minutes", type=int, default=15, help="how long the opening range is measured")
    parser.add_argument("--quantity", type=int, default=os.environ.get("QUANTITY", "50"))
    options = parser.parse_args()
    if options.minutes < 1:
        parser.error("--minutes must be at least 1")
    return options


def main() -> None:
    """Trade sessions until asked to stop."""
    stop = StopSignal()
    options = read_options()
    bars = read_bars(options.prices)
    broker = PaperBroker(options.symbol, trades=TradeFile.from_environment())
    print(f"opening range of {options.minutes} minutes on {options.symbol}, {options.speed:g} bars a second")
    for number in sessions(once=options.once, stop=stop):
        trade_session(bars, options, stop, broker)
        print(f"session {number}: {broker.fills} fills so far, P&L {broker.realised:+.2f}")
    print(f"ended flat after {broker.fills} fills, closing P&L {broker.realised:+.2f}")


if __name__ == "__main__":
    main()
