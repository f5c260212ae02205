"""Failed tries, counted by address and in all: whoever goes on guessing is told to wait.

It bounds what guessing costs, not what it may find: a secret here has 192 bits or more. So a good token
is never kept waiting, also not from the address of somebody who guesses, such as that of a proxy.

Memory is bounded: beyond `MOST` addresses the one longest unheard of is forgotten, and the count of all
still holds.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratvisor.spec import MINUTE, SECOND

if TYPE_CHECKING:
    from stratvisor.ports import Clock

WINDOW_NS = MINUTE
TRIES = 10
"""By one address within a window."""
TRIES_IN_ALL = 200
MOST = 1024


@dataclass(slots=True)
class _Count:
    since_ns: int
    failed: int = 0


class Throttle:
    """The failed tries of one daemon."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_address: dict[str, _Count] = {}
        self._in_all = _Count(clock.now().boot_ns)

    def failed(self, address: str) -> int | None:
        """Another failed try. None: one that may be; else the seconds until the next one may."""
        now_ns = self._clock.now().boot_ns
        self._in_all = _counted(self._in_all, now_ns)
        place = _network(address)
        count = self._by_address[place] = _counted(self._by_address.pop(place, None), now_ns)
        if len(self._by_address) > MOST:
            del self._by_address[next(iter(self._by_address))]
        waits = [
            one.since_ns + WINDOW_NS - now_ns
            for one, most in ((count, TRIES), (self._in_all, TRIES_IN_ALL))
            if one.failed > most
        ]
        return -(-max(waits) // SECOND) if waits else None


def _counted(count: _Count | None, now_ns: int) -> _Count:
    """One more, in a new window where the last one is over."""
    if count is None or now_ns - count.since_ns >= WINDOW_NS:
        count = _Count(now_ns)
    count.failed += 1
    return count


def _network(address: str) -> str:
    """Whose address it is: anybody with IPv6 has 2**64 of them."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))
