"""The programs to compare with, installed from PyPI into a virtual environment of their own."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAMES = ("supervisor", "circus")


@dataclass(frozen=True, slots=True)
class Peers:
    """Where they are."""

    python: Path
    env: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def user(self) -> str:
        """Whom they run as."""
        return getpass.getuser()


def install(folder: Path) -> Peers:
    """Make the environment.

    Raises:
        subprocess.CalledProcessError: pip could not; its own words are on stderr.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *NAMES], check=True)
    listed = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True).stdout
    versions = dict(line.split("==") for line in listed.splitlines() if "==" in line)
    # Theirs is the environment of the benchmark without what points Python at stratvisor's sources.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return Peers(python, env, versions)
