"""What changed, told to whoever listens: /events, the page, waiting requests.

Keeps the newest thousand pieces so that a listener who was cut off can go on from the last one it saw.
A listener that does not read loses its place instead of making anybody wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from stratvisor.ports import Json, News

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

KEPT = 1_000


class Newsroom:
    """All on one event loop. `last_id` is that of the newest piece that is known of an earlier daemon.

    It may have told of more before it was killed; so its ids are left behind for good, else a listener who
    comes back would take the news to come for news that it has heard.
    """

    def __init__(self, last_id: int) -> None:
        self.last_id = last_id + KEPT if last_id else 0
        self._kept: deque[News] = deque(maxlen=KEPT)
        self._listeners: set[asyncio.Queue[News | None]] = set()

    def publish(self, at: datetime, strategy: str | None, kind: str, body: Json) -> News:
        """Give the next piece its id and hand it to every listener."""
        self.last_id += 1
        piece = News(self.last_id, at, strategy, kind, body)
        self._kept.append(piece)
        for listener in list(self._listeners):
            try:
                listener.put_nowait(piece)
            except asyncio.QueueFull:
                self._cut_off(listener)
        return piece

    async def listen(self, after: int | None) -> AsyncIterator[News]:
        """Pieces after id `after` that are still kept, then those to come, until cut off or closed."""
        queue: asyncio.Queue[News | None] = asyncio.Queue(KEPT)
        self._listeners.add(queue)
        last = self.last_id if after is None else after
        missed = [piece for piece in self._kept if piece.id > last]
        try:
            for piece in missed:
                last = piece.id
                yield piece
            while (news := await queue.get()) is not None:
                if news.id > last:
                    yield news
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """Send every listener home."""
        for listener in list(self._listeners):
            self._cut_off(listener)

    def _cut_off(self, listener: asyncio.Queue[News | None]) -> None:
        self._listeners.discard(listener)
        while not listener.empty():
            listener.get_nowait()
        listener.put_nowait(None)
