"""How one window is written: {days, from, to}, {session}, {start, stop} or {start, for}.

Knows how each form looks, not when it is: that is the business of `windows`.
"""

from __future__ import annotations

import re

from stratvisor.reading.keys import Facts, Key, Section
from stratvisor.reading.shapes import Form, OneOf
from stratvisor.reading.values import UnsuitableError, Word, duration
from stratvisor.reading.words import BEGIN, CRON, DAYS, END, EVERY_DAY, clock
from stratvisor.spec import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    SessionTime,
    SessionWindow,
    WindowForm,
)
from stratvisor.windows import edge_text
from stratvisor.wording import quoted


def days_window(facts: Facts) -> DaysWindow:
    """Days and two times of day, which must differ."""
    given = {"days": EVERY_DAY} | facts.of(DaysWindow)
    if given["start"] == given["end"]:
        raise UnsuitableError('begins when it ends; for a whole day write "00:00" and "24:00"')
    return DaysWindow(given["days"], clock(given["start"]), clock(given["end"]))


def _cron_pair(facts: Facts) -> CronPair:
    pair = CronPair(**facts.of(CronPair))
    if pair.start.split() == pair.stop.split():
        raise UnsuitableError("begins when it ends; give start and stop different cron lines")
    return pair


def days_form(begin: str, end: str, strangers: dict[str, str]) -> Section:
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
    days_form(
        "from", "to", dict.fromkeys(("start", "stop", "for", "session"), "does not go with 'from' and 'to'")
    ),
    days_window,
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
WINDOW: OneOf[WindowForm] = OneOf(
    (_DAYS_WINDOW, _SESSION, _CRON_FOR, _CRON_PAIR),
    meant="a window: {days, from, to}, {session}, {start, stop} or {start, for}",
)
