"""How much one client may take of the doors, and how long it may take its time.

A client that is slow, silent or never reads costs a connection for so long and no longer, and all clients
together never so many descriptors that a strategy could not be started.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one listener."""

    connections: int = 512
    per_address: int = 128
    """On TCP. One proxy is one address, too."""
    handshake_s: float = 10.0
    head_s: float = 10.0
    """From the connection, or from the first byte of a further request, to the end of its head."""
    body_s: float = 30.0
    """From the end of the head to the end of the body, which has 1 MB at most."""
    write_s: float = 30.0
    """How long something may wait to be read by the client."""
    idle_s: float = 75.0
    """Between two requests; longer than proxies keep a connection."""
