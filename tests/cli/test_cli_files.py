"""The verbs that work on files, without a daemon."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from fake_daemon import environment, run_cli
from waiting import DEADLINE_S

from stratvisor import settings
from stratvisor.cli import home as cli_home

FILES = ("stratvisor.toml", "conf.d/example.yaml", "strategies/example.py", ".gitignore")


def test_init_makes_an_instance_that_check_finds_right(tmp_path: Path) -> None:
    outcome = run_cli("init", "new/trading", home=tmp_path)
    made = tmp_path / "new" / "trading"
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        *(f"made: {made / name}" for name in FILES),
        "",
        "Next:",
        f"  cd {made}",
        "  stratvisor check",
        "  stratvisor up",
    ]
    assert stat.S_IMODE((made / "keys").stat().st_mode) == 0o700
    assert run_cli("check", home=made) == (0, "no problems in 1 strategy\n", "")


def test_init_never_writes_over_a_file(tmp_path: Path) -> None:
    run_cli("init", ".", home=tmp_path)
    for name in FILES:
        (tmp_path / name).write_text("mine")
    (tmp_path / "conf.d" / "example.yaml").unlink()
    outcome = run_cli("init", ".", home=tmp_path)
    assert f"left as it is: {tmp_path}/strategies/example.py\n" in outcome.out
    assert f"made: {tmp_path}/conf.d/example.yaml\n" in outcome.out
    assert [(tmp_path / name).read_text() for name in FILES if name != "conf.d/example.yaml"] == ["mine"] * 3


def test_init_where_no_folder_can_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = run_cli("init", "file/below", home=tmp_path)
    assert (outcome.code, outcome.out) == (1, "")
    assert re.fullmatch(r"cannot make \S+/file\S*: Not a directory\n", outcome.err)


def test_init_does_not_take_home_for_dir(tmp_path: Path) -> None:
    outcome = run_cli("init", "x", "--home", ".", home=tmp_path)
    assert (outcome.code, outcome.err) == (2, "cannot use --home with init: DIR says where\n")
    assert not (tmp_path / "x").exists()


def test_each_key_of_the_settings_that_init_shows_is_a_real_one_with_its_default(tmp_path: Path) -> None:
    run_cli("init", ".", home=tmp_path)
    path = tmp_path / "stratvisor.toml"
    shown = re.sub(r"(?m)^# (?=\w+ = )", "", path.read_text())
    assert shown != path.read_text()
    path.write_text(shown)
    written, problems = settings.read(tmp_path)
    assert problems == ()
    default = settings.Settings(tmp_path)
    assert (written.timezone, written.http, written.logging) == (
        default.timezone,
        default.http,
        default.logging,
    )
    assert run_cli("check", home=tmp_path).code == 0


def test_the_example_of_init_greets_and_ends_well_on_sigterm(tmp_path: Path) -> None:
    run_cli("init", ".", home=tmp_path)
    with subprocess.Popen(
        [sys.executable, "-u", "strategies/example.py", "--every", "60"],
        cwd=tmp_path,
        env=environment(GREETING="namaste"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        assert process.stdout.readline().startswith("namaste at ")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (0, "squared off, ended\n")


def test_check_prints_every_problem_with_its_place(home: Path) -> None:
    (home / "stratvisor.toml").write_text("timezoen = 1\n")
    (home / "conf.d").mkdir()
    (home / "conf.d" / "good.yaml").write_text("command: ['true']\n")
    (home / "conf.d" / "bad.yaml").write_text("command: ['true']\nrestart:\n  whne: always\nargs: 3\n")
    outcome = run_cli("check", home=home)
    assert (outcome.code, outcome.err) == (1, "")
    *problems, count = outcome.out.splitlines()
    assert [problem.split(": ")[0] for problem in problems] == [
        "stratvisor.toml:1:1",
        "conf.d/bad.yaml:3:3",
        "conf.d/bad.yaml:4:1",
        "conf.d/bad.yaml:4:7",
    ]
    assert "restart.whne: unknown key; did you mean 'when'?" in problems[1]
    assert count == "4 problems in 2 files"


def test_the_problem_that_the_readme_shows_is_what_check_prints(home: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    example, shown, *_ = re.findall(
        r"```(?:yaml\n|console\n\$ stratvisor check\n)(.*?)```", readme, re.DOTALL
    )
    for name in ("conf.d", "strategies"):
        (home / name).mkdir()
    (home / "strategies" / "ema_crossover.py").touch()
    (home / "conf.d" / "ema_crossover.yaml").write_text(example.replace(" delay:", " dealy:"))
    assert run_cli("check", home=home) == (1, shown, "")


def test_check_says_what_this_machine_cannot_keep_apart(home: Path) -> None:
    (home / "conf.d").mkdir()
    (home / "conf.d" / "ema.yaml").write_text("command: [sh]\nunix_sockets: [/run/postgresql]\n")
    outcome = run_cli("check", home=home)
    assert outcome.code == 0
    assert (
        "note: sandbox: the kernel cannot tell Unix sockets apart: with 'unix_sockets' a strategy"
        in outcome.out
    )
    (home / "conf.d" / "ema.yaml").write_text("command: [sh]\nsandbox: 'off'\n")
    assert "sandbox" not in run_cli("check", home=home).out


def test_check_misses_conf_d(home: Path) -> None:
    outcome = run_cli("check", home=home)
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out.startswith("conf.d:1:1: is missing: ")


def test_check_takes_a_home(home: Path, tmp_path: Path) -> None:
    (home / "conf.d").mkdir()
    assert run_cli("check", "--home", home, home=tmp_path) == (0, "no problems in 0 strategies\n", "")


@pytest.mark.parametrize(
    ("arguments", "key"), [((), "script"), (("strategy",), "script"), (("settings",), "http")]
)
def test_schema_is_json_schema(home: Path, arguments: tuple[str, ...], key: str) -> None:
    outcome = run_cli("schema", *arguments, home=home)
    assert (outcome.code, outcome.err) == (0, "")
    assert key in json.loads(outcome.out)["properties"]


ABOUT_AN_INSTANCE = (
    ("up",),
    ("check",),
    ("plan",),
    ("status",),
    ("why", "ema"),
    ("stop", "all"),
    ("logs", "ema"),
    ("token",),
)


@pytest.mark.parametrize("arguments", ABOUT_AN_INSTANCE, ids=" ".join)
def test_not_any_folder_is_an_instance(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run_cli(*arguments, home=tmp_path) == (
        2,
        "",
        "no instance here or above: cd into one, use --home DIR, or make one with `stratvisor init DIR`\n",
    )
    neither = "it holds neither stratvisor.toml nor conf.d"
    assert run_cli(*arguments, "--home", tmp_path, home=tmp_path) == (
        2,
        "",
        f"cannot use {tmp_path} as home: {neither}; `stratvisor init {tmp_path}` makes it one\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_the_nearest_settings_upwards_mark_the_home_before_a_conf_d(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "a" / "b"
    (deep / "conf.d").mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert cli_home.find(None) == deep
    for marked in (tmp_path, tmp_path / "a"):
        (marked / "stratvisor.toml").touch()
        assert cli_home.find(None) == marked
