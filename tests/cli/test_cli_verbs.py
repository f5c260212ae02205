"""What the verbs ask of the daemon, and how they word its answers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from fake_daemon import Answer, FakeDaemon, environment, run_cli, run_process, strategy
from waiting import DEADLINE_S


def test_why_is_one_sentence(daemon: FakeDaemon) -> None:
    daemon.says("GET", "/why/ema", {"id": "ema", "why": "held since 10:02"})
    assert run_cli("why", "ema", home=daemon.home) == (0, "held since 10:02\n", "")


def test_next_lists_windows(daemon: FakeDaemon) -> None:
    windows = [
        {"start": "2026-11-24T09:15:00+05:30", "stop": "2026-11-24T15:30:00+05:30"},
        {"start": "2026-11-25T22:00:00+05:30", "stop": "2026-11-26T02:00:00+05:30"},
    ]
    daemon.says("GET", "/next/ema", {"id": "ema", "next": windows})
    outcome = run_cli("next", "ema", "-n", "2", home=daemon.home)
    assert outcome.out == "Tue 24 Nov 09:15 +05:30 to 15:30\nWed 25 Nov 22:00 +05:30 to Thu 26 Nov 02:00\n"
    assert daemon.next_asked().query == {"n": "2"}


def test_next_without_windows_says_so(daemon: FakeDaemon) -> None:
    daemon.says("GET", "/next/ema", {"id": "ema", "next": []})
    assert run_cli("next", "ema", home=daemon.home).out == (
        "nothing to come; `stratvisor why ema` says how it runs\n"
    )
    assert daemon.next_asked().query == {"n": "5"}


def run(number: int, **facts: Any) -> dict[str, Any]:
    return {
        "strategy": "ema",
        "run": number,
        "pid": 4711,
        "began": "2026-11-23T09:15:02.123456+05:30",
        "ended": "2026-11-23T09:16:02+05:30",
        "failed": False,
        "code": 0,
        "signal": None,
        "cause": None,
        "stopped": None,
        "unknown": False,
        "duration_s": 59.9,
        "cpu_s": 0.5,
        "peak_memory": 24_500_000,
        "dropped_bytes": 0,
        "commit": "c0ffee" * 6 + "1234",
        "dirty": False,
        "script_sha256": "ab" * 32,
        "log": "log/strategies/ema_20261123_091502_IST.log",
        "restarts": 0,
        "last_line": "bye",
        "how": "exit 0",
        **facts,
    }


def test_runs_are_a_table_newest_first(daemon: FakeDaemon) -> None:
    open_end = dict.fromkeys(
        ("ended", "failed", "code", "duration_s", "cpu_s", "peak_memory", "commit", "dirty")
    )
    runs = [
        run(6, **open_end, how=""),
        run(5, code=None, signal="SIGKILL", failed=True, how="killed by SIGKILL"),
        run(4, code=1, cause="not ready in time", failed=True, how="exit 1: not ready in time"),
        run(3, code=1, last_line="ValueError: x\x1b[2J", failed=True, dirty=True, how="exit 1"),
        run(2, stopped="window", how="exit 0: its window has ended"),
        run(1, code=None, unknown=True, failed=True, how="nobody saw it end"),
    ]
    daemon.says("GET", "/runs/ema", {"id": "ema", "runs": runs})
    assert run_cli("runs", "ema", "-n", "5", home=daemon.home).out.splitlines() == [
        "RUN  BEGAN                       LASTED  CPU     PEAK  COMMIT       END",
        "  6  Mon 23 Nov 09:15:02 +05:30                                     still running",
        "  5  Mon 23 Nov 09:15:02 +05:30     59s   0s  24.5 MB  c0ffeec0ff   killed by SIGKILL",
        "  4  Mon 23 Nov 09:15:02 +05:30     59s   0s  24.5 MB  c0ffeec0ff   exit 1: not ready in time",
        "  3  Mon 23 Nov 09:15:02 +05:30     59s   0s  24.5 MB  c0ffeec0ff+  exit 1: ValueError: x [2J",
        "  2  Mon 23 Nov 09:15:02 +05:30     59s   0s  24.5 MB  c0ffeec0ff   exit 0: its window has ended",
        "  1  Mon 23 Nov 09:15:02 +05:30     59s   0s  24.5 MB  c0ffeec0ff   nobody saw it end",
    ]
    assert daemon.next_asked().query == {"n": "5"}


def test_runs_as_json(daemon: FakeDaemon) -> None:
    answer = {"id": "ema", "runs": [run(1)]}
    daemon.says("GET", "/runs/ema", answer)
    assert json.loads(run_cli("runs", "ema", "--json", home=daemon.home).out) == answer
    assert daemon.next_asked().query == {"n": "20"}


def test_no_runs_yet(daemon: FakeDaemon) -> None:
    daemon.says("GET", "/runs/ema", {"id": "ema", "runs": []})
    assert run_cli("runs", "ema", home=daemon.home).out == "no runs yet\n"


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_a_verb_waits_and_says_what_became_of_it(daemon: FakeDaemon, verb: str) -> None:
    daemon.says("POST", f"/{verb}/ema", strategy(why="in its window"))
    assert run_cli(verb, "ema", home=daemon.home) == (0, "ema is running: in its window\n", "")
    asked = daemon.next_asked()
    assert (asked.query, asked.form) == ({"wait": "30.000"}, {})


def test_a_verb_need_not_wait(daemon: FakeDaemon) -> None:
    daemon.says("POST", "/stop/ema", strategy(state="stopping", why="told to stop"), 202)
    assert run_cli("stop", "ema", "--wait", "0", home=daemon.home).out == "ema is stopping: told to stop\n"
    assert daemon.next_asked().query == {}


def test_stop_may_hold_until_the_next_window(daemon: FakeDaemon) -> None:
    daemon.says("POST", "/stop/ema", strategy())
    run_cli("stop", "ema", "--until", "next", home=daemon.home)
    assert daemon.next_asked().form == {"until": "next"}


@pytest.mark.parametrize("selector", ["@nifty", "all"])
def test_a_tag_and_all_go_as_they_are(daemon: FakeDaemon, selector: str) -> None:
    answer: dict[str, Any] = {
        "strategies": [strategy("ema"), strategy("orb")],
        "refused": [{"id": "eod", "why": "it is manual"}],
    }
    daemon.says("POST", f"/restart/{selector}", answer)
    outcome = run_cli("restart", selector, home=daemon.home)
    assert outcome.code == 1
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["ema", "orb"]
    assert outcome.err == "cannot restart eod: it is manual\n"


def test_a_start_that_was_waited_for_and_failed_is_a_failure(daemon: FakeDaemon) -> None:
    daemon.says("POST", "/start/ema", strategy(state="backoff", why="exit 1; again at 09:16"))
    assert run_cli("start", "ema", home=daemon.home) == (1, "", "cannot start ema: exit 1; again at 09:16\n")
    assert run_cli("start", "ema", "--wait", "0", home=daemon.home).code == 0


def test_a_stop_of_what_is_in_error_is_no_failure(daemon: FakeDaemon) -> None:
    daemon.says("POST", "/stop/ema", strategy(state="error", why="its file is bad"))
    assert run_cli("stop", "ema", home=daemon.home) == (0, "ema is error: its file is bad\n", "")


def test_one_refusal_does_not_keep_the_others(daemon: FakeDaemon) -> None:
    daemon.refuses("POST", "/stop/nope", 404, "no strategy nope")
    daemon.refuses("POST", "/stop/slow", 504, "not done within 30 s: slow; it goes on")
    daemon.says("POST", "/stop/ema", strategy(state="stopped", why="held"))
    outcome = run_cli("stop", "nope", "slow", "ema", home=daemon.home)
    assert outcome == (
        1,
        "ema is stopped: held\n",
        "cannot stop nope: no strategy nope\ncannot stop slow: not done within 30 s: slow; it goes on\n",
    )


def test_a_slow_stop_does_not_delay_the_others(daemon: FakeDaemon) -> None:
    all_asked = threading.Barrier(3)
    for name in ("a", "b"):
        daemon.answers["POST", f"/stop/{name}"] = lambda: all_asked.wait(DEADLINE_S)
    runner = threading.Thread(target=run_process, args=("stop", "a", "b"), kwargs={"home": daemon.home})
    runner.start()
    all_asked.wait(DEADLINE_S)
    runner.join(DEADLINE_S)


NOTHING: dict[str, Any] = {
    "start": [],
    "stop": [],
    "restart": [],
    "live": [],
    "problems": [],
    "refused": None,
}
PROBLEM = {"file": "conf.d/a.yaml", "line": 1, "column": 2, "key": "", "message": "bad"}


@pytest.mark.parametrize(
    ("plan", "code", "out"),
    [
        ({}, 0, "nothing would change\n"),
        (
            {"start": ["a", "b"], "stop": ["c"], "restart": ["d"], "live": ["e"]},
            0,
            "start: a b\nstop: c\nrestart: d\nchange, with the same PID: e\n",
        ),
        ({"problems": [PROBLEM]}, 1, "conf.d/a.yaml:1:2: bad\nnothing would change\n"),
        ({"refused": "conf.d is empty"}, 1, "refused: conf.d is empty\nnothing would change\n"),
    ],
)
def test_plan(daemon: FakeDaemon, plan: dict[str, Any], code: int, out: str) -> None:
    daemon.says("GET", "/plan", NOTHING | plan)
    assert run_cli("plan", home=daemon.home) == (code, out, "")


def test_reload_says_what_it_did(daemon: FakeDaemon) -> None:
    daemon.says("POST", "/reload", NOTHING | {"restart": ["ema"], "problems": [PROBLEM]})
    outcome = run_cli("reload", home=daemon.home)
    assert outcome == (1, "conf.d/a.yaml:1:2: bad\nrestart: ema\n", "")
    assert daemon.next_asked().form == {}


def test_reload_may_be_forced(daemon: FakeDaemon) -> None:
    daemon.says("POST", "/reload", NOTHING)
    assert run_cli("reload", "--force", home=daemon.home) == (0, "nothing changed\n", "")
    assert daemon.next_asked().form == {"force": "1"}


def test_logs_are_the_text_as_it_comes(daemon: FakeDaemon) -> None:
    daemon.answers["GET", "/logs/ema"] = Answer(200, "line \u20b9 1\nhalf".encode(), "text/plain")
    assert run_cli("logs", "ema", home=daemon.home) == (0, "line \u20b9 1\nhalf", "")
    asked = daemon.next_asked()
    assert (asked.accept, asked.query) == ("text/plain", {"tail": "200"})


def test_logs_of_a_run_that_hold_a_text(daemon: FakeDaemon) -> None:
    daemon.answers["GET", "/logs/ema"] = Answer(200, b"found\n", "text/plain")
    run_cli("logs", "ema", "-n", "7", "--run", "3", "--grep", "a&b", home=daemon.home)
    assert daemon.next_asked().query == {"tail": "7", "run": "3", "grep": "a&b"}


def test_logs_in_a_terminal_without_the_letters_are_still_shown(daemon: FakeDaemon) -> None:
    daemon.answers["GET", "/logs/ema"] = Answer(200, "\u20b9 1\n".encode(), "text/plain")
    assert run_process("logs", "ema", home=daemon.home, PYTHONIOENCODING="ascii").out == "\\u20b9 1\n"


def lines(*words: str) -> bytes:
    return b"event: lines\ndata: " + json.dumps({"lines": words}).encode() + b"\n\n"


def test_logs_follow_prints_each_line_as_it_comes(daemon: FakeDaemon) -> None:
    stream = daemon.streams_to("/logs/ema")
    with subprocess.Popen(
        [sys.executable, "-m", "stratvisor", "logs", "ema", "-f", "-n", "5"],
        cwd=daemon.home,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = lines("one", "two")
        for piece in (b"retry: 2000\n\n", first[:9], first[9:], b": still here\n\n"):
            stream.put(piece)
        assert [process.stdout.readline(), process.stdout.readline()] == ["one\n", "two\n"]
        stream.put(lines("three"))
        assert process.stdout.readline() == "three\n"
        stream.put(None)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (3, "")
    assert err == f"the daemon for {daemon.home} ended; its strategies and their logs go on\n"
    asked = daemon.next_asked()
    assert (asked.accept, asked.query) == ("text/event-stream", {"tail": "5", "follow": "1"})


def test_logs_follow_of_a_run_ends_with_it(daemon: FakeDaemon) -> None:
    stream = daemon.streams_to("/logs/ema")
    for piece in (lines("BUY 1", "SELL 2", "BUY 3"), b'event: end\ndata: {"run": "x"}\n\n'):
        stream.put(piece)
    outcome = run_cli("logs", "ema", "-f", "--run", "3", "--grep", "BUY", home=daemon.home)
    assert outcome == (0, "BUY 1\nBUY 3\n", "")
    assert daemon.next_asked().query == {"tail": "200", "follow": "1", "run": "3"}


def test_logs_follow_of_an_unknown_strategy_is_refused(daemon: FakeDaemon) -> None:
    daemon.refuses("GET", "/logs/nope", 404, "no strategy nope")
    outcome = run_cli("logs", "nope", "-f", home=daemon.home)
    assert outcome == (1, "", "cannot follow the log of nope: no strategy nope\n")


def test_shutdown_asks_for_the_strategies_to_be_left(daemon: FakeDaemon) -> None:
    daemon.says("POST", "/shutdown", {}, 202)
    assert run_cli("shutdown", "--wait", "0", home=daemon.home) == (0, "the daemon is ending\n", "")
    assert daemon.next_asked().form == {}


def test_shutdown_may_stop_the_strategies(daemon: FakeDaemon) -> None:
    daemon.says("POST", "/shutdown", {}, 202)
    run_cli("shutdown", "--stop-strategies", "--wait", "0", home=daemon.home)
    assert daemon.next_asked().form == {"stop_strategies": "1"}


def test_shutdown_that_does_not_come_is_a_failure(daemon: FakeDaemon) -> None:
    daemon.says("POST", "/shutdown", {}, 202)
    outcome = run_cli("shutdown", "--wait", "0.01", home=daemon.home)
    assert outcome == (1, "", "cannot shut down: still at it after 0.01 s; see log/stratvisor.log\n")


_ENDS_WHEN_ASKED = """
import os, sys
from pathlib import Path
from fake_daemon import Answer, FakeDaemon
daemon = FakeDaemon(Path(sys.argv[1]))
daemon.says("POST", "/shutdown", {}, 202)
print("ready", flush=True)
daemon.answered.get()
sys.stdin.read()
os._exit(0)
"""


def test_shutdown_returns_when_the_daemon_has_ended(home: Path) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _ENDS_WHEN_ASKED, str(home)],
        env=environment() | {"PYTHONPATH": f"{root}/tests/support:{root}/src"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        with subprocess.Popen(
            [sys.executable, "-m", "stratvisor", "shutdown"],
            cwd=home,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as command:
            assert command.stdout is not None
            process.stdin.close()
            assert command.stdout.read() == "the daemon has ended\n"
        assert command.returncode == 0


def test_token_is_printed_alone(home: Path) -> None:
    (home / "keys").mkdir()
    (home / "keys" / "api.token").write_text("s3cret-token\n")
    assert run_cli("token", home=home) == (0, "s3cret-token\n", "")


def test_without_a_token_it_is_said_how_to_get_one(home: Path) -> None:
    outcome = run_cli("token", home=home)
    assert outcome == (
        1,
        "",
        f"cannot read {home}/keys/api.token: the daemon makes it at its first start; `stratvisor up`\n",
    )


def test_a_token_file_of_bytes_is_told(home: Path) -> None:
    (home / "keys").mkdir()
    (home / "keys" / "api.token").write_bytes(b"\xff\xfe")
    assert run_cli("token", home=home).err.startswith(f"cannot read {home}/keys/api.token: it holds no token")
