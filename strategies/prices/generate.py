"""Writes sbin_1min.csv: one SYNTHETIC trading session, 09:15 to 15:30, one bar a minute.

No price in it was ever traded. It is a random walk with a slowly turning drift, so that a
trend-following strategy has something to follow; the seed makes it the same file every time.

    python strategies/prices/generate.py [FILE]
"""

from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 9770
OPEN = datetime(2026, 1, 5, 9, 15)  # noqa: DTZ001  exchange time, as price files have it
BARS = 375
FIRST_TICKS = 16_200
"""810.00 in ticks of 0.05; whole ticks keep every price exact."""


def lines() -> Iterator[str]:
    """The file, line by line."""
    yield f"# SYNTHETIC prices made by generate.py with seed {SEED}; no real trade is in this file"
    yield "time,open,high,low,close,volume"
    # random() alone is promised to give the same numbers in every Python; gauss() and its kin are not.
    draw = random.Random(SEED).random  # noqa: S311  prices, not keys
    price, drift = FIRST_TICKS, 0.0
    for minute in range(BARS):
        drift = 0.95 * drift + 0.5 * (draw() + draw() - 1)
        path = [price]
        for _ in range(4):
            path.append(path[-1] + round(drift + 9 * (draw() + draw() - 1)))
        bar = (path[0], max(path), min(path), path[-1])
        prices = ",".join(f"{ticks * 5 // 100}.{ticks * 5 % 100:02}" for ticks in bar)
        yield f"{OPEN + timedelta(minutes=minute):%Y-%m-%d %H:%M},{prices},{5_000 + int(draw() * 20_000)}"
        price = path[-1]


def main() -> None:
    """Write the file that the argument names, else the one beside this script."""
    beside = Path(__file__).with_name("sbin_1min.csv")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    path.write_text("".join(f"{line}\n" for line in lines()), encoding="ascii")


if __name__ == "__main__":
    main()
