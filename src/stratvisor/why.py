"""Why a strategy is in its state, in one sentence with times: the first thing a person asks.

Pure: time, spec and state come in, text goes out. Times of today stand without a date; every time
names its zone.
"""

from __future__ import annotations

import signal
from datetime import date, datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from stratvisor import machine
from stratvisor.calendar import FOR_EVER, Calendar
from stratvisor.skipped import known
from stratvisor.spec import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Isolation,
    Jobs,
    Once,
    Problem,
    Spec,
    Timed,
    Windows,
    as_span,
)
from stratvisor.state import (
    Backoff,
    Because,
    Exit,
    Exited,
    GaveUp,
    Hold,
    Idle,
    Launching,
    Now,
    State,
    Stopping,
    Until,
    Up,
)
from stratvisor.timetable import position, window_at
from stratvisor.wallclock import instant
from stratvisor.wording import day_text

BECAUSE = {
    Because.WINDOW: "its window has ended",
    Because.HELD: "stopped by the operator",
    Because.DISABLED: "its file says enabled: false",
    Because.REMOVED: "its file is gone",
    Because.EDITED: "its file was edited",
    Because.RESTART: "restarted by the operator",
    Because.LIMIT: "over a limit",
    Because.NOT_READY: "not ready in time",
    Because.MANUAL: "its schedule is manual",
    Because.SHUTDOWN: "the daemon is shutting down",
    Because.OVERLAP: "the next job is due",
    Because.TIMEOUT: "it took longer than its timeout",
    Because.LATE: "too late for its window",
    Because.NOT_DUE: "no job of it is due",
}


WARNED = timedelta(days=30)
"""How long before a calendar's end it is spoken of."""

REFUSALS = ("Permission denied", "Operation not permitted", "Read-only file system")
"""EACCES, EPERM and EROFS, in the words of the C library."""

MOST_DAYS = 3
"""Closed days that a sentence names."""


def sentence(now: Now, spec: Spec, state: State, problems: tuple[Problem, ...] = ()) -> str:
    """One sentence that says why the strategy is in its state, with times.

    `problems`: of its file, which `spec` is the last good version of.
    """
    return _why(now, spec, state) + _missed(now, spec, state) + _overtaken(problems)


def _missed(now: Now, spec: Spec, state: State) -> str:
    """Which job was due last and not run, and why not."""
    missed = state.agenda.passed_over
    if missed is None:
        return ""
    due = moment(missed.due, now, ZoneInfo(spec.timezone))
    if missed.because is Because.OVERLAP:
        return f"; the job due {due} was skipped, as the one before it was under way (overlap: skip)"
    return f"; the job due {due} was missed, as nobody was there for it (catch_up: false)"


def _overtaken(problems: tuple[Problem, ...]) -> str:
    """That the file says something else by now, which is not in force, and where it is wrong."""
    if not problems:
        return ""
    first = problems[0]
    spot = f"{first.file}:{first.line}:{first.column}"
    what = f"a problem ({spot})" if len(problems) == 1 else f"{len(problems)} problems (first {spot})"
    return f"; its file has {what}, its last good version is in force"


def _why(now: Now, spec: Spec, state: State) -> str:
    zone = ZoneInfo(spec.timezone)
    match state.phase:
        case Idle():
            return _why_idle(now, spec, state, zone)
        case Launching(number=number):
            return f"run {number} is being made"
        case Up(ready=ready):
            return _why_up(now, spec, state, zone, ready=ready)
        case Stopping(order=order):
            reason = order.detail or BECAUSE[order.because]
            killed = moment(kill_at(now, state.phase), now, zone)
            return f"told to stop: {reason}; killed at {killed} at the latest"
        case Backoff(retry_at=at, refused=refused):
            cause = f"cannot start: {refused}" if refused else _failure(now, spec, state, zone)
            return f"{cause}; next try at {moment(at, now, zone)}"
        case Exited(at=at):
            ended = f"ended by itself at {moment(at, now, zone)}: {_ending(state.last_exit)}"
            return ended + _again(now, spec, zone)
        case GaveUp():
            return _why_gave_up(now, spec, state, zone)
        case never:
            assert_never(never)


def _why_idle(now: Now, spec: Spec, state: State, zone: ZoneInfo) -> str:
    wish = machine.wish(now, spec, state)
    if wish.up:
        return "about to start"
    match wish.because:
        case Because.HELD if state.hold is not None:
            return _held(state.hold, now, spec, zone)
        case Because.WINDOW:
            return f"outside its window{_next_window(now, spec, zone)}"
        case Because.NOT_DUE:
            return _why_not_due(now, spec, zone)
        case Because.LATE:
            return _why_late(now, spec, zone)
        case Because.MANUAL:
            return f"its schedule is manual: `stratvisor start {spec.id}` runs it"
        case Because.DISABLED:
            return f"its file says enabled: false (conf.d/{spec.id}.yaml)"
        case because:
            return BECAUSE[because or Because.REMOVED]


def _why_late(now: Now, spec: Spec, zone: ZoneInfo) -> str:
    inside = window_at(spec.schedule, now.wall)
    began = f" that began {moment(inside.start, now, zone)}" if inside else ""
    late_ns = spec.schedule.late_start_ns if isinstance(spec.schedule, Windows) else None
    rule = f"late_start: {duration(late_ns) if late_ns else 'never'}"
    cure = f"`stratvisor start {spec.id}` starts it now"
    return f"too late for its window{began} ({rule}){_next_window(now, spec, zone)}; {cure}"


def _why_not_due(now: Now, spec: Spec, zone: ZoneInfo) -> str:
    place = position(spec.schedule, now.wall)
    once = isinstance(spec.schedule, Jobs) and isinstance(spec.schedule.timing, Once)
    if once and place.last_end is not None:
        past = moment(place.last_end, now, zone)
        return f"its one time, {past}, is past; `stratvisor start {spec.id}` runs it now"
    return f"no job is due{_next_window(now, spec, zone)}"


def _next_window(now: Now, spec: Spec, zone: ZoneInfo) -> str:
    """When it is wanted next, by which exchange, and which closed days lie before that."""
    window = position(spec.schedule, now.wall).next
    calendar = spec.schedule.calendar if isinstance(spec.schedule, Timed) else None
    if calendar is None:
        if window is None:
            return ", and none is to come in the next 400 days"
        return f"; {_begins(spec)} {moment(window.start, now, zone)}"
    if window is None:
        return f", and none is to come: {known(calendar)}; {_renewal(calendar)}"
    own = ZoneInfo(calendar.timezone)
    first, last = now.wall.astimezone(own).date(), window.start.astimezone(own).date()
    opening = any(instant(one.start, own) == window.start for one in calendar.sessions(last))
    who = f"{calendar.name} opens" if opening else _begins(spec)
    return (
        f"; {who} {moment(window.start, now, zone)}{_closed_days(calendar, first, last)}{_warning(now, spec)}"
    )


def _begins(spec: Spec) -> str:
    return "the next is due" if isinstance(spec.schedule, Jobs) else "opens"


def _closed_days(calendar: Calendar, first: date, last: date) -> str:
    """The days with a name from one to another, as far as they explain a wait: a few."""
    days = (first + timedelta(days=count) for count in range((last - first).days + 1))
    named = [f"{day_text(day)}: {name}" for day in days if (name := calendar.name_of(day))]
    more = ["..."] if len(named) > MOST_DAYS else []
    return f" ({', '.join(named[:MOST_DAYS] + more)})" if named else ""


def _warning(now: Now, spec: Spec) -> str:
    """That its calendar ends soon."""
    calendar = spec.schedule.calendar if isinstance(spec.schedule, Timed) else None
    if calendar is None or not ends_soon(calendar, now.wall):
        return ""
    return f"; {known(calendar)}: {_renewal(calendar)}"


def ends_soon(calendar: Calendar, at: datetime) -> bool:
    """Whether what the calendar knows ends within a month of an instant, or has ended."""
    if calendar.known_until == FOR_EVER:
        return False
    return at.astimezone(ZoneInfo(calendar.timezone)).date() + WARNED >= calendar.known_until


def calendar_end(calendar: Calendar) -> str:
    """Until when a calendar is known, and what to do about it."""
    return f"{known(calendar)}, and nothing starts by it after that; {_renewal(calendar)}"


def _renewal(calendar: Calendar) -> str:
    return f"update stratvisor, or write calendars/{calendar.name}.yaml with a later known_until"


def _why_up(now: Now, spec: Spec, state: State, zone: ZoneInfo, *, ready: bool) -> str:
    run = machine.live_run(state)
    began = moment(run.began, now, zone) if run else "?"
    parts = [f"running since {began}" if ready else f"started at {began}, not ready yet"]
    window = window_at(spec.schedule, now.wall)
    if state.agenda.job is not None:
        parts.append(_for_job(now, spec, state, zone))
    if state.hold is not None:
        parts.append(_held(state.hold, now, spec, zone))
    elif window is not None and not window.endless:
        parts.append(f"its window ends {moment(window.end, now, zone)}")
    if state.restarts and state.last_exit is not None:
        parts.append(f"restarted {_times(state.restarts)}, last after {_failure(now, spec, state, zone)}")
    if machine.restart_pending(spec, state):
        parts.append("its file was edited, which takes effect with the next run")
    return "; ".join(parts) + _warning(now, spec)


def _for_job(now: Now, spec: Spec, state: State, zone: ZoneInfo) -> str:
    """Which job it is, how long it may take, and what waits for its end."""
    job, expires_ns = state.agenda.job, machine.wish(now, spec, state).expires_ns
    text = f"its job was due {moment(job.due, now, zone)}" if job else ""
    if expires_ns is not None:
        text += f" and is stopped {moment(wall(now, expires_ns), now, zone)}"
    queued = state.agenda.queued
    return text + (f"; the one due {moment(queued, now, zone)} waits for its end" if queued else "")


def _why_gave_up(now: Now, spec: Spec, state: State, zone: ZoneInfo) -> str:
    limit = spec.restart.give_up
    if isinstance(state.phase, GaveUp) and state.phase.failures > 1 and limit is not None:
        text = f"gave up after {state.phase.failures} failures in {duration(limit.within_ns)}; last: "
    else:
        text = "failed: "
    edit = "" if isinstance(spec.schedule, Jobs) else "an edit of its file or "
    cure = f"{edit}`stratvisor start {spec.id}` tries again"
    return f"{text}{_failure(now, spec, state, zone)}{_again(now, spec, zone)}; {cure}"


def _failure(now: Now, spec: Spec, state: State, zone: ZoneInfo) -> str:
    """How and when the last run ended, with its last words where those may explain it."""
    end = state.last_exit
    if end is None:
        return "a run of which nothing is known"
    # Whoever was killed was in the middle of something else; whoever exits has often just said why.
    words = f", {end.last_line}" if end.last_line and end.code and end.cause is None else ""
    return f"{_ending(end)} at {moment(end.at, now, zone, seconds=True)}{words}{_walled(words, spec)}"


def _walled(words: str, spec: Spec) -> str:
    """That a refusal may be the sandbox's: nothing in its own words says so."""
    level = spec.process.sandbox
    if level is Isolation.OFF or not any(refusal in words for refusal in REFUSALS):
        return ""
    return f" (sandbox: {level.value}; does 'read' or 'write' of its file name what it needs?)"


def _ending(end: Exit | None) -> str:
    if end is None or end.unknown:
        return (end.cause if end else None) or "nobody saw it end"
    text = f"exit {end.code}" if end.code is not None else f"killed by {signal_name(end.signal)}"
    cause = end.cause or (BECAUSE[end.stopped] if end.stopped in machine.FAILURES else None)
    return f"{text}: {cause}" if cause else text


def _again(now: Now, spec: Spec, zone: ZoneInfo) -> str:
    place = position(spec.schedule, now.wall)
    if isinstance(spec.schedule, Timed) and place.next is not None:
        verb = "runs" if isinstance(spec.schedule, Jobs) else "starts"
        return f"; {verb} again at {moment(place.next.start, now, zone)}"
    return "; not started again by itself"


def _held(hold: Hold, now: Now, spec: Spec, zone: ZoneInfo) -> str:
    """Who holds it which way, since when, until when, and what else ends it."""
    by = f"since {moment(hold.since, now, zone)} by {hold.by}"
    cure = f"; `stratvisor start {spec.id}` lifts it"
    match hold.until:
        case Until.OPERATOR:
            return f"held down {by}{cure}"
        case Until.NEXT_WINDOW:
            what = "job" if isinstance(spec.schedule, Jobs) else "window"
            return f"held down {by} until its next {what}{_next_start(now, spec, zone)}{cure}"
        case Until.WINDOW_END:
            return f"held up {by} until `stop` or the end of its next window"
        case never:
            assert_never(never)


def _next_start(now: Now, spec: Spec, zone: ZoneInfo) -> str:
    coming = position(spec.schedule, now.wall).next
    return "" if coming is None else f" at {moment(coming.start, now, zone)}"


def moment(at: datetime, now: Now, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """`15:30 IST` today, `Wed 25 Nov 09:15 IST` on another day, with seconds where they say something."""
    local = at.astimezone(zone)
    clock = f"{local:%H:%M:%S}" if seconds or local.second else f"{local:%H:%M}"
    name = local.tzname() or ""
    zone_text = name if name.isalpha() else f"UTC{name}"
    if local.date() == now.wall.astimezone(zone).date():
        return f"{clock} {zone_text}"
    return f"{day_text(local)} {clock} {zone_text}"


def duration(length_ns: int) -> str:
    """`10m`, `1h30m`, `250ms`: as it would stand in a config file."""
    parts = []
    rest = length_ns
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (SECOND // 1000, "ms")):
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def signal_name(number: int | None) -> str:
    """`SIGKILL`, or `signal 34` where it has no name."""
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"


def kill_at(now: Now, phase: Stopping) -> datetime:
    """When the stop under way ends in KILL, on the wall clock of this moment."""
    return wall(now, machine.kill_ns(phase.order))


def wall(now: Now, boot_ns: int) -> datetime:
    """An instant of CLOCK_BOOTTIME on the wall clock of this moment."""
    return now.wall + as_span(boot_ns - now.boot_ns)
