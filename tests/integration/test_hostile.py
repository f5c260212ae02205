"""A strategy tries everything against the daemon and its neighbour: as root, and as an ordinary account."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import hostile
import pytest
from hosted import Instance, alive
from waiting import until

CHILDREN = Path(__file__).parent.parent / "children"
HOSTILE = CHILDREN / "hostile.py"
NOBODY = 65534
KEY = "the-key-of-encryption"
ACCOUNTS = ("root", "ordinary") if os.geteuid() == 0 else ("ordinary",)


@pytest.fixture(params=ACCOUNTS)
def host(request: pytest.FixtureRequest, open_home: Path) -> Iterator[Instance]:
    """A daemon of root, or of an account that is not."""
    made = Instance(open_home)
    if request.param == "ordinary" and os.geteuid() == 0:
        site = next(path for path in sys.path if path.endswith("-packages"))
        modules = f"{Path(__file__).parents[2] / 'src'}:{site}"
        made.python = "/usr/bin/python3"  # root's own interpreter may lie where nobody else looks
        made.popen = {
            "user": NOBODY,
            "group": NOBODY,
            "extra_groups": [],
            "cwd": open_home,
            "env": {"PATH": os.environ["PATH"], "PYTHONPATH": modules},
        }
        for place in (open_home, *open_home.rglob("*")):
            os.chown(place, NOBODY, NOBODY)
    try:
        yield made
    finally:
        made.close()


def furnish(home: Path) -> None:
    """What is worth having."""
    for name, text in {
        "keys/encryption.key": KEY,
        "keys/api.token": "a" * 43,
        "secrets.yaml": "KEY: sealed\n",
        "data/victim/book.txt": "long 100 SBIN\n",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    (home / "keys").chmod(0o700)
    for place in (home, *home.rglob("*")):
        os.chown(place, home.stat().st_uid, home.stat().st_gid)


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
    table = [f"{became[one.way][1]:8} {one.way}: {one.stop}" for one in hostile.WAYS]
    sys.stdout.write("\n".join(table) + "\n")
    got_in = {way: how for way, how in became.items() if how[0] != "refused"}
    assert not got_in, str(got_in)
    assert len(became) == len(hostile.WAYS) > 80
    # From outside: nothing changed, and what it printed is shown as what it is.
    status, page = host.ask("GET", "/python/logs/hostile", raw=True)
    assert status == 200
    assert b"\\u001b" not in page
    assert b"\x1b" not in page
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


def test_who_lets_go_of_its_own_lock_gets_no_second_copy(host: Instance) -> None:
    furnish(host.home)
    script = host.home / "strategies" / "tricks.py"
    script.write_text(
        "import fcntl, os, time\nfcntl.flock(3, fcntl.LOCK_UN)\nos.close(3)\n"
        "print('let go')\ntime.sleep(600)\n"
    )
    (host.home / "conf.d" / "ema.yaml").write_text("script: strategies/tricks.py\n")
    host.up()
    pid = host.pid("ema")
    host.until_printed("ema", "let go")
    host.again()
    host.post("start/ema?wait=20")
    assert host.pid("ema") == pid
    assert len(list((host.home / "run" / "ema").glob("[0-9]*"))) == 1
