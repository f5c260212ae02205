"""What the daemon cannot do now."""

from __future__ import annotations

from stratvisor.troubles import Troubles


def test_a_trouble_is_new_once_and_over_once() -> None:
    troubles = Troubles()
    assert troubles.say("log/stratvisor.log", "disk full")
    assert not troubles.say("log/stratvisor.log", "still full")
    [problem] = troubles.problems()
    assert str(problem) == "log/stratvisor.log:1:1: still full"
    assert troubles.over("log/stratvisor.log")
    assert not troubles.over("log/stratvisor.log")
    assert troubles.problems() == []


def test_only_the_grave_keep_from_being_ready() -> None:
    troubles = Troubles()
    troubles.say("run/history.db", "locked")
    assert troubles.grave() is None
    troubles.say("run/state.json", "disk full", grave=True)
    assert troubles.grave() == "run/state.json: disk full"
