"""Whatever becomes of files, disks and descriptors ends no daemon, and harms only the strategy concerned."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest
from hosted import Instance, alive, instance
from waiting import DEADLINE_S, until

from stratvisor.daemon import told


@pytest.fixture
def host(home: Path) -> Iterator[Instance]:
    with instance(home) as made:
        yield made


def problems(host: Instance) -> str:
    return " | ".join(f"{one['file']}: {one['message']}" for one in host.get("status")["problems"])


# state.json: the operator's word.


def _folder_at(path: Path) -> None:
    path.unlink()
    path.mkdir()


TEARS: dict[str, Callable[[Path], object]] = {
    "torn": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "emptied": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(os.urandom(300)),
    "replaced": lambda path: path.write_text('{"level": 1, "boot_id": "", "news_id": 0}'),
    "a folder": _folder_at,
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("tear", TEARS)
def test_a_hold_outlives_a_state_json_that_is(host: Instance, tear: str) -> None:
    host.write("held", "steady")
    host.up()
    host.pid("held")
    host.post("stop/held?wait=20")
    host.kill()
    TEARS[tear](host.home / "run" / "state.json")
    host.up()
    assert host.state("held") == "stopped"
    assert host.show("held")["hold"]["wants"] == "down"
    host.again()
    assert host.state("held") == "stopped"


def test_where_both_copies_are_lost_nothing_starts_by_surprise(host: Instance) -> None:
    for name in ("held", "runs"):
        host.write(name, "steady")
    host.up()
    pid = host.pid("runs")
    host.pid("held")
    host.post("stop/held?wait=20")
    host.kill()
    for path in (host.home / "run").glob("state.json*"):
        path.write_bytes(b"torn")
    host.up()
    assert host.pid("runs") == pid
    assert host.state("held") == "stopped"
    assert "state.json" in host.show("held")["why"]
    assert "state.json" in host.get("status")["why_not_ready"]
    host.post("start/held?wait=20")
    host.until_state("held", "running")


def test_an_order_is_answered_once_it_outlives_the_daemon(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    host.pid("ema")
    host.post("stop/ema")
    host.kill()
    kept = json.loads((host.home / "run" / "state.json").read_text())
    assert kept["strategies"]["ema"]["hold"]["wants"] == "down"


def test_an_order_that_cannot_be_kept_is_carried_out_and_said(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    blocked = host.home / "run" / "state.json.new"
    blocked.mkdir()
    status, problem = host.ask("POST", "/python/stop/ema?wait=5")
    assert status == 507
    assert "state.json" in problem["detail"]
    until(lambda: not alive(pid), "it is stopped nevertheless")
    until(lambda: "state.json" in (host.get("status")["why_not_ready"] or ""), "it is said")
    blocked.rmdir()
    until(lambda: host.get("status")["ready"], "it is written in the end")
    host.again()
    assert host.state("ema") == "stopped"


# history.db: what happened.


def test_a_history_that_is_locked_for_long_delays_nobody_and_loses_nothing(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    path = host.home / "run" / "history.db"
    until(lambda: host.get("runs/ema")["runs"], "the run is known")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for _ in range(3):
        host.post("restart/ema?wait=20")
    assert host.until_new_pid("ema", pid)
    until(lambda: "history.db" in problems(host), "it is said")
    other.close()
    until(lambda: len(host.get("runs/ema")["runs"]) == 4, "all is written once it can be")
    until(lambda: "history.db" not in problems(host), "it is over")


def test_a_corrupt_history_is_begun_anew_under_the_daemon(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    until(lambda: host.get("runs/ema")["runs"], "the run is known")
    path = host.home / "run" / "history.db"
    for one in path.parent.glob("history.db*"):
        one.unlink(missing_ok=True)  # a journal comes and goes
    path.write_bytes(os.urandom(9000))
    host.post("restart/ema?wait=20")
    host.until_new_pid("ema", pid)
    until(lambda: host.get("runs/ema")["runs"], "it is written again")
    assert list(path.parent.glob("history.db.bad-*"))


# run/: removed under the daemon.


def test_a_run_folder_removed_under_the_daemon_comes_back(host: Instance) -> None:
    for name in ("ema", "held"):
        host.write(name, "steady")
    host.up()
    pid = host.pid("ema")
    host.pid("held")
    host.post("stop/held?wait=20")
    shutil.rmtree((host.home / "run").rename(host.home / "cleaned"), ignore_errors=True)
    second = subprocess.run(
        [sys.executable, "-m", "stratvisor", "--home", str(host.home), "up"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert second.returncode == 1
    assert "runs for" in second.stderr
    os.kill(host.daemon_pid, signal.SIGHUP)
    until(host._answers, "the socket is back")
    assert (host.home / "run").stat().st_mode & 0o777 == 0o700
    assert host.pid("ema") == pid
    os.kill(pid, signal.SIGKILL)
    host.until_new_pid("ema", pid)
    until((host.home / "run" / "state.json").exists, "holds are written again")
    host.again()
    assert host.state("held") == "stopped"
    host.until_state("ema", "running")


# Folders that take nothing.


@pytest.mark.parametrize("name", ["keys", "log", "data"])
def test_a_file_in_the_place_of_a_folder_keeps_no_daemon_from_coming_up(host: Instance, name: str) -> None:
    (host.home / name).write_text("not a folder")
    host.write("ema", "steady")
    host.up()
    until(lambda: name in problems(host) or name in host.show("ema")["why"], "it is said")
    (host.home / name).unlink()
    host.until_state("ema", "running")


def test_a_log_folder_that_was_removed_is_made_again(host: Instance) -> None:
    host.up()
    shutil.rmtree((host.home / "log").rename(host.home / "cleaned"))  # at once: the daemon goes on writing
    host.post("reload")
    until((host.home / "log" / "stratvisor.log").exists, "the daemon's log is back")


# Full disks.


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 1 MiB at `folder`; yields its ballast, which fills it when written."""
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("no small file system can be mounted here: only root may")
    try:
        yield folder / "ballast"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        try:
            while file.write(b"x" * 512):
                pass
        except OSError:
            return


@pytest.mark.parametrize("names", [["log"], ["run"], ["log", "run"]])
def test_a_full_disk_ends_nothing_that_runs(host: Instance, names: list[str]) -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        ballasts = [stack.enter_context(small_disk(host.home / name)) for name in names]
        stack.callback(host.close)
        host.write("ema", "steady")
        host.write("hand", "steady", text="schedule: manual")
        host.up()
        pid = host.pid("ema")
        host.until_state("ema", "running")
        until(lambda: host.get("runs/ema")["runs"], "all that its start writes is written")
        for _ in range(3):  # what was being replaced has left some room meanwhile
            for ballast in ballasts:
                fill(ballast)
            host.get("status")
        status, _ = host.ask("POST", "/python/start/hand?wait=5")
        assert status in {200, 202, 504, 507}
        if "run" in names:
            assert "No space left" in host.until_state("hand", "backoff")["why"]
            assert status == 507
        assert host.pid("ema") == pid
        host.post("reload")
        assert alive(pid)
        host.ask("POST", "/python/stop/ema")
        until(lambda: not alive(pid), "it is stopped nevertheless")
        for ballast in ballasts:
            ballast.unlink()
        host.until_state("hand", "running")
        until(lambda: host.get("status")["ready"], "all is written again")
        host.post("start/ema?wait=20")
        host.until_new_pid("ema", pid)
        host.post("stop/all?wait=30")
        assert "Traceback" not in (host.home / "daemon.err").read_text()


# Descriptors and processes that are not to be had.


def no_descriptor_more(pid: int) -> int:
    """The limit under which no new one fits; not 0, with which poll(2) refuses those that are open."""
    taken = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return next(number for number in range(9) if number not in taken or number == 8)


def test_no_descriptor_left_is_said_and_passes(host: Instance) -> None:
    host.write("ema", "steady", text="restart: {delay: 100ms, jitter: 0%, give_up: none}")
    host.write("gone", "steady", text="restart: {when: never}")
    host.up()
    first, gone = host.pid("ema"), host.pid("gone")
    limits = resource.prlimit(host.daemon_pid, resource.RLIMIT_NOFILE)
    few = no_descriptor_more(host.daemon_pid)
    resource.prlimit(host.daemon_pid, resource.RLIMIT_NOFILE, (few, limits[1]))
    os.kill(first, signal.SIGKILL)
    os.kill(gone, signal.SIGTERM)
    log = host.home / "daemon.err"
    until(lambda: "Too many open files" in log.read_text(), "it is said")
    resource.prlimit(host.daemon_pid, resource.RLIMIT_NOFILE, limits)
    host.until_new_pid("ema", first)
    shown = host.until_state("gone", "error")
    assert shown["last_exit"]["signal"] == "SIGTERM", shown
    assert host.show("ema")["last_exit"]["signal"] == "SIGKILL"
    assert "Traceback" not in log.read_text()


def test_what_has_run_out_is_one_line_and_no_traceback() -> None:
    """As asyncio tells of an accept that failed, which no task awaits."""
    loop = Mock()
    told(loop, {"message": "cannot accept", "exception": OSError(errno.EMFILE, "Too many open files")})
    loop.default_exception_handler.assert_not_called()
    told(loop, {"message": "a bug", "exception": ValueError()})
    loop.default_exception_handler.assert_called_once()


def test_a_daemon_takes_as_many_descriptors_as_it_may_have(host: Instance) -> None:
    host.runs_by = ["prlimit", "--nofile=512:4000"]
    host.up()
    assert resource.prlimit(host.daemon_pid, resource.RLIMIT_NOFILE) == (4000, 4000)


NOBODY_ELSE = 54_321
"""A user id without processes: RLIMIT_NPROC counts those of a user, and root is exempt (fork, EAGAIN)."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_no_process_to_be_had_is_said_and_passes(host: Instance) -> None:
    # It may still read and write everything: only the limit of processes is to hold for it, and
    # its strategies keep what a sandbox would take.
    may = "+dac_override,+fowner"
    host.runs_by = ["setpriv", f"--reuid={NOBODY_ELSE}", f"--inh-caps={may}", f"--ambient-caps={may}"]
    host.write("ema", "steady", text="sandbox: off\nrestart: {delay: 100ms, jitter: 0%, give_up: none}")
    host.write("hand", "steady", text="sandbox: off\nschedule: manual")
    host.up()
    first = host.pid("ema")
    pids = [host.daemon_pid, *children(host.daemon_pid)]
    limit_processes(pids, "1")
    os.kill(first, signal.SIGKILL)
    why = host.until_state("ema", "backoff")["why"]
    until(lambda: "Resource temporarily unavailable" in host.show("ema")["why"], f"it is said: {why}")
    assert host.post("start/hand?wait=5")["state"] in {"backoff", "starting"}
    assert host.post("reload")["problems"] == []
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    limit_processes(pids, "unlimited" if hard == resource.RLIM_INFINITY else str(hard))
    host.until_new_pid("ema", first)
    host.until_state("hand", "running")
    host.post("stop/all?wait=30")
    assert "Traceback" not in (host.home / "daemon.err").read_text()


def limit_processes(pids: list[int], soft: str) -> None:
    """Set by their own user, who may: not every root may do it for others."""
    for pid in pids:
        command = ["setpriv", f"--reuid={NOBODY_ELSE}", "prlimit", f"--pid={pid}", f"--nproc={soft}:"]
        subprocess.run(command, check=True)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# What a strategy is made of goes and comes back.


def test_a_script_that_git_takes_away_for_a_moment(host: Instance) -> None:
    script = host.home / "strategies" / "own.py"
    shutil.copy(Path(__file__).parent.parent / "children" / "wicked.py", script)
    (host.home / "conf.d" / "own.yaml").write_text(
        "script: strategies/own.py\nargs: [steady]\nrestart: {delay: 10ms}\n"
    )
    host.up()
    pid = host.pid("own")
    aside = script.rename(host.home / "aside")
    os.kill(pid, signal.SIGKILL)
    until(lambda: "strategies/own.py is missing" in host.show("own")["why"], "it is said")
    aside.rename(script)
    host.until_new_pid("own", pid)


def test_an_interpreter_that_vanished_and_returned(host: Instance) -> None:
    venv = host.home / "venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").symlink_to(sys.executable)
    host.write("ema", "steady", text="python: venv/bin/python\nrestart: {delay: 10ms}")
    host.up()
    pid = host.pid("ema")
    venv.parent.rename(host.home / "aside")
    os.kill(pid, signal.SIGKILL)
    until(lambda: "venv/bin/python is missing" in host.show("ema")["why"], "it is said")
    (host.home / "aside").rename(venv.parent)
    host.until_new_pid("ema", pid)
