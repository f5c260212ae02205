"""What a run is told: the newest wish at last, whatever came while an older one was written."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from stratvisor import supervisor
from stratvisor.supervisor import Entry, Supervisor

FIRST, SECOND = (1, Mock(name="first")), (1, Mock(name="second"))


async def test_a_wish_that_comes_while_another_is_written_is_told_too() -> None:
    entry = Entry(Mock(id="ema"), Mock(), wanted=FIRST)
    told: list[object] = []

    def tell(_strategy: str, number: int, want: object) -> None:
        told.append((number, want))
        if len(told) == 1:
            entry.wanted = SECOND

    await Supervisor._tell(Mock(_tellers=None, _runner=Mock(tell=tell)), entry)
    assert told == [FIRST, SECOND]
    assert (entry.wanted, entry.telling) == (None, False)


async def test_a_wish_that_the_disk_refuses_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "TELL_RETRY_S", 0.0)
    entry = Entry(Mock(id="ema"), Mock(), wanted=FIRST)
    tell = Mock(side_effect=[OSError(28, "No space left on device"), None])
    await Supervisor._tell(Mock(_tellers=None, _runner=Mock(tell=tell)), entry)
    assert tell.call_count == 2
    assert entry.wanted is None
