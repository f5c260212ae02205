"""What a file relies on outside itself: found, or said to be missing at the key that names it."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

import os
import pwd
import resource
from pathlib import Path

import pytest
from filing import problems_of, spec_of

from stratvisor.reading import surroundings
from stratvisor.settings import Settings


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    """A home with a script, an interpreter and a folder."""
    for folder in ("strategies", "bin", "keys", "conf.d"):
        (tmp_path / folder).mkdir()
    (tmp_path / "keys" / "a").touch()
    (tmp_path / "strategies" / "ema_crossover.py").touch()
    (tmp_path / "bin" / "python").touch(0o755)
    (tmp_path / "bin" / "text").touch(0o644)
    os.mkfifo(tmp_path / "fifo")
    return Settings(tmp_path)


SCRIPT = "script: strategies/ema_crossover.py\n"


def test_paths_are_relative_to_the_home_and_kept_as_written(here: Settings) -> None:
    text = SCRIPT + "python: bin/../bin/python\ncwd: ./strategies\n"
    process = spec_of(text, here).process
    assert (process.script, process.python, process.cwd) == (
        "strategies/ema_crossover.py",
        "bin/../bin/python",
        "./strategies",
    )


def test_absolute_paths_may_lie_anywhere(here: Settings) -> None:
    script = here.home / "strategies" / "ema_crossover.py"
    assert spec_of(f"script: {script}\npython: /bin/sh\ncwd: /\n", here).process.script == str(script)


def test_links_are_followed(here: Settings) -> None:
    (here.home / "linked.py").symlink_to("strategies/ema_crossover.py")
    assert spec_of("script: linked.py\n", here).process.script == "linked.py"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("script: strategies/ema_crosover.py", "1:9: script: no such file; did you mean 'strategies/ema_crossover.py'?"),
        ("script: strategis/ema_crossover.py", "1:9: script: no such file: strategis/ema_crossover.py; did you mean the folder 'strategies'?"),
        ("script: strategies/orb.py", "1:9: script: no such file"),
        ("script: strategies", "1:9: script: is not a file; name the Python file to run"),
        ("script: fifo", "1:9: script: is not a file; name the Python file to run"),
        ("script: strategies/ema_crossover.py/x", "1:9: script: 'strategies/ema_crossover.py' is not a folder"),
        ("script: ../x.py", "1:9: script: leaves the home; put the file into it, or write an absolute path"),
        ("script: a/../../x.py", "1:9: script: leaves the home; put the file into it, or write an absolute path"),
        ("script: /no/such.py", "1:9: script: no such file: /no/such.py"),
        (f"script: {'no/' * 30}x.py", f'1:9: script: no such file: "{("no/" * 30)[:64]}..."'),
        (SCRIPT + "python: .venv/bin/pythn", "2:9: python: no such file: .venv/bin/pythn"),
        (SCRIPT + "cwd: no/such", "2:6: cwd: no such folder: no/such"),
        (f"script: {'x' * 300}", "1:9: script: cannot be looked at: File name too long"),
        (SCRIPT + "python: bin/pyhton", "2:9: python: no such file; did you mean 'bin/python'?"),
        (SCRIPT + "python: bin/text", "2:9: python: is not a program that may be executed"),
        (SCRIPT + "python: bin", "2:9: python: is not a program that may be executed"),
        (SCRIPT + "python: no-such-program", "2:9: python: no such file in the home"),
        (SCRIPT + f"python: {'x' * 300}", "2:9: python: no such file in the home"),
        (SCRIPT + "cwd: strategis", "2:6: cwd: no such folder; did you mean 'strategies'?"),
        (SCRIPT + "cwd: bin/text", "2:6: cwd: is not a folder"),
        (SCRIPT + "read: [none]", "2:7: read: no such file"),
        (SCRIPT + "read: [keys]", '2:7: read: "keys" is stratvisor\'s own keys; no strategy may read that'),
        (SCRIPT + "read: [keys/a]", '2:7: read: "keys/a" is in stratvisor\'s own keys; no strategy may read that'),
        (SCRIPT + "write: [.]", '2:8: write: "." holds stratvisor\'s own keys; no strategy may write that'),
        (SCRIPT + "write: [conf.d]", '2:8: write: "conf.d" is stratvisor\'s own conf.d; no strategy may write that'),
        ("command: [no-such-program]", '1:10: command: no program "no-such-program" on PATH; write its whole path'),
        ("command: ['']", '1:10: command: no program "" on PATH; write its whole path'),
        ("command: [bin/text]", "1:10: command: is not a program that may be executed"),
        ("command: [bin/no]", "1:10: command: no such file"),
        (SCRIPT + "env_file: no.env", "2:11: env_file: no such file"),
        (SCRIPT + "env_file: bin", "2:11: env_file: cannot be read: it is not a regular file; remove or rename it"),
        (SCRIPT + "env_file: fifo", "2:11: env_file: cannot be read: it is not a regular file; remove or rename it"),
    ],
)  # fmt: skip
def test_what_is_missing(text: str, problem: str, here: Settings) -> None:
    assert problems_of(text, here) == [problem]


def test_without_a_look_into_the_folder_there_is_no_guess(
    here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "iterdir", denied)
    assert problems_of("script: strategies/ema.py", here) == ["1:9: script: no such file"]


def test_a_bare_name_is_found_for_the_author(here: Settings) -> None:
    (problem,) = problems_of(SCRIPT + "python: sh", here)
    assert problem.startswith("2:9: python: no such file in the home; write /")


def test_everything_that_is_missing_at_once(here: Settings) -> None:
    text = "script: no.py\npython: no\ncwd: nowhere\nenv_file: no.env\nnope: 1\n"
    assert [problem.split(": ")[1] for problem in problems_of(text, here)] == [
        "script",
        "python",
        "cwd",
        "env_file",
        "nope",
    ]


def test_a_program_is_looked_for_on_the_path_that_the_strategy_will_have(here: Settings) -> None:
    (here.home / "bin" / "own-program").touch(0o755)
    text = f"command: [own-program]\nenv: {{PATH: '{here.home}/bin'}}\n"
    assert spec_of(text, here).process.command == ("own-program",)


def test_variables_of_a_file_lie_under_those_of_env(here: Settings) -> None:
    (here.home / "common.env").write_text("A=1\nexport B='two words'\n")
    env = spec_of(SCRIPT + "env_file: common.env\nenv: {B: own, C: c}\n", here).process.env
    assert env == (("A", "1"), ("B", "own"), ("C", "c"))


def test_what_is_wrong_in_an_env_file_is_told_with_its_place_there(here: Settings) -> None:
    (here.home / "common.env").write_text("A=1\nB\n")
    found = problems_of(SCRIPT + "env_file: common.env\n", here)
    assert found == ["common.env:2:1: must be NAME=VALUE"]
    found = problems_of(f"{SCRIPT}env_file: {here.home}/common.env\n", here)
    assert found == ["common.env:2:1: must be NAME=VALUE"]


def test_an_env_file_elsewhere_is_told_by_its_whole_path(
    here: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "common.env"
    path.write_text("B\n")
    assert problems_of(f"{SCRIPT}env_file: {path}\n", here) == [f"{path}:1:1: must be NAME=VALUE"]


def test_threads_are_said_once(here: Settings) -> None:
    (here.home / "common.env").write_text("MKL_NUM_THREADS=1\n")
    text = SCRIPT + "env_file: common.env\n"
    assert problems_of(text + "limits: {threads: 2}\n", here) == [
        "2:11: env_file: sets MKL_NUM_THREADS, as 'limits.threads' does; keep one of them"
    ]
    assert spec_of(text, here).process.env == (("MKL_NUM_THREADS", "1"),)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.fixture
def as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)


@pytest.mark.usefixtures("as_root")
def test_root_may_run_as_an_account_that_there_is(here: Settings) -> None:
    name = pwd.getpwall()[-1].pw_name
    assert spec_of(f"{SCRIPT}user: {name}\n", here).process.user == name
    (problem,) = problems_of(f"{SCRIPT}user: {name}x\n", here)
    assert problem.startswith("2:7: user: no such account on this machine")


@pytest.mark.usefixtures("as_nobody")
def test_nobody_else_may_run_as_another(here: Settings) -> None:
    assert problems_of(f"{SCRIPT}user: root\n", here) == [
        "2:7: user: another account needs the daemon to run as root; remove it"
    ]


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ("nice: 2", "is below"),
        ("nice: 3", None),
        ("open_files: 2001", "above this machine's hard limit, 2000; write 2000 or less, or none"),
        ("open_files: 2000", None),
        ("open_files: none", None),
        ("core: 3KB", "above this machine's hard limit, 2000; write 2000 or less, or none"),
        ("core: 1KB", None),
    ],
)
def test_who_is_not_root_can_only_give_less(
    limits: str, problem: str | None, here: Settings, monkeypatch: pytest.MonkeyPatch, as_nobody: None
) -> None:
    monkeypatch.setattr(os, "getpriority", lambda *_: 3)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, 2000))
    found = problems_of(f"{SCRIPT}limits: {{{limits}}}\n", here)
    if problem is None:
        assert found == []
    elif "nice" in limits:
        assert found == ["2:16: limits.nice: below the daemon's own 3 needs root; write 3 or more"]
    else:
        assert [text.split(": ", 2)[2] for text in found] == [problem]


@pytest.mark.usefixtures("as_root")
def test_root_may_give_more(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, 2000))
    assert spec_of(f"{SCRIPT}limits: {{nice: -20, open_files: 5000}}\n", here).process.nice == -20


def test_without_a_hard_limit_anybody_may_give_more(
    here: Settings, monkeypatch: pytest.MonkeyPatch, as_nobody: None
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, resource.RLIM_INFINITY))
    assert spec_of(f"{SCRIPT}limits: {{open_files: 5000, core: 1GB}}\n", here).process.open_files == 5000


def test_a_limit_that_nobody_wrote_is_nobodys_problem(
    here: Settings, monkeypatch: pytest.MonkeyPatch, as_nobody: None
) -> None:
    monkeypatch.setattr(os, "getpriority", lambda *_: 10)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, 10))
    assert problems_of(SCRIPT, here) == []


def test_names_of_files_are_shown_from_the_home() -> None:
    assert surroundings.shown(Path("/home/a/b"), Path("/home")) == "a/b"
    assert surroundings.shown(Path("/elsewhere/b"), Path("/home")) == "/elsewhere/b"
