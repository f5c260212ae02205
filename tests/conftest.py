"""What every test may ask for: a home of its own, and conditions to wait on instead of sleeping."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).parent
for _folder in (TESTS / "support", TESTS / "chaos", TESTS, TESTS / "unit", TESTS.parent / "docs"):
    sys.path.insert(0, str(_folder))  # helpers are imported by their own names

# How long an example takes says how busy the machine is, and nothing about the code.
hypothesis.settings.register_profile("steady", deadline=None)
hypothesis.settings.load_profile("steady")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A new instance folder; whatever carries its mark is killed afterwards."""
    folder = tmp_path / "home"
    for name, mode in (("run", 0o700), ("conf.d", 0o755), ("strategies", 0o755)):
        (folder / name).mkdir(parents=True, mode=mode)
    yield folder
    for pid in marked(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def marked(home: Path) -> list[int]:
    """The processes that carry this home's $STRATVISOR_RUN."""
    needle = b"STRATVISOR_RUN=" + os.fsencode(home) + b":"
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if needle in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found
