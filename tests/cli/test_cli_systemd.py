"""The unit file: systemd takes it, whatever the instance is called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stratvisor.cli.failure import Failure
from stratvisor.cli.systemd import unit

if TYPE_CHECKING:
    from pathlib import Path

ODD = "my trading 100% $HOME 'q' \\ end"


def lines(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key: value for key, _, value in pairs}


def test_the_unit_is_filled_in_from_the_instance(tmp_path: Path) -> None:
    found = lines(unit(tmp_path))
    assert found["ExecStart"] == f"{sys.executable} -P -m stratvisor --home {tmp_path} up"
    assert found["WorkingDirectory"] == str(tmp_path)
    assert found["User"] == tmp_path.owner()
    kept = ("Type", "KillMode", "OOMPolicy", "TasksMax", "Delegate", "Restart")
    assert [found[key] for key in kept] == ["notify", "process", "continue", "infinity", "yes", "on-failure"]


@pytest.mark.parametrize("name", ["trading", ODD, "a;b", 'say "hi"'])
def test_systemd_accepts_it(tmp_path: Path, name: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        assert "STRATVISOR_REQUIRE_SYSTEMD" not in os.environ
        pytest.skip("no systemd-analyze")
    home = tmp_path / name
    home.mkdir()
    path = tmp_path / "stratvisor.service"
    path.write_text(unit(home))
    done = subprocess.run([analyze, "verify", str(path)], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "stratvisor" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_no_specifier_is_made_of_a_path(tmp_path: Path) -> None:
    home = tmp_path / "100%h"
    home.mkdir()
    found = lines(unit(home))
    assert all("100%%h" in found[key] for key in ("WorkingDirectory", "ReadWritePaths", "ExecStart"))


def test_a_path_that_no_unit_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="control character"):
        unit(tmp_path / "two\nlines")
