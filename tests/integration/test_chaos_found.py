"""What chaos runs and their making found: one test a bug, named after it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hosted import instance
from runs import CLOCK, running, wicked
from waiting import alive, until, until_async

from stratvisor.ports import LaunchRefused
from stratvisor.runner import local, survey
from stratvisor.runner.folders import Folders, Key
from stratvisor.runner.survey import Surveyor
from stratvisor.shim import kernel, rundir


async def test_a_run_began_when_its_pid_json_says_so_whatever_the_clock_did_since(home: Path) -> None:
    """It was reckoned from its end: after a step of the clock a run stood in the history twice."""
    async with running(home) as runs:
        run = await runs.launch(wicked("leave", "0"))
        assert (await runs.end()).began == run.began
    folders = Folders(home, CLOCK)
    lost = folders.lose(Key("ema", 1), "in a test")
    again = folders.end(Key("ema", 1))
    assert again is not None
    assert again.began == lost.began == run.began


def test_what_an_orphan_printed_last_is_said_to_be_lost_perhaps(home: Path) -> None:
    """Its log said that its shim was replaced, and nothing of what was in the pipe."""
    with instance(home) as host:
        host.write("ema", "steady")
        host.up()
        pid = host.pid("ema")
        host.until_printed("ema", "line 3")
        (who,) = [json.loads(path.read_text()) for path in (home / "run" / "ema").glob("*/pid.json")]
        host.kill()
        os.kill(who["shim"][0], signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(pid), "the strategy is dead")
        host.up()
        host.until_new_pid("ema", pid)
        log = min((home / "log" / "strategies").iterdir()).read_text()
        assert "it had ended, too, and what it printed last may be lost" in log


async def test_a_late_shim_begins_no_run_that_was_given_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began it in a directory that was gone or called finished, and nobody could stop it."""
    monkeypatch.setattr(local, "SHIM_TIMEOUT_MS", 300)
    async with running(home) as runs:
        zygote = runs.runner.zygote_pid
        assert zygote is not None
        os.kill(zygote, signal.SIGSTOP)
        with pytest.raises(LaunchRefused, match="does not answer"):
            await runs.launch(wicked("steady"))
        assert not (home / "run" / "ema" / "1").exists()
        os.kill(zygote, signal.SIGCONT)
        await until_async(lambda: not Folders(home, CLOCK).is_held("ema", rundir.LOCK), "it let go")
        await runs.launch(wicked("steady"), number=2)
        await runs.until_printed("line 0")
        assert (await runs.stop(number=2)).exit.run == 2
        assert len(list((home / "log" / "strategies").iterdir())) == 2


async def test_a_launch_that_outlasts_the_patience_of_the_next_daemon_never_begins(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next daemon called it ended, and then its shim began it."""
    monkeypatch.setattr(survey, "BIRTH_TRIES", 5)
    async with running(home) as runs:
        zygote = runs.runner.zygote_pid
        assert zygote is not None
        os.kill(zygote, signal.SIGSTOP)
        launching = asyncio.ensure_future(runs.launch(wicked("steady")))
        folders = Folders(home, CLOCK)
        directory = home / "run" / "ema" / "1"
        await until_async((directory / rundir.WANT).exists, "the run directory stands")
        found, _strays = await asyncio.to_thread(
            Surveyor(folders, runs.runner.hold, runs.runner.resume).survey
        )
        assert (found.live, found.ended) == ((), ())
        os.kill(zygote, signal.SIGCONT)
        with pytest.raises(LaunchRefused, match="its shim failed"):
            await launching
        assert not directory.exists()
        assert runs.printed() == []


LATE_SHIM = """
import json, os, sys
sys.path.append(sys.argv.pop(1))
from stratvisor.shim import main, rundir
write = rundir.write
def write_and_lose_it(path, facts):
    write(path, facts)
    if path == rundir.PID:
        os.rename(os.getcwd(), os.getcwd() + ".gone")
rundir.write = write_and_lose_it
main.run(json.loads(sys.argv[1]), [int(number) for number in sys.argv[2:]])
"""


def test_a_shim_whose_directory_is_taken_away_as_pid_json_stands_begins_nothing(home: Path) -> None:
    folders, key = Folders(home, CLOCK), Key("ema", 1)
    with contextlib.ExitStack() as stack:
        locks = [folders.lock("ema", name, stack) for name in (rundir.LOCK, rundir.LOCK_STRATEGY)]
        from runs import Runs

        folders.furnish(key, Runs.order(wicked("steady")))
        heard, said = os.pipe()
        given, giving = os.pipe()
        os.write(giving, b"null")  # no secrets
        os.close(giving)
        arguments = [json.dumps({"dir": folders.path(key)}), *map(str, (locks[0], said, given, locks[1]))]
        source = str(Path(rundir.__file__).parents[2])
        shim = subprocess.run(
            [sys.executable, "-I", "-S", "-c", LATE_SHIM, source, *arguments],
            pass_fds=(said, given, *locks),
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
        os.close(said)
        os.close(given)
        assert os.read(heard, 16) == b""
        os.close(heard)
    assert shim.returncode == 70
    assert b"gave it up" in shim.stderr


def test_a_run_directory_with_a_pid_json_is_not_taken_for_unborn(home: Path) -> None:
    folders, key = Folders(home, CLOCK), Key("ema", 1)
    directory = Path(folders.path(key))
    directory.mkdir(parents=True)
    (directory / rundir.PID).write_text("{}")
    folders.remove_unborn(key)
    assert (directory / rundir.PID).exists()
    (directory / rundir.PID).unlink()
    folders.remove_unborn(key)
    assert list(directory.parent.iterdir()) == []


async def test_the_end_of_a_strategy_that_init_reaped_is_known(home: Path) -> None:
    """Killed with its shim under a later daemon than its first, it was gone before the next shim came."""
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 3")
        zygote = runs.runner.zygote_pid
        assert zygote is not None
        os.kill(zygote, signal.SIGSTOP)  # so that the next shim is late
        os.kill(runs.runner.shims()["ema"], signal.SIGKILL)
        await until_async(lambda: "ema" not in runs.runner.shims(), "the runner knows that the shim is dead")
        pidfd = os.pidfd_open(run.pid)
        os.kill(run.pid, signal.SIGTERM)
        os.waitpid(run.pid, 0)  # noqa: ASYNC222  as init would: the runner is told nothing
        told = kernel.pidfd_exit_status(pidfd)
        os.close(pidfd)
        os.kill(zygote, signal.SIGCONT)
        end = (await runs.end()).exit
        if told is None:
            pytest.skip("this kernel tells nobody but the parent")
        assert (end.signal, end.unknown, end.cause) == (signal.SIGTERM, False, None)
