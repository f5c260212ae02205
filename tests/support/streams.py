"""Reading server-sent events in tests, with a deadline for hangs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waiting import DEADLINE_S

if TYPE_CHECKING:
    import aiohttp


@dataclass
class Event:
    kind: str
    data: Any
    id: str | None


async def heartbeat(answer: aiohttp.ClientResponse) -> None:
    """Wait for a sign that the stream lives and has nothing to tell."""
    async with asyncio.timeout(DEADLINE_S):
        while (line := await answer.content.readline()) != b": still here\n":
            assert line, "the stream has ended"
            assert not line.startswith(b"data"), line


async def next_event(answer: aiohttp.ClientResponse) -> Event | None:
    """The next event of a stream; None: the stream has ended. Comments are passed over."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(DEADLINE_S):
        while raw := await answer.content.readline():
            line = raw.decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if line and name:
                fields[name] = value
            elif "data" in fields:
                return Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
            elif not line:
                fields = {}
    return None
