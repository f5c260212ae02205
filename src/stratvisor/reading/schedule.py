"""How `schedule` is written: `manual`, one window a day in short, or any number of windows.

    schedule: {start: "09:15", stop: "15:30", days: mon-fri}
    schedule: {timezone: Asia/Kolkata, windows: [WINDOW, ...]}
    WINDOW:   {days, from, to} | {start: CRON, stop: CRON} | {start: CRON, for: DURATION}

Knows how a schedule looks, not when it is wanted: that is the business of `windows`.
"""

from __future__ import annotations

from stratvisor.reading.keys import Facts, Key, Section
from stratvisor.reading.shapes import Form, ListOf, OneOf
from stratvisor.reading.values import UnsuitableError, duration
from stratvisor.reading.words import BEGIN, CRON, DAYS, END, EVERY_DAY, ZONE, clock
from stratvisor.spec import (
    DAY,
    MINUTE,
    CronFor,
    CronPair,
    DaysWindow,
    Manual,
    Schedule,
    WindowForm,
    Windows,
)

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
    _days_form("from", "to", dict.fromkeys(("start", "stop", "for"), "does not go with 'from' and 'to'")),
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
_WINDOW: OneOf[WindowForm] = OneOf(
    (_DAYS_WINDOW, _CRON_FOR, _CRON_PAIR),
    meant="a window: {days, from, to}, {start, stop} or {start, for}",
)

_TIMEZONE = Key(
    "timezone", ZONE, "The wall clock its times are read on.", Windows, default="that of stratvisor.toml"
)


def _windows(facts: Facts) -> Windows:
    return Windows(**({"timezone": UNSAID} | facts.of(Windows)))


def _short(facts: Facts) -> Windows:
    return Windows(facts.of(Windows).get("timezone", UNSAID), (_days_window(facts),))


_IN_WINDOWS = "does not go with 'windows'; write it into one of them"
_LONG_FORM = Form(
    Section(
        (
            _TIMEZONE,
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
_SHORT_FORM = Form(Section((_TIMEZONE, *_DAILY.declared)), _short, signs=frozenset({"start", "stop", "days"}))

SCHEDULE: OneOf[Schedule] = OneOf(
    (_LONG_FORM, _SHORT_FORM),
    meant="manual, or keys: windows, or start and stop; leave it out for always on",
    words={"manual": Manual()},
)
