"""Many at once: children that exit at once, a whole house killed in one instant, clients that never read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hosted import Instance, Unix, instance
from waiting import comm, until

from stratvisor.shim import tree

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
MANY = 100
CLIENTS = 50
DEAF = 40
"""Of the clients: those that never read."""


@pytest.fixture
def host(home: Path) -> Iterator[Instance]:
    with instance(home) as made:
        yield made


def write_command(host: Instance, name: str, command: list[str], text: str = "") -> None:
    (host.home / "conf.d" / f"{name}.yaml").write_text(f"command: {json.dumps(command)}\n{text}")


def spent_ns(pid: int) -> int:
    """CPU of a process and of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * TICK_NS


def resident(pid: int) -> int:
    """Bytes of memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def began(host: Instance, strategy: str) -> list[datetime]:
    return [datetime.fromisoformat(run["began"]) for run in host.get(f"runs/{strategy}?n=1000")["runs"]]


def runs_of(host: Instance, strategy: str) -> int:
    """Counted by its logs, which costs the daemon nothing."""
    return len(list((host.home / "log" / "strategies").glob(f"{strategy}_*")))


@pytest.mark.parametrize(
    ("restart", "before", "more"),
    [
        pytest.param("{when: always}", 1, 3, id="by default after 1, 2 and 4 s"),
        pytest.param("{when: always, delay: 0s, max_delay: 0s}", 12, 8, id="without delay two a second"),
    ],
)
def test_a_child_that_exits_at_once_costs_few_starts_and_little_cpu(
    host: Instance, restart: str, before: int, more: int
) -> None:
    """Of the daemon and the zygote, some 10 ms for each start, as much as a shim's own."""
    host.up()
    zygote = next(pid for pid in tree.children(host.daemon_pid) if comm(pid) == "shim zygote")
    helpers = [host.daemon_pid, zygote]
    write_command(host, "eager", ["/bin/true"], f"restart: {restart}")
    host.post("reload")
    until(lambda: runs_of(host, "eager") >= before, "the storm blows")
    first, spent = runs_of(host, "eager"), sum(map(spent_ns, helpers))
    until(lambda: runs_of(host, "eager") >= first + more, "for a while")
    spent = sum(map(spent_ns, helpers)) - spent
    last = runs_of(host, "eager")
    until(lambda: len(began(host, "eager")) >= last, "all are in the history")
    times = sorted(began(host, "eager"))
    # Each pause is counted from an end, so that a late start makes none shorter.
    pauses = [later - earlier for earlier, later in pairwise(times[before - 1 :])]
    assert min(pauses) >= timedelta(seconds=0.49)  # half a second, to the millisecond
    assert spent < (last - first) * 6 * an_interpreters_start_ns()


def an_interpreters_start_ns() -> int:
    """The CPU that it costs here and now, some 15 ms."""
    with subprocess.Popen([sys.executable, "-c", ""]) as bare:
        _, code, used = os.wait4(bare.pid, 0)
        bare.returncode = os.waitstatus_to_exitcode(code)
    return round((used.ru_utime + used.ru_stime) * 1e9)


def test_a_house_killed_in_one_instant_comes_back_staggered(host: Instance) -> None:
    names = [f"s{number}" for number in range(MANY)]
    restart = "restart: {delay: 2s, jitter: 50%}\nstart: {ready_after: 0s}"
    for name in names:
        write_command(host, name, ["/bin/sleep", "600"], restart)
    host.up()
    until(lambda: host.get("status")["counts"].get("running") == MANY, "all run")
    pids = {one["id"]: one["pid"] for one in host.get("status")["strategies"]}
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        now = {one["id"]: one["pid"] for one in host.get("status")["strategies"]}
        return all(now[name] not in {None, pids[name]} for name in names)

    until(back, "all are back")
    shown = [host.show(name) for name in names]
    assert {one["run"] for one in shown} == {2}
    assert {one["last_exit"]["signal"] for one in shown} == {"SIGKILL"}
    pauses = sorted(
        (began(host, one["id"])[0] - datetime.fromisoformat(one["last_exit"]["at"])).total_seconds()
        for one in shown
    )
    assert pauses[0] >= 1 - 0.01
    assert pauses[-1] - pauses[0] > 1
    host.post("stop/all?wait=30")


def test_fifty_followers_of_whom_most_never_read_slow_nobody(host: Instance) -> None:
    """The kernel's buffers take what they can; then the daemon holds one frame for each, and lets go."""
    loud = f"while :; do yes {'x' * 500} | head -n 400; sleep 0.1; done"  # 2 MB a second, and not all CPUs
    write_command(host, "loud", ["/bin/sh", "-c", loud], "logs: {max_size: 1MB, keep_total: 20MB}")
    host.write("quiet", "steady")
    host.up()
    host.until_printed("quiet", "line 0")
    before = resident(host.daemon_pid)
    with ExitStack() as stack:
        for number in range(CLIENTS):
            path = "/python/events" if number % 10 == 0 else "/python/logs/loud?follow=1"
            client = Unix(host.home)
            stack.callback(client.close)
            client.request("GET", path)
            if number >= DEAF:
                assert client.getresponse().status == 200
        told = Unix(host.home)
        stack.callback(told.close)
        told.request("GET", "/python/events")
        events = told.getresponse()
        host.post("restart/quiet?wait=20", expected=200)
        while b'"quiet"' not in events.readline():
            pass
        until(lambda: sockets(host.daemon_pid) < CLIENTS // 2, "those that never read are dropped")
        assert resident(host.daemon_pid) - before < 100_000_000
        assert host.state("quiet") == "running"
    host.post("stop/all?wait=30")


def sockets(pid: int) -> int:
    """How many a process has open."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += os.fspath(link.readlink()).startswith("socket:")
    return count
