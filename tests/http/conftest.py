from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_host import FakeHost, strategy
from serving import Served, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp


@pytest.fixture
async def host(tmp_path: Path) -> FakeHost:
    logs = tmp_path / "logs"
    logs.mkdir()
    return FakeHost(
        logs,
        strategy("ema", "running", tags=["nifty"]),
        strategy("orb", "stopped", tags=["nifty"]),
        strategy("report", "scheduled"),
    )


@pytest.fixture
async def here(host: FakeHost, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(host, tmp_path) as running:
        yield running


@pytest.fixture
async def client(here: Served) -> AsyncIterator[aiohttp.ClientSession]:
    """Comes by the Unix socket, as the command line does."""
    async with here.over_socket() as session:
        yield session


@pytest.fixture
async def tcp(here: Served) -> AsyncIterator[aiohttp.ClientSession]:
    """Comes by TCP, with the token."""
    async with here.over_tcp() as session:
        yield session


@pytest.fixture
async def stranger(here: Served) -> AsyncIterator[aiohttp.ClientSession]:
    """Comes by TCP and brings nothing."""
    async with here.over_tcp(None) as session:
        yield session
