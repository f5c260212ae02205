"""What chaos runs and their making found: one test a bug, named after it."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest
from hosted import instance
from runs import CLOCK, Runs, counting, running, wicked
from waiting import DEADLINE_S, alive, until, until_async

from stratvisor.ports import Found, LaunchRefused
from stratvisor.runner import local, survey
from stratvisor.runner.folders import Folders, Key
from stratvisor.runner.survey import Surveyor
from stratvisor.shim import kernel, main, rundir


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
        log = "".join(path.read_text() for path in (home / "log" / "strategies").iterdir())
        assert "it had ended, too, and what it printed last may be lost" in log


async def test_a_late_shim_begins_no_run_that_was_given_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began it in a directory that was gone or called finished, and nobody could stop it."""
    async with running(home) as runs:
        zygote = runs.runner.zygote_pid
        assert zygote is not None
        os.kill(zygote, signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr(local, "SHIM_TIMEOUT_MS", 300)
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
            timeout=DEADLINE_S,
            check=False,
        )
        os.close(said)
        os.close(given)
        assert os.read(heard, 16) == b""
        os.close(heard)
    assert shim.returncode == 70
    assert b"gave it up" in shim.stderr


def test_a_shim_whose_daemon_died_over_its_secrets_leaves_everything_to_the_next(home: Path) -> None:
    """It was a traceback in run/shim.err."""
    folders, key = Folders(home, CLOCK), Key("ema", 1)
    with contextlib.ExitStack() as stack:
        lock = folders.lock("ema", rundir.LOCK, stack)
        Path(folders.path(key)).mkdir()
        given, giving = os.pipe()
        os.write(giving, b'{"API_KEY": "s3')
        os.close(giving)
        request = json.dumps({"dir": folders.path(key), "status": None, "kept": False})
        shim = subprocess.run(
            [sys.executable, "-I", "-S", main.__file__, request, *map(str, (lock, 2, given))],
            pass_fds=(lock, given),
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
        os.close(given)
    assert (shim.returncode, shim.stderr) == (0, b"")
    assert list(Path(folders.path(key)).iterdir()) == []


async def leave_without_shim(home: Path) -> None:
    """A run that goes on with neither shim nor daemon."""
    async with running(home) as first:
        await first.launch(wicked("steady"))
        shim = first.runner.shims()["ema"]
        first.runner.close()
        os.kill(shim, signal.SIGKILL)
        os.waitpid(shim, 0)  # noqa: ASYNC222  it has been killed


class Watched(Folders):
    """Says when somebody looks whether a lock is held."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, CLOCK)
        self.looked = threading.Event()

    def is_held(self, strategy: str, name: str) -> bool:
        """As every run directory has it."""
        held = super().is_held(strategy, name)
        self.looked.set()
        return held


async def test_a_shim_that_takes_over_for_a_daemon_that_died_is_waited_for(home: Path) -> None:
    """Its lock made the next daemon take the run for a copy that nobody watches."""
    await leave_without_shim(home)
    async with running(home) as runs:
        folders = Watched(home)
        with contextlib.ExitStack() as at_work:
            folders.lock("ema", rundir.LOCK, at_work)
            surveyor = Surveyor(folders, runs.runner.hold, runs.runner.resume)
            surveying = asyncio.ensure_future(asyncio.to_thread(surveyor.survey))
            await until_async(folders.looked.is_set, "it looks whether one is at work")
        found, strays = await surveying
        assert ([one.strategy for one in found.live], found.ended, strays) == (["ema"], (), {})
        runs.watch("ema", 1)
        await runs.stop()


async def test_a_zygote_killed_with_a_request_costs_a_new_daemon_no_run(home: Path) -> None:
    """It lived on as a copy that nobody watches."""
    await leave_without_shim(home)
    async with running(home) as runs:
        zygote = runs.runner.zygote_pid
        assert zygote is not None
        os.kill(zygote, signal.SIGSTOP)
        surveying = asyncio.ensure_future(asyncio.to_thread(runs.runner.survey))
        await until_async(lambda: asked(runs), "a shim is asked for")
        os.kill(zygote, signal.SIGKILL)
        found = await surveying
        assert ([one.strategy for one in found.live], found.strays) == (["ema"], ())
        runs.watch("ema", 1)
        await runs.stop()


def asked(runs: Runs) -> bool:
    """Whether a request lies before the zygote, unread."""
    waiting = array.array("i", [0])
    sent = runs.runner._zygote._socket
    assert sent is not None
    fcntl.ioctl(sent, termios.TIOCOUTQ, waiting)
    return waiting[0] > 0


async def test_a_shim_that_cannot_be_replaced_at_once_is_tried_again_for_the_dead_too(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """How the run ended was unknown for one mishap."""
    monkeypatch.setattr(local, "DEAD_TRIES", 1_000)
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        shim = runs.runner.shims()["ema"]
        with contextlib.ExitStack() as mishap:
            for pid in (run.pid, shim):
                os.kill(pid, signal.SIGKILL)
            until(lambda: rundir.identify(shim) is None, "its shim is dead")
            until(lambda: rundir.identify(run.pid) is None, "and so is it")
            Folders(home, CLOCK).lock("ema", rundir.LOCK, mishap)
            await until_async(lambda: "trying again" in caplog.text, "no shim could be had")
        end = (await runs.end()).exit
        assert "was not replaced" not in (end.cause or "")
        assert b"its shim died and was replaced" in runs.log()


async def killed_unread(home: Path, pid: int, shim: int) -> int:
    """Have a strategy print while its shim reads nothing, and kill both; returns how many it counted."""
    os.kill(shim, signal.SIGSTOP)
    count = home / "data" / "ema" / "count.1"
    await until_async(lambda: count.exists() and int(count.read_text() or 0) > 20, "it prints")
    for one in (pid, shim):
        os.kill(one, signal.SIGKILL)
    await until_async(lambda: not alive(pid) and not alive(shim), "both are dead")
    return int(count.read_text())


def lines(runs: Runs) -> list[str]:
    return [line for line in runs.printed() if line.startswith("run 1 line ")]


async def test_what_is_printed_before_the_daemon_holds_a_new_run_outlives_shim_and_strategy(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody had its output open when both were killed, and the log said nothing of it."""
    async with running(home) as runs:
        loop = asyncio.get_running_loop()
        hold, counted = runs.runner.hold, []

        def late(key: Key, *, kept: bool = False) -> Found:
            who = Folders(home, CLOCK).who(key) or {}
            kill = killed_unread(home, who["strategy"][0], who["shim"][0])
            counted.append(asyncio.run_coroutine_threadsafe(kill, loop).result(DEADLINE_S))
            monkeypatch.undo()
            return hold(key, kept=kept)

        monkeypatch.setattr(runs.runner, "hold", late)
        await runs.launch(counting())
        await runs.end()
        assert len(lines(runs)) in {counted[0], counted[0] + 1}  # the count follows the line
        assert b"may be lost" not in runs.log()


async def test_what_a_run_that_ends_printed_before_a_daemon_held_it_is_said_to_be_lost_perhaps(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ended between the daemon's look at the shim and its hold on the output."""
    async with running(home) as first:
        run = await first.launch(counting())
        shim = first.runner.shims()["ema"]
        first.runner.close()
    async with running(home) as runs:
        loop = asyncio.get_running_loop()
        find = Folders.found

        def late(folders: Folders, key: Key) -> tuple[Found, rundir.Identity, rundir.Identity]:
            monkeypatch.undo()
            asyncio.run_coroutine_threadsafe(killed_unread(home, run.pid, shim), loop).result(DEADLINE_S)
            return find(folders, key)

        monkeypatch.setattr(Folders, "found", late)
        found = await asyncio.to_thread(runs.runner.survey)
        assert [one.strategy for one in found.live] == ["ema"]
        runs.watch("ema", 1)
        await runs.end()
        assert b"it had ended, too, and what it printed last may be lost" in runs.log()


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


async def test_the_end_of_a_strategy_is_known_to_a_shim_that_comes_after_daemon_and_init(home: Path) -> None:
    """The daemon died over the replacing of its shim, and it was reaped before that one looked."""
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 3")
        zygote = runs.runner._zygote._process
        assert zygote is not None
        zygote.send_signal(signal.SIGSTOP)
        os.kill(runs.runner.shims()["ema"], signal.SIGKILL)
        await until_async(lambda: asked(runs), "another shim is asked for")
        pidfd = os.pidfd_open(run.pid)
        os.kill(run.pid, signal.SIGTERM)
        os.waitpid(run.pid, 0)  # noqa: ASYNC222  as init would: the runner is told nothing
        told = kernel.pidfd_exit_status(pidfd)
        os.close(pidfd)
        runs.runner.close()
    zygote.send_signal(signal.SIGCONT)
    zygote.wait(DEADLINE_S)
    folders = Folders(home, CLOCK)
    until(lambda: folders.is_finished(Key("ema", 1)), "the late shim has finished its run")
    finished = folders.end(Key("ema", 1))
    assert finished is not None
    if told is None:
        pytest.skip("this kernel tells nobody but the parent")
    assert (finished.exit.signal, finished.exit.unknown) == (signal.SIGTERM, False)
