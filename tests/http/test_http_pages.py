"""The page as text: what it shows, what it never contains, and the shapes of its picture."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fake_host import NOW, FakeHost, at, run, strategy
from sample_day import trading_day

from stratvisor.http import formats
from stratvisor.http.picture import picture

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

PAGE = {"Accept": "text/html"}


async def page(client: aiohttp.ClientSession, path: str = "/python/") -> str:
    async with client.get(path, headers=PAGE) as answer:
        return await answer.text()


async def test_everything_is_escaped(client: aiohttp.ClientSession, host: FakeHost) -> None:
    evil = "<script>alert(1)</script>\"'&"
    host.strategies["ema"] |= {
        "title": evil,
        "why": evil,
        "tags": [evil],
        "state": "running",
        "commit": evil,
        "hold": {"by": evil, "since": at("9:00"), "until": None, "wants": "up"},
        "last_exit": {"code": None, "signal": evil, "cause": evil, "at": at("9:00"), "run": 1},
        "problems": [{"file": evil, "line": 1, "column": 1, "key": evil, "message": evil}],
    }
    host.problems = host.strategies["ema"]["problems"]
    host.why_not_ready = evil
    host.planned |= {"refused": evil, "problems": host.problems, "start": ["ema"]}
    for path in (
        "/python/",
        "/python/status/ema",
        "/python/plan",
        "/python/why/ema",
        "/python/login?code=%3Cscript%3E",
    ):
        text = await page(client, path)
        assert "<script>" not in text, path
        assert "alert(1)" in text or "login" in path


@pytest.mark.parametrize(
    "path",
    ["/python/", "/python/status/ema", "/python/plan", "/python/login", "/python/nope", "/python/logs/ema"],
)
async def test_nothing_in_a_page_is_inline_or_foreign(client: aiohttp.ClientSession, path: str) -> None:
    text = await page(client, path)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"\s(style|on\w+)=", text)
    assert "<style" not in text
    assert not re.search(r'(?:src|href|action)="(?!/python/|#)', text)


async def test_each_asset_of_a_page_is_there(client: aiohttp.ClientSession) -> None:
    found = re.findall(r'(?:src|href)="(/python/static/[^"]+)"', await page(client))
    assert len(found) == 3
    for path in found:
        async with client.get(path) as answer:
            assert answer.status == 200


async def test_the_buttons_fit_the_state(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.strategies = {
        state: strategy(state, state) for state in ("running", "stopped", "backoff", "scheduled")
    }
    text = await page(client)

    def shown(name: str) -> list[str]:
        row = text.partition(f'id="strategy-{name}"')[2].partition("</tbody>")[0]
        return re.findall(r"<button[^>]*(?<!disabled)>([^<]+)</button>", row)

    assert shown("running") == ["Stop", "Restart"]
    assert shown("stopped") == ["Start"]
    assert shown("backoff") == ["Try now", "Stop"]
    assert shown("scheduled") == ["Start", "Hold"]


async def test_problems_stand_at_the_top_once(client: aiohttp.ClientSession, host: FakeHost) -> None:
    problem = {
        "file": "conf.d/ema.yaml",
        "line": 8,
        "column": 3,
        "key": "restart.polcy",
        "message": "unknown key",
    }
    host.strategies["ema"]["problems"] = [problem]
    host.problems = [problem, problem | {"file": "stratvisor.toml"}]
    text = await page(client)
    assert "2 problems</h2>" in text
    assert text.count("conf.d/ema.yaml:8:3") == 1
    assert text.index("conf.d/ema.yaml:8:3") < text.index('id="strategies"')


async def test_an_empty_instance_says_what_to_do(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.strategies = {}
    text = await page(client)
    assert "No strategies yet" in text
    assert "script: strategies/ema.py" in text
    assert 'id="strategies"' not in text


@pytest.mark.parametrize("path", ["/python/", "/python/status/ema", "/python/why/ema"])
async def test_backticks_make_code(client: aiohttp.ClientSession, host: FakeHost, path: str) -> None:
    host.strategies["ema"]["why"] = "it is <manual>: `stratvisor start ema` runs it"
    text = await page(client, path)
    assert "it is &lt;manual&gt;: <code>stratvisor start ema</code> runs it" in text


@pytest.mark.parametrize(
    ("last", "shown"),
    [
        ({"code": 1}, True),
        ({"code": 1, "cause": "not ready in time"}, False),
        ({"signal": "SIGKILL"}, False),
    ],
)
async def test_last_words_are_shown_of_who_exited_by_itself(
    client: aiohttp.ClientSession, host: FakeHost, last: dict[str, Any], *, shown: bool
) -> None:
    host.history["ema"] = [run(1, at("9:15"), at("9:16"), failed=True, last_line="SELL 100", **last)]
    assert ("SELL 100" in await page(client, "/python/runs/ema")) == shown


async def test_what_is_not_ready_says_so(client: aiohttp.ClientSession, host: FakeHost) -> None:
    host.why_not_ready = "conf.d is empty and 3 strategies run"
    assert "conf.d is empty and 3 strategies run" in await page(client)


async def test_a_refused_plan_offers_force(client: aiohttp.ClientSession, host: FakeHost) -> None:
    assert 'name="force"' not in await page(client, "/python/plan")
    host.planned["refused"] = "conf.d is empty"
    assert 'name="force" value="1"' in await page(client, "/python/plan")


async def test_the_picture_is_said_in_words(
    client: aiohttp.ClientSession, host: FakeHost, tmp_path: Path
) -> None:
    host.rows = trading_day(tmp_path).rows[:1]
    host.strategies = {"ema_crossover": strategy("ema_crossover")}
    text = await page(client)
    assert 'role="img"' in text
    assert "wanted 09:15 to 15:30; run 39 09:15 to 10:21 (failed)" in text
    assert "<title>run 41 11:02 to 11:42 (still running)</title>" in text
    assert "10:21:00 run 39 failed" in text


# formats


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, formats.NONE),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m 00s"),
        (3599, "59m 59s"),
        (3600, "1h 00m"),
        (86399, "23h 59m"),
        (90000, "1d 1h"),
    ],
)
def test_spans(seconds: float | None, text: str) -> None:
    assert formats.span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, formats.NONE),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_449, "99.4 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_000_000_000, "1.0 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes(count: float | None, text: str) -> None:
    assert formats.size(count) == text


@pytest.mark.parametrize(
    ("iso", "text"),
    [
        (None, formats.NONE),
        (at("9:15"), "09:15"),
        (at("9:15", 1), "Tue 24 Nov 09:15"),
        (at("9:15", 60), "2027-01-22 09:15"),
        ("2026-11-23T09:15:00+00:00", "09:15 +00:00"),
        ("2026-11-22T23:15:00-05:00", "Sun 22 Nov 23:15 -05:00"),
    ],
)
def test_moments(iso: str | None, text: str) -> None:
    assert formats.moment(iso, NOW.isoformat()) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, formats.NONE), (0.0126, "0.01s"), (9.5, "9.50s"), (75, "1m 15s")]
)
def test_cpu_times(seconds: float | None, text: str) -> None:
    assert formats.cpu(seconds) == text


def test_the_history_is_shown_on_the_local_clock() -> None:
    assert formats.local("2026-11-23T03:45:12.000001+00:00", NOW.isoformat()) == "09:15:12"


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ({"code": 0, "signal": None, "cause": None}, "exit 0"),
        (
            {"code": None, "signal": "SIGKILL", "cause": "memory 1.1GB over its limit 1GB"},
            "killed by SIGKILL: memory 1.1GB over its limit 1GB",
        ),
        (
            {"code": None, "signal": "SIGTERM", "cause": None, "stopped": "window"},
            "killed by SIGTERM: its window has ended",
        ),
        (
            {"code": None, "signal": None, "cause": "the machine went down", "unknown": True},
            "the machine went down",
        ),
        ({"code": None, "signal": None, "cause": None, "unknown": True}, "nobody saw it end"),
        ({"code": None, "signal": None, "cause": None}, ""),
    ],
)
def test_endings(end: dict[str, Any], text: str) -> None:
    assert formats.ending(end) == text


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("plain", [(False, "plain")]),
        ("`a b`", [(True, "a b")]),
        ("say `a` or `b`", [(False, "say "), (True, "a"), (False, " or "), (True, "b")]),
        ("one ` alone, `` none", [(False, "one "), (True, " alone, "), (False, "` none")]),
    ],
)
def test_spans_of_code(text: str, pieces: list[tuple[bool, str]]) -> None:
    assert formats.spans(text) == pieces


# picture


def shown(days: int = 1, **row: list[dict[str, Any]]) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "id": "ema",
        "title": "EMA",
        "state": "running",
        "bands": [],
        "skips": [],
        "bars": [],
        "marks": [],
    }
    return {
        "start": at("0:00"),
        "end": at("0:00", days),
        "days": days,
        "now": at("12:00"),
        "zone": "Asia/Kolkata",
        "rows": [empty | row, empty | {"id": "orb"}],
    }


def test_shapes_stand_where_their_times_are() -> None:
    made = picture(
        shown(
            bands=[{"start": at("6:00"), "stop": at("18:00")}],
            bars=[{"run": 1, "start": at("22:00", -1), "end": None, "failed": False}],
            marks=[{"at": at("18:00"), "text": "exit 1"}],
        )
    )
    row = made.rows[0]
    assert made.now == 50
    assert [(shape.x, shape.width) for shape in (*row.bands, *row.bars, *row.marks)] == [
        (25, 50),
        (0, 50),
        (75, 0),
    ]
    assert made.ticks[3] == ("09:00", 37.5)
    assert made.rows[1].text == "EMA: nothing today"


def test_a_thousand_crashes_cost_no_more_than_the_page_is_wide() -> None:
    moments = [
        NOW.replace(hour=9, minute=15, second=0) + timedelta(seconds=20 * number) for number in range(1000)
    ]
    bars = [
        {
            "run": number,
            "start": moment.isoformat(),
            "end": (moment + timedelta(seconds=1)).isoformat(),
            "failed": True,
        }
        for number, moment in enumerate(moments)
    ]
    marks = [{"at": moment.isoformat(), "text": "exit 1"} for moment in moments]
    row = picture(shown(bars=bars, marks=marks)).rows[0]
    assert len(row.bars) == 1
    assert row.bars[0].text.startswith("1000 runs, the last: run 999")
    assert len(row.marks) < 60
    assert sum(mark.count for mark in row.marks) == 1000


def test_a_failed_run_beside_a_good_one_stays_two() -> None:
    bars = [
        {"run": 1, "start": at("9:00"), "end": at("9:10"), "failed": True},
        {"run": 2, "start": at("9:10:01"), "end": at("9:20"), "failed": False},
    ]
    assert [bar.failed for bar in picture(shown(bars=bars)).rows[0].bars] == [True, False]


def test_two_long_runs_with_a_short_gap_stay_two() -> None:
    bars = [
        {"run": 1, "start": at("9:00"), "end": at("10:00"), "failed": True},
        {"run": 2, "start": at("10:00:01"), "end": at("11:00"), "failed": True},
    ]
    assert len(picture(shown(bars=bars)).rows[0].bars) == 2


def test_seven_days_on_one_line() -> None:
    made = picture(
        shown(
            days=7,
            bands=[{"start": at("9:15", day), "stop": at("15:30", day)} for day in (0, 2)],
            skips=[{"at": at("9:15", 1), "why": "Guru Nanak Jayanti: NSE is closed"}],
        )
    )
    assert made.dates == "Mon 23 Nov to Sun 29 Nov"
    assert [label for label, _ in made.ticks] == [
        "Mon 23",
        "Tue 24",
        "Wed 25",
        "Thu 26",
        "Fri 27",
        "Sat 28",
        "Sun 29",
    ]
    assert made.now == pytest.approx(100 / 14, abs=0.001)
    assert made.rows[0].skips[0].x == pytest.approx(100 / 7 * (1 + 9.25 / 24), abs=0.001)
    assert made.rows[0].text == (
        "EMA: wanted Mon 23 Nov 09:15 to 15:30; wanted Wed 25 Nov 09:15 to 15:30; "
        "skipped Tue 24 Nov 09:15: Guru Nanak Jayanti: NSE is closed"
    )
    assert made.rows[1].text == "EMA: nothing in these days"


def test_a_thousand_short_windows_cost_no_more_than_the_page_is_wide() -> None:
    bands = [{"start": at(f"9:{minute}:0"), "stop": at(f"9:{minute}:30")} for minute in range(60)]
    (band,) = picture(shown(bands=bands)).rows[0].bands
    assert band.text == "60 windows, the last: wanted 09:59 to 09:59"


async def test_the_page_shows_the_coming_days_where_it_is_asked_to(
    client: aiohttp.ClientSession, host: FakeHost, tmp_path: Path
) -> None:
    host.rows = trading_day(tmp_path).rows[:1]
    host.strategies = {"ema_crossover": strategy("ema_crossover")}
    for path in ("/python/", "/python/status/ema_crossover"):
        today, week = await page(client, path), await page(client, f"{path}?days=7")
        assert "Guru Nanak Jayanti: NSE is closed" in week
        assert "<title>wanted Wed 25 Nov 09:15 to 15:30</title>" in week
        assert "<title>wanted Wed" not in today
        for text, days in ((today, 1), (week, 7)):
            assert f'<a href="{path}?days={days}#today" aria-current="true">' in text
            assert text.count("aria-current") == 1


async def test_a_strategy_shows_its_week_with_the_reason_of_each_closed_day(
    client: aiohttp.ClientSession, host: FakeHost
) -> None:
    text = re.sub(r"\s+|<[^>]+>", " ", (await page(client, "/python/status/ema")).partition("Coming week")[2])
    assert " ".join(text.split()).startswith(
        "Mon 23 Nov 09:15 to 15:30 Tue 24 Nov Guru Nanak Jayanti: NSE is closed Wed 25 Nov 09:15 to 15:30"
    )


async def test_a_week_in_which_nothing_is_wanted_is_not_shown(
    client: aiohttp.ClientSession, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = [{"date": "2026-11-23", "windows": [], "skips": []}]
    monkeypatch.setattr(host, "coming", lambda strategy, days: empty)
    assert "Coming week" not in await page(client, "/python/status/ema")


@pytest.mark.parametrize("days", ["0", "15", "week"])
async def test_no_other_days_can_be_shown(client: aiohttp.ClientSession, days: str) -> None:
    async with client.get(f"/python/?days={days}", headers=PAGE) as answer:
        assert answer.status == 422


@pytest.mark.parametrize(
    ("start", "stop", "text"),
    [
        (at("9:15"), at("15:30"), "09:15 to 15:30"),
        (at("22:00"), at("4:00", 1), "22:00 to Tue 24 Nov 04:00"),
        (at("0:00"), None, "from 00:00 on"),
        (at("16:00"), at("16:00"), "16:00"),
        ("2026-11-23T09:30:00-05:00", "2026-11-23T16:00:00-05:00", "09:30 to 16:00 -05:00"),
        ("2026-11-23T09:30:00-05:00", None, "from 09:30 -05:00 on"),
    ],
)
def test_windows_under_their_day(start: str, stop: str | None, text: str) -> None:
    assert formats.hours({"start": start, "stop": stop}, NOW.isoformat()) == text
