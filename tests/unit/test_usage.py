"""What real process trees use, sampled from /proc and by psutil alike."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratvisor import usage
from stratvisor.spec import SECOND
from stratvisor.usage import Sampler, processes, pss

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its trees are made by fork")

PRELUDE = """
import ctypes, os, sys, time

def tell(word):
    os.write(1, f"{word} {os.getpid()}\\n".encode())

def wait():
    os.read(0, 1)

def burn(cpu_s):
    end = time.process_time() + cpu_s
    while time.process_time() < end:
        pass

def adopt():
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, as a shim does
"""


class Tree:
    """A script of our own and all that it forks; every one of them leaves once its stdin ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.root = process.pid
        self._process = process

    def heard(self, *words: str) -> list[int]:
        """Wait for these words, said in any order; the pids of who said them."""
        assert self._process.stdout is not None
        said = [self._process.stdout.readline().split() for _ in words]
        assert sorted(word for word, _pid in said) == sorted(words)
        return [int(pid) for _word, pid in sorted(said, key=lambda one: words.index(one[0]))]

    def go_on(self) -> None:
        """Let one of those who wait go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("x")
        self._process.stdin.flush()


@contextmanager
def tree(script: str) -> Iterator[Tree]:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", PRELUDE + script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Tree(process)
        process.communicate()  # ends its stdin, and waits until the last of them is gone


@pytest.fixture(params=["proc", "psutil"], autouse=True)
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    if request.param == "psutil":
        monkeypatch.setattr(usage, "PROC", tmp_path / "none")
    elif not usage.PROC.exists():
        pytest.skip("no /proc here")
    return str(request.param)


def test_a_tree_is_all_that_descends_from_its_root_without_it() -> None:
    script = """
if not os.fork():
    if not os.fork():
        os.setsid()
        tell("grandchild")
    else:
        tell("child")
        os.wait()
wait()
"""
    with tree(script) as made:
        pids = made.heard("child", "grandchild")
        used = Sampler().sample({"ema": made.root}, 0)
        assert sorted(used["ema"].pids) == sorted(pids)
        assert used["ema"].processes == 2


def test_who_forks_away_still_counts_as_the_shim_adopts_it(source: str) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has subreapers")
    script = """
adopt()
if not os.fork():
    if not os.fork():
        os.setsid()
        tell("orphan")
        wait()
    os._exit(0)
os.wait()
tell("root")
wait()
"""
    with tree(script) as made:
        orphan, _root = made.heard("orphan", "root")
        assert Sampler().sample({"ema": made.root}, 0)["ema"].pids == (orphan,)


def test_trees_are_told_apart() -> None:
    with tree("os.fork() or tell('child')\nwait()") as one, tree("tell('alone')\nwait()") as other:
        (child,) = one.heard("child")
        other.heard("alone")
        used = Sampler().sample({"ema": one.root, "orb": other.root}, 0)
        assert (used["ema"].pids, used["orb"].pids) == ((child,), ())
        assert used["orb"].memory_bytes == 0


def test_a_root_that_is_gone_says_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    gone.wait()
    assert Sampler().sample({"ema": gone.pid}, 0) == {}


def test_zombies_are_not_among_the_living() -> None:
    script = """
if not os.fork():
    tell("child")
    os._exit(0)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
tell("root")
wait()
"""
    with tree(script) as made:
        child, _root = made.heard("child", "root")
        used = Sampler().sample({"ema": made.root}, 0)
        assert child in processes()
        assert (used["ema"].pids, used["ema"].memory_bytes) == ((), 0)


def test_memory_is_that_of_the_tree_and_not_of_its_root() -> None:
    script = """
if not os.fork():
    held = bytearray(os.urandom(1)) * 50_000_000
    tell("child")
    wait()
    os._exit(0)
held = bytearray(os.urandom(1)) * 200_000_000
tell("root")
os.wait()
"""
    with tree(script) as made:
        made.heard("child", "root")
        used = Sampler().sample({"ema": made.root}, 0)["ema"]
        assert 50_000_000 < used.memory_bytes < 90_000_000


# CPU.


def test_the_first_sample_knows_no_share() -> None:
    with tree("tell('root')\nwait()") as made:
        made.heard("root")
        assert Sampler().sample({"ema": made.root}, 0)["ema"].cpu_percent is None


def test_the_share_is_that_between_two_samples() -> None:
    script = """
if not os.fork():
    tell("child")
    wait()
    burn(0.5)
    tell("burnt")
    wait()
    os._exit(0)
os.wait()
"""
    with tree(script) as made:
        made.heard("child")
        sampler = Sampler()
        sampler.sample({"ema": made.root}, 7 * SECOND)
        made.go_on()
        made.heard("burnt")
        used = sampler.sample({"ema": made.root}, 9 * SECOND)  # half a second of CPU in what is called two
        assert used["ema"].cpu_percent == pytest.approx(25, abs=3)
        again = sampler.sample({"ema": made.root}, 10 * SECOND)
        assert again["ema"].cpu_percent == pytest.approx(0, abs=3)


def test_the_time_of_those_who_ended_in_between_counts() -> None:
    script = """
tell("root")
wait()
if not os.fork():
    if not os.fork():
        burn(0.3)
        os._exit(0)
    os.wait()
    burn(0.2)
    os._exit(0)
os.wait()
tell("over")
wait()
"""
    with tree(script) as made:
        made.heard("root")
        sampler = Sampler()
        sampler.sample({"ema": made.root}, 0)
        made.go_on()
        made.heard("over")
        used = sampler.sample({"ema": made.root}, SECOND)
        assert used["ema"].cpu_percent == pytest.approx(50, abs=6)


def test_the_time_of_the_root_itself_does_not_count() -> None:
    with tree("tell('root')\nwait()\nburn(0.3)\ntell('burnt')\nwait()") as made:
        made.heard("root")
        sampler = Sampler()
        sampler.sample({"ema": made.root}, 0)
        made.go_on()
        made.heard("burnt")
        used = sampler.sample({"ema": made.root}, SECOND)
        assert used["ema"].cpu_percent == pytest.approx(0, abs=2)


def test_time_that_got_lost_is_no_negative_share() -> None:
    script = """
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # then nobody waits, and the time of the dead is lost
if not os.fork():
    burn(0.2)
    tell("burnt")
    wait()
    os._exit(0)
tell("root")
try:
    os.wait()
except ChildProcessError:
    tell("over")
wait()
"""
    with tree(script) as made:
        made.heard("burnt", "root")
        sampler = Sampler()
        sampler.sample({"ema": made.root}, 0)
        made.go_on()
        made.heard("over")
        assert sampler.sample({"ema": made.root}, SECOND)["ema"].cpu_percent == 0


def test_a_new_run_has_a_first_sample_of_its_own() -> None:
    sampler = Sampler()
    with tree("tell('root')\nwait()") as made:
        made.heard("root")
        sampler.sample({"ema": made.root}, 0)
    with tree("tell('root')\nwait()") as made:
        made.heard("root")
        assert sampler.sample({"ema": made.root}, SECOND)["ema"].cpu_percent is None


def test_two_samples_at_one_instant_know_no_share() -> None:
    with tree("tell('root')\nwait()") as made:
        made.heard("root")
        sampler = Sampler()
        sampler.sample({"ema": made.root}, SECOND)
        assert sampler.sample({"ema": made.root}, SECOND)["ema"].cpu_percent is None


# The table.


def test_this_process_is_in_the_table() -> None:
    me = processes()[os.getpid()]
    assert me.parent == os.getppid()
    assert me.alive
    assert me.memory_bytes > 5_000_000
    assert 0 < me.own_cpu_ns <= me.cpu_ns


def test_a_name_made_to_confuse_does_not(source: str) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux lets a process name itself so")
    script = """
ctypes.CDLL(None).prctl(15, b"x) Z 1 (y", 0, 0, 0)  # PR_SET_NAME
tell("root")
wait()
"""
    with tree(script) as made:
        made.heard("root")
        assert processes()[made.root].parent == os.getpid()
        assert processes()[made.root].alive


def test_processes_may_go_while_the_table_is_read() -> None:
    script = """
while os.read(0, 1):
    for _ in range(20):
        os.fork() or os._exit(0)
        os.wait()
    tell("again")
"""
    with tree(script) as made:
        for _ in range(10):
            made.go_on()
            assert processes()[os.getpid()].alive
            made.heard("again")


# Memory, confirmed.


def test_shared_pages_count_once_among_those_who_share_them(source: str) -> None:
    script = """
held = bytearray(os.urandom(1)) * 60_000_000
for _ in range(2):
    if not os.fork():
        tell("child")
        wait()
        os._exit(0)
os.wait()
os.wait()
"""
    with tree(script) as made:
        pids = made.heard("child", "child")
        used = Sampler().sample({"ema": made.root}, 0)["ema"]
        assert used.memory_bytes > 120_000_000
        if Path("/proc/self/smaps_rollup").exists():
            assert 40_000_000 < pss(pids) < 60_000_000  # a third of the pages each, the root has the last


def test_the_memory_of_who_is_gone_is_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    gone.wait()
    assert pss([gone.pid]) == 0


def test_where_the_kernel_does_not_tell_rss_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bytes:
        raise PermissionError(str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with tree("tell('root')\nwait()") as made:
        made.heard("root")
        assert pss([made.root]) == processes()[made.root].memory_bytes > 0
