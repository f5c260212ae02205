"""The example strategies: what they compute, and that each runs, trades and ends as a strategy should."""

from __future__ import annotations

import csv
import importlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from waiting import DEADLINE_S

from stratvisor import config, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
STRATEGIES = ROOT / "strategies"
TRADERS = ("ema_crossover", "opening_range_breakout")
NOON = f"NOON{datetime.now(UTC).hour - 12}"  # noqa: TID251  the strategies ask the real clock
"""A time zone in which it is noon, and no day ends between a trade and its report."""

AT = datetime(2026, 1, 5, 9, 15)  # noqa: DTZ001  exchange time, as price files have it


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, imported as the strategies beside it import it, at noon."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", NOON)
        time.tzset()
        yield _module("paper_broker", monkeypatch)
    time.tzset()


def _module(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(STRATEGIES))
    return importlib.import_module(name)


def run(
    script: str, *arguments: str, data: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-u", STRATEGIES / script, *arguments],
        env=_environment(data) | env,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def _environment(data: Path | None) -> dict[str, str]:
    """What the host gives to a strategy, as far as these look at it."""
    given = {"PATH": os.environ["PATH"], "TZ": NOON}
    return given if data is None else given | {"STRATEGY_DATA": str(data)}


def test_a_long_position_earns_what_the_price_rose_but_for_the_slippage(broker: Any) -> None:
    account = broker.PaperBroker("SBIN", slippage_ticks=1)
    bought = account.buy(50, Decimal("100.00"), AT, "test")
    assert bought.price == Decimal("100.05")
    assert account.unrealised(Decimal("101.05")) == 50
    account.sell(50, Decimal("101.00"), AT, "test")
    assert (account.position, account.realised, account.fills) == (0, Decimal("45.00"), 2)


def test_a_short_position_earns_what_the_price_fell(broker: Any) -> None:
    account = broker.PaperBroker("SBIN", slippage_ticks=0)
    account.sell(10, Decimal(100), AT, "test")
    assert account.unrealised(Decimal(90)) == 100
    account.buy(10, Decimal(90), AT, "test")
    assert (account.position, account.realised) == (0, 100)


def test_adding_to_a_position_averages_and_a_part_closed_earns_by_the_average(broker: Any) -> None:
    account = broker.PaperBroker("SBIN", slippage_ticks=0)
    account.buy(10, Decimal(100), AT, "test")
    account.buy(30, Decimal(104), AT, "test")
    assert account.average == 103
    account.sell(20, Decimal(105), AT, "test")
    assert (account.position, account.average, account.realised) == (20, 103, 40)


def test_going_through_zero_closes_and_opens_at_the_new_price(broker: Any) -> None:
    account = broker.PaperBroker("SBIN", slippage_ticks=0)
    account.buy(10, Decimal(100), AT, "test")
    account.move_to(-5, Decimal(102), AT, "test")
    assert (account.position, account.average, account.realised) == (-5, 102, 20)
    account.move_to(-5, Decimal(103), AT, "test")
    assert account.fills == 2


def test_each_fill_is_one_printed_line(broker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    account = broker.PaperBroker("SBIN")
    account.buy(50, Decimal("812.40"), AT, "crossed")
    assert capsys.readouterr().out == "09:15 BUY  50 SBIN at 812.45 (crossed); position 50, realised +0.00\n"


def test_the_trade_file_has_one_day(broker: Any, tmp_path: Path) -> None:
    file = broker.TradeFile(tmp_path / "data" / "trades.csv")
    account = broker.PaperBroker("SBIN", trades=file)
    account.buy(50, Decimal(100), AT, "test")
    account.sell(50, Decimal(101), AT, "test")
    assert [row["side"] for row in _rows(file.path)] == ["BUY", "SELL"]
    yesterday = (datetime.fromisoformat(_rows(file.path)[0]["placed_at"]) - timedelta(days=1)).timestamp()
    os.utime(file.path, (yesterday, yesterday))
    account.buy(50, Decimal(100), AT, "test")
    assert [row["side"] for row in _rows(file.path)] == ["BUY"]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_ema_starts_at_its_first_value_and_nears_a_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    ema = _module("ema_crossover", monkeypatch).Ema(3)
    assert [ema.add(value) for value in (8, 16, 16, 16)] == [8, 12, 14, 15]


def test_a_crossover_is_told_once_and_not_while_it_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    crossover = _module("ema_crossover", monkeypatch).Crossover(2, 4)
    prices = [10, 9, 8, 7, 6, 5, 20, 30, 40, 5, 1]
    assert [crossover.add(price) for price in prices] == [None] * 6 + ["above", None, None, "below", None]


def test_the_opening_range_is_left_at_its_target_and_at_its_other_side(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = _module("opening_range_breakout", monkeypatch)
    account = _module("paper_broker", monkeypatch).PaperBroker("SBIN", slippage_ticks=0)
    breakout = module.Breakout(account, quantity=10, minutes=2)
    feed = _module("price_feed", monkeypatch)
    closes = [100, 110, 111, 115, 120, 105, 99, 111, 130, 90]
    positions = []
    for minute, close in enumerate(map(Decimal, closes)):
        breakout.add(feed.Bar(AT + timedelta(minutes=minute), close, close, close, close, 1))
        positions.append(account.position)
    # In above 110, out at 120, a range higher; short below 100, out above 110; then both sides are used up.
    assert positions == [0, 0, 10, 10, 0, 0, -10, 0, 0, 0]


def test_the_opening_range_is_left_at_the_square_off_time(monkeypatch: pytest.MonkeyPatch) -> None:
    module = _module("opening_range_breakout", monkeypatch)
    account = _module("paper_broker", monkeypatch).PaperBroker("SBIN")
    breakout = module.Breakout(account, quantity=10, minutes=1)
    feed = _module("price_feed", monkeypatch)
    positions = []
    for clock, close in (("09:15", 100), ("15:13", 111), ("15:14", 112), ("15:15", 112), ("15:16", 80)):
        at, price = datetime.fromisoformat(f"2026-01-05T{clock}"), Decimal(close)
        breakout.add(feed.Bar(at, price, price + 10, price - 10, price, 1))
        positions.append(account.position)
    assert positions == [0, 10, 10, 0, 0]


def test_the_prices_are_those_that_the_script_beside_them_makes(tmp_path: Path) -> None:
    made = tmp_path / "made.csv"
    assert run("prices/generate.py", str(made)).returncode == 0
    assert made.read_bytes() == (STRATEGIES / "prices" / "sbin_1min.csv").read_bytes()


def test_the_prices_are_one_session_and_say_that_they_are_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    path = STRATEGIES / "prices" / "sbin_1min.csv"
    assert path.read_text().startswith("# SYNTHETIC")
    bars = _module("price_feed", monkeypatch).read_bars(path)
    assert [bar.at for bar in bars] == [bars[0].at + timedelta(minutes=minute) for minute in range(375)]
    assert (f"{bars[0].at:%H:%M}", f"{bars[-1].at:%H:%M}") == ("09:15", "15:29")
    for bar in bars:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.close % Decimal("0.05") == 0


@pytest.mark.parametrize("name", TRADERS)
def test_a_session_ends_flat_with_its_pnl(name: str, tmp_path: Path) -> None:
    done = run(f"{name}.py", "--once", "--speed", "1e6", data=tmp_path / name)
    assert (done.returncode, done.stderr) == (0, "")
    *_, last_fill, session, closing = done.stdout.splitlines()
    assert "position flat" in last_fill
    rows = _rows(tmp_path / name / "trades.csv")
    earned = sum(Decimal(row["realised"]) for row in rows)
    assert session == f"session 1: {len(rows)} fills so far, P&L {earned:+.2f}"
    assert closing == f"ended flat after {len(rows)} fills, closing P&L {earned:+.2f}"
    assert len(rows) >= 4


@pytest.fixture(params=TRADERS)
def trading(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """One that has just opened a position, and now waits long for the next bar or trades on slowly."""
    process = subprocess.Popen(
        [sys.executable, "-u", STRATEGIES / f"{request.param}.py", "--speed", "200"],
        env=_environment(tmp_path / request.param),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        while " SBIN at " not in process.stdout.readline():
            pass
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_squares_off_and_ends_well(trading: subprocess.Popen[str], number: signal.Signals) -> None:
    trading.send_signal(number)
    out, err = trading.communicate(timeout=DEADLINE_S)
    assert (trading.returncode, err) == (0, "")
    fills = [line for line in out.splitlines() if " SBIN at " in line]
    assert not fills or "position flat" in fills[-1]
    assert "closing P&L" in out.splitlines()[-1]


def test_a_stop_does_not_wait_for_the_next_bar(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", STRATEGIES / "ema_crossover.py", "--speed", "0.0001"],
        env=_environment(tmp_path / "ema"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("EMA crossover 5/13 on SBIN")
        process.terminate()
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert out.splitlines()[-1] == "ended flat after 0 fills, closing P&L +0.00"


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("--speed", "0"), {}),
        (("--fast", "13", "--slow", "5"), {}),
        ((), {"REPLAY_SPEED": "fast"}),
        ((), {"QUANTITY": "many"}),
    ],
)
def test_a_wrong_setting_is_a_usage_error(arguments: tuple[str, ...], env: dict[str, str]) -> None:
    done = run("ema_crossover.py", *arguments, data=None, **env)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_report_sums_up_the_day_of_all(tmp_path: Path) -> None:
    for name in TRADERS:
        run(f"{name}.py", "--once", "--speed", "1e6", data=tmp_path / name)
    with (tmp_path / "ema_crossover" / "trades.csv").open("a") as file:
        file.write("2026-01-05T09:15:00+05:30,09:15,SBIN,BUY,50,800.00,7.00\n")
    done = run("eod_report.py", data=tmp_path / "eod_report")
    assert (done.returncode, done.stderr) == (0, "")
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
    fills = {name: len(_rows(tmp_path / name / "trades.csv")) for name in TRADERS}
    fills["ema_crossover"] -= 1  # the row of another day
    for name in TRADERS:
        assert lines[name][1:3] == ["SBIN", str(fills[name])]
        assert "flat" in lines[name]
    assert lines["total"][1] == str(sum(fills.values()))
    assert Decimal(lines["total"][2]) == sum(Decimal(lines[name][-1]) for name in TRADERS)


def test_the_report_leaves_out_what_a_crash_cut_short(tmp_path: Path) -> None:
    run("ema_crossover.py", "--once", "--speed", "1e6", data=tmp_path / "ema")
    path = tmp_path / "ema" / "trades.csv"
    whole = len(_rows(path))
    path.write_bytes(path.read_bytes()[:-30])
    out = run("eod_report.py", data=tmp_path / "eod_report").stdout
    assert f"{path}: 1 rows cannot be read and are left out" in out
    assert f" {whole - 1} " in out


def test_a_day_without_trades_is_reported_as_that(tmp_path: Path) -> None:
    done = run("eod_report.py", data=tmp_path / "eod_report")
    assert done.returncode == 0
    assert f"no trades in {tmp_path}" in done.stdout


def test_a_report_that_nobody_gave_a_folder_says_so() -> None:
    done = run("eod_report.py")
    assert done.returncode == 1
    assert done.stderr.startswith("cannot find the trades: $STRATEGY_DATA is not set")


def test_the_files_in_conf_d_have_no_problem_and_are_of_three_kinds() -> None:
    known, _ = settings.read(ROOT)
    read = config.read(ROOT, known, {})
    assert read.problems == ()
    kinds = {name: type(spec.schedule).__name__ for name, spec in read.strategies.items()}
    assert kinds == {"ema_crossover": "Always", "opening_range": "Windows", "eod_report": "Manual"}
