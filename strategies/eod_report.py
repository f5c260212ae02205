"""End-of-day report: what today's strategies bought, sold and earned; ends by itself.

Every strategy may write to its own folder $STRATEGY_DATA; those folders lie side by side, so this one
reads ../*/trades.csv from its own.

    STRATEGY_DATA=data/eod_report python strategies/eod_report.py
"""

from __future__ import annotations

import csv
import os
import sys
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, DecimalException
from pathlib import Path


@dataclass
class Line:
    """The sums of one strategy in one symbol."""

    strategy: str
    symbol: str
    fills: int = 0
    bought: int = 0
    sold: int = 0
    realised: Decimal = Decimal(0)

    def add(self, side: str, quantity: int, realised: Decimal) -> None:
        """Count one fill."""
        self.fills += 1
        self.realised += realised
        if side == "BUY":
            self.bought += quantity
        else:
            self.sold += quantity

    def __str__(self) -> str:
        left = self.bought - self.sold
        return (
            f"{self.strategy:<24} {self.symbol:<10} {self.fills:>5} {self.bought:>8} {self.sold:>8} "
            f"{left or 'flat':>8} {self.realised:>+12.2f}"
        )


def summarise(file: Path, day: date) -> list[Line]:
    """One strategy's day, a line a symbol. Rows cut short by a crash are told and left out."""
    lines: dict[str, Line] = {}
    unreadable = 0
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            try:
                if datetime.fromisoformat(row["placed_at"]).date() == day:
                    line = lines.setdefault(row["symbol"], Line(file.parent.name, row["symbol"]))
                    line.add(row["side"], int(row["quantity"]), Decimal(row["realised"]))
            except (KeyError, TypeError, ValueError, DecimalException):
                unreadable += 1
    if unreadable:
        print(f"{file}: {unreadable} rows cannot be read and are left out")
    return list(lines.values())


def report(folder: Path, day: date) -> None:
    """Print the day's report of all strategies whose folders lie in `folder`."""
    lines = [line for file in sorted(folder.glob("*/trades.csv")) for line in summarise(file, day)]
    if not lines:
        print(f"end of day {day:%a %d %b %Y}: no trades in {folder}")
        return
    print(f"end of day {day:%a %d %b %Y}")
    print(
        f"{'strategy':<24} {'symbol':<10} {'fills':>5} {'bought':>8} {'sold':>8} {'open':>8} {'realised':>12}"
    )
    for line in lines:
        print(line)
    fills, realised = sum(line.fills for line in lines), sum(line.realised for line in lines)
    print(f"{'total':<35} {fills:>5} {realised:>+39.2f}")


def main() -> None:
    """Report on today."""
    own = os.environ.get("STRATEGY_DATA")
    if not own:
        sys.exit(
            "cannot find the trades: $STRATEGY_DATA is not set; "
            "let stratvisor run this, or set it to data/eod_report"
        )
    report(Path(own).absolute().parent, datetime.now().astimezone().date())


if __name__ == "__main__":
    main()
