"""What every test may ask for: a home of its own, and conditions to wait on instead of sleeping."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers

TESTS = Path(__file__).parent
for _folder in (
    TESTS / "support",
    TESTS / "children",
    TESTS / "chaos",
    TESTS,
    TESTS / "unit",
    TESTS.parent / "docs",
):
    sys.path.insert(0, str(_folder))  # helpers are imported by their own names

# How long an example takes says how busy the machine is, and nothing about the code. And the examples are the
# same in every run, or somebody's change would be refused for another's luck: `make fuzz` tries its luck.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize="STRATVISOR_FUZZ" not in os.environ,
)
hypothesis.settings.load_profile("steady")


def pytest_collection_finish() -> None:
    """Examples are also made of the constants in all modules loaded: from here on, whoever loads one more."""
    known = providers._get_local_constants()
    providers._get_local_constants = lambda: known


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A new instance folder; whatever carries its mark is killed afterwards."""
    with instance_folder(tmp_path) as folder:
        yield folder


@pytest.fixture
def open_home() -> Iterator[Path]:
    """The same where other accounts can reach it: pytest's own folders are its account's alone."""
    place = Path(tempfile.mkdtemp(prefix="stratvisor-"))
    place.chmod(0o755)
    with instance_folder(place) as folder:
        yield folder
    while place.exists():  # a shim that still ends may write between two looks
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def instance_folder(place: Path) -> Iterator[Path]:
    folder = place / "home"
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
