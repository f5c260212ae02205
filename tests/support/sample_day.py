"""A trading day as it looks at 11:42: eight strategies, for the page's tests and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_host import FakeHost, at, run, strategy

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.ports import Json

EMA_LOG = "ema_crossover_20261123_110217_IST.log"
WICKED_LINE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def trading_day(folder: Path) -> FakeHost:
    """The host of that day; its logs are written into `folder`."""
    host = FakeHost(folder, *_strategies())
    host.rows = [_row(host, *day) for day in _DAYS]
    host.history = {"ema_crossover": _RUNS}
    host.problems = [
        {
            "file": "conf.d/pairs.yml",
            "line": 1,
            "column": 1,
            "key": "",
            "message": "not read: a strategy's file ends in .yaml; rename it to pairs.yaml",
        }
    ]
    (folder / EMA_LOG).write_text("\n".join([*_log_lines(), WICKED_LINE, ""]), encoding="utf-8")
    return host


def _strategies() -> list[Json]:
    return [
        strategy(
            "ema_crossover",
            title="EMA crossover on SBIN",
            tags=["nifty", "intraday"],
            why="running since 11:02:17 IST; its window ends 15:30 IST; restarted twice, last after exit 1 "
            "at 11:02:15 IST, ConnectionError: HTTPSConnectionPool(host='api.broker.example', port=443)",
            since=at("11:02:18"),
            pid=48213,
            run=41,
            uptime_s=2393.0,
            restarts=2,
            cpu_percent=3.4,
            memory_bytes=61_800_000,
            next_start=at("9:15", 1),
            next_stop=at("15:30"),
            last_exit={"code": 1, "signal": None, "cause": None, "at": at("11:02:15"), "run": 40},
            log=f"log/strategies/{EMA_LOG}",
            commit="9f3c2ab41d7735",
            script_sha256="5b1c77f0aa93e14cc3",
        ),
        strategy(
            "opening_range",
            title="Opening range breakout",
            tags=["nifty", "intraday"],
            why="running since 09:15 IST; its window ends 15:30 IST",
            pid=47102,
            uptime_s=8827.0,
            cpu_percent=0.7,
            memory_bytes=48_300_000,
            next_start=at("9:15", 1),
            next_stop=at("15:30"),
            stale=True,
        ),
        strategy(
            "crypto_grid",
            title="Grid on BTC/USDT",
            tags=["crypto"],
            why="running since Thu 19 Nov 04:10 IST",
            since=at("4:10", -4),
            pid=1209,
            run=3,
            uptime_s=373_930.0,
            restarts=1,
            cpu_percent=12.9,
            memory_bytes=312_000_000,
        ),
        strategy(
            "gap_fade",
            "backoff",
            title="Gap fade",
            tags=["intraday"],
            why="exit 1 at 11:41:58 IST, requests.exceptions.ReadTimeout: read timed out; "
            "next try at 11:42:14 IST",
            run=9,
            restarts=4,
            retry_at=at("11:42:14"),
            next_start=at("9:20", 1),
            next_stop=at("15:10"),
        ),
        strategy(
            "pairs_hdfc_icici",
            "error",
            title="Pairs: HDFC Bank and ICICI Bank",
            why="gave up after 5 failures in 10m; last: exit 1 at 09:16:02 IST, ModuleNotFoundError: No "
            "module named 'pandas'; starts again at Tue 24 Nov 09:15 IST; an edit of its file or "
            "`stratvisor start pairs_hdfc_icici` tries again",
            run=17,
            restarts=5,
            next_start=at("9:15", 1),
            next_stop=at("15:30"),
            problems=[
                {
                    "file": "conf.d/pairs_hdfc_icici.yaml",
                    "line": 8,
                    "column": 3,
                    "key": "restart.polcy",
                    "message": "unknown key; did you mean 'when'?",
                }
            ],
        ),
        strategy(
            "mcx_crude",
            "scheduled",
            title="Crude evening session",
            tags=["mcx"],
            why="outside its window; opens 17:00 IST",
            run=12,
            next_start=at("17:00"),
        ),
        strategy(
            "eod_report",
            "exited",
            title="End-of-day report",
            why="ended by itself at 08:00:04 IST: exit 0; starts again at 16:00 IST",
            run=88,
            next_start=at("16:00"),
            last_exit={"code": 0, "signal": None, "cause": None, "at": at("8:00:04"), "run": 88},
        ),
        strategy(
            "options_wheel",
            "stopped",
            title="Options wheel",
            tags=["nifty"],
            why="held since 10:02 IST by token 'api'",
            hold={"by": "token 'api'", "since": at("10:02"), "until": None, "wants": "down"},
            run=5,
            next_start=at("9:15", 1),
        ),
    ]


_SESSION = [("9:15", "15:30")]
_DAYS: tuple[tuple[str, list[tuple[str, str]], list[tuple[str, str | None, bool]]], ...] = (
    (
        "ema_crossover",
        _SESSION,
        [("9:15", "10:21", True), ("10:22", "11:02:15", True), ("11:02:17", None, False)],
    ),
    ("opening_range", _SESSION, [("9:15", None, False)]),
    ("crypto_grid", [("0:00", "23:59:59")], [("0:00", None, False)]),
    (
        "gap_fade",
        [("9:20", "15:10")],
        [("9:20", "11:30", True), *((f"11:3{m}", f"11:3{m}:40", True) for m in range(1, 9))],
    ),
    ("pairs_hdfc_icici", _SESSION, [("9:15", f"9:16:0{s}", True) for s in range(1, 3)]),
    ("mcx_crude", [("17:00", "23:30")], []),
    ("eod_report", [("8:00", "8:10"), ("16:00", "16:10")], [("8:00", "8:00:04", False)]),
    ("options_wheel", _SESSION, [("9:15", "10:02", False)]),
)


def _row(
    host: FakeHost, name: str, bands: list[tuple[str, str]], bars: list[tuple[str, str | None, bool]]
) -> Json:
    facts = host.strategies[name]
    return {
        "id": name,
        "title": facts["title"],
        "state": facts["state"],
        "bands": [{"start": at(start), "stop": at(stop)} for start, stop in bands],
        "skips": [],
        "bars": [
            {"run": number, "start": at(start), "end": None if end is None else at(end), "failed": failed}
            for number, (start, end, failed) in enumerate(bars, 39)
        ],
        "marks": [
            {"at": at(end), "text": f"run {number} failed"}
            for number, (_, end, failed) in enumerate(bars, 39)
            if failed and end
        ],
    }


_RUNS = [
    run(41, at("11:02:17"), log=f"log/strategies/{EMA_LOG}"),
    run(
        40,
        at("10:22"),
        at("11:02:15"),
        code=1,
        failed=True,
        last_line="ConnectionError: HTTPSConnectionPool(host='api.broker.example', port=443): Max retries",
    ),
    run(39, at("9:15"), at("10:21"), signal="SIGKILL", failed=True, cause="memory 1.1GB over its limit 1GB"),
    run(38, at("9:15", -3), at("15:30:01", -3), signal="SIGTERM", stopped="window", commit="77aa01bd3c2e"),
    run(37, at("9:15", -4), at("15:30:02", -4), code=0, stopped="window", commit="77aa01bd3c2e", dirty=True),
]


def _log_lines() -> list[str]:
    lines = ["[stratvisor] EMA crossover on SBIN, run 41, pid 48213, restart 2"]
    price = 812.0
    for minute in range(2, 42):
        price += ((minute * 7919) % 13 - 6) / 10
        lines.append(
            f"11:{minute:02}:20 INFO  SBIN close {price:.2f}  ema9 {price - 0.4:.2f}  ema21 {price + 0.3:.2f}"
        )
        if minute % 9 == 0:
            lines.append(
                f"11:{minute:02}:21 ORDER \x1b[32mBUY\x1b[0m 50 SBIN @ {price:.2f} (paper) id 4f{minute}a"
            )
    return lines
