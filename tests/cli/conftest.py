from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_daemon import FakeDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An instance that has a settings file and nothing else."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "stratvisor.toml").touch()
    return folder


@pytest.fixture
def daemon(home: Path) -> Iterator[FakeDaemon]:
    """A daemon that runs for `home`."""
    fake = FakeDaemon(home)
    yield fake
    fake.close()
