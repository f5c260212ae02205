"""The grammar of calendars/NAME.yaml, and one such file from its text to a `Sheet`.

    timezone: Asia/Kolkata
    known_until: 2026-12-31
    source: where the dates are from
    regular: [{days: mon-fri, from: "09:15", to: "15:30"}]
    closed: {2026-01-26: Republic Day}
    sessions: [{date: 2026-11-08, name: Diwali Muhurat trading, from: "18:00", to: "19:15"}]

Knows how a calendar is written, not which there are: that is the business of `almanac`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from stratvisor.calendar import FOR_EVER, NAME, Day, Hours, Regular, Sheet
from stratvisor.reading import document
from stratvisor.reading.keys import At, Facts, Findings, Key, Section
from stratvisor.reading.shapes import Form, ListOf, Named, OneOf, Or, misplaced
from stratvisor.reading.values import Flag, UnsuitableError, line, matching
from stratvisor.reading.words import BEGIN, DATE, DAYS, END, ZONE, clock

if TYPE_CHECKING:
    from stratvisor.spec import Problem


@dataclass(frozen=True, slots=True)
class Page:
    """The content of one file."""

    sheet: Sheet
    like: str | None
    """The calendar it says to be laid over."""
    findings: Findings
    """For whoever finds more to object to."""
    spots: Mapping[date, At]
    """Where each of its days was given."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What stands in a `Sheet` otherwise than it is written."""

    like: str | None = None
    closed: tuple[tuple[date, str], ...] = ()
    sessions: tuple[Day, ...] = ()
    ordinary: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class _Span:
    """The two times of a session."""

    start: int
    end: int


def _hours(facts: Facts) -> Hours:
    given = facts.of(_Span)
    if given["start"] == given["end"]:
        raise UnsuitableError('begins when it ends; for a whole day write "00:00" and "24:00"')
    return Hours(clock(given["start"]), clock(given["end"]))


def _regular(facts: Facts) -> Regular:
    rule = Regular(hours=_hours(facts), **facts.of(Regular))
    if rule.since and rule.until and rule.until < rule.since:
        raise UnsuitableError("'until' is before 'since'; turn them round")
    return rule


def _session(facts: Facts) -> Day:
    return Day(hours=(_hours(facts),), **facts.of(Day))


_HOURS = (
    Key("from", BEGIN, "Local time of day it opens.", _Span, "start", required=True),
    Key(
        "to",
        END,
        "Local time of day it closes; at or before the opening: on the next day.",
        _Span,
        "end",
        required=True,
    ),
)
_TEXT = line(100)
_REGULAR = Form(
    Section(
        (
            Key("days", DAYS, "On these days of the week.", Regular, required=True),
            *_HOURS,
            Key("since", DATE, "The first day of it.", Regular, default="always"),
            Key("until", DATE, "The last day of it.", Regular, default="for ever"),
        )
    ),
    _regular,
    signs=frozenset(),
)
_SESSION = Form(
    Section(
        (
            Key("date", DATE, "The day on which it begins.", Day, required=True),
            Key("name", _TEXT, "Why the day differs.", Day, required=True),
            *_HOURS,
            Key(
                "special",
                Flag(),
                "Whether it is only for strategies with `special_sessions: run`.",
                Day,
                default="true on a weekday without a regular session",
            ),
        )
    ),
    _session,
    signs=frozenset(),
)

_KEYS = (
    Key(
        "like",
        matching("calendar", NAME.pattern, "a calendar such as NSE"),
        "The shipped calendar that this one is laid over.",
        _Written,
        default="the one of the same name, if there is one",
    ),
    Key("timezone", ZONE, "Of all its dates and times.", Sheet, default="required, or `like`"),
    Key(
        "known_until",
        Or(DATE, "none", FOR_EVER),
        "The last day it says anything about, past which nothing starts; `none`: it never changes.",
        Sheet,
        default="required, or `like`",
    ),
    Key("source", line(300), "Where its dates are from.", Sheet, default="nothing"),
    Key(
        "regular",
        ListOf(OneOf((_REGULAR,), meant="hours: {days, from, to}"), least=1, most=100),
        "The sessions of ordinary days.",
        Sheet,
        default="required, or `like`",
    ),
    Key(
        "closed",
        Named(DATE, _TEXT),
        "Closed days, each with its name.",
        _Written,
    ),
    Key(
        "sessions",
        ListOf(OneOf((_SESSION,), meant="a session: {date, name, from, to}"), most=1000),
        "All sessions of days that differ; a date may have several.",
        _Written,
    ),
    Key(
        "ordinary",
        ListOf(DATE, repeats=False),
        "Days that differ in the calendar below, and are ordinary ones here.",
        _Written,
    ),
)

CALENDAR = Section(_KEYS, misplaced(_KEYS) | {"holidays": "unknown key; did you mean 'closed'?"})
"""The whole file."""


def read(text: bytes, file: str) -> Page | tuple[Problem, ...]:
    """The content of a calendar file, or all that is wrong with it by itself. Never raises."""
    root, problems = document.read(text, file)
    findings = Findings(problems=list(problems))
    if root is not None:
        facts = CALENDAR.read(root, At(findings))
        if not findings.problems:
            spots = _spots(facts, At(findings))
            page = Page(_sheet(facts), facts.get(_Written, "like"), findings, spots)
            _check_dates(facts, At(findings))
    return findings.in_order() if findings.problems else page


def note_unknown_days(page: Page, known_until: date) -> None:
    """Note every date that the calendar, as it is known until then, would say nothing about."""
    for day, spot in page.spots.items():
        if day > known_until and spot.place:
            spot.problem(spot.place.key, f"lies after known_until, {known_until}; write a later known_until")


def _sheet(facts: Facts) -> Sheet:
    sessions: tuple[Day, ...] = facts.get(_Written, "sessions")
    closed = (Day(day, name) for day, name in facts.get(_Written, "closed"))
    return Sheet(
        days=(*closed, *_joined(sessions)),
        ordinary=frozenset(facts.get(_Written, "ordinary")),
        **facts.of(Sheet),
    )


def _joined(sessions: tuple[Day, ...]) -> list[Day]:
    """The sessions of one date as one day."""
    days: dict[date, Day] = {}
    for one in sessions:
        before = days.get(one.date)
        hours = (*before.hours, *one.hours) if before else one.hours
        days[one.date] = Day(one.date, before.name if before else one.name, hours, one.special)
    return list(days.values())


def _check_dates(facts: Facts, at: At) -> None:
    """No date may be of two kinds."""
    closed = {day for day, _ in facts.get(_Written, "closed")}
    for index, session in enumerate(facts.get(_Written, "sessions")):
        if session.date in closed:
            _refuse(at.key("sessions").item(index).key("date"), "is in 'closed' too; keep one of them")
    taken = closed | {session.date for session in facts.get(_Written, "sessions")}
    for day in facts.get(_Written, "ordinary"):
        if day in taken:
            _refuse(at.key("ordinary"), f"{day} is in 'closed' or 'sessions' too; keep one of them")


def _spots(facts: Facts, at: At) -> dict[date, At]:
    sessions = enumerate(facts.get(_Written, "sessions"))
    closed = facts.get(_Written, "closed")
    return {session.date: at.key("sessions").item(index).key("date") for index, session in sessions} | {
        day: at.key("closed").key(day.isoformat()) for day, _ in closed
    }


def _refuse(at: At, message: str) -> None:
    if at.place:
        at.problem(at.place.value, message)
