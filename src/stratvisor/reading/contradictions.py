"""Settings that cancel each other, which one file may not say together.

A setting that has no effect because of another is refused where its own file says both; where it comes
from [defaults] and the strategy's file overrules it, it is merely overruled. A part that has other
problems is not looked at: its values are not what its author meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.reading import pauses
from stratvisor.reading.values import size_text
from stratvisor.spec import (
    DAY,
    MILLISECOND,
    STORM_DELAY_NS,
    STORM_STREAK,
    THREAD_VARIABLES,
    GiveUp,
    Isolation,
    Jobs,
    Logs,
    Process,
    Restart,
    RestartWhen,
    Schedule,
    Spec,
    Stop,
    Timed,
)
from stratvisor.wording import duration_text

if TYPE_CHECKING:
    from stratvisor.reading.keys import At, Facts, Place
    from stratvisor.reading.nodes import Mark


def note(facts: Facts, at: At) -> None:
    """Note every contradiction in a strategy's keys, or in [defaults]."""
    _check_environment(facts, at)
    if facts.get(Process, "secrets") and facts.get(Process, "core") != 0:
        _refuse(at, ("limits.core",), "a core dump would hold the 'secrets'; keep one of them")
    _check_sandbox(facts, at)
    if at.key("restart").sound:
        _check_restart(Restart(**facts.of(Restart)), at.key("restart"))
    if at.key("stop").sound:
        _check_stop(Stop(**facts.of(Stop)), facts.get(Spec, "schedule"), at)
    if at.key("logs").sound:
        _check_logs(Logs(**facts.of(Logs)), at.key("logs"))


def note_program(at: At, top: Mark) -> None:
    """Note where a strategy's file does not name one program; `top` is where the file begins."""
    script, command = at.key("script").place, at.key("command")
    if command.place is None:
        if script is None:
            at.problem(top, "needs 'script', the Python file to run (or 'command')")
        return
    if script is not None:
        command.problem(command.place.key, "does not go with 'script'; keep one of them")
    for name in ("args", "python"):
        key = at.key(name)
        if key.place is not None and not _overruled(at, key.place, command.place):
            key.problem(key.place.key, "belongs to 'script'; write it into 'command'")


def note_schedule(facts: Facts, at: At) -> None:
    """Note where a schedule does not go with other keys of its own file; [defaults] are for others too."""
    _note_special_sessions(facts, at)
    when = at.key("restart").key("when").place
    jobs = isinstance(facts.get(Spec, "schedule"), Jobs)
    always = facts.get(Restart, "when") is RestartWhen.ALWAYS
    if jobs and always and when and when.key.file != at.findings.laid_under:
        message = "a job ends by itself and comes again when it is due; write on-failure or never"
        at.key("restart").key("when").problem(when.value, message)


def _note_special_sessions(facts: Facts, at: At) -> None:
    schedule = facts.get(Spec, "schedule")
    special = at.key("schedule").key("special_sessions")
    if not isinstance(schedule, Timed) or schedule.calendar is not None or special.place is None:
        return
    if special.place.key.file != at.findings.laid_under:
        special.problem(special.place.key, "has no effect without 'calendar'; add one")


def note_gaps(facts: Facts, schedule: Timed, at: At) -> None:
    """Note a stop that does not fit between two windows of a schedule whose calendar is known by now."""
    if at.key("stop").sound:
        _check_gap(Stop(**facts.of(Stop)), schedule, at)


def _overruled(at: At, place: Place, by: Place) -> bool:
    """Whether a key of [defaults] merely gives way to one of the strategy's own file."""
    return place.key.file == at.findings.laid_under != by.key.file


def _check_environment(facts: Facts, at: At) -> None:
    inherited = at.key("inherit_env")
    for name, _ in facts.get(Process, "env"):
        own = at.key("env").key(name)
        if name in facts.get(Process, "inherit_env"):
            _refuse_twice(name, own, inherited)
        if name in dict(facts.get(Process, "secrets")):
            _refuse_twice(name, own, at.key("secrets"))
        if name in THREAD_VARIABLES and facts.get(Process, "threads") is not None:
            _refuse(at, (f"env.{name}",), "is set by 'limits.threads'; keep one of them")
    for name in dict(facts.get(Process, "secrets")).keys() & set(facts.get(Process, "inherit_env")):
        _refuse_twice(name, at.key("secrets").key(name), inherited)


def _refuse_twice(name: str, own: At, other: At) -> None:
    """Refuse a variable that two keys set, where the file that says so last can mend it."""
    if own.place is None or other.place is None or _overruled(own, other.place, own.place):
        return
    if _overruled(own, own.place, other.place):
        key = own.path.partition(".")[0]
        other.problem(other.place.key, f"{name} is in {key!r} of [defaults] too; keep one of them")
    else:
        own.problem(own.place.key, f"is in {other.path!r} too; keep one of them")


def _check_sandbox(facts: Facts, at: At) -> None:
    """Note what a sandbox would be told if there were one of the kind."""
    if not at.key("sandbox").sound:
        return
    level = facts.get(Process, "sandbox")
    idle: tuple[str, ...] = () if level is Isolation.STRICT else ("connect",)
    if level is Isolation.OFF:
        idle = ("read", "write", "connect", "unix_sockets")
    said = at.key("sandbox").place
    for name in idle:
        place = at.key(name).place
        if place and not (said and _overruled(at, place, said)):
            cure = "remove it" if level is Isolation.OFF else "write 'sandbox: strict', or remove it"
            at.key(name).problem(place.key, f"has no effect with 'sandbox: {level.value}'; {cure}")


def _check_restart(restart: Restart, at: At) -> None:
    when = at.key("when").place
    if restart.when is RestartWhen.NEVER and when:
        for name in ("delay", "factor", "max_delay", "jitter", "reset_after", "give_up"):
            place = at.key(name).place
            if place and not _overruled(at, place, when):
                at.key(name).problem(place.key, "has no effect with 'when: never'; remove it")
        return
    if restart.max_delay_ns < restart.delay_ns:
        message = (
            f"the delay begins at {duration_text(restart.delay_ns)} and may grow to "
            f"{duration_text(restart.max_delay_ns)}; make max_delay at least the delay"
        )
        _refuse(at, ("max_delay", "delay"), message)
    elif restart.give_up:
        _check_give_up(restart, restart.give_up, at)


def _check_give_up(restart: Restart, give_up: GiveUp, at: At) -> None:
    least_ns = _least_ns(restart, give_up.failures)
    if least_ns >= give_up.within_ns:
        keys = ("give_up.within", "give_up.failures", "delay", "factor", "max_delay", "jitter")
        message = (
            f"can never give up: with these delays {give_up.failures} failures take "
            f"{_rounded(least_ns)} or more, and they count within {duration_text(give_up.within_ns)}; "
            "write a longer 'within', or 'give_up: none'"
        )
        _refuse(at, keys, message)


def _least_ns(restart: Restart, failures: int) -> float:
    """From the first of so many failures to the last: runs die at once, and each delay is drawn short."""
    delay = float(restart.delay_ns)
    total = 0.0
    for streak in range(1, failures):
        least = min(delay, restart.max_delay_ns) * (1 - restart.jitter)
        total += max(least, STORM_DELAY_NS) if streak > STORM_STREAK else least
        delay = min(delay * restart.factor, restart.max_delay_ns)
    return total


def _rounded(length_ns: float) -> str:
    return duration_text(round(length_ns / MILLISECOND) * MILLISECOND)


def _check_stop(stop: Stop, schedule: Schedule, at: At) -> None:
    if stop.total_ns > DAY:
        _refuse(at, ("stop.timeout", "stop.signals"), "all signals together may take a day at most")
    elif not isinstance(schedule, Timed) or schedule.calendar is None:
        _check_gap(stop, schedule, at)


def _check_gap(stop: Stop, schedule: Schedule, at: At) -> None:
    gap_ns = pauses.shortest_ns(schedule)
    if gap_ns is not None and stop.total_ns > gap_ns:
        message = (
            f"a stop may take {duration_text(stop.total_ns)}, but the next window begins "
            f"{duration_text(gap_ns)} after one ends; shorten the timeout or widen the gap"
        )
        _refuse(at, ("stop.timeout", "stop.signals", "schedule"), message)


def _check_logs(logs: Logs, at: At) -> None:
    if logs.keep_total < logs.max_size:
        message = f"{size_text(logs.keep_total)} in all, but one part may have {size_text(logs.max_size)}"
        _refuse(at, ("keep_total", "max_size"), f"{message}; make keep_total at least max_size")


def _refuse(at: At, keys: tuple[str, ...], message: str) -> None:
    """Note a problem at the value of the first of these keys that was given."""
    for dotted in keys:
        here = at
        for name in dotted.split("."):
            here = here.key(name)
        if here.place is not None:
            here.problem(here.place.value, message)
            return
