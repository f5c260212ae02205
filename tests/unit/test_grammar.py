"""A strategy file's keys: each has its effect and its bounds, and a file says back what it was made of."""

from __future__ import annotations

import json
import os
import string
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from filing import NOWHERE, RUN, parsed, problems_of, spec_of
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from stratvisor import schema
from stratvisor.settings import Settings
from stratvisor.spec import (
    DAY,
    DAY_NAMES,
    GB,
    HOUR,
    MB,
    MILLISECOND,
    MINUTE,
    SECOND,
    CronFor,
    CronPair,
    DaysWindow,
    GiveUp,
    Limits,
    Logs,
    Manual,
    OnChange,
    Process,
    ReadyAfter,
    ReadyNotify,
    Restart,
    RestartWhen,
    Spec,
    Stop,
    StopTo,
    Windows,
)
from stratvisor.reading.words import SIGNALS

BASE = spec_of(RUN)


def test_the_shortest_file_has_the_defaults_of_the_dataclasses() -> None:
    assert BASE == Spec("x", Process(command=("sh",)), title="x")


EFFECTS: dict[str, tuple[str, Spec]] = {
    "title": ("title: A title", replace(BASE, title="A title")),
    "env": ("env: {B: b, A: '1'}", replace(BASE, process=replace(BASE.process, env=(("A", "1"), ("B", "b"))))),
    "inherit_env": ("inherit_env: [HTTPS_PROXY]", replace(BASE, process=replace(BASE.process, inherit_env=("HTTPS_PROXY",)))),
    "enabled": ("enabled: false", replace(BASE, enabled=False)),
    "tags": ("tags: [nifty, intra-day]", replace(BASE, tags=("nifty", "intra-day"))),
    "schedule": ("schedule: manual", replace(BASE, schedule=Manual())),
    "restart.when": ("restart: {when: always}", replace(BASE, restart=Restart(when=RestartWhen.ALWAYS))),
    "restart.success_codes": ("restart: {success_codes: [0, 3]}", replace(BASE, restart=Restart(success_codes=(0, 3)))),
    "restart.delay": ("restart: {delay: 2s}", replace(BASE, restart=Restart(delay_ns=2 * SECOND))),
    "restart.factor": ("restart: {factor: 1.5}", replace(BASE, restart=Restart(factor=1.5))),
    "restart.max_delay": ("restart: {max_delay: 2m}", replace(BASE, restart=Restart(max_delay_ns=2 * MINUTE))),
    "restart.jitter": ("restart: {jitter: 20%}", replace(BASE, restart=Restart(jitter=0.2))),
    "restart.reset_after": ("restart: {reset_after: 5m}", replace(BASE, restart=Restart(reset_after_ns=5 * MINUTE))),
    "restart.give_up": ("restart: {give_up: none}", replace(BASE, restart=Restart(give_up=None))),
    "restart.give_up.failures": ("restart: {give_up: {failures: 3}}", replace(BASE, restart=Restart(give_up=GiveUp(3)))),
    "restart.give_up.within": (
        "restart: {give_up: {within: 1h}}",
        replace(BASE, restart=Restart(give_up=GiveUp(within_ns=HOUR))),
    ),
    "start.ready_after": ("start: {ready_after: 3s}", replace(BASE, start=ReadyAfter(3 * SECOND))),
    "start.ready": ("start: {ready: notify}", replace(BASE, start=ReadyNotify())),
    "start.timeout": ("start: {ready: notify, timeout: 9s}", replace(BASE, start=ReadyNotify(9 * SECOND))),
    "stop.signals": ("stop: {signals: [INT, SIGTERM]}", replace(BASE, stop=Stop(signals=("INT", "TERM")))),
    "stop.timeout": ("stop: {timeout: 20s}", replace(BASE, stop=Stop(timeout_ns=20 * SECOND))),
    "stop.to": ("stop: {to: main}", replace(BASE, stop=Stop(to=StopTo.MAIN))),
    "limits.memory": ("limits: {memory: none}", replace(BASE, limits=Limits(memory=None))),
    "limits.processes": ("limits: {processes: 9}", replace(BASE, limits=Limits(processes=9))),
    "limits.open_files": ("limits: {open_files: 99}", replace(BASE, process=replace(BASE.process, open_files=99))),
    "limits.cpu_time": ("limits: {cpu_time: 1h}", replace(BASE, process=replace(BASE.process, cpu_time_ns=HOUR))),
    "limits.nice": ("limits: {nice: 5}", replace(BASE, process=replace(BASE.process, nice=5))),
    "limits.threads": ("limits: {threads: 2}", replace(BASE, process=replace(BASE.process, threads=2))),
    "limits.core": ("limits: {core: none}", replace(BASE, process=replace(BASE.process, core=None))),
    "logs.max_size": ("logs: {max_size: 1MB}", replace(BASE, logs=Logs(max_size=MB))),
    "logs.keep_files": ("logs: {keep_files: 5}", replace(BASE, logs=Logs(keep_files=5))),
    "logs.keep_days": ("logs: {keep_days: 7}", replace(BASE, logs=Logs(keep_days=7))),
    "logs.keep_total": ("logs: {keep_total: 1GB}", replace(BASE, logs=Logs(keep_total=GB))),
    "logs.timestamps": ("logs: {timestamps: true}", replace(BASE, logs=Logs(timestamps=True))),
    "on_change": ("on_change: next_run", replace(BASE, on_change=OnChange.NEXT_RUN)),
}


@pytest.mark.parametrize("key", EFFECTS)
def test_every_key_has_its_effect_and_no_other(key: str) -> None:
    text, spec = EFFECTS[key]
    assert spec_of(RUN + text) == spec != BASE


FILES: dict[str, tuple[str, Process]] = {
    "script": ("script: a.py", Process(script="a.py")),
    "args": ("script: a.py\nargs: [--x, '1', '']", Process(script="a.py", args=("--x", "1", ""))),
    "command": ("command: [sh, -c, exit]", Process(command=("sh", "-c", "exit"))),
    "python": ("script: a.py\npython: bin/python", Process(script="a.py", python="bin/python")),
    "cwd": ("script: a.py\ncwd: bin", Process(script="a.py", cwd="bin")),
    "env_file": ("script: a.py\nenv_file: common.env", Process(script="a.py", env=(("A", "1"),))),
}


@pytest.mark.parametrize("key", FILES)
def test_every_key_that_names_a_file_has_its_effect(key: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch(0o755)
    (tmp_path / "common.env").write_text("A=1\n")
    text, process = FILES[key]
    assert spec_of(text, Settings(tmp_path)) == Spec("x", process, title="x")


def test_no_key_is_left_out_above() -> None:
    """No setting is accepted and ignored: each stands in one of the tables, or in the tests named here."""
    elsewhere = {row.key for row in schema.rows("strategy") if row.key.startswith("schedule.")}  # test_schedule
    groups = {"restart", "start", "stop", "limits", "logs"}
    user = {"user"}  # test_surroundings
    assert {row.key for row in schema.rows("strategy")} == EFFECTS.keys() | FILES.keys() | elsewhere | groups | user


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("restart:\n  polcy: always\n  wehn: always", ["3:3: restart.polcy: unknown key", "4:3: restart.wehn: unknown key; did you mean 'when'?"]),
        ("tag: [a]", ["2:1: tag: unknown key; did you mean 'tags'?"]),
        ("delay: 5s", ["2:1: delay: unknown key; did you mean 'restart.delay'?"]),
        ("timeout: 5s", ["2:1: timeout: unknown key"]),  # start's, or stop's
        ("secrets: [KEY]", ["2:1: secrets: unknown key"]),
        ("sandbox: true", ["2:1: sandbox: unknown key"]),
        ("jobs: {every: 5m}", ["2:1: jobs: unknown key"]),
        ("x-note: mine", ["2:1: x-note: unknown key"]),
        ("title:", ["2:7: title: has no value; write one, or remove the key"]),
        ("title: ~", ["2:8: title: has no value; write one, or remove the key"]),
        ("restart:", ["2:9: restart: has no value; write one, or remove the key"]),
        ("title: 2026-11-23", ['2:8: title: is a number, a date or a yes/no to some readers; quote it: "2026-11-23"']),
        ("title: " + "x" * 201, ["2:8: title: must be one line of 1 to 200 characters that can be shown"]),
        ("enabled: yes", ['2:10: enabled: must be true or false, not "yes"']),
        ("enabled: on", ['2:10: enabled: must be true or false, not "on"']),
        ("env: {COUNTRY: NO}", ['2:16: env.COUNTRY: is a number, a date or a yes/no to some readers; quote it: "NO"']),
        ("env: {N: 1, M: 2.0}", ['2:10: env.N: is a whole number; quote it: "1"', '2:16: env.M: is a number; quote it: "2.0"']),
        ("env: {STRATEGY_ID: a}", ["2:7: env.STRATEGY_ID: is set by stratvisor itself; choose another name"]),
        ("env: [A=1]", ["2:6: env: must be keys and values, not a list"]),
        ("tags: [Nifty]", ['2:8: tags[0]: must be lower-case letters, digits, _ and -, not "Nifty"']),
        ("tags: [a, a]", ["2:11: tags[1]: given twice; keep one"]),
        ("tags: nifty", ['2:7: tags: must be a list, such as [a, b], not "nifty"']),
        ("tags:\n- 010", ['3:3: tags[0]: is a number, a date or a yes/no to some readers; quote it: "010"']),
        ("restart: {delay: 10}", ["2:18: restart.delay: has no unit; write 10s"]),
        ("restart: {success_codes: ['0']}", ['2:27: restart.success_codes[0]: must be a whole number, 0 to 255, not "0"']),
        ("restart: {success_codes: [010]}", ['2:27: restart.success_codes[0]: must be a whole number, 0 to 255, not "010"']),
        ("restart: {success_codes: [1, 1]}", ["2:30: restart.success_codes[1]: given twice; keep one"]),
        ("restart: {give_up: 5}", ['2:20: restart.give_up: must be {failures: 5, within: 10m} or none, not "5"']),
        ("restart: {reset_after: 0s}", ["2:24: restart.reset_after: must be 1ms to 7d, not 0s"]),
        ("start: {ready_after: 1s, ready: notify}", ["2:26: start.ready: does not go with 'ready_after'"]),
        ("start: {timeout: 60s}", ["2:8: start: needs 'ready'"]),
        ("start: {ready: maybe}", ['2:16: start.ready: must be notify, not "maybe"']),
        ("start: fast", ['2:8: start: must be {ready_after: 1s} or {ready: notify, timeout: 60s}, not "fast"']),
        ("stop: {signals: [KILL]}", ["2:18: stop.signals[0]: KILL comes by itself when the timeouts are over; name what comes before it"]),
        ("stop: {signals: []}", ["2:17: stop.signals: must have 1 to 10 items"]),
        ("limits: {memory: 1000}", ["2:18: limits.memory: has no unit; write 1000MB"]),
        ("limits: {memory: 5KB}", ["2:18: limits.memory: must be 1MB to 1000000GB, not 5KB"]),
        ("limits: {cpu_time: 1500ms}", ['2:20: limits.cpu_time: must be a multiple of 1s, not "1500ms"']),
        ("limits: {core: 5}", ['2:16: limits.core: has no unit; write 5MB']),
        ("limits: {nice: 20}", ['2:16: limits.nice: must be a whole number, -20 to 19, not "20"']),
        ("logs: {keep_days: none}", ['2:19: logs.keep_days: must be a whole number, 1 to 36500, not "none"']),
        ("on_change: next-run", ["2:12: on_change: must be restart or next_run, not \"next-run\"; did you mean 'next_run'?"]),
    ],
)  # fmt: skip
def test_problems_of_a_file(text: str, problem: list[str]) -> None:
    assert problems_of(RUN + text) == problem


def test_core_may_be_nothing_at_all_in_two_ways() -> None:
    assert spec_of(RUN + "limits: {core: 0}") == spec_of(RUN + "limits: {core: 0B}") == BASE


def test_all_problems_of_a_file_at_once() -> None:
    text = "args: [1]\nenv: {A: 1}\nenv: {}\nnope: &a 1\nlogs: {max_size: 1}\nscript: no.py\n"
    assert [problem.split(": ")[0] for problem in problems_of(text)] == ["1:8", "2:10", "3:1", "4:1", "4:7", "5:18", "6:9"]


@pytest.mark.parametrize("text", ["\ufeff", "# a comment\r\n", "---\n"])
def test_what_comes_before_the_keys_means_nothing(text: str) -> None:
    assert spec_of(text + RUN) == BASE


def test_windows_line_ends_mean_nothing() -> None:
    text = RUN + "restart:\n  when: always\ntags:\n- a\n"
    assert spec_of(text.replace("\n", "\r\n")) == spec_of(text)


# Round trip: a test of its own hand writes what a spec says.

SPANS = st.integers(1, 10**6).map(lambda count: count * MILLISECOND)
PRINTED = st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Zl", "Zp"], exclude_characters="\ufeff")
TEXTS = st.text(PRINTED | st.sampled_from("\n\t\\\"'#:"), max_size=12)
NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)
IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
LINES = st.builds("{} {} * * {}".format, st.integers(0, 59), st.integers(0, 23), st.sampled_from(DAY_NAMES))
FORMS = (
    st.builds(DaysWindow, st.frozensets(st.integers(0, 6), min_size=1), TIMES, TIMES).filter(lambda form: form.start != form.end)
    | st.builds(CronPair, LINES, LINES).filter(lambda form: form.start != form.stop)
    | st.builds(CronFor, LINES, st.integers(MINUTE // MILLISECOND, 7 * DAY // MILLISECOND).map(lambda count: count * MILLISECOND))
)
ZONES = st.sampled_from(["Asia/Kolkata", "America/New_York", "UTC"])
PROCESSES = st.builds(
    Process,
    command=st.lists(TEXTS, max_size=3).map(lambda rest: ("sh", *rest)),
    env=st.dictionaries(NAMES, TEXTS, max_size=3).map(lambda env: tuple(sorted(env.items()))),
    inherit_env=st.lists(NAMES.map(lambda name: f"I{name}"), unique=True, max_size=2).map(tuple),
    open_files=st.none() | st.integers(16, 1000),
    cpu_time_ns=st.none() | st.integers(1, 999).map(lambda count: count * SECOND),
    nice=st.integers(0, 19),
    threads=st.none() | st.integers(1, 64),
    core=st.just(0) | st.none(),
)
RESTARTS = st.builds(
    Restart,
    when=st.sampled_from(RestartWhen),
    success_codes=st.lists(st.integers(0, 255), unique=True, max_size=3).map(tuple),
    delay_ns=st.integers(0, 1000).map(lambda count: count * MILLISECOND),
    factor=st.sampled_from([1.0, 1.5, 2.0]),
    max_delay_ns=st.integers(1, 10).map(lambda count: count * SECOND),
    jitter=st.sampled_from([0.0, 0.1, 0.125, 1.0]),
    reset_after_ns=SPANS,
    give_up=st.none() | st.builds(GiveUp, st.integers(1, 9), st.just(HOUR)),
)
SPECS = st.builds(
    Spec,
    id=st.just("x"),
    process=PROCESSES,
    title=st.text(string.ascii_letters + "कé:#'\"", min_size=1, max_size=12),
    tags=st.lists(IDS, unique=True, max_size=3).map(tuple),
    enabled=st.booleans(),
    schedule=st.just(BASE.schedule) | st.just(Manual()) | st.builds(Windows, ZONES, st.lists(FORMS, min_size=1, max_size=3).map(tuple)),
    restart=RESTARTS,
    start=st.builds(ReadyAfter, SPANS) | st.builds(ReadyNotify, SPANS),
    stop=st.builds(
        Stop,
        st.lists(st.sampled_from(SIGNALS), min_size=1, max_size=3).map(tuple),
        st.integers(0, 300).map(lambda count: count * MILLISECOND),
        st.sampled_from(StopTo),
    ),
    limits=st.builds(Limits, st.none() | st.integers(MB, GB), st.none() | st.integers(1, 999)),
    logs=st.builds(Logs, st.integers(1000, MB), st.integers(1, 99), st.integers(1, 99), st.integers(MB, GB), st.booleans()),
    on_change=st.sampled_from(OnChange),
)


def written(spec: Spec) -> dict[str, Any]:
    """A spec as a file's keys, as the reference says that they are written."""
    process, restart = spec.process, spec.restart
    keys: dict[str, Any] = {
        "title": spec.title,
        "command": list(process.command or ()),
        "env": dict(process.env),
        "inherit_env": list(process.inherit_env),
        "tags": list(spec.tags),
        "enabled": spec.enabled,
        "restart": {"when": restart.when, "success_codes": list(restart.success_codes)},
        "start": {"ready_after": ms(spec.start.after_ns)}
        if isinstance(spec.start, ReadyAfter)
        else {"ready": "notify", "timeout": ms(spec.start.timeout_ns)},
        "stop": {"signals": list(spec.stop.signals), "timeout": ms(spec.stop.timeout_ns), "to": spec.stop.to},
        "limits": {
            "memory": "none" if spec.limits.memory is None else f"{spec.limits.memory}B",
            "processes": or_none(spec.limits.processes),
            "open_files": or_none(process.open_files),
            "cpu_time": "none" if process.cpu_time_ns is None else f"{process.cpu_time_ns // SECOND}s",
            "nice": process.nice,
            "threads": or_none(process.threads),
            "core": or_none(process.core),
        },
        "logs": {
            "max_size": f"{spec.logs.max_size}B",
            "keep_files": spec.logs.keep_files,
            "keep_days": spec.logs.keep_days,
            "keep_total": f"{spec.logs.keep_total}B",
            "timestamps": spec.logs.timestamps,
        },
        "on_change": spec.on_change,
    }
    if restart.when is not RestartWhen.NEVER:
        keys["restart"] |= {
            "delay": ms(restart.delay_ns),
            "factor": restart.factor,
            "max_delay": ms(restart.max_delay_ns),
            "jitter": f"{restart.jitter * 100}%",
            "reset_after": ms(restart.reset_after_ns),
            "give_up": {"failures": restart.give_up.failures, "within": ms(restart.give_up.within_ns)}
            if restart.give_up
            else "none",
        }
    if isinstance(spec.schedule, Manual):
        keys["schedule"] = "manual"
    if isinstance(spec.schedule, Windows):
        keys["schedule"] = {"timezone": spec.schedule.timezone, "windows": list(map(window, spec.schedule.forms))}
    return keys


def window(form: DaysWindow | CronPair | CronFor) -> dict[str, Any]:
    match form:
        case DaysWindow():
            days = [DAY_NAMES[day] for day in form.days]
            return {"days": days, "from": form.start.isoformat(), "to": form.end.isoformat()}
        case CronPair():
            return {"start": form.start, "stop": form.stop}
        case CronFor():
            return {"start": form.start, "for": ms(form.length_ns)}


def ms(duration_ns: int) -> str:
    return f"{duration_ns // MILLISECOND}ms"


def or_none(value: int | None) -> int | str:
    return "none" if value is None else value


@given(SPECS)
@settings(suppress_health_check=[HealthCheck.too_slow])  # a spec has many parts
def test_a_spec_comes_back_from_what_it_is_written_as(spec: Spec) -> None:
    if isinstance(spec.schedule, Windows):
        spec = replace(spec, timezone=spec.schedule.timezone)
    if spec.restart.when is RestartWhen.NEVER:
        spec = replace(spec, restart=Restart(RestartWhen.NEVER, spec.restart.success_codes))
    found = parsed(json.dumps(written(spec), ensure_ascii=False))  # JSON is YAML
    if isinstance(found, tuple):  # the one contradiction that chance can make
        assume(all("a stop may take" not in problem.message for problem in found))
    assert found == spec


# Whatever stands in a file, it makes a strategy or problems.

KEYS = [row.key.rpartition(".")[2] for row in schema.rows("strategy")]
SCALARS = st.sampled_from(
    "~ none manual true yes 0 1 5 -1 1.5 010 1e3 15:30 '09:15' 2026-11-23 10s 1d 0s 1GB 10% TERM mon-fri daily "
    "notify always never on-failure restart a.py sh UTC '* * * * 1' '' &a *a !!str <<".split()
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=4).map(
        lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
    ),
    max_leaves=12,
)
FILE = st.lists(st.tuples(st.sampled_from(KEYS), TREES), max_size=5).map(
    lambda pairs: "".join(f"{key}: {value}\n" for key, value in pairs).encode()
)


@given(st.binary(max_size=60) | FILE | FILE.map(lambda text: RUN.encode() + text))
@example(b"")
@example(b"schedule: {windows: [{start: '* * * * *', for: 7d}]}\n")
@example(b"restart: {delay: 1d, max_delay: 7d, give_up: {failures: 1000, within: 1ms}, factor: 100}\n")
def test_any_bytes_are_a_strategy_or_problems(content: bytes) -> None:
    found = parsed(content)
    assert isinstance(found, Spec) or found
    if isinstance(found, tuple):
        assert all(str(problem).isprintable() and problem.message for problem in found)
        assert [problem.line for problem in found] == sorted(problem.line for problem in found)


def test_the_home_of_these_tests_is_nowhere() -> None:
    assert not os.path.exists(NOWHERE)  # noqa: PTH110
