"""One real run at a time: what a strategy is given, how it ends, and what is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from runs import CLOCK, GO_ON, SHORT, Runs, running, soon, stop_order, wicked
from waiting import alive, until_async

from stratvisor.clock import SystemClock
from stratvisor.ports import LaunchRefused
from stratvisor.runner.folders import Folders, Key
from stratvisor.shim import rundir, tree
from stratvisor.shim.ending import Ending
from stratvisor.shim.main import Shim
from stratvisor.spec import SECOND, Logs, Stop, StopTo
from stratvisor.state import Because


async def test_every_line_of_a_fast_run_and_its_code_are_there(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("lines", "20000", "3"))
        finished = await runs.end()
        assert finished.exit.code == 3
        assert finished.exit.signal is None
        assert runs.printed() == [f"line {number}" for number in range(20_000)]


async def test_a_signal_is_reported_as_one(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("die", str(int(signal.SIGSEGV))))
        finished = await runs.end()
        assert (finished.exit.code, finished.exit.signal) == (None, signal.SIGSEGV)


async def test_the_last_line_of_a_traceback_is_kept(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("traceback"))
        finished = await runs.end()
        assert finished.exit.last_line == "ModuleNotFoundError: No module named 'pandas'"


async def test_usage_is_measured(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("lines", "1000"))
        finished = await runs.end()
        assert finished.cpu_ns is not None
        assert finished.cpu_ns > 0
        assert finished.peak_memory is not None
        assert finished.peak_memory > 1_000_000


async def test_a_half_line_and_a_burst_before_exit_are_whole(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("half_line"))
        await runs.end()
        assert runs.printed() == ["a whole line", "half a line"]
        await runs.launch(wicked("burst", "1000000"), strategy="burst")
        await runs.end(strategy="burst")
        assert runs.printed("burst") == ["x" * 1_000_000]


async def test_header_and_footer_say_who_when_and_how(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("leave", "4"))
        await runs.end()
        first, walls, last = runs.log().decode().splitlines()
        assert walls.startswith("[stratvisor] sandbox: standard; reads ")
        assert re.fullmatch(
            r"\[stratvisor\] run 1 of ema begins \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} IST: "
            rf"pid {run.pid}: .*wicked.py leave 4",
            first,
        )
        assert re.fullmatch(
            r"\[stratvisor\] run 1 of ema ended \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} IST: exit 4", last
        )


async def test_two_runs_of_one_second_have_two_logs(home: Path) -> None:
    async with running(home) as runs:
        for number in (1, 2, 3):
            await runs.launch(wicked("leave", "0"), number=number)
            await runs.end(number=number)
        names = {path.name for path in (home / "log" / "strategies").iterdir()}
        assert len(names) == 3
        assert all(re.fullmatch(r"ema_\d{8}_\d{6}_IST(-\d)?\.log", name) for name in names)


async def test_the_environment_is_clean(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "must not be seen")
    async with running(home) as runs:
        await runs.launch(wicked("environment", env=(("SYMBOL", "SBIN"),), threads=2))
        await runs.end()
        seen = dict(line.split("=", 1) for line in runs.printed())
        assert "AWS_SECRET_ACCESS_KEY" not in seen
        assert seen["SYMBOL"] == "SBIN"
        assert seen["STRATEGY_ID"] == "ema"
        assert seen["STRATEGY_NAME"] == "EMA"
        assert seen["STRATVISOR_RUN"] == f"{home}:ema/1"
        assert seen["STRATEGY_DATA"] == str(home / "data" / "ema")
        assert seen["TZ"] == "Asia/Kolkata"
        assert seen["PYTHONUNBUFFERED"] == "1"
        assert seen["OMP_NUM_THREADS"] == seen["NUMBA_NUM_THREADS"] == "2"
        allowed = {
            "PATH",
            "HOME",
            "LANG",
            "TZ",
            "SYMBOL",
            "PYTHONUNBUFFERED",
            "PYTHONFAULTHANDLER",
            "TMPDIR",
            "XDG_CACHE_HOME",
            "LC_CTYPE",
        }
        rest = set(seen) - allowed
        assert all(
            name.startswith(("STRATEGY_", "STRATVISOR_")) or name.endswith("_NUM_THREADS") for name in rest
        )


async def test_the_process_starts_from_a_known_state(home: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        async with running(home) as runs:
            await runs.launch(wicked("attributes", nice=5, open_files=200))
            await runs.end()
            seen = runs.printed()
    finally:
        signal.signal(signal.SIGINT, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
    assert f"cwd={home}" in seen
    assert "umask=0077" in seen
    assert "sid=True" in seen
    assert "nice=5" in seen
    assert "files=200" in seen
    assert "core=0" in seen
    assert "oom=500" in seen
    assert "stdin=/dev/null" in seen
    masks = dict(line.split(":\t") for line in seen if line.startswith("Sig"))
    assert int(masks["SigBlk"], 16) == 0
    ignored = int(masks["SigIgn"], 16)
    # Python itself ignores PIPE and XFSZ once it runs; 32 and 33 the C library keeps to itself.
    beyond_us = {signal.SIGPIPE, signal.SIGXFSZ, 32, 33}
    assert {number for number in range(1, 65) if ignored >> (number - 1) & 1} <= beyond_us
    descriptors = next(line for line in seen if line.startswith("fds="))
    assert descriptors in {"fds=[0, 1, 2, 3, 4, 5]", "fds=[0, 1, 2, 3, 4]"}  # lock, held, the listing itself


async def test_stdout_can_be_opened_anew(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("reopen"))
        await runs.end()
        assert "reopened" in runs.printed()


async def test_a_program_that_cannot_be_executed_is_an_end_with_its_cause(home: Path) -> None:
    (home / "strategies" / "broken").write_text("#!/no/such/interpreter\n")
    (home / "strategies" / "broken").chmod(0o755)
    async with running(home) as runs:
        await runs.launch(wicked(script=None, command=("strategies/broken",), args=()))
        finished = await runs.end()
        assert finished.exit.cause is not None
        assert "cannot execute" in finished.exit.cause
        assert "No such file" in finished.exit.cause


async def test_a_missing_script_refuses_the_launch_and_leaves_nothing(home: Path) -> None:
    async with running(home) as runs:
        with pytest.raises(LaunchRefused, match=r"its script strategies/gone\.py is missing"):
            await runs.launch(wicked(script="strategies/gone.py"))
        assert not (home / "run" / "ema" / "1").exists()


async def test_stop_sends_each_signal_in_turn_then_kills(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("on_signal"))
        await runs.until_printed("listening")
        finished = await runs.stop(Stop(signals=("INT", "TERM"), timeout_ns=3 * SECOND))
        assert finished.exit.signal == signal.SIGKILL
        assert finished.exit.stopped is Because.HELD
        assert finished.exit.ran_ns >= 6 * SECOND
        assert [line for line in runs.printed() if line.startswith("got")] == ["got SIGINT", "got SIGTERM"]


async def test_a_signal_that_is_heard_ends_the_sequence(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("on_signal"))
        await runs.until_printed("listening")
        finished = await runs.stop(Stop(signals=("USR1", "TERM"), timeout_ns=20 * SECOND))
        assert finished.exit.code == 0
        assert "got SIGTERM" not in runs.printed()


async def test_a_stop_right_after_the_launch_is_heard(home: Path) -> None:
    """The first signal once came before the child had a group of its own, and was lost."""
    async with running(home) as runs:
        for number in range(1, 21):
            await runs.launch(wicked(script=None, args=(), command=("/bin/sleep", "600")), number=number)
            finished = await runs.stop(Stop(timeout_ns=20 * SECOND), number=number)
            assert finished.exit.signal == signal.SIGTERM


async def test_a_stopped_process_still_hears_its_stop(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        os.kill(run.pid, signal.SIGSTOP)
        finished = await runs.stop(Stop(timeout_ns=20 * SECOND))
        assert finished.exit.signal == signal.SIGTERM


async def test_a_deaf_family_in_other_sessions_ends_at_the_timeout(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("deaf_family"))
        child = int(await runs.until_printed("child "))
        grandchild = int(await runs.until_printed("grandchild "))
        finished = await runs.stop(SHORT)
        assert finished.exit.signal == signal.SIGKILL
        assert not any(alive(pid) for pid in (run.pid, child, grandchild))


async def test_what_forks_away_ends_with_the_main_process(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("fork_away"))
        left = int(await runs.until_printed("left behind "))
        finished = await runs.end()
        assert finished.exit.code == 0
        assert not alive(left)


async def test_stop_to_main_spares_the_group_its_signal(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("on_signal"))
        await runs.until_printed("listening")
        finished = await runs.stop(Stop(signals=("USR1",), to=StopTo.MAIN))
        assert finished.exit.code == 0


async def test_the_deadline_is_kept_without_anybody_telling(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("steady"), want=replace(GO_ON, deadline=soon(0.5)))
        finished = await runs.end()
        assert finished.exit.stopped is Because.WINDOW
        assert finished.exit.signal == signal.SIGTERM


async def test_a_deadline_can_be_moved(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"), want=replace(GO_ON, deadline=soon(3600)))
        await runs.until_printed("line 0")
        assert alive(run.pid)
        await runs.tell(replace(GO_ON, deadline=soon(-1)))
        finished = await runs.end()
        assert finished.exit.stopped is Because.WINDOW


async def test_a_jobs_time_is_kept_without_anybody_telling(home: Path) -> None:
    async with running(home) as runs:
        expires_ns = SystemClock().now().boot_ns + SECOND // 2
        await runs.launch(wicked("steady"), want=replace(GO_ON, expires_ns=expires_ns))
        finished = await runs.end()
        assert finished.exit.stopped is Because.TIMEOUT
        assert finished.exit.signal == signal.SIGTERM


async def test_a_jobs_time_can_be_changed(home: Path) -> None:
    async with running(home) as runs:
        now_ns = SystemClock().now().boot_ns
        run = await runs.launch(wicked("steady"), want=replace(GO_ON, expires_ns=now_ns + 3600 * SECOND))
        await runs.until_printed("line 0")
        assert alive(run.pid)
        await runs.tell(replace(GO_ON, expires_ns=now_ns))
        finished = await runs.end()
        assert finished.exit.stopped is Because.TIMEOUT


async def test_a_shim_told_to_end_ends_its_run_politely(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        os.kill(runs.runner.shims()["ema"], signal.SIGTERM)
        finished = await runs.end()
        assert finished.exit.stopped is Because.SHUTDOWN
        assert finished.exit.signal == signal.SIGTERM


async def test_a_shim_goes_by_its_strategys_name(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("steady"))
        assert Path(f"/proc/{runs.runner.shims()['ema']}/comm").read_text() == "shim ema\n"
        await runs.stop()


async def test_readiness_is_passed_on(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("notify"), notify=True)
        await until_async(lambda: runs.runner.is_ready("ema", 1))
        await runs.stop()


async def test_cpu_time_over_its_limit_is_named(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("spin", cpu_time_ns=SECOND))
        finished = await runs.end()
        assert finished.exit.signal == signal.SIGXCPU
        assert finished.exit.cause == "CPU time over its limit 1s"


async def test_a_kill_from_outside_has_no_cause_made_up_for_it(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        os.kill(run.pid, signal.SIGKILL)
        finished = await runs.end()
        assert (finished.exit.signal, finished.exit.cause, finished.exit.stopped) == (
            signal.SIGKILL,
            None,
            None,
        )


@pytest.mark.parametrize("timestamps", [False, True])
async def test_rotation_loses_no_byte_and_ends_parts_at_lines(home: Path, *, timestamps: bool) -> None:
    logs = Logs(max_size=10_000, keep_files=1000, keep_total=10**9, timestamps=timestamps)
    async with running(home) as runs:
        await runs.launch(wicked("lines", "20000"), want=replace(GO_ON, logs=logs))
        await runs.end()
        parts = sorted(home.glob("log/strategies/*.log"), key=lambda path: path.stat().st_mtime_ns)
        assert len(parts) > 10
        assert all(part.read_bytes().endswith(b"\n") for part in parts)
        assert all(part.stat().st_size < 10_000 + 70_000 for part in parts)
        pattern = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (line \d+)" if timestamps else r"(line \d+)"
        found = [re.fullmatch(pattern, line) for line in runs.printed()]
        assert [match and match[1] for match in found] == [f"line {number}" for number in range(20_000)]


async def test_retention_keeps_the_newest(home: Path) -> None:
    logs = Logs(max_size=5_000, keep_files=3)
    async with running(home) as runs:
        other = home / "log" / "strategies" / "ema_b_20200101_000000_IST.log"
        other.parent.mkdir(parents=True)
        other.write_text("of another strategy\n")
        os.utime(other, (0, 0))
        await runs.launch(wicked("lines", "5000"), want=replace(GO_ON, logs=logs))
        await runs.end()
        assert len(list(home.glob("log/strategies/ema_2*.log"))) == 3
        assert runs.printed()[-1] == "line 4999"
        assert other.exists()


async def test_endless_lines_are_bounded_in_memory_and_whole(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("progress", "200000"), want=replace(GO_ON, logs=Logs(timestamps=True)))
        await runs.end()
        text = runs.log()
        assert text.count(b"of many") == 200_000


async def test_log_settings_change_under_a_living_run(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        await runs.tell(replace(GO_ON, logs=Logs(timestamps=True)))
        await until_async(lambda: re.search(rb"\n\d{4}-\d\d-\d\d [\d:.]+ line \d+\n", runs.log()))
        assert alive(run.pid)
        await runs.stop()


async def test_a_torn_wish_leaves_the_last_one_in_force(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        (home / "run" / "ema" / "1" / rundir.WANT).write_text('{"format": 1, "stop"')
        runs.runner._poke(Key("ema", 1))
        await until_async(lambda: b"[stratvisor] cannot obey: want.json is torn" in runs.log())
        await runs.until_printed("line 0")
        assert alive(run.pid)
        assert (await runs.stop()).exit.signal == signal.SIGTERM


def test_the_order_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left to write once it drains; the log stands before its end is told, the pid until then."""
    done: list[str] = []

    def step(name: str) -> Mock:
        return Mock(side_effect=lambda *_arguments: done.append(name))

    monkeypatch.setattr(tree, "clear", step("clear the tree"))
    monkeypatch.setattr(rundir, "write_exit", step("tell the end"))
    monkeypatch.setattr(os, "waitpid", step("reap"))
    log = Mock(finish=step("drain"), sync=step("sync"))
    shim = Mock(_main=4711, _began_ns=0, _log=log, _ending=lambda: Ending.of_stranger(0, Mock()))
    shim.configure_mock(_spec={"run": 1, "log": "x"})
    Shim.finish(shim)
    assert done == ["clear the tree", "drain", "sync", "tell the end", "reap"]


async def test_a_second_copy_is_refused_while_the_first_lives(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("steady"))
        with pytest.raises(LaunchRefused, match="still lives"):
            await runs.launch(wicked("steady"), number=2)
        await runs.stop()
        await runs.launch(wicked("leave", "0"), number=2)
        await runs.end(number=2)


def unfinished(home: Path, number: int = 1) -> Path:
    """A run directory without an end, and with both locks free."""
    folder = home / "run" / "ema" / str(number)
    folder.mkdir(parents=True)
    nobody = [2**22 + 1, 1]  # beyond the kernel's highest pid
    facts = {"boot_id": rundir.boot_id(), "strategy": nobody, "shim": nobody, "began_ns": 0, "log": "x"}
    rundir.write(str(folder / rundir.PID), facts)
    return folder


async def test_a_run_that_nobody_watches_blocks_the_next_although_both_locks_are_free(home: Path) -> None:
    unfinished(home)
    environment = {"STRATVISOR_RUN": f"{home}:ema/1"}
    with subprocess.Popen(["/bin/sleep", "600"], env=environment) as forgotten:
        async with running(home) as runs:
            with pytest.raises(LaunchRefused, match="run 1 was never watched"):
                await runs.launch(wicked("leave", "0"), number=2)
            assert forgotten.poll() is None
            forgotten.kill()
            forgotten.wait()
            await runs.launch(wicked("leave", "0"), number=2)
            await runs.end(number=2)


async def test_a_run_whose_shim_is_dead_and_that_nobody_watches_is_ended_by_the_next_launch(
    home: Path,
) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        shim = runs.runner.shims()["ema"]
        runs.runner.close()
        os.kill(shim, signal.SIGKILL)
        await until_async(lambda: not alive(shim))
        heir = Runs(home)
        with pytest.raises(LaunchRefused, match="was never watched, and is being stopped"):
            await heir.launch(wicked("steady"), number=2)
        await until_async(lambda: not alive(run.pid), "a new shim has ended it")
        heir.runner.close()


async def test_a_dead_run_without_an_end_is_accounted_for_as_unseen(home: Path) -> None:
    folder = unfinished(home)
    async with running(home) as runs:
        await runs.launch(wicked("leave", "0"), number=2)
        await runs.end(number=2)
    assert rundir.must_read(str(folder / rundir.EXIT))["unknown"] is True


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"format": 1}'])
@pytest.mark.parametrize("name", [rundir.PID, rundir.EXIT, rundir.SPEC, rundir.WANT])
async def test_a_torn_file_harms_its_strategy_alone(home: Path, torn: str, name: str) -> None:
    (unfinished(home) / name).write_text(torn)
    (home / "run" / "ema" / "7").write_text("a file where a directory should be")
    (home / "run" / "stranger.txt").write_text("none of ours")
    async with running(home) as runs:
        survey = await asyncio.to_thread(runs.runner.survey)
        assert [finished.exit.unknown for finished in survey.ended] == [True]
        assert not survey.live
        await runs.launch(wicked("leave", "0"), strategy="other")
        await runs.end(strategy="other")
        await runs.launch(wicked("leave", "0"), number=2)
        await runs.end(number=2)


@pytest.mark.parametrize("name", [rundir.PID, rundir.SPEC, rundir.WANT])
async def test_a_run_of_a_newer_format_is_left_alone_and_blocks_its_strategy_alone(
    home: Path, name: str
) -> None:
    path = unfinished(home) / name
    path.write_text('{"format": 99}')
    async with running(home) as runs:
        survey = await asyncio.to_thread(runs.runner.survey)
        assert (survey.live, survey.ended) == ((), ())
        await runs.launch(wicked("leave", "0"), strategy="other")
        await runs.end(strategy="other")
        with pytest.raises(LaunchRefused, match="made by a newer stratvisor"):
            await runs.launch(wicked("leave", "0"), number=2)
    assert sorted(one.name for one in path.parent.iterdir()) == sorted({"pid.json", name})


async def test_a_new_shim_signals_nobody_by_a_bare_pid(home: Path) -> None:
    """Shim and strategy are dead, and the strategy's pid is another's by now, with its window over."""
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        shim = runs.runner.shims()["ema"]
        runs.runner.close()
        for pid in (shim, run.pid):
            os.kill(pid, signal.SIGKILL)
        await until_async(lambda: not alive(run.pid))
        with subprocess.Popen(["/bin/sleep", "600"], start_new_session=True) as victim:
            path = home / "run" / "ema" / "1"
            who = rundir.must_read(str(path / rundir.PID))
            rundir.write(str(path / rundir.PID), {**who, "strategy": [victim.pid, who["strategy"][1]]})
            want = rundir.must_read(str(path / rundir.WANT))
            rundir.write(str(path / rundir.WANT), {**want, "deadline_ns": 1})
            heir = Runs(home)
            survey = await asyncio.to_thread(heir.runner.survey)
            for found in survey.live:
                heir.watch(found.strategy, found.run.number)
                await heir.end()
            assert victim.poll() is None
            victim.kill()
            heir.runner.close()


async def test_a_launch_survives_the_death_of_who_ordered_it(home: Path) -> None:
    """The shim's word that it is up once went into a broken pipe, and took the shim along."""
    async with running(home) as runs:
        zygote = runs.runner.zygote_pid
        assert zygote is not None
        await runs.launch(wicked("steady"), strategy="first")
        folders = runs.runner._folders
        key = Key("ema", 1)
        with contextlib.ExitStack() as stack:
            (home / "run" / "ema").mkdir()
            locks = [folders.lock("ema", name, stack) for name in (rundir.LOCK, rundir.LOCK_STRATEGY)]
            folders.furnish(key, runs.order(wicked("steady")))
            heard, said = os.pipe2(os.O_CLOEXEC)
            os.close(heard)
            secrets, giving = os.pipe2(os.O_CLOEXEC)
            os.write(giving, b"{}")
            os.close(giving)
            runs.runner._zygote.shim(folders.path(key), [locks[0], said, secrets, locks[1]])
            os.close(secrets)
            os.close(said)
        await runs.until_printed("line 5")
        found = await asyncio.to_thread(runs.runner.hold, key)
        assert alive(runs.runner.shims()["ema"])
        runs.watch("ema", 1)
        assert (await runs.stop()).exit.signal == signal.SIGTERM
        assert not alive(found.run.pid)
        await runs.stop(strategy="first")


async def test_a_stop_reaches_a_run_whose_directory_is_gone(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        shutil.rmtree((home / "run" / "ema" / "1").rename(home / "cleaned"), ignore_errors=True)
        await runs.tell(replace(GO_ON, stop=stop_order()))
        await until_async(lambda: not alive(run.pid), "the strategy is stopped")


async def test_output_sent_elsewhere_does_not_make_the_shim_spin(home: Path) -> None:
    script = 'exec >"$STRATEGY_DATA/own.log" 2>&1; echo moved; sleep 600'
    own = home / "data" / "ema" / "own.log"
    async with running(home) as runs:
        await runs.launch(wicked(script=None, args=(), command=("/bin/sh", "-c", script)))
        await until_async(lambda: own.exists() and own.read_text())
        for name in (rundir.OUT, rundir.CTL):
            reader = os.open(home / "run" / "ema" / "1" / name, os.O_RDONLY | os.O_NONBLOCK)
            with pytest.raises(BlockingIOError):  # without any writer it would be the end of file, for ever
                os.read(reader, 1)
            os.close(reader)
        await runs.stop()


async def test_a_shim_that_drops_output_hears_its_stop(home: Path) -> None:
    """It reads until nothing is left, and must not wait there for more."""
    script = 'until [ -e "$STRATEGY_DATA/go" ]; do sleep 0.01; done; seq 20000; echo > "$STRATEGY_DATA/said"'
    own = home / "data" / "ema"
    async with running(home) as runs:
        await runs.launch(
            wicked(script=None, args=(), command=("/bin/sh", "-c", f"{script}; exec sleep 600"))
        )
        await until_async(runs.log)
        resource.prlimit(runs.runner.shims()["ema"], resource.RLIMIT_FSIZE, (20_000, 20_000))
        (own / "go").touch()
        await until_async((own / "said").exists, "it has printed all")
        finished = await runs.stop()
    assert finished.dropped > 50_000
    assert finished.exit.signal == signal.SIGTERM


async def test_a_strategy_holds_its_own_lock_and_gets_nothing_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also below a shim that was exec'd, and so inherits what it is given and what its daemon had."""
    monkeypatch.setattr("stratvisor.runner.zygote.Zygote._start", lambda _self: False)
    left_open = os.dup2(0, 250)  # by a shell, as may be
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        shim = runs.runner.shims()["ema"]
        assert os.getsid(shim) == shim
        files = {path.name: path.readlink().name for path in Path(f"/proc/{run.pid}/fd").iterdir()}
        assert [files[number] for number in sorted(files)] == ["null", "out", "out", "lock.strategy", "held"]
        runs.runner.close()
        os.kill(shim, signal.SIGKILL)
        await until_async(lambda: not alive(shim))
        held = runs.runner._folders.is_held
        assert (held("ema", rundir.LOCK), held("ema", rundir.LOCK_STRATEGY)) == (False, True)
    os.close(left_open)


def test_a_shim_that_gets_no_process_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setattr("os.fork", Mock(side_effect=BlockingIOError(errno.EAGAIN, "no process to be had")))
    os.mkfifo(rundir.HELD)
    heard, said = os.pipe()
    with pytest.raises(BlockingIOError):
        Shim.launch(Mock(), said, said)
    os.close(said)
    assert os.read(heard, 512) == b"cannot make its process: no process to be had"
    os.close(heard)


async def test_the_code_of_a_run_that_ended_under_a_dying_shim_is_known(home: Path) -> None:
    async with running(home) as runs:
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, runs.runner.reap)
        run = await runs.launch(wicked("on_signal"))
        await runs.until_printed("listening")
        shim = runs.runner.shims()["ema"]
        os.kill(shim, signal.SIGSTOP)
        os.kill(run.pid, signal.SIGUSR1)
        await until_async(lambda: not alive(run.pid))
        os.kill(shim, signal.SIGKILL)
        finished = await runs.end()
        assert (finished.exit.code, finished.exit.unknown) == (0, False)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)


async def test_the_zygote_holds_no_lock_of_a_run(home: Path) -> None:
    """It once kept its copies until it was scheduled again, and a quick run found its own locks held."""
    async with running(home) as runs:
        await runs.launch(wicked("steady"))
        held = []
        for path in Path(f"/proc/{runs.runner.zygote_pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                held.append(path.readlink().name)
        assert not [name for name in held if name.startswith("lock")]
        assert Path(f"/proc/{runs.runner.zygote_pid}/environ").read_bytes() == b""
        assert os.getsid(runs.runner.zygote_pid or 0) == runs.runner.zygote_pid  # ^Z stops no shim
        await runs.stop()


async def test_runs_in_quick_succession_do_not_meet_half_removed_directories(home: Path) -> None:
    async with running(home) as runs:
        forgetting = []
        for number in range(1, 31):
            await runs.launch(wicked("leave", "0"), number=number)
            await runs.end(number=number)
            forgetting.append(asyncio.create_task(asyncio.to_thread(runs.runner.forget, "ema", number)))  # noqa: TID251
        await asyncio.gather(*forgetting)
    assert [path.name for path in (home / "run" / "ema").iterdir() if path.name.isdigit()] == ["30"]


def test_a_removal_that_was_cut_short_is_finished(home: Path) -> None:
    half = home / "run" / "ema" / "3.gone"
    half.mkdir(parents=True)
    (half / rundir.PID).touch()
    Folders(home, CLOCK).sweep()
    assert not half.exists()


async def test_the_death_of_the_zygote_harms_no_run_and_hinders_no_next_one(home: Path) -> None:
    async with running(home) as runs:
        first = await runs.launch(wicked("steady"))
        await runs.until_printed("line 0")
        zygote = runs.runner.zygote_pid
        assert zygote is not None
        os.kill(zygote, signal.SIGKILL)
        await until_async(lambda: not alive(zygote))
        await runs.launch(wicked("lines", "5"), strategy="other")
        finished = await runs.end(strategy="other")
        assert finished.exit.code == 0
        assert alive(first.pid)
        assert runs.runner.zygote_pid != zygote
        await runs.stop()


async def test_without_a_zygote_the_same_shim_is_execed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(home) as runs:
        runs.runner.close()
        monkeypatch.setattr("stratvisor.runner.zygote.Zygote._start", lambda _self: False)
        bare = Runs(home)
        await bare.launch(wicked("lines", "100", "9"))
        shim = bare.runner.shims()["ema"]
        finished = await bare.end()
        assert finished.exit.code == 9
        assert not Path(f"/proc/{shim}").exists()  # it was a child of this process, and is reaped
        assert len(bare.printed()) == 100
        bare.runner.close()


async def test_a_killed_shim_is_replaced_and_no_line_is_lost(home: Path) -> None:
    async with running(home) as runs:
        run = await runs.launch(wicked("steady"))
        await runs.until_printed("line 5")
        first = runs.runner.shims()["ema"]
        os.kill(first, signal.SIGKILL)
        await until_async(lambda: runs.runner.shims().get("ema") not in {None, first})
        count = len(runs.printed())
        await until_async(lambda: len(runs.printed()) > count + 5)
        assert alive(run.pid)
        finished = await runs.stop()
        assert finished.exit.run == 1
        lines = [line for line in runs.printed() if line.startswith("line")]
        assert lines == [f"line {number}" for number in range(len(lines))]


async def test_a_stop_that_began_long_ago_goes_straight_to_the_kill(home: Path) -> None:
    async with running(home) as runs:
        await runs.launch(wicked("deaf"))
        await runs.until_printed("deaf")
        order = replace(stop_order(Stop(timeout_ns=SECOND)), began_ns=stop_order().began_ns - 60 * SECOND)
        await runs.tell(replace(GO_ON, stop=order))
        finished = await runs.end()
        assert finished.exit.signal == signal.SIGKILL
