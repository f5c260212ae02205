"""One daemon follows another, by any way there is, and no strategy notices."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hosted import Instance, alive, instance, numbers
from waiting import DEADLINE_S, until

from stratvisor.systemd import READY, Systemd


@pytest.fixture
def host(home: Path) -> Iterator[Instance]:
    with instance(home) as made:
        yield made


def cli(host: Instance, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stratvisor", "--home", str(host.home), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


# upgrade.


def test_an_upgrade_leaves_strategies_and_the_daemons_own_pid_alone(host: Instance) -> None:
    for name in ("ema", "held"):
        host.write(name, "steady")
    host.up()
    pid, began = host.pid("ema"), host.get("status")["began"]
    host.post("stop/held?wait=20")
    done = cli(host, "upgrade")
    assert (done.returncode, done.stdout) == (0, "upgraded: 0.1.0\n"), done.stderr
    assert host.daemon is not None
    assert host.daemon.poll() is None
    assert host.get("status")["began"] != began
    assert host.pid("ema") == pid
    assert host.state("held") == "stopped"
    host.post("stop/ema?wait=20")
    counted = numbers(host.printed("ema"))
    assert counted == list(range(len(counted)))


@pytest.fixture
def installed(host: Instance, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the code, which the daemon runs and a test may break."""
    import stratvisor

    folder = host.home.parent / "installed"
    shutil.copytree(Path(stratvisor.__file__).parent, folder / "stratvisor")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder / "stratvisor"


def test_code_that_cannot_start_is_refused_and_the_old_daemon_goes_on(
    host: Instance, installed: Path
) -> None:
    host.write("ema", "steady")
    host.up()
    pid, began = host.pid("ema"), host.get("status")["began"]
    whole = (installed / "metering.py").read_text()
    (installed / "metering.py").write_text("import nothing_of_this_name\n")
    done = cli(host, "upgrade")
    assert done.returncode == 1
    assert (
        "the new code cannot start: ModuleNotFoundError: No module named 'nothing_of_this_name'"
        in done.stderr
    )
    assert (host.get("status")["began"], host.pid("ema")) == (began, pid)
    (installed / "metering.py").write_text(whole)
    assert cli(host, "upgrade").returncode == 0
    assert host.pid("ema") == pid


def test_code_that_takes_a_good_file_for_bad_is_refused(host: Instance, installed: Path) -> None:
    host.write("ema", "steady", text="on_change: restart")
    host.write("bad", "steady", text="no_such_key: 1")
    host.up()
    assert cli(host, "upgrade").returncode == 0
    keys = next(path for path in (installed / "reading").iterdir() if '"on_change"' in path.read_text())
    keys.write_text(keys.read_text().replace('"on_change"', '"at_change"'))
    done = cli(host, "upgrade")
    assert done.returncode == 1
    assert "cannot take over: conf.d/ema.yaml:" in done.stderr
    assert "on_change: unknown key" in done.stderr
    assert "bad.yaml" not in done.stderr


def test_code_older_than_what_stands_is_refused(host: Instance, installed: Path) -> None:
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    store = installed / "store.py"
    store.write_text(store.read_text().replace("LEVEL = 1", "LEVEL = 0"))
    done = cli(host, "upgrade")
    assert done.returncode == 1
    assert "made by a newer stratvisor (format 1, this one knows 0)" in done.stderr
    assert host.pid("ema") == pid


# Other ways.


def test_shutdown_and_up_leave_strategies_alone(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    assert cli(host, "shutdown").returncode == 0
    assert host.daemon is not None
    host.daemon.wait(DEADLINE_S)
    assert alive(pid)
    host.up()
    assert host.pid("ema") == pid


def test_a_run_of_a_newer_stratvisor_is_left_alone_and_blocks_a_second_copy(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    host.kill()
    path = host.home / "run" / "ema" / "1" / "pid.json"
    newer = path.read_text().replace('{"format":1', '{"format":2')
    path.write_text(newer)
    host.up()
    why = host.until_state("ema", "backoff")["why"]
    assert "run/ema/1/pid.json was made by a newer stratvisor (format 2, not 1)" in why
    host.kill()
    for one in (json.loads(newer)["shim"][0], pid):
        os.kill(one, signal.SIGKILL)
    until(lambda: not alive(pid), "it is gone")
    host.up()
    host.until_state("ema", "backoff")
    assert path.read_text() == newer
    shutil.rmtree(path.parent)
    host.until_new_pid("ema")


# systemd.


class Manager:
    """A systemd as the daemon knows it: a datagram socket that is always listened to."""

    def __init__(self, address: str) -> None:
        self._heard: queue.Queue[str] = queue.Queue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while word := self._socket.recv(4096):
            self._heard.put(word.decode())

    def until(self, word: str) -> None:
        """Pass over all before that word."""
        while not self._heard.get(timeout=DEADLINE_S).startswith(word):
            pass

    def pass_over_until_silent(self, seconds: float) -> None:
        with suppress(queue.Empty):
            while self._heard.get(timeout=seconds):
                pass

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RD)
        self._thread.join(DEADLINE_S)
        self._socket.close()


@pytest.fixture
def manager(host: Instance, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    name = hashlib.sha256(str(host.home).encode()).hexdigest()  # abstract: no path is too long for it
    made = Manager(f"\0{name}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    yield made
    made.close()


def test_systemd_hears_of_the_daemon_and_of_no_strategy(
    host: Instance, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    host.write("ema", "environment")
    host.write("steady", "steady")
    host.up()
    pid = host.pid("steady")
    manager.until("READY=1")
    for _ in range(3):
        manager.until("WATCHDOG=1")
    assert cli(host, "upgrade").returncode == 0
    manager.until("RELOADING=1")
    manager.until("READY=1")
    manager.until("WATCHDOG=1")
    host.until_printed("ema", "STRATEGY_ID=")
    assert not [line for line in host.printed("ema") if line.startswith(("NOTIFY_SOCKET", "WATCHDOG"))]
    host.kill(signal.SIGTERM)
    manager.until("STOPPING=1")
    assert alive(pid)


def test_an_event_loop_that_stands_still_tells_no_watchdog(
    host: Instance, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    host.up()
    manager.until("WATCHDOG=1")
    os.kill(host.daemon_pid, signal.SIGSTOP)
    manager.pass_over_until_silent(1)
    os.kill(host.daemon_pid, signal.SIGCONT)
    manager.until("WATCHDOG=1")


@pytest.mark.parametrize(("says", "stopped"), [("stopping", True), ("running", False)])
def test_strategies_are_stopped_politely_only_where_the_machine_goes_down(
    host: Instance, manager: Manager, monkeypatch: pytest.MonkeyPatch, says: str, *, stopped: bool
) -> None:
    folder = host.home.parent / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(f"#!/bin/sh\necho {says}\nexit 1\n")
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    host.kill(signal.SIGTERM)
    assert alive(pid) is not stopped
    manager.until("STOPPING=1")
    if stopped:
        manager.until("EXTEND_TIMEOUT_USEC=")
        found = json.loads((host.home / "run" / "ema" / "1" / "exit.json").read_text())
        assert (found["signal"], found["stopped"]) == (signal.SIGTERM, "shutdown")


def test_a_manager_that_does_not_listen_ends_no_daemon() -> None:
    Systemd({"NOTIFY_SOCKET": "/no/such/socket"}).say(READY)


def test_a_watchdog_of_another_process_is_not_fed() -> None:
    """systemd's variables are inherited by whatever a unit's process begins (sd_watchdog_enabled(3))."""
    told = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "3000000"}
    own = {**told, "WATCHDOG_PID": str(os.getpid())}
    assert [Systemd(one)._watchdog_s for one in (told, own, {**told, "WATCHDOG_PID": "1"})] == [
        3.0,
        3.0,
        None,
    ]
