"""What of a state outlives the daemon, there and back."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.kept import Kept, after_boot, from_kept, kept_from_json, kept_to_json, to_kept
from stratvisor.spec import Logs, Stop
from stratvisor.state import (
    Agenda,
    Backoff,
    Because,
    Exit,
    Exited,
    GaveUp,
    Hold,
    Idle,
    Job,
    Launching,
    PassedOver,
    Run,
    State,
    StopOrder,
    Stopping,
    Until,
    Up,
    Want,
    Wants,
)

INSTANT = datetime(2026, 11, 23, 3, 45, tzinfo=UTC)

instants = st.datetimes(datetime(1677, 1, 1), datetime(2262, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
counts = st.integers(0, 2**63 - 1)
texts = st.text(st.characters(exclude_categories=()))  # a last line may hold any byte

holds = st.builds(Hold, st.sampled_from(Wants), texts, instants, st.sampled_from(Until))
exits = st.builds(
    Exit,
    run=counts,
    at=instants,
    ran_ns=counts,
    code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    cause=st.none() | texts,
    stopped=st.none() | st.sampled_from(Because),
    unknown=st.booleans(),
    last_line=st.none() | texts,
)
wants = st.builds(
    Want,
    stop=st.none() | st.builds(StopOrder, st.sampled_from(Because), texts, counts, st.builds(Stop)),
    deadline=st.none() | instants,
    plan=st.builds(Stop),
    logs=st.builds(Logs),
)
runs = st.builds(Run, counts, counts, counts, instants, texts, wants)
orders = st.builds(StopOrder, st.sampled_from(Because), texts, counts, st.builds(Stop))
agendas = st.builds(
    Agenda,
    st.none() | instants,
    st.none() | st.builds(Job, instants, st.none() | counts, st.booleans()),
    st.none() | instants,
    st.none() | st.builds(PassedOver, instants, st.sampled_from(Because)),
)
resting = (
    st.builds(Idle)
    | st.builds(Backoff, counts, instants, st.none() | texts, texts)
    | st.builds(Exited, instants)
    | st.builds(GaveUp, instants, counts, texts)
)
live = (
    st.builds(Launching, counts, texts, wants, st.booleans())
    | st.builds(Up, runs, st.booleans())
    | st.builds(Stopping, runs, orders)
)


def states(phases: st.SearchStrategy[Any]) -> st.SearchStrategy[State]:
    return st.builds(
        State,
        phase=phases,
        since=st.none() | instants,
        hold=st.none() | holds,
        removed=st.booleans(),
        closing=st.booleans(),
        last_run=counts,
        restarts=counts,
        streak=counts,
        failures=st.lists(counts).map(tuple),
        last_exit=st.none() | exits,
        agenda=agendas,
    )


def through_json(kept: Kept) -> Kept:
    return kept_from_json(json.loads(json.dumps(kept_to_json(kept))))


@given(states(resting))
def test_a_resting_state_comes_back_whole(state: State) -> None:
    back = from_kept(through_json(to_kept(state)))
    assert (back.removed, back.closing) == (False, False)
    lasting = [f.name for f in fields(State) if f.name not in {"removed", "closing"}]
    assert [getattr(back, name) for name in lasting] == [getattr(state, name) for name in lasting]


@given(states(live))
def test_a_live_state_comes_back_idle_with_everything_else(state: State) -> None:
    back = from_kept(through_json(to_kept(state)))
    assert (back.phase, back.since) == (Idle(), None)
    lasting = [f.name for f in fields(State) if f.name not in {"removed", "closing", "phase", "since"}]
    assert [getattr(back, name) for name in lasting] == [getattr(state, name) for name in lasting]


@given(states(resting | live))
def test_instants_come_back_in_utc(state: State) -> None:
    back = from_kept(through_json(to_kept(state)))
    assert back.since is None or back.since.tzinfo is UTC


def test_after_a_boot_what_counted_from_the_last_one_is_gone() -> None:
    hold = Hold(Wants.DOWN, "phone", INSTANT, Until.OPERATOR)
    kept = Kept(Backoff(5, INSTANT, None), INSTANT, hold, last_run=7, restarts=3, streak=2, failures=(1, 2))
    assert after_boot(kept) == Kept(Idle(), INSTANT, hold, last_run=7, restarts=3, streak=2)


def test_after_a_boot_a_job_goes_on_from_when_it_was_due() -> None:
    kept = Kept(agenda=Agenda(seen=INSTANT, job=Job(INSTANT, 7)))
    assert after_boot(kept).agenda == Agenda(seen=INSTANT, job=Job(INSTANT, None))


@pytest.mark.parametrize("phase", [Idle(), Exited(INSTANT), GaveUp(INSTANT, 5, "key")])
def test_after_a_boot_a_phase_of_the_calendar_stands(phase: Idle | Exited | GaveUp) -> None:
    assert after_boot(Kept(phase)).phase == phase


def names(kind: Any) -> set[str]:
    return {field.name for field in fields(kind)}


def test_no_field_of_a_state_is_forgotten() -> None:
    assert names(Kept) == names(State) - {"removed", "closing"}
    assert FULL.keys() == names(Kept)
    assert FULL["hold"].keys() == names(Hold)
    assert FULL["last_exit"].keys() == names(Exit)
    assert FULL["agenda"].keys() == names(Agenda)
    assert FULL["agenda"]["job"].keys() == names(Job)
    assert FULL["agenda"]["passed_over"].keys() == names(PassedOver)


@pytest.mark.parametrize(
    "phase", [Idle(), Backoff(1, INSTANT, None), Exited(INSTANT), GaveUp(INSTANT, 5, "key")]
)
def test_no_field_of_a_phase_is_forgotten(phase: Idle | Backoff | Exited | GaveUp) -> None:
    assert kept_to_json(Kept(phase))["phase"].keys() == names(phase) | {"is"}


FULL = kept_to_json(
    Kept(
        phase=Backoff(5, INSTANT, "no space left", "key"),
        since=INSTANT,
        hold=Hold(Wants.DOWN, "phone", INSTANT, Until.OPERATOR),
        failures=(1,),
        last_exit=Exit(1, INSTANT, 5, code=1, stopped=Because.HELD, last_line="KeyError"),
        agenda=Agenda(
            seen=INSTANT,
            job=Job(INSTANT, 7),
            queued=INSTANT,
            passed_over=PassedOver(INSTANT, Because.LATE),
        ),
    )
)


def test_the_format_does_not_change_unnoticed() -> None:
    assert FULL == {
        "phase": {
            "is": "backoff",
            "retry_ns": 5,
            "retry_at": "2026-11-23T03:45:00+00:00",
            "refused": "no space left",
            "retry_key": "key",
        },
        "since": "2026-11-23T03:45:00+00:00",
        "hold": {
            "wants": "down",
            "by": "phone",
            "since": "2026-11-23T03:45:00+00:00",
            "until": "operator",
        },
        "last_run": 0,
        "restarts": 0,
        "streak": 0,
        "failures": [1],
        "last_exit": {
            "run": 1,
            "at": "2026-11-23T03:45:00+00:00",
            "ran_ns": 5,
            "code": 1,
            "signal": None,
            "cause": None,
            "stopped": "held",
            "unknown": False,
            "last_line": "KeyError",
        },
        "admitted": None,
        "agenda": {
            "seen": "2026-11-23T03:45:00+00:00",
            "job": {"due": "2026-11-23T03:45:00+00:00", "began_ns": 7, "anywhere": False},
            "queued": "2026-11-23T03:45:00+00:00",
            "passed_over": {"due": "2026-11-23T03:45:00+00:00", "because": "late"},
        },
    }


def paths(entry: Any, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Of every key in a JSON object, however deep."""
    found: list[tuple[str, ...]] = []
    for key, value in entry.items():
        found.append((*above, key))
        if isinstance(value, dict):
            found += paths(value, (*above, key))
    return found


SINCE = [("admitted",), ("agenda",)]
"""What a file of an older stratvisor lacks."""


def with_damage(path: tuple[str, ...], damage: Any) -> Any:
    entry = json.loads(json.dumps(FULL))
    place = entry
    for key in path[:-1]:
        place = place[key]
    damage(place, path[-1])
    return entry


@pytest.mark.parametrize("path", [path for path in paths(FULL) if path not in SINCE], ids=".".join)
def test_a_missing_key_is_named(path: tuple[str, ...]) -> None:
    entry = with_damage(path, lambda place, key: place.pop(key))
    with pytest.raises(ValueError, match=f"{path[-1]}: missing"):
        kept_from_json(entry)


@pytest.mark.parametrize("path", SINCE, ids=".".join)
def test_a_file_from_before_a_key_was_known_says_nothing_of_it(path: tuple[str, ...]) -> None:
    entry = with_damage(path, lambda place, key: place.pop(key))
    assert getattr(kept_from_json(entry), path[0]) == getattr(Kept(), path[0])


@pytest.mark.parametrize("wrong", [1.5, [[]]], ids=repr)
@pytest.mark.parametrize("path", paths(FULL), ids=".".join)
def test_a_value_of_another_kind_is_named(path: tuple[str, ...], wrong: object) -> None:
    entry = with_damage(path, lambda place, key: place.__setitem__(key, wrong))
    with pytest.raises(ValueError, match=path[-1]):
        kept_from_json(entry)


@pytest.mark.parametrize(
    ("path", "wrong", "text"),
    [
        (("last_run",), True, "last_run: True is no int"),
        (("streak",), 2**63, "streak: 9223372036854775808 is beyond 64 bits"),
        (("since",), "9999-12-31T23:59:59+00:00", "since: .* is of no year that a run has seen"),
        (("since",), "2026-11-23T09:15:00", "since: '2026-11-23T09:15:00' names no time zone"),
        (("since",), "yesterday", "since: Invalid isoformat string: 'yesterday'"),
        (("hold", "wants"), "sideways", "wants: 'sideways' is no Wants"),
        (("last_exit", "stopped"), "boredom", "stopped: 'boredom' is no Because"),
        (("phase", "is"), "up", "phase: no phase is called 'up'"),
    ],
)
def test_a_value_that_is_none_of_ours_is_told(path: tuple[str, ...], wrong: object, text: str) -> None:
    entry = with_damage(path, lambda place, key: place.__setitem__(key, wrong))
    with pytest.raises(ValueError, match=text):
        kept_from_json(entry)
