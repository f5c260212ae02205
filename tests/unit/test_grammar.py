"""A strategy file's keys: each has its effect and its bounds, and a file says back what it was made of."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from filing import BASE, NOWHERE, RUN, parsed, problems_of, spec_of
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from spec_files import EFFECTS, FILES, NONSENSE, SPECS, written

from stratvisor import schema
from stratvisor.settings import Settings
from stratvisor.spec import (
    Process,
    Restart,
    RestartWhen,
    Spec,
    Windows,
)

TOP = (
    "known here: title, script, args, command, python, cwd, env, env_file, inherit_env, secrets, user, sandbox, read, "
    "write, connect, unix_sockets, enabled, tags, schedule, restart, start, stop, limits, logs, on_change"
)


def test_the_shortest_file_has_the_defaults_of_the_dataclasses() -> None:
    assert spec_of(RUN) == Spec("x", Process(command=("sh",)), title="x")


@pytest.mark.parametrize("key", EFFECTS)
def test_every_key_has_its_effect_and_no_other(key: str) -> None:
    text, spec = EFFECTS[key]
    assert spec_of(RUN + text) == spec != BASE


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
    elsewhere = {
        row.key for row in schema.rows("strategy") if row.key.startswith("schedule.")
    }  # test_schedule
    groups = {"restart", "start", "stop", "limits", "logs"}
    outside = {"user", "secrets"}  # test_surroundings, test_vault
    assert {
        row.key for row in schema.rows("strategy")
    } == EFFECTS.keys() | FILES.keys() | elsewhere | groups | outside


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("restart:\n  polcy: always\n  wehn: always", ["3:3: restart.polcy: unknown key; known here: when, success_codes, delay, factor, max_delay, jitter, reset_after, give_up", "4:3: restart.wehn: unknown key; did you mean 'when'?"]),
        ("tag: [a]", ["2:1: tag: unknown key; did you mean 'tags'?"]),
        ("delay: 5s", ["2:1: delay: unknown key; did you mean 'restart.delay'?"]),
        ("from: 09:15", ["2:1: from: unknown key; did you mean 'schedule.windows[].from'?"]),
        ("timeout: 5s", ["2:1: timeout: unknown key; " + TOP]),  # start's, or stop's
        ("secrets: [KEY]", ["2:11: secrets.KEY: no value in secrets.yaml; `stratvisor secret set KEY`"]),
        ("secrets: {A: KEY}", ["2:14: secrets.A: no value in secrets.yaml; `stratvisor secret set KEY`"]),
        ("secrets: [KEY, KEY]", ["2:16: secrets[1]: given twice; keep one"]),
        ("secrets: {A: a-key}", ['2:14: secrets.A: must be letters, digits and _, at most 100, such as OPENALGO_API_KEY, not "a-key"']),
        ("secrets: KEY", ['2:10: secrets: must be keys and values, not "KEY"']),
        ("sandbox: true", ['2:10: sandbox: must be strict, standard or off, not "true"']),
        ("sandbox: strict\nconnect: [0]", ["3:11: connect[0]: must be a whole number, 1 to 65535, not 0"]),
        ("sandbox: strict\nconnect: [443, 443]", ["3:16: connect[1]: given twice; keep one"]),
        ("jobs: {every: 5m}", ["2:1: jobs: unknown key; " + TOP]),
        ("x-note: mine", ["2:1: x-note: unknown key; " + TOP]),
        ("title:", ["2:7: title: has no value; write one, or remove the key"]),
        ("title: ~", ["2:8: title: has no value; write one, or remove the key"]),
        ("restart:", ["2:9: restart: has no value; write one, or remove the key"]),
        ("title: 2026-11-23", ['2:8: title: is a number, a date or a yes/no to some readers; quote it: "2026-11-23"']),
        ("title: " + "x" * 201, ["2:8: title: must be one line of 1 to 200 characters that can be shown"]),
        ("enabled: yes", ["2:10: enabled: must be true or false, not yes"]),
        ("enabled: on", ["2:10: enabled: must be true or false, not on"]),
        ("env: {COUNTRY: NO}", ['2:16: env.COUNTRY: is a number, a date or a yes/no to some readers; quote it: "NO"']),
        ("env: {N: 1, M: 2.0}", ['2:10: env.N: is a whole number; quote it: "1"', '2:16: env.M: is a number; quote it: "2.0"']),
        ("env: {STRATEGY_ID: a}", ["2:7: env.STRATEGY_ID: is set by stratvisor itself; choose another name"]),
        ("env: [A=1]", ["2:6: env: must be keys and values, not a list"]),
        ("tags: [Nifty]", ['2:8: tags[0]: must be lower-case letters, digits, _ and -, not "Nifty"']),
        ("tags: [a, a]", ["2:11: tags[1]: given twice; keep one"]),
        ("tags: nifty", ['2:7: tags: must be a list, such as [a, b], not "nifty"']),
        ("tags:\n- 010", ['3:3: tags[0]: is a number, a date or a yes/no to some readers; quote it: "010"']),
        ("restart: {delay: 10}", ["2:18: restart.delay: has no unit; write 10s"]),
        ("restart: {success_codes: ['0']}", ["2:27: restart.success_codes[0]: is text; remove the quotes: 0"]),
        ("restart: {success_codes: [010]}", ["2:27: restart.success_codes[0]: must be a whole number, 0 to 255, not 010"]),
        ("restart: {success_codes: [1, 1]}", ["2:30: restart.success_codes[1]: given twice; keep one"]),
        ("restart: {give_up: 5}", ["2:20: restart.give_up: must be {failures: 5, within: 10m} or none, not 5"]),
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
        ("limits: {core: 5}", ["2:16: limits.core: has no unit; write 5MB"]),
        ("limits: {nice: 20}", ["2:16: limits.nice: must be a whole number, -20 to 19, not 20"]),
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
    assert [problem.split(": ")[0] for problem in problems_of(text)] == [
        "1:8",
        "2:10",
        "3:1",
        "4:1",
        "4:7",
        "5:18",
        "6:9",
    ]


@pytest.mark.parametrize("text", ["\ufeff", "# a comment\r\n", "---\n"])
def test_what_comes_before_the_keys_means_nothing(text: str) -> None:
    assert spec_of(text + RUN) == BASE


def test_windows_line_ends_mean_nothing() -> None:
    text = RUN + "restart:\n  when: always\ntags:\n- a\n"
    assert spec_of(text.replace("\n", "\r\n")) == spec_of(text)


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


@given(st.binary(max_size=60) | NONSENSE | NONSENSE.map(lambda text: RUN.encode() + text))
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
