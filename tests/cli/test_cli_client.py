"""How commands reach the daemon, and how they fail."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fake_daemon import Answer, FakeDaemon, environment, run_cli, run_process, status, strategy
from waiting import DEADLINE_S

from stratvisor.cli import client
from stratvisor.cli import home as cli_home
from stratvisor.cli.failure import Failure

CLIENTS = (
    ("status",),
    ("status", "--json"),
    ("status", "--watch"),
    ("why", "ema"),
    ("next", "ema"),
    ("runs", "ema"),
    ("start", "ema"),
    ("stop", "ema", "orb"),
    ("restart", "all"),
    ("plan",),
    ("reload",),
    ("logs", "ema"),
    ("logs", "ema", "-f"),
    ("shutdown",),
)


def test_a_process_of_its_own_does_the_same(home: Path) -> None:
    outcome = run_process("status", home=home)
    assert outcome == (3, "", f"no daemon runs for {home}: start it with `stratvisor up`\n")
    daemon = FakeDaemon(home)
    daemon.says("GET", "/why/ema", {"why": "because"})
    try:
        assert run_process("why", "ema", home=home) == (0, "because\n", "")
    finally:
        daemon.close()


@pytest.mark.parametrize("arguments", CLIENTS, ids=" ".join)
def test_without_a_daemon_every_client_says_how_to_start_one(home: Path, arguments: tuple[str, ...]) -> None:
    outcome = run_cli(*arguments, home=home)
    assert outcome == (3, "", f"no daemon runs for {home}: start it with `stratvisor up`\n")


def test_a_socket_that_nobody_listens_at_is_no_daemon(home: Path) -> None:
    (home / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(os.path.relpath(home / "run" / "stratvisor.sock"))
    outcome = run_cli("status", home=home)
    assert (outcome.code, outcome.out) == (3, "")


# Root may open everything. Python comes first: where it lies may be closed to others.
_AS_NOBODY = """
import os, pwd, sys
from stratvisor.cli.main import main
if os.geteuid() == 0:
    os.setuid(65534)
sys.exit(main(["status"]))
"""


def test_a_socket_that_may_not_be_opened_is_told_from_none() -> None:
    # Not in tmp_path, whose parents another user may not enter either.
    with tempfile.TemporaryDirectory() as place:
        home = Path(place).resolve()
        home.chmod(0o755)
        (home / "stratvisor.toml").touch()
        daemon = FakeDaemon(home)
        (home / "run").chmod(0o700 if os.geteuid() == 0 else 0)
        try:
            done = subprocess.run(
                [sys.executable, "-c", _AS_NOBODY],
                cwd=home,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )
        finally:
            (home / "run").chmod(0o700)
            daemon.close()
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"cannot show the status: no permission to open {home}/run/stratvisor.sock; run this as "
    )
    assert done.stdout == ""


def test_a_home_at_a_path_longer_than_a_socket_address_works(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 20) / ("er" * 40)
    home.mkdir(parents=True)
    (home / "stratvisor.toml").touch()
    daemon = FakeDaemon(home)
    daemon.says("GET", "/status", status(strategy()))
    try:
        assert run_cli("status", home=home).code == 0
    finally:
        daemon.close()


@pytest.mark.parametrize(("written", "base"), [("/bots/", "/bots"), ("/", ""), ("/a/b", "/a/b")])
def test_the_base_path_is_that_of_the_settings(home: Path, written: str, base: str) -> None:
    (home / "stratvisor.toml").write_text(f'[http]\nbase_path = "{written}"\n')
    daemon = FakeDaemon(home, base)
    daemon.says("GET", "/why/ema", {"why": "because"})
    try:
        assert run_cli("why", "ema", home=home).out == "because\n"
    finally:
        daemon.close()


@pytest.mark.parametrize(
    "settings", ["[http", "http = 1", "[http]\nbase_path = 1", "\xff", "a=" + "[" * 100_000]
)
def test_settings_that_are_broken_leave_the_default_base_path(daemon: FakeDaemon, settings: str) -> None:
    (daemon.home / "stratvisor.toml").write_text(settings, encoding="latin-1")
    daemon.says("GET", "/why/ema", {"why": "because"})
    assert run_cli("why", "ema", home=daemon.home).out == "because\n"


def test_the_home_is_the_nearest_folder_upwards_with_settings(daemon: FakeDaemon) -> None:
    daemon.says("GET", "/why/ema", {"why": "because"})
    deep = daemon.home / "strategies" / "deep"
    deep.mkdir(parents=True)
    assert run_cli("why", "ema", home=deep).code == 0


def test_a_daemon_whose_files_have_vanished_is_still_asked(daemon: FakeDaemon) -> None:
    daemon.says("GET", "/why/ema", {"why": "because"})
    (daemon.home / "stratvisor.toml").unlink()
    assert run_cli("why", "ema", home=daemon.home).out == "because\n"


@pytest.mark.parametrize("before", [True, False])
def test_home_is_taken_before_and_after_the_verb(daemon: FakeDaemon, tmp_path: Path, *, before: bool) -> None:
    daemon.says("GET", "/why/ema", {"why": "because"})
    where = ("--home", daemon.home)
    outcome = run_cli(*(where if before else ()), "why", "ema", *(() if before else where), home=tmp_path)
    assert outcome == (0, "because\n", "")


def test_a_home_that_is_no_folder_is_a_usage_error(home: Path) -> None:
    outcome = run_cli("--home", "nowhere", "status", home=home)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"cannot use {home}/nowhere as home: it is no folder; `stratvisor init` makes one\n"


@pytest.mark.parametrize(
    "words",
    [
        ("--home", "~nobody-here", "status"),
        ("init", "~nobody-here"),
        ("calendar", "generate", "XNYS", "--years", "2027", "--out", "~nobody-here"),
    ],
)
def test_a_path_of_an_account_that_is_not_there_is_a_usage_error(home: Path, words: tuple[str, ...]) -> None:
    why = "cannot use ~nobody-here: there is no such account; write the whole path\n"
    assert run_cli(*words, home=home) == (2, "", why)


def test_an_argument_that_is_no_text_goes_out_as_its_bytes(daemon: FakeDaemon) -> None:
    daemon.refuses("GET", "/status/%FF", 404, "there is none")
    assert run_cli("status", "\udcff", home=daemon.home) == (1, "", "cannot show \\udcff: there is none\n")


def test_a_refusal_is_one_sentence_and_exit_code_1(daemon: FakeDaemon) -> None:
    daemon.refuses("POST", "/stop/ema", 409, "it is gone; write it a file")
    assert run_cli("stop", "ema", home=daemon.home) == (
        1,
        "",
        "cannot stop ema: it is gone; write it a file\n",
    )


@pytest.mark.parametrize("body", [b"<html>oops</html>", b"", b"[]", b"{}", b"\xff"])
def test_an_error_that_is_no_problem_document_is_told_by_its_status(daemon: FakeDaemon, body: bytes) -> None:
    daemon.answers["GET", "/why/ema"] = Answer(500, body)
    outcome = run_cli("why", "ema", home=daemon.home)
    assert outcome.code == 1
    assert outcome.err == (
        "cannot say why of ema: the daemon answered 500 Internal Server Error; see log/stratvisor.log\n"
    )


def test_a_daemon_that_hangs_up_without_an_answer_is_told(daemon: FakeDaemon) -> None:
    daemon.answers["GET", "/why/ema"] = lambda: None
    outcome = run_cli("why", "ema", home=daemon.home)
    assert outcome.code == 1
    assert outcome.err.startswith("cannot say why of ema: the daemon's answer broke off (")


@pytest.mark.parametrize("body", [b"no json", b"{}", b"[]", b'"text"'])
@pytest.mark.parametrize("verb", ["status", "why", "next", "runs", "start", "plan", "logs"])
def test_an_answer_of_another_shape_is_no_traceback(
    daemon: FakeDaemon, body: bytes, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from stratvisor.cli.main import main

    method = "POST" if verb == "start" else "GET"
    ids = [] if verb in ("status", "plan") else ["ema"]
    path = "/".join(["", verb, *ids])
    daemon.answers[method, path] = Answer(200, body)
    code = main([verb, *ids, "--home", str(daemon.home)])
    assert code == (0 if verb == "logs" else 1)
    assert "Traceback" not in capsys.readouterr().err


def test_a_daemon_that_does_not_answer_in_time_is_told(
    daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.05)
    stream = daemon.streams_to("/why/ema")
    with pytest.raises(
        Failure, match=r"^cannot ask: the daemon did not answer within 0\.05 s; see log/stratvisor"
    ):
        client.Client(daemon.home).get("ask", "why", "ema")
    stream.put(None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "[Errno 104] Connection reset by peer"),
        (BrokenPipeError(), "BrokenPipeError"),
        (http.client.IncompleteRead(b"half", 4), "IncompleteRead(4 bytes read, 4 more expected)"),
        (ValueError("no JSON"), "no JSON"),
    ],
)
def test_an_answer_that_breaks_off_is_told(
    daemon: FakeDaemon, error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: object) -> None:
        raise error

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", broken)
    outcome = run_cli("why", "ema", home=daemon.home)
    expected = f"cannot say why of ema: the daemon's answer broke off ({words}); see log/stratvisor.log\n"
    assert outcome == (1, "", expected)


def test_a_system_error_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: object) -> None:
        raise OSError(24, "Too many open files", "/some/where")

    monkeypatch.setattr(http.client.HTTPConnection, "__init__", full)
    assert run_cli("why", "ema", home=home).err.startswith("cannot go on")
    monkeypatch.setattr(cli_home, "find", full)
    assert run_cli("why", "ema", home=home) == (1, "", "cannot go on: Too many open files: /some/where\n")


def test_an_id_cannot_leave_its_place_in_the_path(daemon: FakeDaemon) -> None:
    run_cli("why", "../x?y#z é", home=daemon.home)
    assert daemon.next_asked().path == "/why/..%2Fx%3Fy%23z%20%C3%A9"


def test_ctrl_c_ends_a_command_quietly(daemon: FakeDaemon) -> None:
    daemon.streams_to("/logs/ema")
    # A test run started in the background ignores SIGINT, and so would its children.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from stratvisor.cli.main import main; sys.exit(main(['logs', 'ema', '-f']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=daemon.home,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        daemon.next_asked()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize(
    "arguments", [("status",), ("status", "--json"), ("schema",), ("--help",), ("--version",)]
)
def test_a_closed_pipe_ends_a_command_quietly(daemon: FakeDaemon, arguments: tuple[str, ...]) -> None:
    daemon.says("GET", "/status", status(strategy()))
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "stratvisor", *arguments],
            cwd=daemon.home,
            env=environment(),
            stdout=write_end,
            stderr=subprocess.PIPE,
            timeout=DEADLINE_S,
            check=False,
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


_LOADED = """
import sys
from stratvisor.cli.main import main
main(sys.argv[1:])
print(*sys.modules, sep="\\n", file=sys.stderr)
"""
_HEAVY = ("aiohttp", "jinja2", "yaml", "watchdog", "psutil", "croniter", "asyncio", "pandas")


@pytest.mark.parametrize("verb", [("status",), ("why", "ema"), ("stop", "ema"), ("logs", "ema"), ("token",)])
def test_a_client_loads_nothing_of_the_server(daemon: FakeDaemon, verb: tuple[str, ...]) -> None:
    daemon.says("GET", "/status", status(strategy()))
    daemon.says("GET", "/why/ema", {"why": "because"})
    daemon.says("POST", "/stop/ema", strategy())
    daemon.says("GET", "/logs/ema", "")
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *verb],
        cwd=daemon.home,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    loaded = {line for line in done.stderr.splitlines() if line in _HEAVY or line.startswith("stratvisor")}
    outside = {name for name in loaded if not name.startswith("stratvisor.cli")}
    assert outside == {"stratvisor"}


def test_status_costs_little_more_than_an_interpreter_that_can_ask(daemon: FakeDaemon) -> None:
    """Some 75 ms beside 55; on a busy machine both are more, and thrice where sources are compiled anew."""
    daemon.says("GET", "/status", status(*(strategy(f"s{number}") for number in range(100))))

    def cpu_seconds(*arguments: str) -> float:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=daemon.home, env=environment(), stdout=subprocess.DEVNULL
        )
        _, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    able, asks = ("-c", "import argparse, http.client, json"), ("-m", "stratvisor", "status")
    each = [(cpu_seconds(*able), cpu_seconds(*asks)) for _ in range(5)]
    assert min(asking for _, asking in each) < 5 * min(idle for idle, _ in each)
