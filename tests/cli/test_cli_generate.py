"""`calendar generate`, with the real library: facts that anybody can look up."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path

import pytest
from fake_daemon import environment, run_cli
from waiting import DEADLINE_S

from stratvisor import almanac
from stratvisor.calendar import Calendar
from stratvisor.clock import SystemClock
from stratvisor.generate import library
from stratvisor.state import Now


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = datetime(2026, 11, 23, 12, tzinfo=UTC)
    monkeypatch.setattr(SystemClock, "now", lambda _: Now(0, wall))


def made(home: Path, code: str, years: str) -> Calendar:
    outcome = run_cli("calendar", "generate", code, "--years", years, home=home)
    assert outcome.out == f"made: {home}/calendars/{code}.yaml\n", outcome.err
    found = almanac.read(home)
    assert found.problems == ()
    return found.calendars[code]


def hours(calendar: Calendar, day: str) -> list[str]:
    return [f"{one.start:%d %H:%M}-{one.end:%d %H:%M}" for one in calendar.sessions(date.fromisoformat(day))]


def test_new_york(home: Path) -> None:
    xnys = made(home, "XNYS", "2026-2027")
    assert (xnys.timezone, xnys.known_until) == ("America/New_York", date(2027, 12, 31))
    assert hours(xnys, "2026-11-27") == ["27 09:30-27 13:00"]
    assert xnys.name_of(date(2026, 11, 27)) == "Black Friday"
    for closed, name in (
        ("2026-04-03", "Good Friday"),
        ("2026-07-03", "July 4th"),
        ("2027-12-24", "Christmas"),
    ):
        assert hours(xnys, closed) == []
        assert xnys.name_of(date.fromisoformat(closed)) == name
    assert hours(xnys, "2026-11-23") == ["23 09:30-23 16:00"]
    assert hours(xnys, "2025-12-30") == hours(xnys, "2028-01-03") == []
    everywhere = metadata.version("exchange_calendars"), metadata.version("pandas")
    assert xnys.source == "exchange_calendars {} (pandas {}): XNYS, 2026-2027; generated 2026-11-23".format(
        *everywhere
    )


def test_hong_kong_has_lunch(home: Path) -> None:
    xhkg = made(home, "XHKG", "2026")
    assert hours(xhkg, "2026-11-23") == ["23 09:30-23 12:00", "23 13:00-23 16:00"]
    assert hours(xhkg, "2026-12-24") == ["24 09:30-24 12:00"]
    assert hours(xhkg, "2026-02-17") == []


def test_a_session_of_the_evening_before(home: Path) -> None:
    iepa = made(home, "IEPA", "2027")
    assert hours(iepa, "2027-01-03") == ["03 20:00-04 18:00"]
    assert hours(iepa, "2027-03-25") == []
    assert iepa.name_of(date(2027, 3, 25)) == "Good Friday"


def test_a_budget_on_a_saturday_is_a_special_session(home: Path) -> None:
    xbom = made(home, "XBOM", "2025")
    assert [one.special for one in xbom.sessions(date(2025, 2, 1))] == [True]
    assert [one.special for one in xbom.sessions(date(2025, 2, 3))] == [False]


@pytest.mark.parametrize(
    ("code", "years", "says"),
    [
        ("XNSY", "2027", "exchange_calendars has no exchange of this code; did you mean 'XNYS'?"),
        ("XBOM", "2027", "knows it until 2026-12-31; ask for earlier years"),
        ("XKAR", "2027", "lists 7 closed days for 2027, and 15.5 in a usual year: its list has run out"),
        ("XNYS", "2029", "no exchange has published its holidays so far ahead; ask for 2028 at most"),
        ("CMES", "2027", "no file can say a session of 24 hours that does not begin at midnight"),
    ],
)
def test_what_cannot_be_known_is_not_written(home: Path, code: str, years: str, says: str) -> None:
    outcome = run_cli("calendar", "generate", code, "--years", years, home=home)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"cannot generate {code}: ")
    assert says in outcome.err
    assert not (home / "calendars").exists()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A library that answers at once; the value is its program."""
    program = tmp_path / "program.py"
    program.write_text(
        "import json\n"
        "days = range(1798761600, 1830297600, 86400)\n"
        "print(json.dumps({'code': 'XNYS', 'timezone': 'UTC', 'library': 'a library 1.0', 'known_from': None,"
        " 'known_until': None, 'stretches': [[day, day + 3600] for day in days], 'changes': [],"
        " 'closures': {year: 0 for year in range(2017, 2028)}, 'names': {}}))\n"
    )
    monkeypatch.setattr(library, "PROGRAM", program)
    return program


GENERATE = ("calendar", "generate", "XNYS", "--years", "2027")


def test_a_file_is_never_overwritten_unasked(home: Path, quick: Path) -> None:
    path = home / "calendars" / "XNYS.yaml"
    path.parent.mkdir()
    path.write_text("mine")
    refused = run_cli(*GENERATE, home=home)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == f"cannot make {path}: it is there already; use --force to replace it\n"
    assert path.read_text() == "mine"
    assert run_cli(*GENERATE, "--force", home=home).code == 0
    assert path.read_text().startswith("# XNYS")
    assert [one.name for one in path.parent.iterdir()] == ["XNYS.yaml"]


def test_where_a_file_is_the_library_is_not_even_asked(home: Path, quick: Path) -> None:
    quick.unlink()
    there = home / "mine.yaml"
    there.touch()
    assert "it is there already" in run_cli(*GENERATE, "--out", there, home=home).err


def test_nor_is_one_overwritten_that_came_while_the_library_was_asked(home: Path, quick: Path) -> None:
    path = home / "calendars" / "XNYS.yaml"
    path.parent.mkdir()
    quick.write_text(f"open({str(path)!r}, 'w').write('mine')\n{quick.read_text()}")
    assert run_cli(*GENERATE, home=home).code == 1
    assert path.read_text() == "mine"
    assert [one.name for one in path.parent.iterdir()] == ["XNYS.yaml"]


def test_where_it_goes(home: Path, quick: Path, tmp_path: Path) -> None:
    assert run_cli(*GENERATE, "--name", "NYSE", home=home).out == f"made: {home}/calendars/NYSE.yaml\n"
    elsewhere = tmp_path / "new" / "york.yaml"
    assert run_cli(*GENERATE, "--out", elsewhere, home=home).code == 0
    printed = run_cli(*GENERATE, "--out", "-", home=home)
    assert printed.out == elsewhere.read_text() == (home / "calendars" / "NYSE.yaml").read_text()
    assert printed.err == (
        "nothing starts by it before 2027-01-01; `--years 2026-2027` takes in the days until then\n"
    )


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (
            ("--name", "NSE"),
            1,
            "a NSE is shipped, and the file would be laid over it day by day; give another",
        ),
        (("--name", "a/b"), 2, "cannot name a calendar 'a/b': letters, digits, _ and -"),
        (("--name", "A", "--out", "-"), 2, "not allowed with"),
        (("--years", "27"), 2, "must be a year or up to 10 of them, such as 2027 or 2026-2028, not '27'"),
        (("--years", "2028-2027"), 2, "must be a year"),
        (("--years", "2020-2030"), 2, "must be a year"),
    ],
)
def test_what_is_refused_at_once(
    home: Path, quick: Path, more: tuple[str, ...], code: int, says: str
) -> None:
    quick.unlink()
    outcome = run_cli(*GENERATE, *more, home=home)
    assert outcome.code == code
    assert says in outcome.err


def test_without_the_extra_one_sentence_says_how_to_get_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert run_cli(*GENERATE, home=home).err == (
        "cannot generate XNYS: exchange_calendars is not installed; run"
        f" {sys.executable} -m pip install 'stratvisor[calendars]'\n"
    )


@pytest.mark.parametrize("version", ["3.1.0", "3.10.2", "4.0.0rc1"])
def test_a_pandas_that_loses_sessions_is_refused(
    home: Path, quick: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: version)
    outcome = run_cli(*GENERATE, home=home)
    assert f"with pandas {version}, exchange_calendars loses sessions; run" in outcome.err


def test_a_library_that_fails_is_quoted_in_one_line(home: Path, quick: Path) -> None:
    quick.write_text("raise RuntimeError('numpy is broken')")
    assert (
        "exchange_calendars failed: RuntimeError: numpy is broken; run" in run_cli(*GENERATE, home=home).err
    )


def test_what_lies_beside_the_program_is_not_taken_for_the_standard_library(home: Path, quick: Path) -> None:
    quick.with_name("calendar.py").write_text("raise SystemExit('not this one')")
    quick.write_text(f"import calendar\n{quick.read_text()}")
    assert run_cli(*GENERATE, "--out", "-", home=home).code == 0


def test_the_library_never_comes_into_this_process(home: Path) -> None:
    program = (
        "import sys\nfrom stratvisor.cli.main import main\nassert main(sys.argv[1:]) == 0\n"
        "print({'pandas', 'numpy', 'exchange_calendars'} & sys.modules.keys(), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "calendar", "generate", "XNYS", "--years", "2026", "--out", "-"],
        cwd=home,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert "known_until: 2026-12-31" in done.stdout
    assert done.stderr == "set()\n"
