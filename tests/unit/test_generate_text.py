"""The file that is made of a record: its text, and that nothing wrong leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from records import TODAY, generated, record

from stratvisor.calendar import Sheet
from stratvisor.generate import text
from stratvisor.generate.record import CannotGenerateError
from stratvisor.generate.sheet import drawn

FIRST, HALF = date(2027, 1, 1), date(2027, 11, 26)
FILE = """\
# XTST, made by `stratvisor calendar generate XTST --years 2027`, and compared with the library session by
# session. The library follows rules and lists; what an exchange announces later is not in it. Compare with
# the exchange's own list, and mend this file by hand. It knows nothing of days before 2027-01-01: nothing
# starts by it on them.
timezone: America/New_York
source: "a library 1.0: XTST, 2027; generated 2026-11-23"
known_until: 2027-12-31

regular:
  - {days: mon-fri, from: "09:30", to: "16:00", since: 2027-01-01}

closed:
  2027-03-26: Good Friday

sessions:
  - {date: 2027-11-26, name: Day after Thanksgiving, from: "09:30", to: "13:00"}
"""


def test_the_file() -> None:
    one = record(
        differs={date(2027, 3, 26): "", HALF: "09:30-13:00"},
        names={date(2027, 3, 26): "Good Friday", HALF: "Day after Thanksgiving"},
    )
    assert text.generated(one, "XTST", TODAY) == FILE


def test_a_section_without_a_line_is_left_out() -> None:
    made = text.generated(record(), "XTST", TODAY)
    assert "closed:" not in made
    assert "sessions:" not in made


@pytest.mark.parametrize(
    "name",
    [
        "New Year's Day",
        "Yes",
        "no",
        "null",
        "12",
        "2027-01-01",
        "~",
        "a: b",
        "a #b",
        "a, b",
        "{x}",
        "'",
        '"',
        "Día",
        "x" * 150,
    ],
)
def test_names_come_back_as_they_are(name: str) -> None:
    calendar = generated(record(differs={HALF: "09:30-13:00", FIRST: ""}, names={HALF: name, FIRST: name}))
    assert calendar.name_of(HALF) == calendar.name_of(FIRST) == name[:100]


def test_a_name_is_one_line() -> None:
    assert generated(record(differs={HALF: ""}, names={HALF: "two\n lines "})).name_of(HALF) == "two lines"


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ({0, 1, 2, 3, 4}, "mon-fri"),
        ({6, 0, 1, 2, 3}, "sun-thu"),
        ({2}, "wed"),
        ({0, 2}, "[mon, wed]"),
        ({5, 6}, "sat-sun"),
        (set(range(7)), "daily"),
    ],
)
def test_days_of_the_week(days: set[int], said: str) -> None:
    assert text._days(frozenset(days)) == said


def test_years_that_the_library_does_not_know_make_no_file() -> None:
    with pytest.raises(CannotGenerateError, match="knows it until"):
        text.generated(record(known_until=date(2027, 6, 30)), "XTST", TODAY)


def test_what_does_not_agree_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(*arguments: object) -> Sheet:
        return replace(drawn(*arguments), days=())  # type: ignore[arg-type]

    monkeypatch.setattr(text, "drawn", careless)
    with pytest.raises(CannotGenerateError, match="the file would not agree with the library"):
        text.generated(record(differs={HALF: "09:30-13:00"}), "XTST", TODAY)


def test_what_our_reader_refuses_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_clock", lambda at: "noon")
    with pytest.raises(CannotGenerateError, match="must be a time of day"):
        text.generated(record(), "XTST", TODAY)


def test_a_file_laid_over_a_shipped_calendar_is_judged_with_what_lies_below() -> None:
    with pytest.raises(CannotGenerateError, match="the file would not agree"):
        text.generated(replace(record(timezone="Asia/Kolkata", first=date(2026, 1, 1))), "NSE", TODAY)
