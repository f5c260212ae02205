"""EMA crossover: long while the fast average is above the slow one, short while it is below.

Replays the same session over and over, so it has something to do at any hour. SIGTERM squares off
and ends it.

    python strategies/ema_crossover.py --symbol SBIN --fast 5 --slow 13 --speed 10
"""

from __future__ import annotations

import argparse
import os

from paper_broker import PaperBroker, TradeFile
from price_feed import Bar, StopSignal, feed_options, read_bars, replay, sessions


class Ema:
    """An exponential moving average, value by value; `value` is None before the first."""

    def __init__(self, length: int) -> None:
        self.value: float | None = None
        self._weight = 2 / (length + 1)

    def add(self, price: float) -> float:
        """The average with this price in it."""
        before = price if self.value is None else self.value
        self.value = before + self._weight * (price - before)
        return self.value


class Crossover:
    """Tells when the fast average crosses the slow one."""

    def __init__(self, fast: int, slow: int) -> None:
        self._fast, self._slow = Ema(fast), Ema(slow)
        self._above: bool | None = None
        self._to_warm_up = slow

    def add(self, price: float) -> str | None:
        """`above` or `below` where this price made it cross, else None; also None while it warms up."""
        fast, slow = self._fast.add(price), self._slow.add(price)
        self._to_warm_up -= 1
        if self._to_warm_up >= 0 or fast == slow:
            return None
        was, self._above = self._above, fast > slow
        if was in (None, self._above):
            return None
        return "above" if self._above else "below"


def trade_session(
    bars: list[Bar], options: argparse.Namespace, stop: StopSignal, broker: PaperBroker
) -> None:
    """One session from its first bar to its last, or to a stop; nothing is open afterwards."""
    crossover = Crossover(options.fast, options.slow)
    last = bars[0]
    for bar in replay(bars, options.speed, stop):
        crossed = crossover.add(float(bar.close))
        if crossed:
            side = 1 if crossed == "above" else -1
            why = f"EMA{options.fast} crossed {crossed} EMA{options.slow}"
            broker.move_to(side * options.quantity, bar.close, bar.at, why)
        last = bar
    broker.move_to(0, last.close, last.at, "stop asked" if stop.asked else "session over")


def read_options() -> argparse.Namespace:
    """Arguments first, then the environment, then a default: `args` and `env` of a YAML file both work."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, parents=[feed_options()]
    )
    parser.add_argument("--fast", type=int, default=5, help="bars of the fast average")
    parser.add_argument("--slow", type=int, default=13, help="bars of the slow average")
    parser.add_argument("--quantity", type=int, default=os.environ.get("QUANTITY", "50"))
    options = parser.parse_args()
    if not 0 < options.fast < options.slow:
        parser.error("--fast must be at least 1 and smaller than --slow")
    return options


def main() -> None:
    """Trade sessions until asked to stop."""
    stop = StopSignal()
    options = read_options()
    bars = read_bars(options.prices)
    broker = PaperBroker(options.symbol, trades=TradeFile.from_environment())
    averages = f"{options.fast}/{options.slow}"
    print(f"EMA crossover {averages} on {options.symbol}: {len(bars)} bars, {options.speed:g} a second")
    for number in sessions(once=options.once, stop=stop):
        trade_session(bars, options, stop, broker)
        print(f"session {number}: {broker.fills} fills so far, P&L {broker.realised:+.2f}")
    print(f"ended flat after {broker.fills} fills, closing P&L {broker.realised:+.2f}")


if __name__ == "__main__":
    main()
