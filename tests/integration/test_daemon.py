"""The daemon as its users meet it: files are edited, things die, and all is looked at from outside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hosted import Instance, alive, instance, numbers
from waiting import DEADLINE_S, comm, until

from stratvisor.shim import tree

IST = ZoneInfo("Asia/Kolkata")
QUICK = """
restart: {delay: 0s, jitter: 0%, reset_after: 1h}
start: {ready_after: 0s}
"""


@pytest.fixture
def host(home: Path) -> Iterator[Instance]:
    with instance(home) as made:
        yield made


# Dying strategies.


def test_a_killed_strategy_is_back_with_the_cause_in_why_and_both_logs_whole(host: Instance) -> None:
    host.write("ema", "steady", text="restart: {delay: 3s, jitter: 0%}")
    host.up()
    first = host.pid("ema")
    host.until_printed("ema", "line 3")
    os.kill(first, signal.SIGKILL)
    shown = host.until_state("ema", "backoff")
    assert shown["why"].startswith("killed by SIGKILL at ")
    assert shown["retry_at"] is not None
    assert shown["last_exit"]["signal"] == "SIGKILL"
    host.until_new_pid("ema", first)
    assert host.show("ema")["restarts"] == 1
    logs = sorted((host.home / "log" / "strategies").iterdir())
    assert len(logs) == 2
    host.post("stop/ema?wait=20")
    for log in logs:
        lines = log.read_text().splitlines()
        assert lines[0].startswith("[stratvisor] run ")
        assert lines[-1].startswith("[stratvisor] run ")
        counted = numbers(lines)
        assert counted == list(range(len(counted)))


def test_an_exit_by_itself_is_told_from_a_failure(host: Instance) -> None:
    host.write("done", "leave", "0")
    host.write("failing", "traceback", text="restart: {delay: 1h, max_delay: 1h, give_up: none}")
    host.write("known", "leave", "3", text="restart: {success_codes: [0, 3]}")
    host.up()
    assert host.until_state("done", "exited")["last_exit"]["code"] == 0
    assert host.until_state("known", "exited")["last_exit"]["code"] == 3
    why = host.until_state("failing", "backoff")["why"]
    assert "exit 1 at " in why
    assert "ModuleNotFoundError: No module named 'pandas'" in why


def test_too_many_failures_give_up_and_an_edit_tries_again(host: Instance) -> None:

    host.write("flap", "leave", "1", text="restart: {delay: 10ms, give_up: {failures: 3, within: 10m}}")
    host.up()
    why = host.until_state("flap", "error")["why"]
    assert why.startswith("gave up after 3 failures in 10m; last: exit 1 at ")
    assert len(host.get("runs/flap")["runs"]) == 3
    host.write("flap", "steady")
    host.until_state("flap", "running")


def test_a_missing_interpreter_is_an_error_that_names_it(host: Instance) -> None:
    script = host.home / "strategies" / "odd"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    path = host.home / "conf.d" / "odd.yaml"
    path.write_text("command: [strategies/odd]\nrestart: {delay: 10ms, give_up: {failures: 2, within: 1m}}\n")
    host.up()
    why = host.until_state("odd", "error")["why"]
    assert "cannot execute" in why
    assert "No such file or directory" in why


# Edits.


def test_a_comment_changes_nothing_and_an_env_value_restarts_that_one_alone(host: Instance) -> None:
    paths = {name: host.write(name, "steady", text="env: {SYMBOL: SBIN}") for name in ("a", "b", "c")}
    host.up()
    before = {name: host.pid(name) for name in paths}
    paths["a"].write_text("# a comment\n" + paths["a"].read_text())
    assert host.post("reload") | {"problems": []} == {
        "start": [],
        "stop": [],
        "restart": [],
        "live": [],
        "problems": [],
        "refused": None,
    }
    paths["b"].write_text(paths["b"].read_text().replace("SBIN", "INFY"))
    assert host.get("plan")["restart"] in (["b"], [])  # the watcher may have been faster
    host.post("reload")
    after = host.until_new_pid("b", before["b"])
    assert after != before["b"]
    assert {name: host.pid(name) for name in ("a", "c")} == {name: before[name] for name in ("a", "c")}


ROUND_THE_CLOCK = """
timezone: UTC
known_until: none
source: made up
regular: [{days: daily, from: "00:00", to: "24:00"}]
"""
BY_CALENDAR = "schedule: {timezone: UTC, calendar: CLOCK, windows: [{session: {}}]}"


def close_from(host: Instance, days_on: int) -> None:
    """A week of holidays, on a calendar that knows no other."""
    first = datetime.now(UTC).date() + timedelta(days=days_on)  # noqa: TID251  the daemon asks the same clock
    dates = ", ".join(f"{first + timedelta(days=count)}: Closed" for count in range(7))
    (host.home / "calendars" / "CLOCK.yaml").write_text(f"{ROUND_THE_CLOCK}closed: {{{dates}}}\n")


def test_a_holiday_acts_without_a_restart_of_anything(host: Instance) -> None:
    (host.home / "calendars").mkdir()
    (host.home / "calendars" / "CLOCK.yaml").write_text(ROUND_THE_CLOCK)
    host.write("ema", "steady", text=BY_CALENDAR)
    host.write("other", "steady")
    host.up()
    assert host.daemon is not None
    daemon, pid, other = host.daemon.pid, host.pid("ema"), host.pid("other")
    host.until_state("ema", "running")
    assert host.show("ema")["next_stop"] is None
    close_from(host, 2)
    until(lambda: host.show("ema")["next_stop"] is not None, "the end of its window is known")
    assert host.pid("ema") == pid
    want = host.home / "run" / "ema" / "1" / "want.json"
    end = datetime.fromisoformat(host.show("ema")["next_stop"])
    seconds = int(end.timestamp())
    until(
        lambda: json.loads(want.read_text())["deadline_ns"] == seconds * 10**9, "its shim knows the end too"
    )
    close_from(host, -1)
    shown = host.until_state("ema", "scheduled")
    assert shown["why"].startswith("outside its window; CLOCK opens ")
    assert ": Closed" in shown["why"]
    assert (host.daemon.poll(), host.daemon.pid, host.pid("other")) == (None, daemon, other)


def test_the_log_warns_once_of_a_calendar_that_ends_soon_and_again_when_it_changes(host: Instance) -> None:
    ends = datetime.now(UTC).date() + timedelta(days=9)  # noqa: TID251  the daemon asks the same clock
    text = ROUND_THE_CLOCK.replace("none", str(ends))
    (host.home / "calendars").mkdir()
    (host.home / "calendars" / "CLOCK.yaml").write_text(text)
    host.write("ema", "steady", text=BY_CALENDAR)
    host.write("orb", "steady", text=BY_CALENDAR)
    host.up()

    def warned() -> int:
        lines = (host.home / "log" / "stratvisor.log").read_text().splitlines()
        return sum("WARNING CLOCK is known until" in line for line in lines)

    assert warned() == 1
    host.post("reload")
    assert warned() == 1
    (host.home / "calendars" / "CLOCK.yaml").write_text(text + f"closed: {{{ends}: Closed}}\n")
    host.post("reload")
    assert warned() == 2


def test_the_page_tells_the_coming_days(host: Instance) -> None:
    (host.home / "calendars").mkdir()
    close_from(host, 2)
    host.write("ema", "steady", text=BY_CALENDAR)
    host.write("other", "steady", text="schedule: manual\n")
    host.up()
    host.until_state("ema", "running")
    for path in ("", "status/ema", "status/other"):
        status, body = host.ask("GET", f"/python/{path}?days=7", raw=True, page=True)
        assert status == 200
        for text in (b"Closed: CLOCK is closed", b"<title>wanted "):
            assert (text in body) == (path != "status/other")


def test_a_bad_calendar_harms_nobody_while_its_last_good_version_is_known(host: Instance) -> None:
    (host.home / "calendars").mkdir()
    path = host.home / "calendars" / "CLOCK.yaml"
    path.write_text(ROUND_THE_CLOCK)
    host.write("ema", "steady", text=BY_CALENDAR)
    host.up()
    pid = host.pid("ema")
    path.write_text("closed: [\n")
    (problem,) = host.post("reload")["problems"]
    assert problem["file"] == "calendars/CLOCK.yaml"
    assert host.pid("ema") == pid
    host.again()
    assert host.until_state("ema", "running")["pid"] == pid
    assert host.get("status")["problems"][0]["file"] == "calendars/CLOCK.yaml"


def test_an_edit_takes_effect_by_itself(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    host.pid("ema")
    host.write("orb", "steady")
    until(lambda: host.ask("GET", "/python/status/orb")[0] == 200, "orb is known")
    host.until_state("orb", "running")
    (host.home / "conf.d" / "ema.yaml").unlink()
    until(lambda: host.ask("GET", "/python/status/ema")[0] == 404, "ema is forgotten")


def test_what_is_no_part_of_the_process_changes_under_it(host: Instance) -> None:
    host.write("ema", "deaf")
    host.up()
    pid = host.pid("ema")
    host.until_printed("ema", "deaf")
    host.write(
        "ema", "deaf", text="title: Deaf one\ntags: [x]\nstop: {timeout: 300ms}\nlogs: {timestamps: true}"
    )
    assert host.post("reload")["live"] in (["ema"], [])  # the watcher may have been faster
    shown = host.show("ema")
    assert (shown["pid"], shown["title"], shown["tags"]) == (pid, "Deaf one", ["x"])
    assert host.post("stop/@x?wait=20")
    assert not alive(pid)


def test_next_run_waits_with_an_edit(host: Instance) -> None:
    host.write("ema", "steady", text="on_change: next_run")
    host.up()
    pid = host.pid("ema")
    host.write("ema", "steady", text="on_change: next_run\nenv: {A: b}")
    host.post("reload")
    shown = host.show("ema")
    assert (shown["pid"], shown["restart_pending"]) == (pid, True)
    host.post("restart/ema")
    host.until_new_pid("ema", pid)
    assert host.show("ema")["restart_pending"] is False


def test_a_bad_file_harms_only_itself_and_keeps_its_last_good_version(host: Instance) -> None:
    host.write("good", "steady")
    host.write("turned", "steady")
    host.up()
    before = {name: host.pid(name) for name in ("good", "turned")}
    bad = host.write("turned", "steady", text="restart: {polcy: always}\nargs: 5")
    host.home.joinpath("conf.d", "fresh.yaml").write_text("script: nowhere.py\n")
    problems = host.post("reload")["problems"]
    assert {problem["file"] for problem in problems} == {"conf.d/turned.yaml", "conf.d/fresh.yaml"}
    assert {name: host.pid(name) for name in before} == before
    assert host.show("turned")["problems"]
    assert host.state("fresh") == "error"
    assert host.post("start/fresh", expected=409)["detail"].startswith(
        "its file is bad: conf.d/fresh.yaml:1:9:"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "stratvisor", "--home", str(host.home), "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    lines = checked.stdout.splitlines()
    assert "conf.d/turned.yaml:3:11: restart.polcy: unknown key; did you mean 'policy'?" not in lines
    assert any(line.startswith("conf.d/turned.yaml:3:11: restart.polcy: unknown key") for line in lines)
    assert any(line.startswith("conf.d/turned.yaml:4:") for line in lines)
    assert any(line.startswith("conf.d/fresh.yaml:1:9: script: ") for line in lines)
    # The last good version outlives the daemon too.
    host.again()
    assert {name: host.pid(name) for name in before} == before
    bad.write_text(f"script: {bad.parent.parent / 'strategies' / 'gone.py'}\n")
    os.kill(before["turned"], signal.SIGKILL)
    host.until_new_pid("turned", before["turned"])


def test_an_emptied_conf_d_stops_nothing_until_forced(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    shutil.rmtree(host.home / "conf.d")
    refusal = host.post("reload", expected=409)["detail"]
    assert refusal.startswith("conf.d is gone while ema run")
    assert host.pid("ema") == pid
    status = host.get("status")
    assert (status["ready"], status["why_not_ready"]) == (False, refusal)
    host.again()
    assert host.pid("ema") == pid
    (host.home / "conf.d").mkdir()
    host.post("reload?force=1")
    until(lambda: not alive(pid), "ema is stopped")


def test_a_script_that_changed_is_stale_and_goes_on(host: Instance) -> None:
    script = host.home / "strategies" / "own.py"
    shutil.copy(Path(__file__).parent.parent / "children" / "wicked.py", script)
    (host.home / "conf.d" / "own.yaml").write_text("script: strategies/own.py\nargs: [steady]\n")
    host.up()
    pid = host.pid("own")
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    until(lambda: host.show("own")["script_sha256"] == digest, "the hash is known")
    script.write_text(script.read_text() + "\n# changed\n")
    until(lambda: host.show("own")["stale"], "stale")
    assert host.pid("own") == pid
    host.post("restart/own?wait=20")
    host.until_new_pid("own", pid)
    until(lambda: host.show("own")["script_sha256"] != digest, "the new hash is known")
    assert host.show("own")["stale"] is False


def test_one_edit_among_a_hundred_touches_one(host: Instance) -> None:
    for number in range(100):
        host.write(f"s{number}", "deaf", text="stop: {timeout: 10ms}")
    host.up()
    before = {f"s{number}": host.pid(f"s{number}") for number in range(100)}
    host.write("s42", "deaf", text="stop: {timeout: 10ms}\nenv: {A: b}")
    assert host.post("reload")["restart"] in (["s42"], [])  # the watcher may have been faster
    host.until_new_pid("s42", before["s42"])
    after = {one["id"]: one["pid"] for one in host.get("status")["strategies"]}
    assert {name for name in before if after[name] != before[name]} == {"s42"}
    host.post("stop/all?wait=30")


# Orders.


def test_a_deaf_one_with_a_far_grandchild_ends_at_its_timeout_and_delays_nobody(host: Instance) -> None:
    host.write("deaf", "deaf_family", text="stop: {timeout: 10s}")
    host.write("other", "steady")
    host.up()
    pids = [
        host.pid("deaf"),
        int(host.until_printed("deaf", "child ")),
        int(host.until_printed("deaf", "grandchild ")),
    ]
    host.post("stop/deaf", expected=202)
    assert host.state("deaf") == "stopping"
    assert host.show("deaf")["kill_at"] is not None
    assert host.post("stop/other?wait=20", expected=200)["state"] == "stopped"
    assert host.state("deaf") == "stopping"
    host.until_state("deaf", "stopped")
    assert not any(alive(pid) for pid in pids)


def test_holds_survive_the_daemon(host: Instance) -> None:
    host.write("ema", "steady")
    host.write("hand", "steady", text="schedule: manual")
    host.up()
    host.pid("ema")
    host.post("stop/ema?wait=20")
    host.post("start/hand?wait=20")
    pid = host.pid("hand")
    host.again()
    assert host.state("ema") == "stopped"
    assert host.show("ema")["hold"]["wants"] == "down"
    assert host.show("hand")["hold"]["wants"] == "up"
    assert host.pid("hand") == pid
    host.post("start/ema?wait=20")
    assert host.show("ema")["hold"] is None
    host.until_state("ema", "running")


def test_orders_that_make_no_sense_are_refused_with_the_reason(host: Instance) -> None:
    host.write("off", "steady", text="enabled: false")
    host.write("hand", "leave", "0", text="schedule: manual")
    host.up()
    status, problem = host.ask("POST", "/python/start/off")
    assert status == 409
    assert "enabled: false" in problem["detail"]
    status, problem = host.ask("POST", "/python/restart/hand")
    assert status == 409
    assert "manual" in problem["detail"]
    assert host.ask("POST", "/python/stop/nobody")[0] == 404
    host.post("start/hand?wait=20")
    assert host.until_state("hand", "exited")["hold"] is None


# Windows.


def window(begin_s: float, end_s: float) -> tuple[str, datetime, datetime]:
    """A schedule whose window begins and ends so many seconds from now, every day; and both instants."""
    now = datetime.now(IST).replace(microsecond=0)  # noqa: TID251  the real clock is meant
    begin, end = now + timedelta(seconds=begin_s), now + timedelta(seconds=end_s)
    times = f'from: "{begin:%H:%M:%S}", to: "{end:%H:%M:%S}"'
    return f"schedule: {{windows: [{{{times}}}]}}\nstop: {{timeout: 5s}}\n", begin, end


def test_a_window_opens_and_closes_by_itself(host: Instance) -> None:
    later, _begin, _end = window(3600, 7200)
    host.write("ema", "steady", text=later)
    host.up()
    assert host.show("ema")["why"].startswith("outside its window; opens ")
    soon, begin, _end = window(2, 3600)
    host.write("ema", "steady", text=soon)
    host.post("reload")
    pid = host.pid("ema")
    until(lambda: host.get("runs/ema")["runs"], "the run is in the history")
    [run] = host.get("runs/ema")["runs"]
    assert datetime.fromisoformat(run["began"]) >= begin
    over_soon, _begin, end = window(-60, 3)
    host.write("ema", "steady", text=over_soon)
    until(lambda: not alive(pid), "stopped at the end of its window")
    shown = host.until_state("ema", "scheduled")
    assert shown["last_exit"]["cause"] == "its window has ended"
    assert datetime.fromisoformat(shown["last_exit"]["at"]) >= end


def test_the_end_of_a_window_is_kept_with_no_daemon_alive(host: Instance) -> None:
    later, _begin, _end = window(-60, 3600)
    host.write("ema", "steady", text=later)
    host.up()
    pid = host.pid("ema")
    text, _begin, end = window(-60, 15)
    host.write("ema", "steady", text=text)
    host.post("reload")
    want = host.home / "run" / "ema" / "1" / "want.json"
    until(lambda: json.loads(want.read_text())["deadline_ns"] == int(end.timestamp()) * 10**9, "it is told")
    host.kill()
    assert alive(pid)
    until(lambda: not alive(pid), "stopped by its shim")
    host.up()
    shown = host.until_state("ema", "scheduled")
    assert shown["last_exit"]["cause"] == "its window has ended"
    assert datetime.fromisoformat(shown["last_exit"]["at"]) >= end


def test_a_hold_until_the_next_window_outlives_daemons_and_edits_and_ends_with_it(host: Instance) -> None:
    text, _begin, _end = window(-60, 3600)
    host.write("ema", "steady", text=text)
    host.up()
    host.pid("ema")
    host.post("stop/ema?until=next&wait=30")
    host.again()
    host.write("ema", "steady", text=text + "title: EMA\n")
    host.post("reload")
    shown = host.show("ema")
    assert (shown["title"], shown["state"], shown["hold"]["until"]) == ("EMA", "stopped", "next")
    soon_open, begin, _end = window(8, 3600)
    host.write("ema", "steady", text=soon_open)
    host.post("reload")
    host.until_new_pid("ema")
    shown = host.show("ema")
    assert shown["hold"] is None
    assert datetime.fromisoformat(shown["since"]) >= begin


def test_what_is_started_outside_its_window_stays_up_through_daemons_and_edits(host: Instance) -> None:
    text, _begin, _end = window(3600, 7200)
    host.write("ema", "steady", text=text)
    host.up()
    host.post("start/ema?wait=30")
    pid = host.pid("ema")
    host.again()
    assert host.pid("ema") == pid
    host.write("ema", "steady", text=text + "env: {SYMBOL: INFY}\n")
    host.post("reload")
    host.until_new_pid("ema", pid)
    assert host.show("ema")["hold"]["wants"] == "up"
    host.write("ema", "steady", text=text + "enabled: false\n")
    host.post("reload")
    assert host.until_state("ema", "stopped")["hold"] is None


def test_another_zone_of_the_daemon_moves_the_end_of_a_window_under_its_run(host: Instance) -> None:
    text, _begin, end = window(-7200, 7200)
    host.write("ema", "steady", text=text)
    host.up()
    pid = host.pid("ema")
    assert datetime.fromisoformat(host.show("ema")["next_stop"]) == end
    # The same times of day are half an hour later there.
    (host.home / "stratvisor.toml").write_text('timezone = "Asia/Karachi"\n[http]\nport = 0\n')
    host.post("reload")
    later = end + timedelta(minutes=30)
    assert datetime.fromisoformat(host.show("ema")["next_stop"]) == later
    want = host.home / "run" / "ema" / "1" / "want.json"
    until(
        lambda: json.loads(want.read_text())["deadline_ns"] == int(later.timestamp()) * 10**9,
        "its shim knows the end too",
    )
    assert host.pid("ema") == pid


# Jobs.


def soon(seconds: float) -> str:
    """A time of today or tomorrow in IST, to the second."""
    now = datetime.now(IST)  # noqa: TID251  the real clock is meant
    return f"{now + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}"


def test_a_job_runs_when_it_is_due_and_ends_by_itself(host: Instance) -> None:
    host.write("job", "leave", "0", text=f'schedule: {{once: "{soon(3600)}"}}\n')
    host.up()
    due = soon(8)
    host.write("job", "leave", "0", text=f'schedule: {{once: "{due}"}}\n')
    host.post("reload")
    shown = host.until_state("job", "exited")
    until(lambda: host.get("runs/job")["runs"], "the run is in the history")
    [run] = host.get("runs/job")["runs"]
    assert datetime.fromisoformat(run["began"]) >= datetime.fromisoformat(due).replace(tzinfo=IST)
    assert shown["last_exit"]["code"] == 0
    host.again()
    host.post("reload")
    assert host.show("job")["state"] == "exited"
    assert host.show("job")["run"] == 1


def test_what_is_due_next_is_shown(host: Instance) -> None:
    host.write("job", "leave", "0", text='schedule: {at: "0 16 1 1 *"}\n')
    host.up()
    shown = host.show("job")
    assert (shown["state"], shown["next_start"][4:19]) == ("scheduled", "-01-01T16:00:00")
    [coming] = host.get("next/job")["next"]
    assert coming["start"] == coming["stop"] == shown["next_start"].replace(".000", "")


def test_a_job_that_is_due_every_second_runs_again_and_again(host: Instance) -> None:
    host.write("job", "leave", "0", text="schedule: {every: 1s}\nstart: {ready_after: 0s}\n")
    came_up = datetime.now(IST)  # noqa: TID251  the real clock is meant
    host.up()
    until(lambda: len(host.get("runs/job")["runs"]) >= 3, "it ran three times")
    runs = host.get("runs/job")["runs"]
    passed = max(datetime.fromisoformat(run["began"]) for run in runs) - came_up
    assert len(runs) <= passed.total_seconds() + 1, "a due time was begun twice"


def test_a_jobs_time_is_kept_with_no_daemon_alive(host: Instance) -> None:
    host.write("job", "steady", text='schedule: {at: "0 16 1 1 *", timeout: 12s}\n')
    host.up()
    host.post("start/job")
    pid = host.pid("job")
    host.kill()
    assert alive(pid)
    until(lambda: not alive(pid), "stopped by its shim")
    host.up()
    shown = host.until_state("job", "error")
    assert "it took longer than its timeout" in shown["why"]


def test_start_runs_a_job_now_and_once(host: Instance) -> None:
    host.write("job", "leave", "0", text='schedule: {at: "0 16 1 1 *"}\n')
    host.up()
    host.post("start/job?wait=30")
    shown = host.until_state("job", "exited")
    assert (shown["run"], shown["hold"]) == (1, None)
    assert host.ask("POST", "/python/restart/job")[0] == 409


# The daemon's own end.


def test_ten_strategies_do_not_notice_the_death_of_the_daemon(host: Instance) -> None:
    names = [f"s{number}" for number in range(10)]
    for name in names:
        host.write(name, "steady")
    host.write("short", "fork_away", text="schedule: manual")
    host.up()
    before = {name: host.pid(name) for name in names}
    for name in names:
        host.until_printed(name, "line 1")
    host.kill()
    os.kill(before["s0"], signal.SIGSEGV)
    os.kill(before["s1"], signal.SIGTERM)
    until(lambda: not alive(before["s0"]) and not alive(before["s1"]), "two end while no daemon lives")
    host.up()
    for name in names[2:]:
        assert host.pid(name) == before[name]
    for name, ended in (("s0", "SIGSEGV"), ("s1", "SIGTERM")):
        host.until_new_pid(name, before[name])
        assert host.show(name)["last_exit"]["signal"] == ended
        assert host.show(name)["restarts"] == 1
    host.post("stop/all?wait=30")
    for name in names[2:]:
        counted = numbers(host.printed(name))
        assert counted == list(range(len(counted)))
        assert len(counted) > 2


def test_a_polite_end_leaves_strategies_alone_and_shutdown_may_take_them_along(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    os.kill(host.daemon_pid, signal.SIGHUP)  # only "look again"
    assert host.pid("ema") == pid
    host.kill(signal.SIGTERM)
    assert alive(pid)
    host.up()
    assert host.pid("ema") == pid
    host.post("shutdown?stop_strategies=1", expected=202)
    assert host.daemon is not None
    host.daemon.wait(DEADLINE_S)
    assert not alive(pid)
    host.up()
    host.until_state("ema", "running")


def test_a_second_daemon_is_refused_and_names_the_first(host: Instance) -> None:
    host.up()
    assert host.daemon is not None
    second = subprocess.run(
        [sys.executable, "-m", "stratvisor", "--home", str(host.home), "up"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert second.returncode == 1
    assert f"a daemon (pid {host.daemon.pid}) runs for {host.home} already" in second.stderr


def test_a_lost_run_folder_starts_no_second_copy(host: Instance) -> None:
    host.write("ema", "steady")
    host.up()
    pid = host.pid("ema")
    (host.home / "run").rename(host.home / "lost")  # at once: the daemon and the shim go on writing there
    host.again()
    shown = host.until_state("ema", "backoff")
    assert f"still runs as pid {pid}" in shown["why"]
    os.kill(pid, signal.SIGKILL)
    host.until_new_pid("ema", pid)


# Limits.


def test_memory_over_its_limit_is_named_as_the_cause(host: Instance) -> None:
    host.write(
        "hungry",
        "eat",
        "200000000",
        text="limits: {memory: 100MB}\nrestart: {delay: 1h, max_delay: 1h, give_up: none}",
    )
    host.write(
        "crowded",
        "crowd",
        "20",
        text="limits: {processes: 10}\nrestart: {delay: 1h, max_delay: 1h, give_up: none}",
    )
    host.up()
    for name, cause in (("hungry", r"over its limit 100MB"), ("crowded", r" processes over its limit 10")):
        shown = host.until_state(name, "backoff")
        assert cause in shown["why"]
        assert shown["why"].startswith("killed by SIGKILL: ")


def test_readiness_is_what_the_strategy_says(host: Instance) -> None:
    host.write("slow", "notify", "0.5", text="start: {ready: notify, timeout: 20s}")
    host.write(
        "never",
        "steady",
        text="start: {ready: notify, timeout: 1s}\nrestart: {delay: 1h, max_delay: 1h, give_up: none}",
    )
    host.up()
    assert host.until_state("slow", "starting", "running")["pid"] is not None
    host.until_state("slow", "running")
    assert "did not send READY=1" in host.until_state("never", "backoff")["why"]


# Memory of it all.


def test_history_knows_every_run(host: Instance) -> None:
    host.write("ema", "leave", "4", text="restart: {when: never}")
    host.up()
    host.until_state("ema", "error")
    until(lambda: [one["script_sha256"] for one in host.get("runs/ema")["runs"]], "its run is kept")
    until(lambda: host.get("runs/ema")["runs"][0]["script_sha256"], "what it was made of is known")
    [run] = host.get("runs/ema")["runs"]
    assert (run["code"], run["failed"], run["run"]) == (4, True, 1)
    script = Path(__file__).parent.parent / "children" / "wicked.py"
    assert run["script_sha256"] == hashlib.sha256(script.read_bytes()).hexdigest()
    assert run["cpu_s"] > 0
    assert run["peak_memory"] > 0
    assert run["log"].startswith("log/strategies/ema_")


# What was good outlives the daemon.


def test_a_vanished_script_and_a_restart_of_the_daemon_stop_nothing(host: Instance) -> None:
    script = host.home / "strategies" / "own.py"
    shutil.copy(Path(__file__).parent.parent / "children" / "wicked.py", script)
    (host.home / "variables").write_text("SYMBOL=SBIN\n")
    (host.home / "conf.d" / "own.yaml").write_text(
        "script: strategies/own.py\nargs: [steady]\nenv_file: variables\n"
    )
    host.up()
    pid = host.pid("own")
    aside = script.rename(host.home / "aside.py")
    (host.home / "variables").unlink()
    host.again()
    assert host.pid("own") == pid
    assert host.show("own")["problems"]
    os.kill(pid, signal.SIGKILL)
    why = host.until_state("own", "backoff")["why"]
    assert "its script strategies/own.py is missing" in why or "killed by SIGKILL" in why
    aside.rename(script)
    (host.home / "variables").write_text("SYMBOL=SBIN\n")
    host.until_new_pid("own", pid)


def test_a_slip_in_stratvisor_toml_takes_the_defaults_from_nobody(host: Instance) -> None:
    toml = host.home / "stratvisor.toml"
    good = '[http]\nport = 0\n[defaults.env]\nSYMBOL = "SBIN"\n'
    toml.write_text(good)
    host.write("ema", "environment")
    host.write("steady", "steady")
    host.up()
    pid = host.pid("steady")
    host.until_printed("ema", "SYMBOL=SBIN")
    toml.write_text(good.replace("SBIN", "INFY") + "[http2]\n")
    problems = host.post("reload")["problems"]
    assert [problem["file"] for problem in problems] == ["stratvisor.toml"]
    assert host.pid("steady") == pid
    host.again()
    assert host.pid("steady") == pid
    assert host.get("status")["problems"][0]["file"] == "stratvisor.toml"


def test_a_strategy_that_is_bad_by_the_defaults_alone_names_them(host: Instance) -> None:
    host.write("ema", "steady")
    (host.home / "stratvisor.toml").write_text('[http]\nport = 0\n[defaults]\nenv_file = "nowhere.env"\n')
    host.up()
    shown = host.show("ema")
    assert shown["state"] == "error"
    assert "stratvisor.toml:4:1: defaults.env_file" in shown["why"]
    assert shown["problems"]


def test_doors_that_were_changed_are_said_to_need_an_upgrade(host: Instance) -> None:
    host.up()
    (host.home / "stratvisor.toml").write_text('[http]\nport = 0\nbase_path = "/other"\n')
    [problem] = host.post("reload")["problems"]
    assert (problem["file"], problem["key"]) == ("stratvisor.toml", "http")
    assert "`stratvisor upgrade` puts it in force" in problem["message"]
    assert host.get("plan")["problems"] == host.get("status")["problems"] == [problem]


def test_the_daemons_log_is_in_its_own_time_zone_and_follows_it(host: Instance) -> None:
    host.up()
    log = host.home / "log" / "stratvisor.log"
    assert " IST INFO " in log.read_text()
    (host.home / "stratvisor.toml").write_text('timezone = "Asia/Tokyo"\n[http]\nport = 0\n')
    host.post("reload")
    assert " JST INFO reload by " in log.read_text()


def test_a_strategy_that_was_restarted_is_adopted_and_stopped_by_the_next_daemon(host: Instance) -> None:
    """The end of run 1 once made the next daemon launch run 3 beside run 2, and disown it."""
    host.write("ema", "steady")
    host.up()
    first = host.pid("ema")
    host.post("restart/ema?wait=20")
    second = host.until_new_pid("ema", first)
    host.again()
    assert host.pid("ema") == second
    assert host.show("ema")["run"] == 2
    host.post("stop/ema?wait=20")
    assert not alive(second)


def test_a_file_that_goes_and_returns_keeps_its_holds_and_run_numbers(host: Instance) -> None:
    host.write("ema", "steady")
    aside = host.write("held", "steady").with_suffix(".aside")
    host.up()
    pid = host.pid("ema")
    host.post("stop/held?wait=20")
    for path in (host.home / "conf.d").glob("*.yaml"):
        path.rename(path.with_suffix(".aside"))
    (host.home / "conf.d" / "other.yaml").write_text(aside.read_text())
    host.post("reload")
    until(lambda: host.ask("GET", "/python/status/ema")[0] == 404, "ema is forgotten")
    assert not alive(pid)
    host.again()
    host.until_state("other", "running")
    host.post("stop/other?wait=20")  # a change, so that this daemon keeps what the last one knew
    host.again()
    for path in (host.home / "conf.d").glob("*.aside"):
        path.rename(path.with_suffix(".yaml"))
    host.post("reload")
    host.until_new_pid("ema", pid)
    assert host.show("ema")["run"] == 2
    assert host.state("held") == "stopped"
    assert host.show("held")["hold"]["wants"] == "down"


def test_slow_launches_delay_no_stop(host: Instance) -> None:
    host.write("keep", "steady")
    host.up()
    host.pid("keep")
    host.until_printed("keep", "line 0")
    zygote = next(pid for pid in tree.children(host.daemon_pid) if comm(pid) == "shim zygote")
    os.kill(zygote, signal.SIGSTOP)
    try:
        for number in range(6):
            host.write(f"slow{number}", "steady")
        host.post("reload")
        assert host.post("stop/keep?wait=15", expected=200)["state"] == "stopped"
    finally:
        os.kill(zygote, signal.SIGCONT)


def test_a_strategy_that_appears_during_shutdown_is_not_started(host: Instance) -> None:
    host.write("deaf", "deaf", text="stop: {timeout: 3s}")
    host.up()
    host.pid("deaf")
    host.until_printed("deaf", "deaf")
    host.post("shutdown?stop_strategies=1", expected=202)
    host.write("late", "steady")
    assert host.daemon is not None
    host.daemon.wait(DEADLINE_S)
    assert host.printed("late") == []


def test_a_second_signal_ends_the_waiting_for_strategies(host: Instance) -> None:
    host.write("deaf", "deaf", text="stop: {timeout: 1h}\nschedule: manual")
    host.up()
    host.post("start/deaf")
    pid = host.pid("deaf")
    host.until_printed("deaf", "deaf")
    host.post("shutdown?stop_strategies=1", expected=202)
    host.until_state("deaf", "stopping")
    host.kill(signal.SIGINT)
    assert alive(pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a strategy as somebody else")
def test_a_strategy_of_another_user_reaches_its_data_and_its_output(open_home: Path) -> None:
    script = "echo $(id -un); echo kept > $STRATEGY_DATA/file; echo again > /dev/stdout"
    text = f"command: [/bin/sh, -c, '{script}']\nuser: nobody\n"
    (open_home / "conf.d" / "own.yaml").write_text(text)
    with instance(open_home) as host:
        host.up()
        host.until_state("own", "exited")
        assert host.printed("own") == ["nobody", "again"]
        assert (open_home / "data" / "own" / "file").read_text() == "kept\n"


# Disks and folders.


def test_a_log_folder_that_takes_no_file_is_said_and_tried_again(host: Instance) -> None:
    (host.home / "log").mkdir()
    blocked = host.home / "log" / "strategies"
    blocked.write_text("not a folder")
    host.write("ema", "steady")
    host.up()
    why = host.until_state("ema", "backoff")["why"]
    assert why.startswith("cannot start: ")
    assert "log/strategies" in why
    assert host.show("ema")["restarts"] == 0
    blocked.unlink()
    host.until_state("ema", "running")


def test_two_strategies_of_like_names_keep_their_own_logs(host: Instance) -> None:
    host.write("a", "lines", "3")
    host.write("a_b", "lines", "4")
    host.up()
    host.until_state("a", "exited")
    host.until_state("a_b", "exited")
    assert [len(host.get(f"logs/{name}")["files"]) for name in ("a", "a_b")] == [1, 1]
    assert (len(host.printed("a")), len(host.printed("a_b"))) == (3, 4)
