"""Calendar files: how they are written, laid over one another, and what a bad one harms."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from filing import RUN, told

from stratvisor import almanac, config
from stratvisor.almanac import Almanac, Reader
from stratvisor.calendar import FOR_EVER, Calendar, Day
from stratvisor.settings import Settings
from stratvisor.spec import Spec, Windows
from stratvisor.vault.contents import Vault

OWN = """\
timezone: Asia/Tokyo
known_until: 2026-12-31
regular:
  - {days: mon-fri, from: "09:00", to: "11:30"}
  - {days: mon-fri, from: "12:30", to: "15:30"}
"""
NSE = almanac.shipped()["NSE"]
A_DAY = date(2026, 11, 26)


class Home:
    """A home whose calendars are read again and again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "calendars").mkdir()
        self.reader = Reader()

    def write(self, name: str, text: str) -> None:
        (self.path / "calendars" / name).write_text(text)

    def read(self) -> Almanac:
        return self.reader.read(self.path)

    def problems(self) -> list[str]:
        return told(self.read().problems)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_without_a_folder_there_are_the_shipped_ones(tmp_path: Path) -> None:
    assert almanac.read(tmp_path) == Almanac(almanac.shipped())


def test_a_file_of_a_shipped_name_is_laid_over_it_and_over_no_other(home: Home) -> None:
    home.write("NSE.yaml", f"closed: {{{A_DAY}: At short notice}}\nordinary: [2026-11-24]\n")
    found = home.read()
    assert found.problems == ()
    assert found.calendars["NSE"].name_of(A_DAY) == "At short notice"
    assert found.calendars["NSE"].sessions(A_DAY) == ()
    assert len(found.calendars["NSE"].sessions(date(2026, 11, 24))) == 1
    assert found.calendars["NSE"].known_until == NSE.known_until
    assert found.calendars["BSE"] == almanac.shipped()["BSE"]


def test_a_file_of_another_name_is_a_calendar_of_its_own(home: Home) -> None:
    home.write("TSE.yaml", OWN)
    tse = home.read().calendars["TSE"]
    assert (tse.name, tse.timezone, len(tse.sessions(A_DAY))) == ("TSE", "Asia/Tokyo", 2)


def test_or_like_a_shipped_one(home: Home) -> None:
    home.write("desk.yaml", f"like: NSE\nclosed: {{{A_DAY}: Offsite}}\n")
    desk = home.read().calendars["desk"]
    assert desk == replace(
        NSE, name="desk", days=tuple(sorted((*NSE.days, Day(A_DAY, "Offsite")), key=lambda day: day.date))
    )


def test_sessions_of_one_date_are_one_day(home: Home) -> None:
    home.write(
        "NSE.yaml",
        "sessions:\n"
        '  - {date: 2026-11-28, name: Drill, from: "09:15", to: "10:00"}\n'
        '  - {date: 2026-11-28, name: Drill, from: "11:30", to: "12:30"}\n',
    )
    sessions = home.read().calendars["NSE"].sessions(date(2026, 11, 28))
    assert [(one.start.hour, one.end.hour, one.special) for one in sessions] == [
        (9, 10, True),
        (11, 12, True),
    ]


def test_a_calendar_may_last_for_ever(home: Home) -> None:
    home.write("X.yaml", OWN.replace("2026-12-31", "none"))
    assert home.read().calendars["X"].known_until == FOR_EVER


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("closd: {}", ["1:1: closd: unknown key; did you mean 'closed'?"]),
        ("holidays: {}", ["1:1: holidays: unknown key; did you mean 'closed'?"]),
        ("closed: {2026-13-01: X}", ["1:10: closed.2026-13-01: no such date: 2026-13-01"]),
        ("closed: {26 Nov: X}", ['1:10: closed.26 Nov: must be a date such as 2026-11-08, not "26 Nov"']),
        ("closed: {2026-11-26: }", ["1:22: closed.2026-11-26: has no value; write one, or remove the key"]),
        ("closed: {2026-11-26: A, 2026-11-26: B}", ["1:25: closed.2026-11-26: given twice, first on line 1; keep one"]),
        ("closed: {2027-01-26: X}", ["1:10: closed.2027-01-26: lies after known_until, 2026-12-31; write a later known_until"]),
        ("sessions: [{date: 2027-01-02, name: X, from: 09:15, to: 10:00}]", ["1:13: sessions[0].date: lies after known_until, 2026-12-31; write a later known_until"]),
        ("sessions: [{date: 2026-11-28, name: X, from: 09:15, to: 09:15}]", ['1:12: sessions[0]: begins when it ends; for a whole day write "00:00" and "24:00"']),
        ("sessions: [{date: 2026-11-28, from: 09:15, to: 10:15}]", ["1:12: sessions[0]: needs 'name'"]),
        ("closed: {2026-11-26: A}\nsessions: [{date: 2026-11-26, name: X, from: 09:15, to: 10:00}]", ["2:19: sessions[0].date: is in 'closed' too; keep one of them"]),
        ("closed: {2026-11-26: A}\nordinary: [2026-11-26]", ["2:11: ordinary: 2026-11-26 is in 'closed' or 'sessions' too; keep one of them"]),
        ("regular: [{days: mon, from: 09:00, to: 10:00, since: 2026-02-01, until: 2026-01-01}]", ["1:11: regular[0]: 'until' is before 'since'; turn them round"]),
        ("like: NES", ["1:7: like: no shipped calendar 'NES'; did you mean 'NSE'?"]),
        ("timezone: Asia/Kolkatta", ["1:11: timezone: must be an IANA time zone such as Asia/Kolkata, not \"Asia/Kolkatta\"; did you mean 'Asia/Kolkata'?"]),
        ("", ["1:1: the file is empty; remove it, or write its keys"]),
    ],
)  # fmt: skip
def test_problems(home: Home, text: str, problems: list[str]) -> None:
    home.write("NSE.yaml", text)
    assert home.problems() == [f"calendars/NSE.yaml:{problem}" for problem in problems]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("TSE.yaml", "timezone: UTC\n", "needs 'known_until' and 'regular', or 'like' to name a shipped calendar"),
        ("TSE.yaml", OWN + "ordinary: [2026-01-26]\n", "ordinary: has no effect where nothing lies below; remove it"),
        ("TSE.yml", OWN, "the name must end in .yaml; rename it to TSE.yaml"),
        ("a b.yaml", OWN, "the name is the calendar's: letters, digits, _ and -, at most 32"),
    ],
)  # fmt: skip
def test_problems_of_own_calendars(home: Home, name: str, text: str, problem: str) -> None:
    home.write(name, text)
    (found,) = home.problems()
    assert found.startswith(f"calendars/{name}:")
    assert found.endswith(f": {problem}")
    assert "TSE" not in home.read().calendars


def test_what_editors_keep_beside_is_nothing(home: Home) -> None:
    for name in (".NSE.yaml", "NSE.yaml~", "README.md"):
        home.write(name, "{")
    assert home.read() == Almanac(almanac.shipped())


def test_a_bad_file_harms_only_itself_and_its_last_good_version_stays(home: Home) -> None:
    home.write("NSE.yaml", f"closed: {{{A_DAY}: A}}\n")
    home.write("TSE.yaml", OWN)
    before = home.read()
    home.write("NSE.yaml", "closed: [\n")
    found = home.read()
    assert len(found.problems) == 1
    assert found.bad == {"NSE"}
    assert found.calendars == before.calendars
    assert set(found.sources) == {"TSE"}


def test_bad_from_the_first_it_is_not_known_rather_than_guessed(home: Home) -> None:
    home.write("NSE.yaml", "closed: [\n")
    found = home.read()
    assert "NSE" not in found.calendars
    assert found.why_unknown("NSE") == "calendars/NSE.yaml is bad; mend it"
    kept = almanac.read(home.path, {"NSE": f"closed: {{{A_DAY}: A}}\n".encode()})
    assert kept.calendars["NSE"].name_of(A_DAY) == "A"


def test_a_folder_that_cannot_be_read_changes_nothing(home: Home) -> None:
    home.write("NSE.yaml", f"closed: {{{A_DAY}: A}}\n")
    before = home.read()
    (home.path / "calendars" / "NSE.yaml").unlink()
    (home.path / "calendars").rmdir()
    (home.path / "calendars").touch()
    assert home.problems() == ["calendars:1:1: cannot be read: Not a directory"]
    assert home.read().calendars == before.calendars


def test_a_twin_with_the_wrong_suffix_takes_nothing_from_the_right_one(home: Home) -> None:
    home.write("NSE.yaml", f"closed: {{{A_DAY}: A}}\n")
    home.write("NSE.yml", "{")
    found = home.read()
    assert len(found.problems) == 1
    assert found.calendars["NSE"].name_of(A_DAY) == "A"


def test_a_file_that_is_gone_says_nothing_any_more(home: Home) -> None:
    home.write("NSE.yaml", f"closed: {{{A_DAY}: A}}\n")
    home.read()
    (home.path / "calendars" / "NSE.yaml").unlink()
    assert home.read().calendars == almanac.shipped()


# What it is to strategies.

BY_NSE = RUN + "schedule: {calendar: NSE, windows: [{session: {}}]}\n"


@pytest.fixture
def conf(home: Home) -> Path:
    (home.path / "conf.d").mkdir()
    (home.path / "conf.d" / "ema.yaml").write_text(BY_NSE)
    return home.path / "conf.d" / "ema.yaml"


def calendar_of(spec: Spec) -> Calendar:
    assert isinstance(spec.schedule, Windows)
    assert spec.schedule.calendar is not None
    return spec.schedule.calendar


def test_a_holiday_is_an_edit_of_every_strategy_by_that_calendar(home: Home, conf: Path) -> None:
    reader, known = config.Reader(), Settings(home.path)
    before = reader.read(home.path, known, {}).strategies
    assert reader.read(home.path, known, before).strategies == before
    home.write("NSE.yaml", f"closed: {{{A_DAY}: A}}\n")
    after = reader.read(home.path, known, before).strategies
    assert config.diff(before, after).live == {"ema"}
    assert calendar_of(after["ema"]).sessions(A_DAY) == ()


def test_a_holiday_counts_for_the_last_good_version_of_a_bad_strategy_too(home: Home, conf: Path) -> None:
    reader, known = config.Reader(), Settings(home.path)
    before = reader.read(home.path, known, {}).strategies
    conf.write_text("scirpt: x\n")
    home.write("NSE.yaml", f"closed: {{{A_DAY}: A}}\n")
    after = reader.read(home.path, known, before)
    assert after.bad == {"ema"}
    assert calendar_of(after.strategies["ema"]).sessions(A_DAY) == ()


def test_and_for_all_of_them_while_conf_d_cannot_be_read(home: Home, conf: Path) -> None:
    reader, known = config.Reader(), Settings(home.path)
    before = reader.read(home.path, known, {}).strategies
    conf.unlink()
    conf.parent.rmdir()
    conf.parent.touch()
    home.write("NSE.yaml", f"closed: {{{A_DAY}: A}}\n")
    after = reader.read(home.path, known, before).strategies
    assert calendar_of(after["ema"]).sessions(A_DAY) == ()


def test_a_strategy_by_a_bad_calendar_has_a_problem_of_its_own(home: Home, conf: Path) -> None:
    home.write("NSE.yaml", "closed: [\n")
    found = config.read(home.path, Settings(home.path), {})
    assert found.strategies == {}
    assert str(found.problems[-1]) == (
        "conf.d/ema.yaml:2:22: schedule.calendar: calendars/NSE.yaml is bad; mend it"
    )


def test_recalled_by_a_calendar_that_is_gone_nothing_is_known(home: Home) -> None:
    text = BY_NSE.replace("NSE", "GONE").encode()
    spec = config.recall("ema", text, Settings(home.path), Almanac(almanac.shipped()), Vault())
    assert spec is not None
    assert calendar_of(spec) == Calendar("GONE")
