"""A chaos run short enough for every day; `make chaos SECONDS=600` is a longer one. And its clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stage import Stage

SECONDS = 25
SEED = 20261123
"""Always the same deeds; what they meet is another every time."""


def test_nothing_is_the_worse_for_some_seconds_of_chaos(tmp_path: Path) -> None:
    """In a process of its own: it takes in whatever it orphans, and reaps it."""
    program = Path(__file__).parent / "chaos.py"
    arguments = ("--seconds", str(SECONDS), "--seed", str(SEED), "--home", str(tmp_path / "home"))
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-10_000:]


def test_a_step_of_the_clock_opens_and_closes_windows_at_once(home: Path) -> None:
    stage = Stage(home, seed=1)
    for path in (home / "conf.d").iterdir():
        if path.stem != "minute_one":
            path.unlink()
    stage.up()
    try:
        up = {"starting", "running"}
        for second, states in ((30, up), (90, {"scheduled"}), (30, up)):
            back_s = (stage.wall_s() - second) % 120  # back, so that no timer comes due by itself
            stage.step_clock(stage.offset_ns - int(back_s * 1e9))
            stage.until_state("minute_one", *states)
        stage.post("stop/all?wait=20")
    finally:
        stage.close()
