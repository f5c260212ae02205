"""`calendar`, and what `check` says of a calendar that ends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake_daemon import run_cli

from stratvisor import config
from stratvisor.cli import main
from stratvisor.clock import SystemClock
from stratvisor.settings import Settings
from stratvisor.spec import Spec
from stratvisor.state import Now

BY_NSE = "command: [sh]\nschedule: {calendar: NSE, windows: [{session: {}}]}\n"
CURE = "update stratvisor, or write calendars/NSE.yaml with a later known_until"
ENDS = f"NSE is known until Thu 31 Dec 2026, and nothing starts by it after that; {CURE}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("conf.d", "calendars"):
        (tmp_path / name).mkdir()
    (tmp_path / "stratvisor.toml").touch()
    return tmp_path


def on(day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
    monkeypatch.setattr(SystemClock, "now", lambda _: Now(0, wall))


def test_show_says_what_each_day_is(place: Path) -> None:
    shown = run_cli("calendar", "show", "MCX", "--from", "2026-11-07", "--to", "2026-11-10", home=place)
    assert shown.out.splitlines()[2:] == [
        "2026-11-07 Sat  closed",
        "2026-11-08 Sun  18:00-00:15 (next day)  special session: Diwali Muhurat trading",
        "2026-11-09 Mon  09:00-23:55",
        "2026-11-10 Tue  17:00-23:55  Diwali Balipratipada",
    ]
    assert shown.out.startswith("MCX: Asia/Kolkata, known until 2026-12-31\nsource: OpenAlgo")


def test_show_says_what_is_not_known_and_what_never_closes(place: Path) -> None:
    nse = run_cli("calendar", "show", "NSE", "--from", "2026-12-25", "--to", "2027-01-01", home=place).out
    assert "2026-12-25 Fri  closed: Christmas\n" in nse
    assert nse.endswith("2027-01-01 Fri  not known: nothing starts\n")
    crypto = run_cli(
        "calendar", "show", "CRYPTO", "--from", "2031-01-01", "--to", "2031-01-01", home=place
    ).out
    assert crypto == "CRYPTO: Asia/Kolkata, known for ever\n2031-01-01 Wed  00:00-24:00\n"


def test_show_knows_the_calendars_of_the_home(place: Path) -> None:
    (place / "calendars" / "NSE.yaml").write_text("closed: {2026-11-26: At short notice}\n")
    shown = run_cli("calendar", "show", "NSE", "--from", "2026-11-26", "--to", "2026-11-26", home=place)
    assert shown.out.endswith("2026-11-26 Thu  closed: At short notice\n")
    assert (
        run_cli("calendar", "show", home=place).out.splitlines()[4] == "CRYPTO: Asia/Kolkata, known for ever"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("show", "NES"), 1, "no calendar 'NES'; did you mean 'NSE'?"),
        (("show", "NSE", "--from", "2026-11-08", "--to", "2026-11-07"), 2, "in their order"),
        (("show", "NSE", "--from", "tomorrow"), 2, "is no date such as 2026-11-08"),
        (("check", "NSE"), 2, "unrecognized arguments: NSE"),
        ((), 2, "the following arguments are required: WHAT"),
    ],
)
def test_what_cannot_be_shown(place: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    outcome = run_cli("calendar", *arguments, home=place)
    assert outcome.code == code
    assert says in outcome.err


def test_check_finds_bad_files_and_ended_calendars(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def checked(day: str) -> tuple[int, str]:
        on(day, monkeypatch)
        return main.main(["--home", str(place), "calendar", "check"]), capsys.readouterr().out

    assert checked("2026-11-23") == (0, "no problems in 8 calendars\n")
    code, out = checked("2026-12-15")
    assert (code, ENDS in out) == (0, True)
    assert checked("2027-01-01")[0] == 1
    (place / "calendars" / "NSE.yaml").write_text("closd: {}\n")
    code, out = checked("2026-11-23")
    assert (code, out) == (1, "calendars/NSE.yaml:1:1: closd: unknown key; did you mean 'closed'?\n")


def test_check_warns_before_the_end_and_refuses_after_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def checked(day: str) -> tuple[int, list[str]]:
        on(day, monkeypatch)
        return main.main(["--home", str(place), "check"]), capsys.readouterr().out.splitlines()

    for name in ("ema", "orb"):
        (place / "conf.d" / f"{name}.yaml").write_text(BY_NSE)
    note = "note: ema, orb: NSE is known until Thu 31 Dec 2026: nothing starts from Fri 1 Jan 2027 on"
    assert checked("2025-11-20") == (0, ["no problems in 2 strategies"])
    assert checked("2026-11-23") == (0, [note, "no problems in 2 strategies"])
    assert checked("2026-12-15") == (0, [f"warning: {ENDS}", "no problems in 2 strategies"])
    code, lines = checked("2027-01-01")
    assert code == 1
    assert lines[0] == f"conf.d/ema.yaml:2:22: schedule.calendar: {ENDS}"


def test_check_names_the_place_of_a_cron_pair_without_its_stop(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on("2026-11-23", monkeypatch)
    pair = '{start: "15 9 * * *", stop: "30 15 * * mon-fri"}'
    (place / "conf.d" / "ema.yaml").write_text(f"command: [sh]\nschedule: {{windows: [{pair}]}}\n")
    assert main.main(["--home", str(place), "check"]) == 1
    problem, count = capsys.readouterr().out.splitlines()
    assert problem == (
        "conf.d/ema.yaml:2:50: schedule.windows[0].stop: does not fire within 24h of the start on "
        "Sat 28 Nov 09:15, nor of 113 more, so that the window ends after 24h; give each start a stop, or "
        "write 'for' instead of 'stop'"
    )
    assert count == "1 problem in 1 file"


def test_a_pair_of_defaults_is_told_once(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on("2026-11-23", monkeypatch)
    (place / "stratvisor.toml").write_text(
        '[defaults.schedule]\nwindows = [{start = "0 9 * * mon", stop = "0 9 * * wed"}]\n'
    )
    for name in ("ema", "orb"):
        (place / "conf.d" / f"{name}.yaml").write_text("command: [sh]\n")
    assert main.main(["--home", str(place), "check"]) == 1
    problem, count = capsys.readouterr().out.splitlines()
    assert problem.startswith("stratvisor.toml:2:1: defaults.schedule.windows[0].stop: does not fire")
    assert count == "1 problem in 1 file"


def test_notes_are_no_problems_and_name_few_of_many(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on("2026-01-02", monkeypatch)
    night = "schedule: {timezone: America/New_York, start: 02:30, stop: 04:00}\n"
    for number in range(7):
        (place / "conf.d" / f"s{number}.yaml").write_text(f"command: [sh]\n{night}")
    assert main.main(["--home", str(place), "check"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "note: s0, s1, s2, s3, s4 and 2 more: starts at 03:00 instead of 02:30 on Sun 8 Mar",
        "no problems in 7 strategies",
    ]


def test_a_file_is_as_good_as_ever_whatever_day_it_is(place: Path) -> None:
    """What is only found by looking ahead keeps no daemon from reading a file."""
    pair = '{start: "15 9 * * *", stop: "30 15 * * mon-fri"}'
    text = f"command: [sh]\nschedule: {{windows: [{pair}]}}\n".encode()
    assert isinstance(config.parse("ema", text, "conf.d/ema.yaml", Settings(place)), Spec)
