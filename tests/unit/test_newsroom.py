"""The newsroom: pieces in order, and listeners that come back."""

from __future__ import annotations

from datetime import UTC, datetime

from stratvisor.newsroom import Newsroom

AT = datetime(2026, 11, 23, tzinfo=UTC)


async def test_a_listener_goes_on_where_it_was() -> None:
    newsroom = Newsroom(0)
    for count in range(3):
        newsroom.publish(AT, None, "state", {"count": count})
    listening = newsroom.listen(1)
    assert [(await anext(listening)).id for _ in range(2)] == [2, 3]


async def test_a_killed_daemons_ids_are_not_given_out_again() -> None:
    """Who had heard more than was saved took the next daemon's first news for old, and was told nothing."""
    saved = 5
    before = Newsroom(0)
    before.last_id = saved
    heard = [before.publish(AT, None, "state", {}).id for _ in range(3)]
    after = Newsroom(saved)
    listening = after.listen(heard[-1])
    assert after.publish(AT, None, "state", {"new": True}).id > heard[-1]
    assert (await anext(listening)).body == {"new": True}
