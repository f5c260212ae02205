"""[defaults] under a strategy's own keys: what shows through, what gives way, and where a problem lies."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

from pathlib import Path

import pytest
from filing import RUN, problems_of, settings_of, spec_of

from stratvisor import settings
from stratvisor.spec import (
    HOUR,
    MINUTE,
    SECOND,
    DaysWindow,
    GiveUp,
    Logs,
    Manual,
    ReadyAfter,
    ReadyNotify,
    Restart,
    RestartWhen,
    Spec,
    Stop,
    Windows,
)


def laid(defaults: str, own: str = "") -> Spec:
    return spec_of(RUN + own, settings_of(f"[defaults]\n{defaults}\n"))


def test_defaults_hold_where_a_file_says_nothing() -> None:
    spec = laid(
        'tags = ["all-of-us"]\nstop.timeout = "30s"\nlogs.keep_days = 7\nschedule = "manual"\nenabled = false'
    )
    assert spec.tags == ("all-of-us",)
    assert spec.stop == Stop(timeout_ns=30 * SECOND)
    assert spec.logs == Logs(keep_days=7)
    assert spec.schedule == Manual()
    assert not spec.enabled


def test_sections_are_laid_key_by_key() -> None:
    spec = laid(
        'restart = {when = "always", delay = "2s", give_up = {within = "1h"}}',
        "restart: {delay: 5s, give_up: {failures: 2}}",
    )
    assert spec.restart == Restart(RestartWhen.ALWAYS, delay_ns=5 * SECOND, give_up=GiveUp(2, HOUR))


def test_variables_are_laid_name_by_name() -> None:
    assert laid('env = {A = "1", B = "2"}', "env: {B: own, C: own}").process.env == (
        ("A", "1"),
        ("B", "own"),
        ("C", "own"),
    )


def test_a_list_replaces_a_list() -> None:
    assert laid('tags = ["a", "b"]', "tags: [c]").tags == ("c",)
    assert laid('tags = ["a", "b"]', "tags: []").tags == ()


def test_a_word_replaces_keys_and_keys_a_word() -> None:
    assert laid("restart.give_up = {failures = 2}", "restart: {give_up: none}").restart.give_up is None
    assert laid('restart.give_up = "none"', "restart: {give_up: {failures: 2}}").restart.give_up == GiveUp(2)
    assert laid('schedule = {start = "09:15", stop = "15:30"}', "schedule: manual").schedule == Manual()


def test_one_form_replaces_another() -> None:
    assert laid('start = {ready = "notify", timeout = "9s"}', "start: {ready_after: 3s}").start == ReadyAfter(
        3 * SECOND
    )
    assert laid('start.ready_after = "3s"', "start: {ready: notify}").start == ReadyNotify()
    spec = laid(
        'schedule.windows = [{from = "09:00", to = "10:00"}]', "schedule: {start: 11:00, stop: 12:00}"
    )
    assert isinstance(spec.schedule, Windows)
    assert [form.start.hour for form in spec.schedule.forms if isinstance(form, DaysWindow)] == [11]


def test_keys_of_the_same_form_are_laid() -> None:
    assert laid('start = {ready = "notify", timeout = "9s"}', "start: {timeout: 2m}").start == ReadyNotify(
        2 * MINUTE
    )
    spec = laid(
        'schedule = {start = "09:15", stop = "15:30", days = "mon"}',
        "schedule: {start: 09:20, timezone: UTC}",
    )
    assert isinstance(spec.schedule, Windows)
    (form,) = spec.schedule.forms
    assert isinstance(form, DaysWindow)
    assert (form.start.minute, form.end.hour, form.days, spec.timezone) == (20, 15, frozenset({0}), "UTC")


def test_python_of_the_defaults_is_for_scripts() -> None:
    assert laid('python = "no/such/python"').process.python is None


@pytest.mark.parametrize(
    ("defaults", "own", "problems"),
    [
        ('restart.delay = "5h"', "", ["stratvisor.toml:2:1: defaults.restart.delay: the delay begins at 5h and may grow to 1m; make max_delay at least the delay"]),
        ('restart.max_delay = "1s"', "restart: {delay: 5s}", ["stratvisor.toml:2:1: defaults.restart.max_delay: the delay begins at 5s and may grow to 1s; make max_delay at least the delay"]),
        ("restart.polcy = 1", "tag: 1", ["2:1: tag: unknown key; did you mean 'tags'?", "stratvisor.toml:2:1: defaults.restart.polcy: unknown key; known here: when, success_codes, delay, factor, max_delay, jitter, reset_after, give_up"]),
        ("stop.timeout = 5", "", ["stratvisor.toml:2:1: defaults.stop.timeout: has no unit; write 5s"]),
        ("stop.timeout = 5", "stop: {timeout: 5s}", []),
        ('env_file = "no.env"', "", ["stratvisor.toml:2:1: defaults.env_file: no such file"]),
        ('env = {A = "1"}', "inherit_env: [A]", ["2:1: inherit_env: A is in 'env' of [defaults] too; keep one of them"]),
        ('restart.when = "never"', "restart: {delay: 5s}", ["2:11: restart.delay: has no effect with 'when: never'; remove it"]),
    ],
)  # fmt: skip
def test_a_problem_is_told_of_the_file_that_it_stands_in(
    defaults: str, own: str, problems: list[str], tmp_path: Path
) -> None:
    known, _ = settings.parse(f"[defaults]\n{defaults}\n".encode(), tmp_path)
    assert problems_of(RUN + own, known) == problems


def test_a_file_may_overrule_what_gives_its_keys_no_effect() -> None:
    """What [defaults] say for all others is no contradiction in the one that differs."""
    assert laid('restart.delay = "5s"', "restart: {when: never}").restart.when is RestartWhen.NEVER
    assert laid('inherit_env = ["A"]', "env: {A: own}").process.env == (("A", "own"),)
