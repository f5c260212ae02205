"""Why something starts, comes again or stops in a simulation, in a few words with times.

Beside `why`, which tells a state as it is now; this tells a change, on whatever day it is. Times name their
zone, and their day where it is not that of the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never
from zoneinfo import ZoneInfo

from stratvisor import why
from stratvisor.calendar import Calendar
from stratvisor.spec import Always, At, Every, Jobs, Once, SessionWindow, Windows, as_ns
from stratvisor.state import Exited, GaveUp, Now
from stratvisor.timetable import position
from stratvisor.windows import ALWAYS, edge_text

if TYPE_CHECKING:
    from datetime import datetime

    from stratvisor.spec import Schedule, Spec
    from stratvisor.state import Exit, State
    from stratvisor.windows import Window


def up(at: datetime, spec: Spec) -> str:
    """Which window or session a start at an aware instant belongs to."""
    window = position(spec.schedule, at).inside
    if window is None or isinstance(spec.schedule, Always):
        return "always on"
    if window == ALWAYS:
        return f"{_form(spec.schedule)} round the clock"
    if window.start == ALWAYS.start:
        return "inside its window, whose beginning is out of sight"
    zone = ZoneInfo(spec.timezone)
    if window.start < at:
        return f"inside its window since {why.moment(window.start, Now(0, at), zone)}"
    return f"{_form(spec.schedule)} {_hours(window, zone)}{_occasion(spec.schedule, at)}"


def due(schedule: Jobs) -> str:
    """What makes a job be due."""
    match schedule.timing:
        case At(line=line):
            return f"due by cron '{line}'{_days(schedule)}"
        case Every(interval_ns=interval_ns):
            return f"due every {why.duration(interval_ns)}{_days(schedule)}"
        case Once():
            return "due once"
        case never:
            assert_never(never)


def _days(schedule: Jobs) -> str:
    return f" on days of {schedule.calendar.name}" if schedule.calendar else ""


def _form(schedule: Schedule) -> str:
    match schedule:
        case Windows(forms=(SessionWindow() as form,), calendar=Calendar(name=name)):
            if form == SessionWindow():
                return f"session of {name}"
            return f"{edge_text(form.start)} to {edge_text(form.end)} of {name}:"
        case _:
            return "its window"


def _hours(window: Window, zone: ZoneInfo) -> str:
    """`09:15-15:30 IST`, `18:00 to Mon 9 Nov 00:15 IST`."""
    begin = window.start.astimezone(zone)
    if window.endless:
        return f"from {begin:%H:%M}, without an end in sight"
    same_day = window.end.astimezone(zone).date() == begin.date()
    clock = f"{begin:%H:%M:%S}" if begin.second else f"{begin:%H:%M}"
    return f"{clock}{'-' if same_day else ' to '}{why.moment(window.end, Now(0, window.start), zone)}"


def _occasion(schedule: Schedule, at: datetime) -> str:
    """What makes the day another than usual on the exchange."""
    calendar = schedule.calendar if isinstance(schedule, Windows) else None
    name = calendar and calendar.name_of(at.astimezone(ZoneInfo(calendar.timezone)).date())
    return f" ({name})" if name else ""


def again(now: Now, spec: Spec, state: State) -> str:
    """What another run follows, as which try, and after how long."""
    end = _last(state)
    waited_ns = as_ns(now.wall - end.at)
    return f"{_crash(now, spec, end)}; try {state.streak} after {why.duration(waited_ns)}"


def down(now: Now, spec: Spec, state: State) -> str:
    """Why it runs no more."""
    end = _last(state)
    if isinstance(state.phase, Exited | GaveUp):
        return why.sentence(now, spec, state)
    if end.stopped is not None:
        return why.BECAUSE[end.stopped]
    return f"{_crash(now, spec, end)}; its window has ended before the next try"


def _last(state: State) -> Exit:
    assert state.last_exit is not None  # noqa: S101  what is down again, or up again, has ended once
    return state.last_exit


def _crash(now: Now, spec: Spec, end: Exit) -> str:
    return f"exit {end.code} at {why.moment(end.at, now, ZoneInfo(spec.timezone), seconds=True)}"
