"""One strategy file, from its text to a `Spec`, in two steps.

A draft is all that the text and [defaults] say by themselves: it stays right as long as they do, so it
may be kept. Finishing it looks at the disk and the machine, and is to be done anew each time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from stratvisor.reading import contradictions, document, surroundings
from stratvisor.reading.grammar import STRATEGY
from stratvisor.reading.keys import At, Facts, Findings
from stratvisor.reading.layers import laid_over
from stratvisor.reading.schedule import UNSAID
from stratvisor.settings import FILE
from stratvisor.spec import Limits, Logs, Problem, Process, Restart, Spec, Stop, Timed

if TYPE_CHECKING:
    from stratvisor.almanac import Almanac
    from stratvisor.reading.env_file import Pairs
    from stratvisor.reading.nodes import Mapping
    from stratvisor.settings import Settings


class Secrets(Protocol):
    """What is known of secrets without their values."""

    def why_missing(self, strategy: str, name: str) -> str | None:
        """Why a strategy cannot have this secret, and what to do; None: it can."""
        ...

    def fingerprint(self, strategy: str, wanted: tuple[tuple[str, str], ...]) -> str | None:
        """The same as long as these (variable, name) pairs have the same values; None: they cannot be had."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """What one text says, and what is wrong with it by itself."""

    facts: Facts
    findings: Findings


def read(text: bytes, file: str, defaults: Mapping | None) -> Draft:
    """Read the text of a strategy file, with [defaults] laid under it. Never raises."""
    root, problems = document.read(text, file)
    findings = Findings(laid_under=FILE, problems=list(problems))
    if root is None:
        return Draft(Facts(), findings)
    at = At(findings)
    whole = laid_over(STRATEGY, root, defaults) if defaults else root
    facts = STRATEGY.read(whole, at)
    contradictions.note(facts, at)
    contradictions.note_program(at, root.mark)
    contradictions.note_schedule(facts, at)
    return Draft(facts, findings)


def finish(
    strategy: str, drafted: Draft, settings: Settings, almanac: Almanac, secrets: Secrets
) -> Spec | tuple[Problem, ...]:
    """The strategy, or all that is wrong with it, in the order of its lines."""
    findings = replace(
        drafted.findings, problems=list(drafted.findings.problems), bad=set(drafted.findings.bad)
    )
    variables = surroundings.note(drafted.facts, At(findings), settings.home)
    _note_calendar(drafted.facts, At(findings), settings, almanac)
    _note_secrets(strategy, drafted.facts, At(findings), secrets)
    if findings.problems:
        return findings.in_order()
    process = _process(strategy, drafted.facts, variables, secrets)
    return _spec(strategy, drafted.facts, process, settings, almanac)


def problem(drafted: Draft, path: str, message: str) -> Problem:
    """One that is found later, at the value of a key that was given."""
    findings = Findings(drafted.findings.laid_under)
    At(findings, path).problem(drafted.findings.places[path].value, message)
    return findings.problems[0]


def recall(
    strategy: str, drafted: Draft, settings: Settings, almanac: Almanac, secrets: Secrets
) -> Spec | None:
    """The strategy as it was when its text was good; what it relies on outside may be missing by now.

    Of a calendar that is missing, no session is known, so that nothing starts by it; without a secret
    that is missing, no run is made.
    """
    if drafted.findings.problems:
        return None
    findings = replace(drafted.findings, problems=[])
    variables = surroundings.note(drafted.facts, At(findings), settings.home)
    process = _process(strategy, drafted.facts, variables, secrets)
    return _spec(strategy, drafted.facts, process, settings, almanac)


def _note_calendar(facts: Facts, at: At, settings: Settings, almanac: Almanac) -> None:
    schedule = facts.get(Spec, "schedule")
    if not isinstance(schedule, Timed) or schedule.calendar is None:
        return
    here = at.key("schedule").key("calendar")
    name = schedule.calendar.name
    if name in almanac.calendars:
        contradictions.note_gaps(facts, _whole(schedule, settings, almanac), at)
    elif here.place:
        here.problem(here.place.value, almanac.why_unknown(name))


def _whole(schedule: Timed, settings: Settings, almanac: Almanac) -> Timed:
    """The schedule with its time zone and its calendar; one that is not known keeps its name alone."""
    zone = settings.timezone if schedule.timezone == UNSAID else schedule.timezone
    named = schedule.calendar
    calendar = named and almanac.calendars.get(named.name, named)
    return replace(schedule, timezone=zone, calendar=calendar)


def _note_secrets(strategy: str, facts: Facts, at: At, secrets: Secrets) -> None:
    for variable, name in facts.get(Process, "secrets"):
        why, place = secrets.why_missing(strategy, name), at.key("secrets").key(variable).place
        if why and place:
            at.key("secrets").key(variable).problem(place.value, why)


def _spec(strategy: str, facts: Facts, process: Process, settings: Settings, almanac: Almanac) -> Spec:
    own: dict[str, Any] = {"title": strategy, "timezone": settings.timezone} | facts.of(Spec)
    schedule = own.get("schedule")
    if isinstance(schedule, Timed):
        whole = _whole(schedule, settings, almanac)
        own |= {"schedule": whole, "timezone": whole.timezone}
    return Spec(
        id=strategy,
        process=process,
        restart=Restart(**facts.of(Restart)),
        stop=Stop(**facts.of(Stop)),
        limits=Limits(**facts.of(Limits)),
        logs=Logs(**facts.of(Logs)),
        **own,
    )


def _process(strategy: str, facts: Facts, variables: Pairs, secrets: Secrets) -> Process:
    own: dict[str, Any] = facts.of(Process) | {"env": variables}
    if own.get("secrets"):
        own["secrets_fingerprint"] = secrets.fingerprint(strategy, own["secrets"])
    if own.get("command") is not None:
        own["python"] = None  # of [defaults], where it is meant for scripts
    return Process(**own)
