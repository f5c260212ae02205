"""A strategy tries everything against the daemon and its neighbour: as root, and as an ordinary account."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import marked
from hosted import Instance, alive, instance
from waiting import until

CHILDREN = Path(__file__).parent.parent / "children"
sys.path.insert(0, str(CHILDREN))

import hostile  # noqa: E402

HOSTILE = CHILDREN / "hostile.py"
NOBODY = 65534
KEY = "the-key-of-encryption"
ACCOUNTS = ("root", "ordinary") if os.geteuid() == 0 else ("ordinary",)


def ordinary(home: Path) -> Instance:
    """A daemon of an account that is not root, on a home that it can reach."""
    site = next(path for path in sys.path if path.endswith("-packages"))
    source = Path(__file__).parents[2] / "src"
    made = Instance(home)
    if os.geteuid() == 0:
        made.python = "/usr/bin/python3"  # root's own interpreter may lie where nobody else looks
        made.popen = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": home}
        made.popen["env"] = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{source}:{site}"}
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return made


@pytest.fixture(params=ACCOUNTS)
def host(request: pytest.FixtureRequest, home: Path) -> Iterator[Instance]:
    if request.param == "root" or os.geteuid() != 0:
        with instance(home) as made:
            yield made
        return
    outside = Path(tempfile.mkdtemp(prefix="stratvisor-"))  # pytest's own folders are root's alone
    try:
        shutil.copytree(home, outside / "home", symlinks=True)
        outside.chmod(0o755)
        made = ordinary(outside / "home")
        try:
            yield made
        finally:
            made.close()
            for pid in marked(made.home):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
    finally:
        shutil.rmtree(outside, ignore_errors=True)


def furnish(home: Path) -> None:
    """What is worth having."""
    for path, text in {
        "keys/encryption.key": KEY,
        "keys/api.token": "a" * 43,
        "secrets.yaml": "KEY: sealed\n",
        "data/victim/book.txt": "long 100 SBIN\n",
    }.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
        (home / path).chmod(0o600)
    (home / "keys").chmod(0o700)
    for path in (home, *home.rglob("*")):
        os.chown(path, home.stat().st_uid, home.stat().st_gid)


def attack(host: Instance) -> dict[str, tuple[str, str]]:
    """What became of each attempt: `refused` or `GOT IN`, and by which errno or with what."""
    furnish(host.home)
    host.write("victim", "steady", text="env: {API_KEY: hunter2-hunter2}")
    host.up()
    pid = host.pid("victim")
    host.until_printed("victim", "line 3")
    log = next((host.home / "log" / "strategies").glob("victim_*"))
    shim = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    memory = Path(f"/dev/shm/stratvisor-{os.getpid()}")
    memory.write_text("shared")
    os.chown(memory, host.home.stat().st_uid, -1)
    facts = {
        "home": str(host.home),
        "key": str(host.home / "keys" / "encryption.key"),
        "victim": str(pid),
        "shim": str(shim),
        "daemon": str(host.daemon_pid),
        "own": str(HOSTILE),
        "log": str(log),
        "memory": str(memory),
    }
    text = f"script: {HOSTILE}\nargs: [{json.dumps(json.dumps(facts))}]\n"
    (host.home / "conf.d" / "hostile.yaml").write_text(text)
    host.post("reload")
    host.until_printed("hostile", "tried all")
    memory.unlink()
    assert host.pid("victim") == pid
    assert alive(shim)
    lines = [line.split("\t") for line in host.printed("hostile") if "\t" in line]
    return {way: (how, with_what) for how, way, with_what in lines}


def test_nothing_that_a_strategy_tries_gets_it_anywhere(host: Instance) -> None:
    became = attack(host)
    for one in hostile.WAYS:
        print(f"{became[one.way][1]:8} {one.way}: {one.stop}")
    assert {way: how for way, how in became.items() if how[0] != "refused"} == {}
    assert len(became) == len(hostile.WAYS) > 80
    # From outside: nothing changed.
    key = host.home / "keys" / "encryption.key"
    assert (key.read_text(), stat.S_IMODE(key.stat().st_mode)) == (KEY, 0o600)
    assert (host.home / "data" / "victim" / "book.txt").read_text() == "long 100 SBIN\n"
    assert sorted(path.name for path in (host.home / "data").iterdir()) == ["hostile", "victim"]
    pid = host.pid("victim")
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
    assert len(os.sched_getaffinity(pid)) == len(os.sched_getaffinity(0))
    before = len(host.printed("victim"))
    until(lambda: len(host.printed("victim")) > before, "the victim goes on")


def test_the_list_in_security_is_what_is_tried() -> None:
    text = (Path(__file__).parents[2] / "SECURITY.md").read_text("utf-8")
    assert hostile.table() in text, "put the output of `python tests/children/hostile.py table` there"
