from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright
from sample_day import trading_day
from serving import Served, served

if TYPE_CHECKING:
    from fake_host import FakeHost
    from playwright.async_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium; playwright's own download is never used."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        told = "there is no Chromium on this machine: the page was not tested in a browser"
        if os.environ.get("STRATVISOR_REQUIRE_BROWSER") == "1":
            pytest.fail(told)
        pytest.skip(told)
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def host(tmp_path: Path) -> FakeHost:
    logs = tmp_path / "logs"
    logs.mkdir()
    return trading_day(logs)


@pytest_asyncio.fixture(loop_scope="module")
async def here(host: FakeHost, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(host, tmp_path) as running:
        yield running
