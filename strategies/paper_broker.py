"""A broker that trades on paper: takes orders, fills them with slippage, keeps the position and its P&L.

Knows nothing of indicators, files of prices, or why somebody trades. Money is Decimal, never float:
a hundred thousand fills later the sum is still right to the paisa.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

TICK = Decimal("0.05")
COLUMNS = ("placed_at", "session_time", "symbol", "side", "quantity", "price", "realised")


@dataclass(frozen=True)
class Fill:
    """One order, executed."""

    session_time: datetime
    symbol: str
    side: str
    quantity: int
    price: Decimal
    realised: Decimal
    """What this fill alone earned or lost by closing something."""


class TradeFile:
    """Today's fills as CSV, for the end-of-day report. The first fill of a new day begins it afresh."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def from_environment(cls) -> TradeFile | None:
        """In the folder that the host gives to this strategy; None where nobody gave one."""
        folder = os.environ.get("STRATEGY_DATA")
        return cls(Path(folder) / "trades.csv") if folder else None

    def append(self, fill: Fill) -> None:
        """Add one row; it is in the file when this returns."""
        now = datetime.now().astimezone()
        fresh = not self._is_of(now)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w" if fresh else "a", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            if fresh:
                rows.writerow(COLUMNS)
            rows.writerow(
                (
                    now.isoformat(timespec="seconds"),
                    f"{fill.session_time:%H:%M}",
                    fill.symbol,
                    fill.side,
                    fill.quantity,
                    fill.price,
                    fill.realised,
                )
            )

    def _is_of(self, now: datetime) -> bool:
        try:
            written = datetime.fromtimestamp(self.path.stat().st_mtime).astimezone()
        except FileNotFoundError:
            return False
        return written.date() == now.date()


class PaperBroker:
    """An account in one symbol. A position is signed: +50 is long 50, -50 is short 50."""

    def __init__(self, symbol: str, *, slippage_ticks: int = 1, trades: TradeFile | None = None) -> None:
        self.symbol = symbol
        self.position = 0
        self.average = Decimal(0)
        """What a share of the open position cost, or fetched."""
        self.realised = Decimal(0)
        self.fills = 0
        self._slippage = slippage_ticks * TICK
        self._trades = trades

    def buy(self, quantity: int, price: Decimal, at: datetime, why: str) -> Fill:
        """Buy at the market: a little above `price`."""
        return self._fill(quantity, price + self._slippage, at, why)

    def sell(self, quantity: int, price: Decimal, at: datetime, why: str) -> Fill:
        """Sell at the market: a little below `price`. Selling what one has not goes short."""
        return self._fill(-quantity, price - self._slippage, at, why)

    def move_to(self, position: int, price: Decimal, at: datetime, why: str) -> None:
        """The one order that makes the position `position`; none where it is that already."""
        change = position - self.position
        if change > 0:
            self.buy(change, price, at, why)
        elif change < 0:
            self.sell(-change, price, at, why)

    def unrealised(self, price: Decimal) -> Decimal:
        """What closing at `price` would earn, slippage left aside."""
        return (price - self.average) * self.position

    def _fill(self, signed: int, price: Decimal, at: datetime, why: str) -> Fill:
        earned = self._settle(signed, price)
        self.realised += earned
        self.fills += 1
        side = "BUY" if signed > 0 else "SELL"
        fill = Fill(at, self.symbol, side, abs(signed), price, earned)
        print(
            f"{at:%H:%M} {side:<4} {abs(signed)} {self.symbol} at {price:.2f} ({why}); "
            f"position {self.position or 'flat'}, realised {self.realised:+.2f}"
        )
        if self._trades is not None:
            self._trades.append(fill)
        return fill

    def _settle(self, signed: int, price: Decimal) -> Decimal:
        """Change the position; the answer is what closing the opposite part of it earned."""
        before, after = self.position, self.position + signed
        self.position = after
        if before * signed >= 0:
            self.average = (self.average * abs(before) + price * abs(signed)) / abs(after)
            return Decimal(0)
        closed = min(abs(before), abs(signed))
        earned = (price - self.average) * (closed if before > 0 else -closed)
        if after == 0:
            self.average = Decimal(0)
        elif before * after < 0:
            self.average = price
        return earned
