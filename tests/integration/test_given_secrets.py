"""How one run comes by its secrets: by a pipe, forked or exec'd, or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from runs import running, wicked

from stratvisor.ports import LaunchRefused
from stratvisor.spec import Process
from stratvisor.vault import contents, keeping, keymaking
from stratvisor.vault.contents import Spot

KEY = "hK7bQ2vT9xLmZr4WcN8pYd3F"
WANTED = (("API_KEY", "key_of_api"),)


def process(home: Path, *arguments: str, **made_of: object) -> Process:
    """One that has the secret, as the config in force would say it."""
    keeping.put(home, {Spot(None, "key_of_api"): KEY})
    fingerprint = contents.read(home, keymaking.fingerprint_key).fingerprint("ema", WANTED)
    return wicked(*arguments, secrets=WANTED, secrets_fingerprint=fingerprint, **made_of)


@pytest.fixture(params=["forked", "exec'd"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a zygote, and where none can be had."""
    if request.param == "exec'd":
        monkeypatch.setattr("stratvisor.runner.zygote.Zygote._start", lambda _self: False)


@pytest.mark.usefixtures("way")
async def test_a_run_has_them_and_its_directory_does_not(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(process(home, "environment"))
        await runs.end()
        assert "API_KEY=[redacted API_KEY]" in runs.printed()
        assert run.pid > 0
        folder = home / "run" / "ema" / "1"
        told = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
        assert b'"secrets":{"variables":{"API_KEY":"key_of_api"},"fingerprint":"' in told
        assert KEY.encode() not in told + (home / "run" / "shim.err").read_bytes()


@pytest.mark.usefixtures("way")
async def test_many_secrets_are_more_than_a_pipe_holds(home: Path) -> None:
    values = {Spot(None, f"S{number:03d}"): f"{number:03d}" + "x" * 1_000 for number in range(200)}
    keeping.put(home, values)
    wanted = tuple((spot.name, spot.name) for spot in values)
    fingerprint = contents.read(home, keymaking.fingerprint_key).fingerprint("ema", wanted)
    async with running(home) as runs:
        await runs.launch(wicked("environment", secrets=wanted, secrets_fingerprint=fingerprint))
        await runs.end()
        assert sum("=[redacted S" in line for line in runs.printed()) == 200


async def test_values_that_the_config_in_force_has_not_seen_start_nothing(home: Path) -> None:
    """Else the run would be told from its own spec at the next look, and be started twice."""
    old = process(home, "steady")
    keeping.put(home, {Spot(None, "key_of_api"): "a-new-value-altogether"})
    async with running(home) as runs:
        with pytest.raises(LaunchRefused, match="its secrets changed a moment ago"):
            await runs.launch(old)
        assert not (home / "run" / "ema").exists()


async def test_a_secret_that_is_not_there_starts_nothing(home: Path) -> None:
    old = process(home, "steady")
    keeping.remove(home, Spot(None, "key_of_api"))
    async with running(home) as runs:
        with pytest.raises(LaunchRefused, match=r"its secret key_of_api: no value in secrets\.yaml"):
            await runs.launch(old)


async def test_no_text_about_a_run_repeats_a_value_that_somebody_wrote_elsewhere(home: Path) -> None:
    command = (f"{home}/no-{KEY}", KEY)
    async with running(home) as runs:
        await runs.launch(process(home, script=None, command=command))
        finished = await runs.end()
        assert finished.exit.cause is not None
        assert finished.exit.cause.startswith(f"cannot execute {home}/no-[redacted API_KEY] for the strategy")
        assert KEY not in runs.log().decode()


LOOK = """
import os, sys, ctypes
libc = ctypes.CDLL(None)
from stratvisor import daemon
from stratvisor.shim import main
if sys.argv[1] == "daemon":
    daemon.prepare()
else:
    os._exit = lambda code: None
    main.run({"dir": "/no/such/folder"}, [])
print("dumpable", libc.prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.parametrize("who", ["daemon", "shim"])
def test_who_has_had_secrets_in_memory_is_not_dumpable(who: str) -> None:
    """Neither a core nor /proc/PID/mem for others: prctl(2), PR_SET_DUMPABLE."""
    done = subprocess.run([sys.executable, "-c", LOOK, who], capture_output=True, text=True, check=True)
    assert done.stdout == "dumpable 0\n"
