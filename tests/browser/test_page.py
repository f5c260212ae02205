"""The page in a real Chromium: what a trader sees and presses."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fake_host import at
from sample_day import EMA_LOG, WICKED_LINE
from waiting import until_async

from stratvisor.http import logbook, sse
from stratvisor.http.roles import Role
from stratvisor.ports import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fake_host import FakeHost
    from playwright.async_api import Browser, Page
    from serving import Served

    from stratvisor.ports import Order

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

EVERY_PAGE = (
    "/",
    "/?days=7",
    "/status/ema_crossover",
    "/status/ema_crossover?days=7",
    "/status/pairs_hdfc_icici",
    "/logs/ema_crossover",
    "/logs/ema_crossover?grep=ORDER",
    "/logs/gap_fade",
    "/runs/ema_crossover",
    "/next/ema_crossover",
    "/why/gap_fade",
    "/plan",
)


@asynccontextmanager
async def logged_in(browser: Browser, here: Served, **how: Any) -> AsyncIterator[Page]:
    """A browser window with a session, on the dashboard. Whatever it complains about fails the test."""
    context = await browser.new_context(**how)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(here.login_link)
    await page.click("main button")
    await page.wait_for_selector("#strategies")
    yield page
    await context.close()
    assert complaints == []


async def state_of(page: Page, name: str) -> str:
    return await page.inner_text(f"#strategy-{name} .pill")


async def test_the_login_link_leads_to_the_dashboard(browser: Browser, here: Served) -> None:
    async with logged_in(browser, here) as page:
        assert page.url == f"{here.url}/python/"
        assert await page.inner_text("h1") == "Strategies"
        assert await page.locator("#strategies tbody").count() == 8
        assert await page.locator("#today .lane").count() == 8
        assert "restart.polcy" in await page.inner_text("#problems")


async def test_logging_out_leads_to_the_login(browser: Browser, here: Served) -> None:
    async with logged_in(browser, here) as page:
        await page.click("text=Log out")
        await page.wait_for_selector("input[type=password]")


async def test_a_wrong_code_is_said(browser: Browser, here: Served) -> None:
    page = await browser.new_page()
    await page.goto(f"{here.url}/python/login?code=spent")
    await page.click("main button")
    await page.wait_for_selector(".note")
    assert "spent" in await page.inner_text(".note")
    await page.close()


async def test_stop_changes_the_state_live(browser: Browser, here: Served, host: FakeHost) -> None:
    host.holds_still = True
    async with logged_in(browser, here) as page:
        await page.evaluate("window.sameDocument = true")
        await page.click("#stop-opening_range")
        await page.wait_for_selector("#strategy-opening_range .pill.stopping")
        host.finish("opening_range")
        await page.wait_for_selector("#strategy-opening_range .pill.stopped")
        assert await page.evaluate("window.sameDocument")
        assert await page.is_enabled("#start-opening_range")
        assert await page.is_disabled("#stop-opening_range")
    assert [(name, order.verb, order.by) for name, order in host.orders] == [
        ("opening_range", "stop", "a login link of the tests")
    ]


async def test_news_change_the_page_without_a_click(browser: Browser, here: Served, host: FakeHost) -> None:
    async with logged_in(browser, here) as page:
        await until_async(lambda: host.listeners == 1)
        host.change("mcx_crude", "running")
        await page.wait_for_selector("#strategy-mcx_crude .pill.running")


async def test_a_live_change_keeps_focus_scroll_and_what_is_open(
    browser: Browser, here: Served, host: FakeHost
) -> None:
    async with logged_in(browser, here, viewport={"width": 900, "height": 400}) as page:
        await until_async(lambda: host.listeners == 1)
        await page.click("#all-orders summary")
        await page.focus("#stop-crypto_grid")
        await page.evaluate("scrollTo(0, 300)")
        host.change("mcx_crude", "running")
        await page.wait_for_selector("#strategy-mcx_crude .pill.running")
        assert await page.evaluate("document.activeElement.id") == "stop-crypto_grid"
        assert await page.evaluate("scrollY") == 300
        assert await page.evaluate("document.getElementById('all-orders').open")


async def test_strategies_come_and_go(browser: Browser, here: Served, host: FakeHost) -> None:
    async with logged_in(browser, here) as page:
        await until_async(lambda: host.listeners == 1)
        gone = host.strategies.pop("gap_fade")
        host.tell("reload", None, {})
        await page.wait_for_selector("#strategy-gap_fade", state="detached")
        host.strategies = {"a_new_one": gone | {"id": "a_new_one"}} | host.strategies
        host.tell("reload", None, {})
        await page.wait_for_selector("#strategy-a_new_one")
        ids = await page.locator("#strategies tbody").evaluate_all("rows => rows.map(row => row.id)")
        assert ids == [f"strategy-{name}" for name in host.strategies]


async def test_a_refusal_is_said_on_the_page(
    browser: Browser, here: Served, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_strategy: str, _order: Order) -> None:
        raise Refused("cannot restart: it is stopped; `stratvisor start ema_crossover` runs it")

    monkeypatch.setattr(host, "order", refuse)
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(here.login_link)
    await page.click("main button")
    await page.wait_for_selector("#restart-ema_crossover")
    await page.click("#restart-ema_crossover")
    await page.wait_for_selector("#said:not([hidden])")
    assert "cannot restart" in await page.inner_text("#said")
    assert await page.inner_text("#said code") == "stratvisor start ema_crossover"
    await context.close()


async def test_stop_all_takes_two_steps(browser: Browser, here: Served, host: FakeHost) -> None:
    async with logged_in(browser, here) as page:
        assert not await page.is_visible("#stop-all")
        await page.click("#all-orders summary")
        await page.click("#stop-all")
        await page.wait_for_selector("#strategy-crypto_grid .pill.stopped")
    assert {name for name, order in host.orders if order.verb == "stop"} == set(host.strategies)


async def test_buttons_work_without_javascript(browser: Browser, here: Served, host: FakeHost) -> None:
    async with logged_in(browser, here, java_script_enabled=False) as page:
        await page.click("#stop-opening_range")
        await page.wait_for_selector("#strategy-opening_range .pill.stopped")
        assert page.url == f"{here.url}/python/"
        await page.goto(f"{here.url}/python/status/opening_range")
        await page.click("#start-opening_range")
        await page.wait_for_selector("h1 .pill.running")
        assert page.url == f"{here.url}/python/status/opening_range"
        await page.goto(f"{here.url}/python/plan")
        await page.click("#reload")
        await page.wait_for_selector("h1")
    assert host.reloads == [False]


async def test_a_lost_connection_is_said_and_comes_back(
    browser: Browser, here: Served, host: FakeHost
) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(here.login_link)
    await page.click("main button")
    await page.wait_for_selector("#strategies")
    await until_async(lambda: host.listeners == 1)
    assert not await page.is_visible("#lost")
    await context.route("**/events", lambda route: route.abort())
    host.hang_up()
    await page.wait_for_selector("#lost:not([hidden])")
    host.change("mcx_crude", "running")
    await context.unroute("**/events")
    await page.wait_for_selector("#lost", state="hidden")
    await page.wait_for_selector("#strategy-mcx_crude .pill.running")
    await context.close()


# The log


async def test_what_a_strategy_prints_is_text(
    browser: Browser, here: Served, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "POLL_S", 0.01)
    async with logged_in(browser, here) as page:
        await page.goto(f"{here.url}/python/status/ema_crossover")
        assert WICKED_LINE in await page.inner_text("#log pre")
        live = WICKED_LINE.replace("owned", "owned live")
        with (host.folder / EMA_LOG).open("a") as file:
            file.write(live + "\n")
        await page.wait_for_function(
            "text => document.querySelector('#log pre').innerText.includes(text)", arg=live
        )
        assert await page.locator("#log pre img, #log pre script").count() == 0
        assert "owned" not in await page.title()


async def test_the_log_follows_unless_the_reader_scrolled_up(
    browser: Browser, here: Served, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "POLL_S", 0.01)
    at_end = """() => {
        const log = document.querySelector('#log pre');
        return log.scrollHeight - log.scrollTop - log.clientHeight < 30;
    }"""

    def print_lines(text: str) -> None:
        with (host.folder / EMA_LOG).open("a") as file:
            file.write(f"{text}\n" * 30)

    async with logged_in(browser, here) as page:
        await page.goto(f"{here.url}/python/status/ema_crossover")
        await page.wait_for_function(at_end)
        print_lines("first burst")
        await page.wait_for_selector("text=first burst >> nth=29")
        await page.wait_for_function(at_end)
        await page.evaluate("document.querySelector('#log pre').scrollTop = 0")
        await page.wait_for_selector(".to-end:not([hidden])")
        print_lines("second burst")
        await page.wait_for_selector("text=second burst >> nth=29", state="attached")
        assert await page.evaluate("document.querySelector('#log pre').scrollTop") == 0
        await page.click(".to-end")
        await page.wait_for_function(at_end)
        shown = await page.inner_text("#log pre")
        assert (shown.count("first burst"), shown.count("second burst")) == (30, 30)


async def test_no_line_is_lost_or_doubled_while_the_tab_is_hidden(
    browser: Browser, here: Served, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "POLL_S", 0.01)
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.05)  # how the server learns that nobody listens
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }"""

    def print_line(number: int) -> None:
        with (host.folder / EMA_LOG).open("a") as file:
            file.write(f"tick {number};\n")

    async with logged_in(browser, here) as page:
        await page.goto(f"{here.url}/python/status/ema_crossover")
        await until_async(lambda: host.listeners == 1)
        print_line(1)
        await page.wait_for_selector("text=tick 1;")
        await page.evaluate(hide, True)  # noqa: FBT003  playwright's signature
        print_line(2)
        await until_async(lambda: host.listeners == 0, "a hidden tab holds no connection")
        await page.evaluate(hide, False)  # noqa: FBT003  the same
        print_line(3)
        await page.wait_for_selector("text=tick 3;")
        shown = await page.inner_text("#log pre")
        assert [shown.count(f"tick {number};") for number in (1, 2, 3)] == [1, 1, 1]


# Looks


@pytest.mark.parametrize("width", [320, 390, 760, 881, 1080])
async def test_nothing_overflows(browser: Browser, here: Served, host: FakeHost, width: int) -> None:
    host.strategies["gap_fade"]["why"] = "x" * 300
    host.strategies["gap_fade"]["title"] = "y" * 120
    async with logged_in(browser, here, viewport={"width": width, "height": 800}) as page:
        for path in EVERY_PAGE:
            await page.goto(f"{here.url}/python{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            narrow = await page.evaluate(
                "[...document.querySelectorAll('main p, main td, main th, main dd, main li')]"
                ".filter(one => one.innerText.length > 30 && one.checkVisibility() && one.clientWidth < 100"
                " && !one.closest('thead')).map(one => one.outerHTML)"
            )
            assert narrow == [], path


async def test_dark_is_dark(browser: Browser, here: Served) -> None:
    found = {}
    for scheme in ("light", "dark"):
        async with logged_in(browser, here, color_scheme=scheme) as page:
            found[scheme] = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert found == {"light": "rgb(244, 245, 247)", "dark": "rgb(15, 19, 24)"}


CONTRAST = """() => {
  const channel = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = text => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const behind = one => {
    for (; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
  };
  const ratio = one => {
    const [a, b] = [parse(getComputedStyle(one).color), behind(one)].map(light).sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const hasText = one => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  const isSeen = one => one.checkVisibility({ visibilityProperty: true }) && !one.closest('svg');
  return [...document.querySelectorAll('body *')]
    .filter(one => hasText(one) && isSeen(one) && ratio(one) < 4.5)
    .map(one => `${ratio(one).toFixed(2)} ${one.outerHTML.slice(0, 120)}`);
}"""


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_short_run_can_be_seen(browser: Browser, here: Served, host: FakeHost, width: int) -> None:
    assert host.rows[3]["bars"][-1]["end"] == at("11:38:40"), "the run lasted less than a minute"
    async with logged_in(browser, here, viewport={"width": width, "height": 800}) as page:
        widths = await page.evaluate(
            "[...document.querySelectorAll('.lane .run')].map(run => run.getBoundingClientRect().width)"
        )
        assert min(widths) >= 3


async def test_the_switch_leads_to_the_coming_days_and_stays_there(
    browser: Browser, here: Served, host: FakeHost
) -> None:
    async with logged_in(browser, here) as page:
        await page.click(".switch >> text=7 days")
        await page.wait_for_selector("#today .switch [aria-current] >> text=7 days")
        assert await page.locator("#lane-ema_crossover .band").count() == 4
        assert await page.locator("#lane-ema_crossover .skipped").count() == 1
        await until_async(lambda: host.listeners == 1)
        host.change("mcx_crude", "running")
        await page.wait_for_selector("#strategy-mcx_crude .pill.running")
        assert await page.locator("#lane-ema_crossover .band").count() == 4


async def test_each_button_keeps_its_place(browser: Browser, here: Served) -> None:
    async with logged_in(browser, here) as page:
        for verb in ("start", "stop", "restart"):
            places = await page.evaluate(
                "verb => [...document.querySelectorAll(`#strategies [id^=${verb}-]`)]"
                ".filter(one => one.checkVisibility({ visibilityProperty: true }))"
                ".map(one => one.getBoundingClientRect().x)",
                verb,
            )
            assert len(places) == 8
            assert len(set(places)) == 1, verb


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_text_has_contrast(browser: Browser, here: Served, host: FakeHost, scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 to 1."""
    host.why_not_ready = "not yet"
    for name, state in zip(host.strategies, ("pending", "waiting", "starting", "stopping"), strict=False):
        host.strategies[name]["state"] = state
    async with logged_in(browser, here, color_scheme=scheme) as page:
        for path in EVERY_PAGE:
            await page.goto(f"{here.url}/python{path}")
            assert await page.evaluate(CONTRAST) == [], path


async def test_the_keyboard_reaches_every_button(browser: Browser, here: Served) -> None:
    async with logged_in(browser, here) as page:
        reached, unseen = set(), set()
        for _ in range(80):
            await page.keyboard.press("Tab")
            name, is_body, outline = await page.evaluate(
                "(one => [one.id, one === document.body, getComputedStyle(one).outlineStyle])"
                "(document.activeElement)"
            )
            reached.add(name)
            unseen |= {name} if outline == "none" and not is_body else set()
        wanted = await page.evaluate(
            "[...document.querySelectorAll('main button:enabled')]"
            ".filter(one => one.checkVisibility()).map(one => one.id)"
        )
        assert set(wanted) <= reached
        assert unseen == set()


async def test_a_telephone_stops_all_and_sees_nothing_else(
    browser: Browser, here: Served, host: FakeHost
) -> None:
    link = here.front.login_link(Role.PANIC, "token 'phone'")
    assert link is not None
    context = await browser.new_context(viewport={"width": 390, "height": 700})
    page = await context.new_page()
    await page.goto(link)
    await page.click("main button")
    await page.wait_for_selector("button.danger")
    assert await page.locator("main button").count() == 1
    await page.click("button.danger")
    await page.wait_for_selector("text=Told to stop")
    assert {(order.verb, order.by) for _name, order in host.orders} == {("stop", "token 'phone'")}
    assert "EMA" not in await page.content()
    await context.close()
