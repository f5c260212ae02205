from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from fake_daemon import FakeDaemon, environment, run_cli, status, strategy
from waiting import DEADLINE_S

from stratvisor import __version__
from stratvisor.cli import main
from stratvisor.cli.verbs import count, seconds

if TYPE_CHECKING:
    from pathlib import Path

VERBS = (
    "up",
    "upgrade",
    "shutdown",
    "init",
    "check",
    "schema",
    "calendar",
    "simulate",
    "status",
    "why",
    "next",
    "runs",
    "start",
    "stop",
    "restart",
    "plan",
    "reload",
    "logs",
    "secret",
    "token",
    "open",
    "audit",
    "systemd",
    "completion",
)


def test_the_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert tuple(re.findall(r"^    ([a-z]+)(?: |$)", out, re.MULTILINE)) == VERBS
    assert "examples:\n  stratvisor init" in out


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_has_examples_that_parse(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([verb, "--help"]) == 0
    out = capsys.readouterr().out
    examples = re.findall(r"^  stratvisor ([^|>&\n]+)", out.split("examples:\n")[1], re.MULTILINE)
    assert examples
    for example in examples:
        assert main.parser().parse_args(example.split()).verb == verb
    assert "--home DIR" in out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("why",),
        ("why", "a", "b"),
        ("start",),
        ("stop", "a", "--until", "tomorrow"),
        ("start", "a", "--wait", "soon"),
        ("start", "a", "--wait", "-1"),
        ("start", "a", "--wait", "61"),
        ("start", "a", "--wait", "nan"),
        ("next", "a", "-n", "0"),
        ("runs", "a", "-n", "1.5"),
        ("logs", "a", "--run", "x"),
        ("schema", "nothing"),
        ("completion", "fish"),
        ("completion",),
        ("completion", "bash", "--ask", "ids"),
    ],
    ids=" ".join,
)
def test_what_is_not_understood_is_exit_code_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: stratvisor")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("why", ""), "ID is empty"),
        (("status", " "), "ID is empty"),
        (("stop", "ema", ""), "ID is empty"),
        (("next", "ema", "-n", "0"), "must be a whole number, at least 1, not '0'"),
        (("stop", "ema", "--wait", "x"), "must be seconds, 0 to 60, not 'x'"),
        (("completion", "fish"), "invalid choice: 'fish' (choose from 'bash', 'zsh')"),
    ],
)
def test_a_usage_error_says_what_would_be_right(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(list(arguments)) == 2
    assert words in capsys.readouterr().err


def test_the_help_of_completion_has_no_words_that_only_its_script_uses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main.main(["completion", "--help"])
    out = capsys.readouterr().out
    assert "bash or zsh" in out
    assert not re.search(r"--ask|selectors|\{", out)


@pytest.mark.parametrize("below", ["show", "check", "generate"])
def test_the_help_of_a_verb_below_another_has_examples_that_parse(
    below: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["calendar", below, "--help"]) == 0
    out = capsys.readouterr().out
    for example in re.findall(r"^  stratvisor (.+)$", out.split("examples:\n")[1], re.MULTILINE):
        assert main.parser().parse_args(example.split()).what == below
    assert "--home DIR" in out


def test_what_stands_below_a_verb_is_completed_too(home: Path) -> None:
    script = run_cli("completion", "bash", home=home).out
    (line,) = (line for line in script.splitlines() if line.lstrip().startswith('"calendar "*)'))
    assert 'words="show check generate"' in line
    assert "--from --to --years --name --out --force" in line
    assert line.count("--home") == 1


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"stratvisor {__version__}\n"


@pytest.mark.parametrize("text", ["0", "12.5", "60"])
def test_seconds(text: str) -> None:
    assert seconds(text) == float(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1e3", "\u0967", "9" * 5000])
def test_a_count_is_a_whole_number_from_1_up(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        count(text)


@pytest.fixture
def daemon_with_tags(daemon: FakeDaemon) -> FakeDaemon:
    daemon.says(
        "GET",
        "/status",
        status(strategy("ema", tags=["nifty", "demo"]), strategy("eod", tags=["demo"]), strategy("orb")),
    )
    return daemon


def test_ids_and_selectors_are_asked_of_the_daemon(daemon_with_tags: FakeDaemon) -> None:
    home = daemon_with_tags.home
    assert run_cli("completion", "--ask", "ids", home=home).out.split() == ["ema", "eod", "orb"]
    assert run_cli("completion", "--ask", "selectors", home=home).out.split() == [
        "ema",
        "eod",
        "orb",
        "@demo",
        "@nifty",
        "all",
    ]


def test_without_a_daemon_nothing_is_completed_and_nothing_said(home: Path) -> None:
    assert run_cli("completion", "--ask", "ids", home=home) == (0, "", "")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_completion_script_is_a_shell_script(home: Path, shell: str) -> None:
    script = run_cli("completion", shell, home=home).out
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=DEADLINE_S)
    if zsh := shutil.which("zsh"):
        subprocess.run([zsh, "-n"], input=script, text=True, check=True, timeout=DEADLINE_S)


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        (["st"], {"status", "start", "stop"}),
        (["--home", "H", "comp"], {"completion"}),
        (["why", "e"], {"ema", "eod"}),
        (["why", "@"], set()),
        (["why", "--"], {"--help", "--home"}),
        (["why", ""], {"ema", "eod", "orb"}),
        (["start", "ema", "o"], {"orb"}),
        (["start", "al"], {"all"}),
        (["stop", "--u"], {"--until"}),
        (["stop", "--until", ""], {"next"}),
        (["stop", "@"], {"demo", "nifty"}),
        (["stop", "@", "ni"], {"nifty"}),
        (["logs", "ema", "--g"], {"--grep"}),
        (["schema", ""], {"settings", "strategy", "calendar"}),
        (["calendar", ""], {"show", "check", "generate"}),
        (["simulate", "e"], {"ema", "eod"}),
        (["simulate", "--d"], {"--days"}),
        (["simulate", "--days", ""], set()),
        (["simulate", "--crash", "o"], {"orb"}),
        (["runs", "ema", "-n", ""], set()),
        (["completion", "b"], {"bash"}),
        (["completion", "--"], {"--help", "--home"}),
        (["--home", "H/con"], {"H/conf.d"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_bash_completes(
    daemon_with_tags: FakeDaemon, tmp_path: Path, line: list[str], completed: set[str]
) -> None:
    """COMP_WORDS as bash gives them: `@ni` comes as `@` and `ni`."""
    home = daemon_with_tags.home
    (home / "conf.d").mkdir()
    (tmp_path / "H").symlink_to(home)
    command = tmp_path / "stratvisor"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m stratvisor "$@"\n')
    command.chmod(0o755)
    script = run_cli("completion", "bash", home=home).out
    script += 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _stratvisor; printf "%s\\n" "${COMPREPLY[@]}"'
    inside = tmp_path if "--home" in line else home
    done = subprocess.run(
        ["bash", "-c", script, "bash", str(command), *line],
        cwd=inside,
        env=environment(PATH=os.environ["PATH"]),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert set(done.stdout.split()) == completed
    assert done.stderr == ""
