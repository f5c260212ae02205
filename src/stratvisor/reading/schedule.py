"""How `schedule` is written: `manual`, one window a day in short, any number of windows, or jobs.

    schedule: {start: "09:15", stop: "15:30", days: mon-fri}
    schedule: {timezone: Asia/Kolkata, calendar: NSE, windows: [WINDOW, ...]}
    schedule: {at: CRON} | {every: DURATION, windows: [WINDOW, ...]} | {once: "2026-11-23 09:20"}

What a window may be, `window` beside this file knows. Knows how a schedule looks, not when it is wanted.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stratvisor.calendar import NAME as CALENDAR
from stratvisor.calendar import Calendar
from stratvisor.reading.keys import Facts, Key, Section
from stratvisor.reading.shapes import Form, ListOf, OneOf, Or
from stratvisor.reading.values import Flag, UnsuitableError, Word, choice, duration
from stratvisor.reading.window import WINDOW, days_form, days_window
from stratvisor.reading.words import CRON, ZONE
from stratvisor.spec import (
    DAY,
    SECOND,
    At,
    Every,
    Jobs,
    Manual,
    Once,
    Overlap,
    Schedule,
    SessionWindow,
    SpecialSessions,
    Timing,
    WindowForm,
    Windows,
)
from stratvisor.wording import duration_text, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

UNSAID = ""
"""The time zone of a schedule that names none: whoever reads it puts the daemon's."""


def _calendar(text: str) -> Calendar:
    """One that is yet to be read: the grammar does not know which there are."""
    if not CALENDAR.fullmatch(text):
        raise UnsuitableError(f"must be a calendar such as NSE, not {quoted(text)}")
    return Calendar(text)


def _late_start(text: str) -> int | None:
    if text in _LATE_WORDS:
        return _LATE_WORDS[text]
    try:
        return _LATE_BY.parse(text)
    except UnsuitableError:
        raise UnsuitableError(f"must be always, never, or 1s to 1d, not {quoted(text)}") from None


_LATE_WORDS = {"always": None, "never": 0}
_LATE_BY = duration(SECOND, DAY)
_LATE_START = Word(
    "always | never | duration",
    _late_start,
    lambda late_ns: next(
        (word for word, meant in _LATE_WORDS.items() if meant == late_ns), duration_text(late_ns or 0)
    ),
    pattern=f"^(always|never|{_LATE_BY.pattern[1:-1]})$",
    unit="m",
)

_ZONE = Key(
    "timezone", ZONE, "The wall clock its times are read on.", Windows, default="that of stratvisor.toml"
)
_CALENDAR = Key(
    "calendar",
    Word("calendar", _calendar, lambda calendar: calendar.name, f"^{CALENDAR.pattern}$", free=True),
    "The exchange without whose sessions no window begins on a day, and no job is due.",
    Windows,
    default="none: every day counts",
)
_SPECIAL = Key(
    "special_sessions",
    choice(SpecialSessions),
    "Whether sessions on days otherwise closed count, such as Muhurat trading on a Sunday.",
    Windows,
)
_LATE = Key(
    "late_start",
    _LATE_START,
    "How long after a window's beginning it may still be begun, where the daemon was not there for it.",
    Windows,
    "late_start_ns",
)
_OF_JOBS = "is for jobs: 'at', 'every' or 'once'"
_NOT_OF_WINDOWS = dict.fromkeys(("overlap", "catch_up", "timeout"), _OF_JOBS)


def _windows(facts: Facts) -> Windows:
    schedule = Windows(**_on_a_clock(facts))
    _check_sessions(schedule.forms, schedule.calendar)
    return schedule


def _on_a_clock(facts: Facts) -> dict[str, Any]:
    """What windows and jobs have in common, with what is the windows' own where it is given."""
    return {"timezone": UNSAID} | facts.of(Windows)


def _check_sessions(forms: tuple[WindowForm, ...], calendar: Calendar | None) -> None:
    if calendar is None and any(isinstance(form, SessionWindow) for form in forms):
        raise UnsuitableError("a session is one of an exchange; add its 'calendar', such as NSE")


def _short(facts: Facts) -> Windows:
    return Windows(**_on_a_clock(facts), forms=(days_window(facts),))


_FORMS = ListOf(WINDOW, least=1, most=50)
_INSIDE = "Wanted inside any of these; with `every`, jobs are due, and go on, inside them alone."
_WITHOUT_WINDOWS = "required; with `every`: all day"
_OF_WINDOWS = (_ZONE, _CALENDAR, _SPECIAL, _LATE)
_IN_WINDOWS = "does not go with 'windows'; write it into one of them"
_LONG_FORM = Form(
    Section(
        (
            *_OF_WINDOWS,
            Key("windows", _FORMS, _INSIDE, Windows, "forms", _WITHOUT_WINDOWS, required=True),
        ),
        dict.fromkeys(("start", "stop", "days"), _IN_WINDOWS) | _NOT_OF_WINDOWS,
    ),
    _windows,
    signs=frozenset({"windows"}),
)
_DAILY = days_form("start", "stop", {})
_SHORT_FORM = Form(
    Section((*_OF_WINDOWS, *_DAILY.declared), _NOT_OF_WINDOWS),
    _short,
    signs=frozenset({"start", "stop", "days"}),
)


def _at(facts: Facts) -> Jobs:
    return _jobs(facts, At(**facts.of(At)))


def _every(facts: Facts) -> Jobs:
    every = Every(**facts.of(Every))
    jobs = _jobs(facts, every)
    _check_sessions(every.forms, jobs.calendar)
    return jobs


def _once(facts: Facts) -> Jobs:
    return _jobs(facts, Once(**facts.of(Once)))


def _jobs(facts: Facts, timing: Timing) -> Jobs:
    return Jobs(**_on_a_clock(facts), **facts.of(Jobs), timing=timing)


_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


def _local_time(text: str) -> datetime:
    if not _LOCAL.fullmatch(text):
        raise UnsuitableError(f'must be a date and time such as "2026-11-23 09:20", not {quoted(text)}')
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UnsuitableError(f"no such date: {text}") from error


_OVERLAP = Key(
    "overlap",
    choice(Overlap),
    "What becomes of a job that is due while the one before it is under way; one may wait in a `queue`.",
    Jobs,
)
_CATCH_UP = Key(
    "catch_up",
    Flag(),
    "Whether the last one that nobody was there for is run late, instead of not at all.",
    Jobs,
)
_TIMEOUT = Key(
    "timeout",
    Or(duration(SECOND, 7 * DAY)),
    "How long each may take, other tries included; then it is stopped, which is a failure.",
    Jobs,
    "timeout_ns",
    default="none",
)
_NO_WINDOWS = "goes with 'every' alone"
_TIMINGS = ("at", "every", "once")


def _job_form(
    timing: str, keys: tuple[Key, ...], make: Callable[[Facts], Jobs], **strangers: str
) -> Form[Jobs]:
    """One way to time jobs; `strangers` are keys that do not go with it, and why."""
    apart = {other: f"does not go with {timing!r}; keep one of them" for other in _TIMINGS if other != timing}
    apart |= dict.fromkeys(("start", "stop", "days"), f"does not go with {timing!r}")
    apart["late_start"] = "is for windows; for jobs write 'catch_up'"
    return Form(Section((*keys, _CATCH_UP, _TIMEOUT), apart | strangers), make, signs=frozenset({timing}))


_AT_FORM = _job_form(
    "at",
    (
        Key("at", CRON, "Cron line: a job is due at each firing.", At, "line", required=True),
        _ZONE,
        _CALENDAR,
        _SPECIAL,
        _OVERLAP,
    ),
    _at,
    windows=_NO_WINDOWS,
)
_EVERY_FORM = _job_form(
    "every",
    (
        Key(
            "every",
            duration(SECOND, DAY),
            "A job is due so often, counted from the beginning of each window.",
            Every,
            "interval_ns",
            required=True,
        ),
        Key("windows", _FORMS, _INSIDE, Every, "forms", _WITHOUT_WINDOWS),
        _ZONE,
        _CALENDAR,
        _SPECIAL,
        _OVERLAP,
    ),
    _every,
)
_ONCE_FORM = _job_form(
    "once",
    (
        Key(
            "once",
            Word("date and time", _local_time, str, f"^{_LOCAL.pattern}$"),
            "The one local time it is due.",
            Once,
            "at",
            required=True,
        ),
        _ZONE,
    ),
    _once,
    windows=_NO_WINDOWS,
    overlap="has no effect: it is due once",
    calendar="does not go with 'once', which names its own day",
    special_sessions="does not go with 'once', which names its own day",
)

SCHEDULE: OneOf[Schedule] = OneOf(
    (_AT_FORM, _EVERY_FORM, _ONCE_FORM, _LONG_FORM, _SHORT_FORM),  # `every` has windows too
    meant="manual, or keys: windows, start and stop, at, every or once; leave it out for always on",
    words={"manual": Manual()},
    usual=3,
)
