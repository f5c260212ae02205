"""`simulate`: the timeline as text and JSON, crashes, and what is refused."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake_daemon import run_cli, run_process

from stratvisor.clock import SystemClock
from stratvisor.state import Now

FILES = {
    "nse": "command: [sh]\ntags: [day]\nschedule: {calendar: NSE, windows: [{session: {}}]}\n",
    "mcx": "command: [sh]\ntags: [day]\n"
    "schedule: {calendar: MCX, special_sessions: run, windows: [{session: {}}]}\n",
    "crypto": "command: [sh]\nschedule: {calendar: CRYPTO, windows: [{session: {}}]}\n",
    "new_york": "command: [sh]\n"
    'schedule: {timezone: America/New_York, start: "09:30", stop: "16:00", days: mon-fri}\n',
}


@pytest.fixture
def place(home: Path) -> Path:
    (home / "conf.d").mkdir()
    for name, text in FILES.items():
        (home / "conf.d" / f"{name}.yaml").write_text(text)
    return home


DIWALI = ("simulate", "--from", "2026-11-06", "--days", "5")

TEXT = """\
Fri 6 Nov 2026, times in IST
00:00  crypto  start    session of CRYPTO round the clock
09:00  mcx     start    session of MCX 09:00-23:55 IST
09:15  nse     start    session of NSE 09:15-15:30 IST
15:30  nse     stop     its window has ended
23:55  mcx     stop     its window has ended

Sun 8 Nov 2026
18:00  mcx     start    session of MCX 18:00 to Mon 9 Nov 00:15 IST (Diwali
                        Muhurat trading)
18:00  nse     skip     Diwali Muhurat trading: a special session of NSE, and
                        special_sessions is skip

Mon 9 Nov 2026
00:15  mcx     stop     its window has ended
09:00  mcx     start    session of MCX 09:00-23:55 IST
09:15  nse     start    session of NSE 09:15-15:30 IST
15:30  nse     stop     its window has ended
23:55  mcx     stop     its window has ended

Tue 10 Nov 2026
09:15  nse     skip     Diwali Balipratipada: NSE is closed
17:00  mcx     start    session of MCX 17:00-23:55 IST (Diwali Balipratipada)
23:55  mcx     stop     its window has ended
"""


def test_diwali_week_as_a_process_without_a_daemon(place: Path) -> None:
    outcome = run_process(*DIWALI, "crypto", "@day", home=place, COLUMNS="80")
    assert outcome == (0, TEXT, "")
    assert sorted(path.name for path in place.iterdir()) == ["conf.d", "stratvisor.toml"]


def test_the_timeline_that_the_readme_shows_is_what_is_printed(home: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    shown = re.search(r"^\$ stratvisor (simulate .*)\n((?:.*\n)*?)```", readme, re.MULTILINE)
    assert shown is not None
    (home / "conf.d").mkdir()
    for name, file in {"opening_range": "nse", "crude": "mcx"}.items():
        (home / "conf.d" / f"{name}.yaml").write_text(FILES[file])
    assert run_cli(*shown[1].split(), home=home) == (0, shown[2], "")


def test_json_is_one_object_a_line_on_the_clock_of_its_strategy(place: Path) -> None:
    outcome = run_cli(*DIWALI, "--json", "new_york", "nse", "--crash", "nse@2026-11-06T10:03", home=place)
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert all(list(line) == ["at", "id", "event", "why"] for line in lines)
    assert lines[0] == {
        "at": "2026-11-05T13:30:00-05:00",
        "id": "new_york",
        "event": "start",
        "why": "inside its window since 09:30 EST",
    }
    assert [(line["at"], line["event"]) for line in lines if line["id"] == "nse"] == [
        ("2026-11-06T09:15:00+05:30", "start"),
        ("2026-11-06T10:03:01+05:30", "restart"),
        ("2026-11-06T15:30:00+05:30", "stop"),
        ("2026-11-08T18:00:00+05:30", "skip"),
        ("2026-11-09T09:15:00+05:30", "start"),
        ("2026-11-09T15:30:00+05:30", "stop"),
        ("2026-11-10T09:15:00+05:30", "skip"),
    ]


def test_a_crash_is_on_every_day_at_the_time_of_its_strategy(place: Path) -> None:
    outcome = run_cli(*DIWALI, "nse", "--crash", "nse@10:03", home=place)
    lines = outcome.out.splitlines()
    assert "09:15     nse  start    session of NSE 09:15-15:30 IST" in lines
    assert lines.count("10:03:01  nse  restart  exit 1 at 10:03:00 IST; try 1 after 1s") == 2
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        f"note: crash of nse at {day} Nov 10:03: not running then" for day in ("Sat 7", "Sun 8", "Tue 10")
    ]
    abroad = run_cli(*DIWALI, "new_york", "--crash", "@day@10:03", "--crash", "new_york@10:03", home=place)
    assert "cannot crash mcx: it is not among those simulated" in abroad.err
    abroad = run_cli(*DIWALI, "new_york", "--crash", "new_york@10:03", home=place)
    assert "20:33:01  new_york  restart  exit 1 at 10:03:00 EST; try 1 after 1s" in abroad.out


def test_parts_of_seconds_are_shown_where_they_say_something(place: Path) -> None:
    (place / "conf.d" / "nse.yaml").write_text(FILES["nse"] + "restart: {delay: 250ms}\n")
    out = run_cli(*DIWALI, "nse", "--crash", "nse@2026-11-06T10:03", home=place).out
    assert "10:03:00.250  nse  restart  exit 1 at 10:03:00 IST; try 1 after 250ms" in out


def test_of_many_crashes_that_hit_nothing_few_are_named(place: Path) -> None:
    outcome = run_cli("simulate", "nse", "--from", "2026-11-06", "--crash", "nse@20:00", home=place)
    *named, rest = outcome.err.splitlines()
    assert len(named) == 5
    assert rest == "note: and 2 more crashes when nothing ran"


def test_it_begins_today_by_the_zone_of_the_daemon(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda _: Now(0, datetime(2026, 11, 5, 20, tzinfo=UTC)))
    assert run_cli("simulate", home=place).out.startswith("Fri 6 Nov 2026, times in IST\n00:00  crypto")
    (place / "stratvisor.toml").write_text('timezone = "UTC"\n')
    assert run_cli("simulate", home=place).out.startswith("Thu 5 Nov 2026, times in UTC\n00:00  crypto")


def test_a_day_whose_zone_has_another_name_says_so(place: Path) -> None:
    (place / "stratvisor.toml").write_text('timezone = "America/New_York"\n')
    out = run_cli("simulate", "new_york", "--from", "2026-10-30", "--days", "5", home=place).out
    heads = [line for line in out.splitlines() if "2026" in line]
    assert heads == ["Fri 30 Oct 2026, times in EDT", "Mon 2 Nov 2026, times in EST", "Tue 3 Nov 2026"]


def test_it_may_begin_at_any_time(place: Path) -> None:
    out = run_cli("simulate", "nse", "--from", "2026-11-06T10:00", "--days", "1", home=place).out
    assert out.splitlines()[1] == "10:00  nse  start    inside its window since 09:15 IST"


def test_where_nothing_happens_it_says_so(place: Path) -> None:
    outcome = run_cli("simulate", "nse", "--from", "2026-11-07", "--days", "1", home=place)
    assert outcome == (0, "nothing happens in these days\n", "")


def test_a_bad_file_is_told_and_the_good_are_played(place: Path) -> None:
    (place / "conf.d" / "bad.yaml").write_text("command: [sh]\ntagz: [a]\n")
    outcome = run_cli(*DIWALI, home=place)
    assert outcome.code == 1
    assert outcome.out.startswith("Fri 6 Nov 2026")
    assert outcome.err.startswith("conf.d/bad.yaml:2:1: tagz: unknown key; did you mean 'tags'?")
    asked = run_cli(*DIWALI, "bad", home=place)
    assert (asked.code, asked.out) == (1, "")
    assert asked.err == "cannot simulate bad: its file is bad; `stratvisor check` names what to mend\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nes",), 1, "cannot simulate nes: no strategy nes; did you mean 'nse'?"),
        (("@dya",), 1, "cannot simulate @dya: no strategy has the tag dya; did you mean 'day'?"),
        (("--crash", "nes@10:03"), 1, "cannot crash nes: no strategy nes; did you mean 'nse'?"),
        (("nse", "--crash", "mcx@10:03"), 2, "it is not among those simulated; name it too"),
        (("--crash", "nse@2026-11-12T10:03"), 2, "nse@2026-11-12T10:03: that is not in the days simulated"),
        (("--crash", "nse@25:00"), 2, "TIME must be such as 10:03, or 2026-11-06T10:03"),
        (("--crash", "nse@10:03Z"), 2, "TIME must be such as 10:03, or 2026-11-06T10:03"),
        (("--crash", "nse"), 2, "must be ID@TIME, such as ema_crossover@10:03, not 'nse'"),
        (("--crash", "@10:03"), 2, "must be ID@TIME"),
        (("--from", "2026-11-31"), 2, "must be a date or a local time, such as 2026-11-06"),
        (("--from", "2026-W45-5"), 2, "must be a date or a local time, such as 2026-11-06"),
        (("--from", "0001-01-01"), 2, "must be of the years 1990 to 2199, not 1"),
        (("--from", "9999-12-31"), 2, "must be of the years 1990 to 2199, not 9999"),
        (("--days", "0"), 2, "must be a whole number, 1 to 400, not '0'"),
        (("--days", "401"), 2, "must be a whole number, 1 to 400, not '401'"),
        (("",), 2, "ID is empty"),
    ],
)
def test_what_cannot_be_simulated(place: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    outcome = run_cli(*DIWALI, *arguments, home=place)
    assert (outcome.code, outcome.out) == (code, "")
    assert says in outcome.err


@pytest.mark.parametrize("first", ["1990-01-01", "2199-12-31T23:59"])
def test_the_first_and_the_last_year_can_be_played(place: Path, first: str) -> None:
    assert run_cli("simulate", "--from", first, "--days", "400", home=place).code == 0
