"""Secrets as their owner meets them: given to the strategy, changed, lost, and found nowhere else."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosted import Instance, alive, instance
from waiting import until

from stratvisor.http import app
from stratvisor.vault import keeping, keymaking, keyring
from stratvisor.vault.contents import Spot

KEY = "hK7bQ2vT9xLmZr4WcN8pYd3F"
ODD = "p@ss/wörd \"x\\y'z+ %25😀end"
QUICK = "restart: {delay: 0s, jitter: 0%, give_up: none}\nstart: {ready_after: 0s}\n"


@pytest.fixture
def host(home: Path) -> Iterator[Instance]:
    with instance(home) as made:
        yield made


def keep(home: Path, **values: str) -> None:
    keeping.put(home, {Spot(None, name): value for name, value in values.items()})


def prints_of(value: str) -> set[bytes]:
    """What must be found nowhere."""
    raw = value.encode()
    texts = {
        value[:8],
        repr(value)[1:9],
        json.dumps(value)[1:9],
        json.dumps(value, ensure_ascii=False)[1:9],
        urllib.parse.quote(value)[:8],
        urllib.parse.quote(value, safe="")[:8].lower(),
        urllib.parse.quote_plus(value)[:8],
        base64.b64encode(raw)[:8].decode(),
        base64.b64encode(b"a" + raw)[2:10].decode(),
        base64.b64encode(b"ab" + raw)[3:11].decode(),
        base64.urlsafe_b64encode(raw)[:8].decode(),
    }
    return {text.encode() for text in texts}


def leaks(home: Path, prints: set[bytes]) -> list[str]:
    """The files of the home that hold one of them."""
    found = []
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [f"{path}: {one!r}" for one in prints if one in content]
    return found


def kernel_view(pid: int, name: str) -> Path:
    return Path("/proc") / str(pid) / name


def processes(pids: set[int]) -> bytes:
    """The environments of these processes, which root alone may read, and all command lines."""
    told = subprocess.run(["ps", "axww"], capture_output=True, check=True).stdout
    for pid in pids:
        with contextlib.suppress(PermissionError):
            told += kernel_view(pid, "environ").read_bytes()
    return told


def routes(host: Instance, strategy: str) -> bytes:
    """Every answer to a GET that ends, as people and as programs get it."""
    answers = []
    for group in app._GROUPS:
        for route in group.ROUTES:
            if route.method == "GET" and route.path != "/events":
                path = f"/python{route.path}".replace("{id}", strategy).replace("{selector}", strategy)
                answers += [host.ask("GET", at, raw=True)[1] for at in (path, f"{path}?tail=100000")]
    return b"".join(answers)


def last_shim(host: Instance, strategy: str) -> int:
    (path,) = (host.home / "run" / strategy).glob("*/pid.json")
    return int(json.loads(path.read_text())["shim"][0])


def test_a_secret_that_is_printed_in_every_way_is_found_nowhere(host: Instance) -> None:
    keep(host.home, API_KEY=KEY, odd_one=ODD)
    done = host.home / "data" / "ema" / "done"
    text = "secrets: {API_KEY: API_KEY, ODD: odd_one}\n"
    host.write("ema", "betray", str(done), text=text)
    host.write("dying", "betray", text=text + "restart: {delay: 1h, max_delay: 1h, give_up: none}\n")
    host.up()
    until(done.exists, "everything is printed")
    shown = host.until_state("dying", "backoff")
    assert "RuntimeError: cannot log in: {'API_KEY': '[redacted API_KEY]', 'ODD': " in shown["why"]
    pid = host.pid("ema")
    given = kernel_view(pid, "environ").read_bytes().split(b"\0")
    assert f"API_KEY={KEY}".encode() in given
    assert f"ODD={ODD}".encode() in given
    prints = prints_of(KEY) | prints_of(ODD)
    log = b"".join(path.read_bytes() for path in (host.home / "log" / "strategies").iterdir())
    assert log.count(b"[redacted API_KEY]") > 100
    assert log.count(b"[redacted ODD]") > 100
    assert leaks(host.home, prints) == []
    told = routes(host, "ema") + routes(host, "dying") + processes({last_shim(host, "ema"), host.daemon_pid})
    assert [one for one in prints if one in told] == []
    host.post("stop/all?wait=20")
    assert leaks(host.home, prints) == []


def test_a_debug_log_and_a_launch_that_fails_tell_no_value(host: Instance) -> None:
    (host.home / "stratvisor.toml").write_text('[http]\nport = 0\n[logging]\nlevel = "debug"\n')
    keep(host.home, API_KEY=KEY)
    path = host.write("ema", "steady", text="secrets: [API_KEY]\n" + QUICK)
    host.write("gone", "steady", text="secrets: [API_KEY]\ncommand: [/bin/sh]\n")
    host.up()
    slow = "restart: {delay: 1h, max_delay: 1h, give_up: none}\n"
    path.write_text(f"command: [{host.home}/tool]\nsecrets: [API_KEY]\n{slow}")
    tool = host.home / "tool"
    tool.write_text("#!/no/such/interpreter\n")
    tool.chmod(0o755)
    host.post("reload")
    assert "cannot execute" in host.until_state("ema", "backoff")["why"]
    assert leaks(host.home, prints_of(KEY)) == []


def test_a_changed_value_restarts_those_that_have_it_and_a_changed_key_nobody(host: Instance) -> None:
    keep(host.home, API_KEY=KEY, OTHER="another-value-here")
    host.write("ema", "environment", text="secrets: {LOGIN: API_KEY}\nrestart: {when: never}\n")
    for name, secret in (("one", "API_KEY"), ("two", "OTHER"), ("three", "API_KEY")):
        more = "on_change: next_run\n" if name == "three" else ""
        host.write(name, "steady", text=f"secrets: [{secret}]\n{QUICK}{more}")
    host.up()
    before = {name: host.pid(name) for name in ("one", "two", "three")}
    assert host.until_printed("ema", "LOGIN=") == "[redacted LOGIN]"
    keeping.rotate(host.home)
    assert host.post("reload")["problems"] == []
    assert {name: host.show(name)["pid"] for name in before} == before
    keep(host.home, API_KEY="a-new-value-altogether")
    assert host.get("plan")["restart"] in ([], ["one"])  # the watcher may have been faster
    new = host.until_new_pid("one", before["one"])
    assert b"API_KEY=a-new-value-altogether" in kernel_view(new, "environ").read_bytes()
    assert {name: host.show(name)["pid"] for name in ("two", "three")} == {
        "two": before["two"],
        "three": before["three"],
    }
    assert host.show("three")["restart_pending"] is True


def test_one_script_serves_two_accounts(host: Instance) -> None:
    keep(host.home, zerodha_key="key-of-zerodha-account", fyers_key="key-of-fyers-account")
    keeping.put(host.home, {Spot("third", "zerodha_key"): "a-key-of-its-own"})
    for name, secret in (("first", "zerodha_key"), ("second", "fyers_key"), ("third", "zerodha_key")):
        host.write(name, "steady", text=f"secrets: {{API_KEY: {secret}}}\n")
    host.up()
    for name, value in (
        ("first", b"key-of-zerodha-account"),
        ("second", b"key-of-fyers-account"),
        ("third", b"a-key-of-its-own"),
    ):
        assert b"API_KEY=" + value in kernel_view(host.pid(name), "environ").read_bytes().split(b"\0")


def test_what_runs_goes_on_without_the_key_and_starts_again_with_it(host: Instance) -> None:
    keep(host.home, API_KEY=KEY)
    key = keyring.place(host.home)
    host.write("ema", "steady", text=f"secrets: [API_KEY]\n{QUICK}")
    host.write("plain", "steady", text=QUICK)
    host.up()
    pid, plain = host.pid("ema"), host.pid("plain")
    kept = (host.home / "secrets.yaml").read_bytes()
    key.rename(host.home / "elsewhere")
    host.post("reload")
    shown = host.show("ema")
    assert shown["pid"] == pid
    assert shown["problems"][0]["message"].startswith(f"the key {key} is missing; bring it back")
    host.write("late", "steady", text="secrets: [API_KEY]\n")
    host.post("reload")
    late = host.until_state("late", "error")
    assert f"conf.d/late.yaml:3:11: secrets.API_KEY: the key {key} is missing" in late["why"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: "its secret API_KEY: the key " in host.show("ema")["why"], "why names the cause")
    host.again()
    assert host.show("plain")["pid"] == plain
    until(lambda: "its secret API_KEY: the key " in host.show("ema")["why"], "why names the cause")
    (host.home / "elsewhere").rename(key)
    host.pid("ema")
    host.pid("late")
    assert (host.home / "secrets.yaml").read_bytes() == kept


@pytest.mark.parametrize("damage", ["torn", "wrong key", "no value"])
def test_bad_secrets_harm_only_who_has_them_and_nothing_that_runs(host: Instance, damage: str) -> None:
    keep(host.home, API_KEY=KEY, OTHER="another-value-here")
    host.write("ema", "steady", text=f"secrets: [API_KEY]\n{QUICK}")
    host.write("plain", "steady", text=QUICK)
    host.up()
    pids = {name: host.pid(name) for name in ("ema", "plain")}
    file = host.home / "secrets.yaml"
    if damage == "torn":
        file.write_bytes(file.read_bytes()[:-80] + b'"')
    elif damage == "wrong key":
        keymaking.make(host.home)
    else:
        keeping.remove(host.home, Spot(None, "API_KEY"))
    until(lambda: host.show("ema")["problems"], "the daemon has noticed by itself")
    assert {name: host.show(name)["pid"] for name in pids} == pids
    assert host.show("plain")["problems"] == []
    host.again()
    assert {name: host.show(name)["pid"] for name in pids} == pids
    host.post("restart/plain?wait=20")
    checked = subprocess.run(
        [sys.executable, "-m", "stratvisor", "--home", str(host.home), "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    assert "conf.d/ema.yaml:3:11: secrets.API_KEY: " in checked.stdout
    assert KEY not in checked.stdout + checked.stderr


@pytest.mark.parametrize("since", ["nothing", "another value", "no key"])
def test_a_shim_that_takes_over_redacts_what_the_run_was_given(host: Instance, since: str) -> None:
    """Also where the secret has another value by now, or none: what the process has, it was given."""
    keep(host.home, API_KEY=KEY)
    script = 'echo one; read line < "$STRATEGY_DATA/go"; echo "two $API_KEY"; exec sleep 600'
    (host.home / "data" / "ema").mkdir(parents=True)
    os.mkfifo(host.home / "data" / "ema" / "go")
    (host.home / "conf.d" / "ema.yaml").write_text(
        f"command: [/bin/bash, -c, {json.dumps(script)}]\nsecrets: [API_KEY]\non_change: next_run\n"
    )
    host.up()
    host.until_printed("ema", "one")
    pid, shim = host.pid("ema"), last_shim(host, "ema")
    if since == "no key":
        keyring.place(host.home).unlink()
    elif since == "another value":
        keep(host.home, API_KEY="a-new-value-altogether")
        until(lambda: host.show("ema")["restart_pending"], "the change is known")
    host.kill()
    os.kill(shim, signal.SIGKILL)
    until(lambda: not alive(shim), "the shim is gone")
    host.up()
    with (host.home / "data" / "ema" / "go").open("w") as file:
        file.write("go\n")
    assert host.until_printed("ema", "two ") == "[redacted API_KEY]"
    assert host.show("ema")["pid"] == pid
    assert leaks(host.home, prints_of(KEY)) == []


def test_output_that_nobody_can_redact_is_withheld_and_counted(host: Instance) -> None:
    keep(host.home, API_KEY=KEY)
    host.write("ema", "steady", text="secrets: [API_KEY]\n")
    host.up()
    host.until_printed("ema", "line 3")
    pid, shim = host.pid("ema"), last_shim(host, "ema")
    host.kill()
    os.kill(shim, signal.SIGKILL)
    (host.home / "keys" / "fingerprint.key").unlink()  # by which a value proves to be the one
    host.up()
    until(lambda: "withheld from here on" in host_log(host), "the log says so")
    assert host.show("ema")["pid"] == pid
    host.post("stop/ema?wait=20")
    assert "bytes lost here: the secrets that it was given are not to be had any more" in host_log(host)


def test_no_core_holds_a_secret(host: Instance) -> None:
    keep(host.home, API_KEY=KEY)
    host.write("ema", "attributes", text="secrets: [API_KEY]\nrestart: {when: never}\n")
    host.up()
    assert host.until_printed("ema", "core=") == "1"


def host_log(host: Instance) -> str:
    return "".join(path.read_text() for path in sorted((host.home / "log" / "strategies").iterdir()))
