"""`calendar`: what a market calendar says of each day, whether all are right; without a daemon."""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from typing import TYPE_CHECKING

from stratvisor.cli import generate, home
from stratvisor.cli.failure import FAILED, USAGE, Failure
from stratvisor.cli.shown import clean

if TYPE_CHECKING:
    from datetime import datetime

    from stratvisor.almanac import Almanac
    from stratvisor.calendar import Calendar, Session
    from stratvisor.cli.verbs import Verbs

DAYS_SHOWN = 30
MOST_DAYS = 4000


def add(verbs: Verbs) -> None:
    """The verb, and those below it."""
    group = verbs.group(
        "calendar",
        does="show what a market calendar says of each day, check them all, or make one",
        more="Needs no daemon.",
        examples=("calendar show NSE", "calendar check", "calendar generate XNYS --years 2026-2027"),
    )
    verb = group.add(
        "show",
        _show,
        does="show what a calendar says of each day",
        more="Without a name, it lists the calendars.",
        examples=("calendar show NSE", "calendar show MCX --from 2026-11-06 --to 2026-11-10"),
    )
    verb.add_argument("name", metavar="NAME", nargs="?", help="a calendar, such as NSE")
    verb.add_argument("--from", dest="first", metavar="DATE", type=_date, help="from (default: today)")
    verb.add_argument("--to", dest="last", metavar="DATE", type=_date, help="to (default: 30 days on)")
    group.add(
        "check",
        _check,
        does="read all calendars and print every problem in them",
        more="Exit code 1 where a file has a problem, or a calendar has ended.",
        examples=("calendar check",),
    )
    generate.add(group)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2026-11-08") from None


def _read(arguments: argparse.Namespace) -> Almanac:
    from stratvisor import almanac  # noqa: PLC0415  YAML: no client may load it

    return almanac.read(home.find(arguments.home))


def _show(arguments: argparse.Namespace) -> int:
    found = _read(arguments)
    if arguments.name is None:
        for calendar in found.calendars.values():
            print(_title(calendar))
        return 0
    if arguments.name not in found.calendars:
        raise Failure(f"cannot show it: {found.why_unknown(arguments.name)}")
    return _show_days(found.calendars[arguments.name], arguments.first, arguments.last)


def _check(arguments: argparse.Namespace) -> int:
    from stratvisor import why  # noqa: PLC0415

    found, now = _read(arguments), _now()
    for problem in found.problems:
        print(problem)
    ended = False
    for calendar in found.calendars.values():
        if why.ends_soon(calendar, now):
            print(why.calendar_end(calendar))
            ended = ended or calendar.known_until < now.date()
    if found.problems or ended:
        return FAILED
    print(f"no problems in {len(found.calendars)} calendars")
    return 0


def _show_days(calendar: Calendar, first: date | None, last: date | None) -> int:
    begin = first or _now().date()
    end = last or begin + timedelta(days=DAYS_SHOWN)
    if not begin <= end <= begin + timedelta(days=MOST_DAYS):
        raise Failure(f"cannot show {begin} to {end}: give 0 to {MOST_DAYS} days in their order", USAGE)
    print(_title(calendar))
    if calendar.source:
        print(clean(f"source: {calendar.source}"))
    for count in range((end - begin).days + 1):
        print(clean(_line(calendar, begin + timedelta(days=count))))
    return 0


def _title(calendar: Calendar) -> str:
    end = "for ever" if calendar.known_until == date.max else f"until {calendar.known_until}"
    return f"{calendar.name}: {calendar.timezone}, known {end}"


def _line(calendar: Calendar, day: date) -> str:
    head = f"{day:%Y-%m-%d %a}  "
    if day > calendar.known_until:
        return f"{head}not known: nothing starts"
    name = calendar.name_of(day)
    sessions = calendar.sessions(day)
    if not sessions:
        return f"{head}closed" + (f": {name}" if name else "")
    text = ", ".join(map(_hours, sessions))
    special = "special session: " if sessions[0].special else ""
    return f"{head}{text}" + (f"  {special}{name}" if name else "")


def _hours(session: Session) -> str:
    if session.end - session.start == timedelta(days=1) and session.end.hour == session.end.minute == 0:
        return "00:00-24:00"
    overnight = " (next day)" if session.end.date() > session.start.date() else ""
    return f"{session.start:%H:%M}-{session.end:%H:%M}{overnight}"


def _now() -> datetime:
    from stratvisor.clock import SystemClock  # noqa: PLC0415

    return SystemClock().now().wall
