"""Shims are killed, with and without a daemon: strategies print on, and their ends are known if at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty import Faulty, Temper, faulty
from waiting import DEADLINE_S, alive, until

from stratvisor.runner.orphans import REMEMBERED, Orphans
from stratvisor.shim import kernel, rundir

UNSEEN = "nobody saw it end: its shim had been killed"


@pytest.fixture
def host(home: Path) -> Iterator[Faulty]:
    with faulty(home) as made:
        yield made


def counts(host: Faulty, strategy: str = "ema") -> None:
    until(host.all_counting([strategy]), f"{strategy} counts")


def leave(host: Faulty) -> Any:
    """Have it exit with code 7; returns how that run ended."""
    run = host.show("ema")["run"]
    (host.data("ema") / "leave").write_text("7")
    return last_exit(host, run)


def last_exit(host: Faulty, run: int) -> Any:
    until(lambda: (host.show("ema")["last_exit"] or {}).get("run") == run, f"run {run} has ended")
    return host.show("ema")["last_exit"]


def kernel_tells() -> bool:
    """Whether a pidfd says how a process ended that was reaped."""
    with subprocess.Popen(["/bin/true"]) as child:
        pidfd = os.pidfd_open(child.pid)
    try:
        return kernel.pidfd_exit_status(pidfd) == 0
    finally:
        os.close(pidfd)


BY_PIDFD = pytest.mark.skipif(not kernel_tells(), reason="PIDFD_GET_INFO tells of no exits before Linux 6.15")

# The end of a run whose shim was killed.


def test_the_code_is_known_by_wait(host: Faulty) -> None:
    """On a kernel that says nothing about others' children."""
    (host.home / "faults" / "old-kernel").touch()
    host.add("ema")
    host.up()
    counts(host)
    host.kill_of("ema", "shim")
    counts(host)
    assert leave(host)["code"] == 7


@BY_PIDFD
def test_the_code_is_known_by_pidfd(host: Faulty) -> None:
    """The strategy was orphaned while no daemon lived, so it is nobody's child that we know."""
    host.add("ema")
    host.up()
    counts(host)
    host.kill()
    host.kill_of("ema", "shim")
    host.up()
    counts(host)
    assert leave(host)["code"] == 7


def test_the_code_is_unknown_where_nobody_says_and_the_reason_is_given(host: Faulty) -> None:
    (host.home / "faults" / "old-kernel").touch()
    host.add("ema")
    host.up()
    counts(host)
    host.kill()
    host.kill_of("ema", "shim")
    host.up()
    counts(host)
    end = leave(host)
    assert (end["code"], end["signal"]) == (None, None)
    assert end["cause"] == UNSEEN


@BY_PIDFD
def test_an_adopted_run_killed_with_its_shim_is_known_by_pidfd(host: Faulty) -> None:
    """It is no child of this daemon; and once was unknown, with the daemon looking on."""
    host.add("ema")
    host.up()
    counts(host)
    host.again()
    counts(host)
    pid = host.pid("ema")
    os.kill(host.daemon_pid, signal.SIGSTOP)
    host.kill_of("ema", "shim", "strategy")
    until(lambda: not Path(f"/proc/{pid}").exists(), "somebody else has reaped it")
    os.kill(host.daemon_pid, signal.SIGCONT)
    assert last_exit(host, 1)["signal"] == "SIGKILL"


@pytest.mark.parametrize("daemon", ["lives", "is dead"])
def test_what_a_dead_daemon_could_not_keep_is_said_in_the_log(host: Faulty, daemon: str) -> None:
    host.add("ema")
    host.up()
    counts(host)
    if daemon == "is dead":
        host.kill()
    host.kill_of("ema", "shim", "strategy")
    if daemon == "is dead":
        host.up()
    last_exit(host, 1)
    logs = "".join(path.read_text() for path in (host.home / "log" / "strategies").iterdir())
    assert ("what it printed last may be lost" in logs) is (daemon == "is dead")


def test_an_end_is_remembered_by_identity_and_not_for_ever() -> None:
    """A pid that was given out again once could have had the end of another process."""
    orphans = Orphans()
    child = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(5)"], start_new_session=True)
    identity = rundir.identify_dead_or_alive(child.pid)
    assert identity is not None
    until(lambda: not alive(child.pid))
    orphans.reap(spared=None)
    child.returncode = 5
    assert orphans.status_of(identity._replace(start_time=identity.start_time + 1)) is None
    assert os.waitstatus_to_exitcode(orphans.status_of(identity) or 0) == 5
    assert orphans.status_of(identity) is None
    orphans._ends = {rundir.Identity(number, 0): 0 for number in range(REMEMBERED + 1)}
    child = subprocess.Popen([sys.executable, "-S", "-c", ""], start_new_session=True)
    until(lambda: not alive(child.pid))
    orphans.reap(spared=None)
    child.returncode = 0
    assert len(orphans._ends) == REMEMBERED + 1


def test_children_that_have_a_waiter_are_left_to_it() -> None:
    """The zygote, and whatever is of the daemon's own session."""
    script = [sys.executable, "-S", "-c", "raise SystemExit(5)"]
    for own in (True, False):
        child = subprocess.Popen(script, start_new_session=not own)
        until(lambda child=child: not alive(child.pid))  # type: ignore[misc]
        Orphans().reap(spared=None if own else child.pid)
        assert child.wait() == 5


def test_a_process_whose_first_thread_has_ended_is_none_of_the_dead() -> None:
    script = (
        "import ctypes, platform, threading, time; threading.Thread(target=time.sleep, args=(600,)).start();"
        "ctypes.CDLL(None).syscall({'x86_64': 60}.get(platform.machine(), 93), 0)"  # exit(2): one thread
    )
    with subprocess.Popen([sys.executable, "-S", "-c", script]) as process:
        until(lambda: not alive(process.pid), "its first thread has ended")
        assert rundir.identify(process.pid) is not None
        process.kill()


# Launches and orders that were cut short.


@pytest.mark.parametrize("order", ["after shim.main.Shim.launch os.write", "before shim.main.run os.write"])
def test_a_strategy_let_go_by_a_shim_that_dies_at_once_gets_another(host: Faulty, order: str) -> None:
    """It once ran on unwatched for ever, and no later launch could end it."""
    host.order("ema", order)
    host.add("ema")
    host.up()
    counts(host)
    assert host.show("ema")["run"] == 1


def test_a_run_that_nobody_watches_and_whose_shim_is_dead_is_stopped(host: Faulty) -> None:
    host.add("ema")
    host.up()
    counts(host)
    host.post("stop/ema?wait=20")
    host.kill()
    first = host.who("ema", 1)["strategy"]
    (host.home / "run" / "ema" / "1" / rundir.EXIT).unlink()
    environment = {"STRATVISOR_RUN": f"{host.home}:ema/1"}
    with subprocess.Popen(["/bin/sleep", "600"], env=environment) as deserted:
        host.up()
        until(lambda: deserted.poll() is not None, "what is left of the run is ended")
    assert not alive(first[0])


def test_a_strategy_killed_before_it_was_let_go_has_an_end_like_any_other(host: Faulty) -> None:
    host.order("ema", "pause before shim.main.Shim.launch os.write")
    host.add("ema")
    host.begin()
    until(lambda: not host.orders_left("ema"), "its shim is about to let it go")
    who = host.who("ema", 1)
    host.kill_of("ema", "strategy")
    until(lambda: not alive(who["strategy"][0]), "it is dead")
    os.kill(who["shim"][0], signal.SIGCONT)
    until(host.answers, "the daemon answers")
    assert last_exit(host, 1)["signal"] == "SIGKILL"
    counts(host)


def test_a_stop_that_was_written_and_not_said_is_carried_out_by_the_next_daemon(host: Faulty) -> None:
    """The daemon died between want.json and its word to the shim, which never looked."""
    host.add("ema")
    host.up()
    counts(host)
    host.order("daemon", "before runner.local.LocalRunner._poke os.write")
    host.try_post("stop/ema")
    until(lambda: not host.lives(), "the daemon is dead")
    host.up()
    assert last_exit(host, 1)["signal"] == "SIGTERM"


def test_readiness_that_came_before_anybody_listened_is_seen(host: Faulty) -> None:
    """It once ended as a start that had failed, a minute later."""
    host.order("daemon", "pause before news_socket.NewsSocket.__enter__")
    host.add("ema", Temper(["once"]))
    host.begin()
    until(lambda: not host.orders_left("daemon"), "the daemon has launched it and listens to nobody yet")
    until((host.home / "run" / "ema" / "1" / rundir.READY).exists, "it is ready")
    os.kill(host.daemon_pid, signal.SIGCONT)
    until(host.answers, "the daemon answers")
    host.until_state("ema", "running")


# While it prints.


def test_bytes_between_both_pipes_outlive_a_shim_that_dies_with_no_daemon(host: Faulty) -> None:
    host.add("ema", Temper(timestamps=True))
    host.up()
    counts(host)
    host.kill()
    host.order("ema", "after shim.held.Held.fill os.splice")
    until(lambda: not host.orders_left("ema"), "the shim is dead")
    host.up()
    counts(host)
    host.post("stop/ema?wait=20")
    assert host.findings("ema") == []


def test_bytes_between_both_pipes_outlive_shim_and_strategy_under_a_daemon(host: Faulty) -> None:
    host.add("ema", Temper(timestamps=True))
    host.up()
    counts(host)
    host.order("ema", "pause after shim.held.Held.fill os.splice")
    until(lambda: not host.orders_left("ema"), "the shim is stopped")
    host.kill_of("ema", "strategy", "shim")
    last_exit(host, 1)
    counts(host)
    host.post("stop/ema?wait=20")
    assert host.findings("ema") == []


def test_a_strategy_prints_on_while_its_shim_is_replaced(host: Faulty) -> None:
    host.add("ema", Temper(["flood"]))
    host.up()
    counts(host)
    run = host.show("ema")["run"]
    for _ in range(5):
        host.kill_of("ema", "shim")
        counts(host)
    assert host.show("ema")["run"] == run
    host.post("stop/ema?wait=20")
    longest_s = int((host.data("ema") / "blocked").read_text()) / 1e9
    print(f"the longest write took {longest_s:.4f} s")  # noqa: T201
    assert host.findings("ema") == []
    assert longest_s < DEADLINE_S / 2, "it was hung up"
