"""A chaos run short enough for every day; `make chaos SECONDS=600` is a longer one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SECONDS = 40
SEED = 20261123
"""Always the same deeds; what they meet is another every time."""


def test_nothing_is_the_worse_for_forty_seconds_of_chaos(tmp_path: Path) -> None:
    """In a process of its own: it takes in whatever it orphans, and reaps it."""
    program = Path(__file__).parent / "chaos.py"
    arguments = ("--seconds", str(SECONDS), "--seed", str(SEED), "--home", str(tmp_path / "home"))
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-10_000:]
