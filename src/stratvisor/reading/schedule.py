"""How `schedule` is written: `manual`, one window a day in short, or any number of windows.

    schedule: {start: "09:15", stop: "15:30", days: mon-fri}
    schedule: {timezone: Asia/Kolkata, calendar: NSE, windows: [WINDOW, ...]}
    WINDOW:   {days, from, to} | {start: CRON, stop: CRON} | {start: CRON, for: DURATION}
              | {session: {from: open-10m, to: close+5m}}

Knows how a schedule looks, not when it is wanted: that is the business of `windows`.
"""

from __future__ import annotations

import re

from stratvisor.calendar import NAME as CALENDAR
from stratvisor.calendar import Calendar
from stratvisor.reading.keys import Facts, Key, Section
from stratvisor.reading.shapes import Form, ListOf, OneOf
from stratvisor.reading.values import UnsuitableError, Word, choice, duration, duration_text
from stratvisor.reading.words import BEGIN, CRON, DAYS, END, EVERY_DAY, ZONE, clock
from stratvisor.spec import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    Manual,
    Schedule,
    SessionTime,
    SessionWindow,
    SpecialSessions,
    WindowForm,
    Windows,
)
from stratvisor.windows import edge_text
from stratvisor.wording import quoted

UNSAID = ""
"""The time zone of a schedule that names none: whoever reads it puts the daemon's."""


def _days_window(facts: Facts) -> DaysWindow:
    given = {"days": EVERY_DAY} | facts.of(DaysWindow)
    if given["start"] == given["end"]:
        raise UnsuitableError('begins when it ends; for a whole day write "00:00" and "24:00"')
    return DaysWindow(given["days"], clock(given["start"]), clock(given["end"]))


def _cron_pair(facts: Facts) -> CronPair:
    pair = CronPair(**facts.of(CronPair))
    if pair.start.split() == pair.stop.split():
        raise UnsuitableError("begins when it ends; give start and stop different cron lines")
    return pair


def _days_form(begin: str, end: str, strangers: dict[str, str]) -> Section:
    """Days and two times of day, which go by other names in the short form."""
    return Section(
        (
            Key("days", DAYS, "The days of the week it begins on.", DaysWindow, default="daily"),
            Key(begin, BEGIN, "Local time of day it begins.", DaysWindow, "start", required=True),
            Key(
                end,
                END,
                "Local time of day it ends; at or before the beginning: on the next day.",
                DaysWindow,
                "end",
                required=True,
            ),
        ),
        strangers,
    )


_DAYS_WINDOW = Form(
    _days_form(
        "from", "to", dict.fromkeys(("start", "stop", "for", "session"), "does not go with 'from' and 'to'")
    ),
    _days_window,
    signs=frozenset({"days", "from", "to"}),
)
_CRON_FOR = Form(
    Section(
        (
            Key("start", CRON, "Cron line: it begins at each firing.", CronFor, required=True),
            Key(
                "for",
                duration(MINUTE, 7 * DAY),
                "How long it lasts after each firing of `start`.",
                CronFor,
                "length_ns",
                required=True,
            ),
        ),
        {"stop": "does not go with 'for'"},
    ),
    lambda facts: CronFor(**facts.of(CronFor)),
    signs=frozenset({"for"}),
)
_CRON_PAIR = Form(
    Section(
        (
            Key("start", CRON, "Cron line: it begins at each firing.", CronPair, required=True),
            Key("stop", CRON, "Cron line: it ends at the next firing.", CronPair, required=True),
        )
    ),
    _cron_pair,
    signs=frozenset({"start", "stop"}),
)
_EDGE = re.compile(r"(open|close)(([+-])([0-9]{1,12}(ms|s|m|h|d)))?")
_OFFSET = duration(SECOND, 12 * HOUR, SECOND)


def _edge(text: str) -> SessionTime:
    found = _EDGE.fullmatch(text)
    if not found:
        raise UnsuitableError(f"must be open, close, or such as open-10m or close+5m, not {quoted(text)}")
    length_ns = _OFFSET.parse(found[4]) if found[4] else 0
    return SessionTime(Edge(found[1]), -length_ns if found[3] == "-" else length_ns)


_SESSION_TIME = Word("side of a session", _edge, edge_text, pattern=f"^{_EDGE.pattern}$")


def _session_window(facts: Facts) -> SessionWindow:
    window = SessionWindow(**facts.of(SessionWindow))
    begin, end = window.start, window.end
    if begin.edge is end.edge and begin.offset_ns >= end.offset_ns:
        raise UnsuitableError("begins when it ends or later; give 'to' a later side of the session")
    if (begin.edge, end.edge) == (Edge.CLOSE, Edge.OPEN):
        raise UnsuitableError("begins at the close and ends at the open; turn 'from' and 'to' round")
    return window


_SESSION = Form(
    Section(
        (
            Key(
                "session",
                Section(
                    (
                        Key("from", _SESSION_TIME, "Where each session begins.", SessionWindow, "start"),
                        Key("to", _SESSION_TIME, "Where it ends.", SessionWindow, "end"),
                    )
                ),
                "Every session of the calendar, half days, evening-only days and all.",
            ),
        ),
        dict.fromkeys(("start", "stop", "for"), "does not go with 'session'"),
    ),
    _session_window,
    signs=frozenset({"session"}),
)
_WINDOW: OneOf[WindowForm] = OneOf(
    (_DAYS_WINDOW, _SESSION, _CRON_FOR, _CRON_PAIR),
    meant="a window: {days, from, to}, {session}, {start, stop} or {start, for}",
)

_TIMEZONE = Key(
    "timezone", ZONE, "The wall clock its times are read on.", Windows, default="that of stratvisor.toml"
)


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

_COMMON = (
    _TIMEZONE,
    Key(
        "calendar",
        Word("calendar", _calendar, lambda calendar: calendar.name, f"^{CALENDAR.pattern}$", free=True),
        "The exchange without whose sessions no window begins on a day.",
        Windows,
        default="none: every day counts",
    ),
    Key(
        "special_sessions",
        choice(SpecialSessions),
        "Whether sessions on days otherwise closed count, such as Muhurat trading on a Sunday.",
        Windows,
    ),
    Key(
        "late_start",
        _LATE_START,
        "How long after a window's beginning it may still be begun, where the daemon was not there for it.",
        Windows,
        "late_start_ns",
    ),
)


def _windows(facts: Facts) -> Windows:
    schedule = Windows(**({"timezone": UNSAID} | facts.of(Windows)))
    if schedule.calendar is None and any(isinstance(form, SessionWindow) for form in schedule.forms):
        raise UnsuitableError("a session is one of an exchange; add its 'calendar', such as NSE")
    return schedule


def _short(facts: Facts) -> Windows:
    return Windows(**({"timezone": UNSAID} | facts.of(Windows)), forms=(_days_window(facts),))


_IN_WINDOWS = "does not go with 'windows'; write it into one of them"
_LONG_FORM = Form(
    Section(
        (
            *_COMMON,
            Key(
                "windows",
                ListOf(_WINDOW, least=1, most=50),
                "Wanted inside any of these.",
                Windows,
                "forms",
                required=True,
            ),
        ),
        dict.fromkeys(("start", "stop", "days"), _IN_WINDOWS),
    ),
    _windows,
    signs=frozenset({"windows"}),
)
_DAILY = _days_form("start", "stop", {})
_SHORT_FORM = Form(Section((*_COMMON, *_DAILY.declared)), _short, signs=frozenset({"start", "stop", "days"}))

SCHEDULE: OneOf[Schedule] = OneOf(
    (_LONG_FORM, _SHORT_FORM),
    meant="manual, or keys: windows, or start and stop; leave it out for always on",
    words={"manual": Manual()},
)
