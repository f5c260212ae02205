"""Takes the README's picture of the page, with the day of the tests on it: `make picture`."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from playwright.async_api import async_playwright  # noqa: E402
from sample_day import trading_day  # noqa: E402
from serving import served  # noqa: E402

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


async def take(target: Path) -> None:
    """Write the dashboard as a PNG."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logs = folder / "logs"
        logs.mkdir()
        host = trading_day(logs)
        host.problems = []
        async with served(host, folder) as running, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=list(ARGUMENTS)
            )
            page = await browser.new_page(viewport={"width": 1200, "height": 700}, device_scale_factor=1.5)
            await page.goto(running.login_link)
            await page.click("button")
            await page.screenshot(path=target, full_page=True)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(take(ROOT / "docs" / "dashboard.png"))
