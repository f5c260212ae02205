from __future__ import annotations

import json
import os
import pty
import queue
import re
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest
from fake_daemon import FakeDaemon, environment, run_cli, status, strategy
from waiting import DEADLINE_S

from stratvisor.cli import watch
from stratvisor.cli.failure import Failure

if TYPE_CHECKING:
    from pathlib import Path

PROBLEM = {
    "file": "conf.d/orb.yaml",
    "line": 8,
    "column": 3,
    "key": "restart.polcy",
    "message": "unknown key; did you mean 'policy'?",
}


def test_all_strategies_stand_in_a_table_with_what_is_wrong_below(daemon: FakeDaemon) -> None:
    gave_up = {"pid": None, "uptime_s": None, "cpu_percent": None, "memory_bytes": None, "next_stop": None}
    daemon.says(
        "GET",
        "/status",
        status(
            strategy("ema", stale=True),
            strategy("orb", state="error", why="gave up", problems=[PROBLEM], restarts=0, **gave_up),
            problems=[PROBLEM | {"file": "stratvisor.toml", "key": "", "message": "not TOML"}],
        ),
    )
    outcome = run_cli("status", home=daemon.home)
    assert (outcome.code, outcome.err) == (0, "")
    why = "in its window until 15:30 IST; its script changed since it started"
    assert outcome.out.splitlines() == [
        "ID   STATE     PID  UPTIME  RESTARTS   CPU   MEMORY  NEXT                    WHY",
        "ema  running  4711  1h 02m         2  0.2%  24.5 MB  stop 15:30              " + why,
        "orb  error                                           start Tue 24 Nov 09:15  gave up",
        "",
        "2 problems:",
        "  stratvisor.toml:8:3: not TOML",
        "  conf.d/orb.yaml:8:3: restart.polcy: unknown key; did you mean 'policy'?",
        "",
        "stratvisor 9.9.9, 10:17:05 Asia/Kolkata, 2 strategies: 1 running, 1 error",
    ]


def test_no_strategies_are_said_to_be_none(daemon: FakeDaemon) -> None:
    daemon.says("GET", "/status", status(ready=False, why_not_ready="conf.d is empty"))
    assert run_cli("status", home=daemon.home).out == (
        "stratvisor 9.9.9, 10:17:05 Asia/Kolkata, no strategies in conf.d; not ready: conf.d is empty\n"
    )


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 120])
def test_it_fits_any_terminal(daemon: FakeDaemon, columns: int) -> None:
    why = "gave up after 5 failures in 10m; last: exit 1 at 09:16:02, ModuleNotFoundError: No module 'pandas'"
    daemon.says("GET", "/status", status(strategy(), strategy("opening_range", why=why, problems=[PROBLEM])))
    outcome = run_cli("status", home=daemon.home, COLUMNS=str(columns))
    assert max(map(len, outcome.out.splitlines())) <= columns
    assert all(word in outcome.out for word in why.split() if len(word) < columns - 2)


def test_what_a_strategy_printed_cannot_steer_the_terminal(daemon: FakeDaemon) -> None:
    evil = "exit 1, \x1b]0;owned\x07\x1b[2J\r\n\u202eevil"
    daemon.says("GET", "/status", status(strategy(why=evil, problems=[PROBLEM | {"message": evil}])))
    daemon.says("GET", "/status/ema", strategy(why=evil, title=evil))
    daemon.says("GET", "/why/ema", {"why": evil})
    for arguments in (("status",), ("status", "ema"), ("why", "ema")):
        out = run_cli(*arguments, home=daemon.home).out
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", out)


def test_one_strategy_is_shown_in_full(daemon: FakeDaemon) -> None:
    daemon.says(
        "GET",
        "/status/ema",
        strategy(
            state="stopped",
            why="held since 10:02 by token 'phone'",
            title="EMA on SBIN",
            tags=["nifty", "intraday"],
            pid=None,
            uptime_s=None,
            last_exit={
                "code": None,
                "signal": "SIGKILL",
                "cause": "memory 1.1 GB",
                "at": "2026-11-23T10:02:00+05:30",
                "run": 3,
            },
            hold={
                "wants": "down",
                "by": "token 'phone'",
                "since": "2026-11-23T10:02:00+05:30",
                "until": "next",
            },
            problems=[PROBLEM],
        ),
    )
    outcome = run_cli("status", "ema", home=daemon.home)
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "ema  stopped",
        "  held since 10:02 by token 'phone'",
        "",
        "  title      EMA on SBIN",
        "  tags       nifty intraday",
        "  since      Mon 23 Nov 09:15 +05:30",
        "  run        3",
        "  restarts   2",
        "  cpu        0.2%",
        "  memory     24.5 MB",
        "  last exit  killed by SIGKILL: memory 1.1 GB (run 3, Mon 23 Nov 10:02 +05:30)",
        "  hold       down by token 'phone' since Mon 23 Nov 10:02 +05:30, until its next window",
        "  next start Tue 24 Nov 09:15 +05:30",
        "  next stop  Mon 23 Nov 15:30 +05:30",
        "  log        log/strategies/ema_20261123_091500_IST.log",
        "  commit     cdcdcdcdcdcd",
        "  script     abababababab",
        "",
        "1 problem:",
        "  conf.d/orb.yaml:8:3: restart.polcy: unknown key; did you mean 'policy'?",
    ]


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ({"code": 0, "signal": None, "cause": None}, "exit 0 (run 2, Mon 23 Nov 10:02:07 +05:30)"),
        (
            {"code": None, "signal": None, "cause": "the machine went down"},
            "the machine went down (run 2, Mon 23 Nov 10:02:07 +05:30)",
        ),
    ],
)
def test_how_it_ended_last(daemon: FakeDaemon, last: dict[str, object], words: str) -> None:
    daemon.says(
        "GET", "/status/ema", strategy(last_exit=last | {"at": "2026-11-23T10:02:07+05:30", "run": 2})
    )
    assert f"  last exit  {words}\n" in run_cli("status", "ema", home=daemon.home).out


@pytest.mark.parametrize("arguments", [(), ("ema",)])
def test_json_is_json_and_nothing_else(daemon: FakeDaemon, arguments: tuple[str, ...]) -> None:
    said = {"/status": status(strategy(title="\u0938\u094d\u091f\u0947\u091f")), "/status/ema": strategy()}
    for path, answer in said.items():
        daemon.says("GET", path, answer)
    outcome = run_cli("status", *arguments, "--json", home=daemon.home)
    assert json.loads(outcome.out) == said["/".join(["/status", *arguments])]


def test_an_unknown_strategy_is_said_to_be_none(daemon: FakeDaemon) -> None:
    daemon.refuses("GET", "/status/emma", 404, "no strategy emma; did you mean 'ema'?")
    outcome = run_cli("status", "emma", home=daemon.home)
    assert outcome == (1, "", "cannot show emma: no strategy emma; did you mean 'ema'?\n")


def on_a_terminal(*arguments: str, home: Path, **env: str) -> str:
    """What a command writes to a terminal of 100 columns and 8 lines, until it ends."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (8, 100))
    with subprocess.Popen(
        [sys.executable, "-m", "stratvisor", *arguments],
        cwd=home,
        env=environment(**({"TERM": "xterm"} | env)),
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        written = b"".join(iter(lambda: _read(ours), b""))
        process.wait(DEADLINE_S)
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: the other end is closed
        return b""


def test_states_are_coloured_on_a_terminal_alone(daemon: FakeDaemon) -> None:
    daemon.says("GET", "/status", status(strategy(), strategy("orb", state="stopped")))
    coloured = on_a_terminal("status", home=daemon.home)
    assert "\x1b[32mrunning\x1b[0m" in coloured
    assert "\x1b" not in on_a_terminal("status", home=daemon.home, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal("status", home=daemon.home, TERM="dumb")
    assert "\x1b" not in run_cli("status", home=daemon.home, TERM="xterm").out
    assert max(len(line) for line in re.sub(r"\x1b\[[\d;]*m", "", coloured).splitlines()) <= 100


def test_watch_draws_again_on_every_event_until_the_daemon_ends(daemon: FakeDaemon) -> None:
    events = daemon.streams_to("/events")
    daemon.says("GET", "/status", status(strategy(state="starting")))
    with subprocess.Popen(
        [sys.executable, "-m", "stratvisor", "status", "--watch", "--json"],
        cwd=daemon.home,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        states = (json.loads(line)["strategies"][0]["state"] for line in process.stdout)
        assert next(states) == "starting"
        daemon.says("GET", "/status", status(strategy(state="running")))
        events.put(b": still here\n\n")
        events.put(b'id: 7\nevent: state\ndata: {"id": 7}\n\n')
        assert next(state for state in states if state != "starting") == "running"  # it draws at times, too
        events.put(None)
        process.wait(DEADLINE_S)
        assert process.stderr.read() == f"the daemon for {daemon.home} ended\n"
    assert process.returncode == 3


def test_watch_draws_once_for_all_that_came_meanwhile() -> None:
    news: queue.SimpleQueue[Failure | None] = queue.SimpleQueue()
    for _ in range(3):
        news.put(None)
    watch._wait(news, DEADLINE_S)
    assert news.empty()


def test_watch_on_a_terminal_keeps_to_its_lines(daemon: FakeDaemon) -> None:
    events = daemon.streams_to("/events")
    daemon.says("GET", "/status", status(*(strategy(f"s{number}") for number in range(20))))
    events.put(None)
    drawn = on_a_terminal("status", "--watch", home=daemon.home)
    screen = drawn.split("\x1b[H")[1]
    assert screen.count("\n") == 8
    assert "... 17 more lines" in screen


def test_watch_of_one_strategy_shows_that_one(daemon: FakeDaemon) -> None:
    daemon.streams_to("/events").put(None)
    daemon.says("GET", "/status/ema", strategy())
    outcome = run_cli("status", "ema", "--watch", home=daemon.home)
    assert outcome.code == 3
    assert outcome.out.startswith("ema  running\n")
