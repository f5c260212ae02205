"""`secret`: names go in and out, values only in."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from unittest import mock

import pytest
from fake_daemon import Outcome, run_cli

from stratvisor.vault import contents

KEY = "hK7bQ2vT9xLmZr4WcN8pYd3F"


def secret(home: Path, *arguments: str, stdin: bytes = b"") -> Outcome:
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))):
        outcome = run_cli("secret", *arguments, home=home)
    assert KEY not in outcome.out + outcome.err
    return outcome


def strategy(home: Path, name: str, text: str) -> None:
    (home / "conf.d").mkdir(exist_ok=True)
    (home / "conf.d" / f"{name}.yaml").write_text(f"command: ['true']\n{text}\n")


def test_a_value_comes_from_standard_input_without_the_end_of_its_line(home: Path) -> None:
    strategy(home, "ema", "secrets: [API_KEY]")
    assert secret(home, "set", "API_KEY", stdin=KEY.encode() + b"\r\n") == (
        0,
        "kept API_KEY (shared) in secrets.yaml\nAPI_KEY: used by ema\n",
        "",
    )
    assert contents.read(home).value("ema", "API_KEY") == KEY
    assert secret(home, "set", "API_KEY", stdin=KEY.encode()).out.startswith(
        "API_KEY (shared) has this value already; nothing changed\n"
    )


def test_a_value_is_asked_for_and_not_shown(home: Path) -> None:
    asked = mock.Mock(return_value=KEY)
    terminal = mock.Mock(isatty=lambda: True)
    with mock.patch("getpass.getpass", asked), mock.patch.object(sys, "stdin", terminal):
        assert run_cli("secret", "set", "API_KEY", "--for", "ema", home=home).code == 0
    asked.assert_called_once_with("Value of API_KEY (for ema) (not shown): ")
    assert contents.read(home).value("ema", "API_KEY") == KEY


def test_a_value_on_the_command_line_is_not_taken(home: Path) -> None:
    outcome = secret(home, "set", "API_KEY", KEY)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("cannot take a value from the command line, where everybody sees it")
    assert not (home / "secrets.yaml").exists()


def test_the_list_says_who_uses_what_and_what_is_missing(home: Path) -> None:
    secret(home, "set", "API_KEY", stdin=KEY.encode())
    secret(home, "set", "API_KEY", "--for", "ema", stdin=b"another-value")
    for name, text in (("ema", "[API_KEY]"), ("orb", "{LOGIN: API_KEY}"), ("mad", "[NONE]")):
        strategy(home, name, f"secrets: {text}")
    outcome = secret(home, "list")
    assert outcome.code == 0
    rows = [
        re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d IST", "WHEN", line).split() for line in outcome.out.splitlines()
    ]
    assert rows == [
        ["SECRET", "FOR", "CHANGED", "USED", "BY"],
        ["API_KEY", "all", "WHEN", "orb"],
        ["API_KEY", "ema", "WHEN", "ema"],
        ["NONE", "all", "no", "value", "mad"],
    ]


def test_the_list_needs_no_key_and_says_that_it_is_missing(home: Path) -> None:
    secret(home, "set", "API_KEY", stdin=KEY.encode())
    (home / "keys" / "encryption.key").unlink()
    outcome = secret(home, "list")
    assert outcome.code == 1
    assert "API_KEY" in outcome.out
    assert outcome.err.startswith(
        f"secrets.yaml:1:1: 1 sealed, but the key {home}/keys/encryption.key is missing"
    )


def test_a_file_is_taken_in_as_a_whole_or_not_at_all(home: Path) -> None:
    path = home / "old.env"
    path.write_text(f"# mine\nexport API_KEY={KEY}\nPIN=1234\n")
    outcome = secret(home, "import", str(path))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("cannot keep PIN: it has fewer than 8 characters")
    path.write_text(f"API_KEY='{KEY}\nOTHER another-value\n")
    outcome = secret(home, "import", str(path))
    assert outcome.err == (
        f"cannot import {path}: line 1, line 2 is not NAME=VALUE as an env_file has it; nothing was kept\n"
    )
    assert not (home / "secrets.yaml").exists()
    path.write_text(f"API_KEY={KEY}\nOTHER=another-value\n")
    strategy(home, "ema", "secrets: [API_KEY]")
    assert secret(home, "import", str(path)).out.splitlines() == [
        "kept 2 of 2 in secrets.yaml, the rest was there: API_KEY, OTHER",
        f"{path} still holds them for everybody to read: remove it",
        "API_KEY: used by ema",
        "OTHER: not used yet; `secrets: [OTHER]` in the file of a strategy gives it",
    ]


def test_what_is_removed_is_missed_by_who_names_it(home: Path) -> None:
    strategy(home, "ema", "secrets: [API_KEY]")
    secret(home, "set", "API_KEY", stdin=KEY.encode())
    assert secret(home, "rm", "API_KEY").out.splitlines() == [
        "removed API_KEY (shared) from secrets.yaml",
        "ema named it: what runs goes on, and does not start again without it",
    ]
    assert run_cli("check", home=home).out.startswith("conf.d/ema.yaml:2:11: secrets.API_KEY: no value")


def test_the_key_is_changed(home: Path) -> None:
    secret(home, "set", "API_KEY", stdin=KEY.encode())
    key = (home / "keys" / "encryption.key").read_text()
    outcome = secret(home, "rotate")
    assert outcome.out.startswith("changed the key, and sealed 1 value anew; keep a copy of ")
    assert (home / "keys" / "encryption.key").read_text() != key
    assert contents.read(home).value("ema", "API_KEY") == KEY


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("set",), "cannot set: say what, `stratvisor secret set NAME`"),
        (("rotate", "API_KEY"), "cannot rotate a part: `secret rotate` takes no more"),
        (("list", "--for", "ema"), "cannot list a part: `secret list` takes no more"),
        (("set", "api-key"), "cannot keep 'api-key': a name must be letters, digits and _, at most 100"),
        (("set", "API_KEY", "--for", "Ema"), "cannot keep it for 'Ema': no strategy can have this id"),
    ],
)
def test_what_makes_no_sense_is_exit_code_2(home: Path, arguments: tuple[str, ...], why: str) -> None:
    outcome = secret(home, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(why)


@pytest.mark.parametrize(
    ("arguments", "stdin", "why"),
    [
        (("set", "API_KEY"), b"short", "cannot keep API_KEY: it has fewer than 8 characters"),
        (("set", "API_KEY"), b"\xff" * 20, "cannot keep API_KEY: its value is not UTF-8"),
        (("rm", "API_KEY"), b"", "cannot remove API_KEY (shared): there is none; `stratvisor secret list`"),
        (("rotate",), b"", "cannot change the key: nothing is sealed with it yet"),
        (("import", "no.env"), b"", "cannot import no.env: no such file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    home: Path, arguments: tuple[str, ...], stdin: bytes, why: str
) -> None:
    outcome = secret(home, *arguments, stdin=stdin)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(why)
    assert outcome.err.count("\n") == 1
