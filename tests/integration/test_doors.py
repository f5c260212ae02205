"""A strategy that would stop its neighbour, and what is left of its tries."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosted import Instance, alive, instance
from waiting import until

from stratvisor.runner import kinship

KNOCKING = Path(__file__).parent.parent / "children" / "knocking.py"
WAYS = {"itself", "child", "orphan", "stripped", "inherited"}


@pytest.fixture
def host(home: Path) -> Iterator[Instance]:
    with instance(home) as made:
        yield made


def hosted_pair(host: Instance) -> int:
    """The victim and the one that knocks; the pid of the first."""
    host.write("victim", "steady")
    arguments = json.dumps([str(host.home / "run" / "stratvisor.sock"), "victim"])
    (host.home / "conf.d" / "knocker.yaml").write_text(
        f"script: {KNOCKING}\nargs: {arguments}\nenabled: false\nsandbox: 'off'\n"
    )
    host.up()
    pid = host.pid("victim")
    path = host.home / "conf.d" / "knocker.yaml"
    path.write_text(path.read_text().replace("enabled: false\n", ""))
    host.post("reload")
    return pid


def answers(host: Instance) -> Counter[tuple[str, ...]]:
    return Counter(tuple(line.split()) for line in host.printed("knocker"))


def until_refused(host: Instance, times: int) -> None:
    wanted = Counter({(way, "403"): times for way in WAYS})
    until(lambda: sum(answers(host).values()) >= times * len(WAYS), "every way was tried")
    assert answers(host) == wanted


def shim_of(host: Instance, strategy: str) -> int:
    (path,) = (host.home / "run" / strategy).glob("*/pid.json")
    return int(json.loads(path.read_text())["shim"][0])


def test_a_strategy_cannot_stop_its_neighbour(host: Instance) -> None:
    victim = hosted_pair(host)
    until_refused(host, 1)
    assert host.show("victim")["pid"] == victim
    assert host.show("victim")["hold"] is None
    log = (host.home / "log" / "stratvisor.log").read_text()
    assert re.search(r"WARNING knocker: its process \d+ asked for the control socket, and was refused", log)
    assert '"what":"stop"' not in (host.home / "log" / "audit.jsonl").read_text()


def test_nor_under_the_next_daemon(host: Instance) -> None:
    victim = hosted_pair(host)
    until_refused(host, 1)
    host.again()
    os.kill(host.pid("knocker"), signal.SIGUSR1)
    until_refused(host, 2)
    assert host.pid("victim") == victim


def test_nor_once_its_shim_is_dead(host: Instance) -> None:
    """Its family hangs from the daemon then."""
    victim = hosted_pair(host)
    until_refused(host, 1)
    shim = shim_of(host, "knocker")
    os.kill(shim, signal.SIGKILL)
    until(lambda: not alive(shim))
    until(lambda: shim_of(host, "knocker") != shim, "another shim took over")
    os.kill(host.pid("knocker"), signal.SIGUSR1)
    until_refused(host, 2)
    assert host.pid("victim") == victim


def test_the_command_line_is_no_strategy(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    host.pid("ema")
    done = subprocess.run(
        [sys.executable, "-m", "stratvisor", "--home", str(host.home), "stop", "ema"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    record: dict[str, Any] = json.loads((host.home / "log" / "audit.jsonl").read_text())
    assert (record["who"], record["what"], record["strategy"]) == (f"uid {os.getuid()}", "stop", "ema")
    assert "held down since" in host.show("ema")["why"]
    assert f"by uid {os.getuid()}" in host.show("ema")["why"]


# Whose a process is.


def test_a_process_of_nobody() -> None:
    assert kinship.strategy_of(os.getpid(), {}, daemon=os.getpid(), home="/nowhere") is None
    assert kinship.strategy_of(os.getpid(), {999_999_999: "ema"}, daemon=999_999_999, home="/nowhere") is None


def test_a_process_below_a_shim_or_the_daemon() -> None:
    parent = os.getppid()
    assert kinship.strategy_of(os.getpid(), {parent: "ema"}, daemon=0, home="/nowhere") == "ema"
    assert kinship.strategy_of(os.getpid(), {os.getpid(): "ema"}, daemon=0, home="/nowhere") == "ema"
    assert kinship.strategy_of(os.getpid(), {}, daemon=parent, home="/nowhere") == kinship.SOMEBODY


def test_ancestors_that_are_hidden_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another user's processes a /proc with hidepid shows nothing: root's sshd must lock nobody out."""
    table = {7: kinship._Known(5, 100), 5: kinship._Known(3, 90)}
    monkeypatch.setattr(kinship, "_look", table.get)
    monkeypatch.setattr(kinship, "_marked", lambda *_: None)
    for pid in (7, 8):
        assert kinship.strategy_of(pid, {}, daemon=0, home="/nowhere") is None
    assert kinship.strategy_of(7, {5: "ema"}, daemon=0, home="/nowhere") == "ema"


def test_an_ancestor_that_ends_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its child was adopted meanwhile, by the shim."""
    looks = iter([kinship._Known(5, 100), None, kinship._Known(2, 100)])
    adopted = {7: kinship._Known(2, 100), 2: kinship._Known(0, 1)}
    monkeypatch.setattr(kinship, "_look", lambda pid: next(looks, adopted.get(pid)))
    monkeypatch.setattr(kinship, "_marked", lambda *_: None)
    assert kinship.strategy_of(7, {2: "ema"}, daemon=0, home="/nowhere") == "ema"


def test_a_parent_that_is_younger_than_its_child_is_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pid of an ancestor that ended while it was looked at may be somebody else's by now."""
    table = {7: kinship._Known(5, 100), 5: kinship._Known(1, 200), 1: kinship._Known(0, 1)}
    monkeypatch.setattr(kinship, "_look", table.get)
    monkeypatch.setattr(kinship, "_marked", lambda *_: None)
    assert kinship.strategy_of(7, {}, daemon=0, home="/nowhere") == kinship.SOMEBODY
    table[5] = kinship._Known(1, 100)
    assert kinship.strategy_of(7, {}, daemon=0, home="/nowhere") is None


def test_the_mark_of_a_run_tells_without_a_shim(tmp_path: Path) -> None:
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    environment = {"STRATVISOR_RUN": f"{tmp_path}:ema/3"}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert kinship.strategy_of(child.pid, {}, daemon=0, home=str(tmp_path)) == "ema"
        assert kinship.strategy_of(child.pid, {}, daemon=0, home="/elsewhere") is None
        child.communicate()
