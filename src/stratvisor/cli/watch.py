"""`status --watch`: the same page again, whenever something changed.

One thread listens to the daemon's events, this one draws: however many events came meanwhile, they are
one drawing. On a screen it also draws every `REFRESH_S`, for the uptimes.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from stratvisor.cli import terminal
from stratvisor.cli.failure import NO_DAEMON, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratvisor.cli.client import Client, Reply

REFRESH_S = 2.0

_HOME, _TO_LINE_END, _TO_SCREEN_END, _CLEAR = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"


def watch(
    client: Client,
    fetch: Callable[[], Any],
    *,
    as_json: bool,
    draw: Callable[[dict[str, Any]], list[str]],
) -> NoReturn:
    """Draw until Ctrl-C.

    Raises:
        Failure: the daemon ended.
    """
    news: queue.SimpleQueue[Failure | None] = queue.SimpleQueue()
    on_screen = not as_json and sys.stdout.isatty()
    # Listening first: a change while the first page is drawn is news.
    with client.send("watch", "GET", "events", accept="text/event-stream", wait_s=None) as stream:
        threading.Thread(target=_listen, args=(stream, client, news), daemon=True).start()
        if on_screen:
            print(_CLEAR, end="")
        while True:
            answer = fetch()
            print(json.dumps(answer, ensure_ascii=False) if as_json else _screen(draw(answer)), flush=True)
            _wait(news, REFRESH_S if on_screen else None)


def _listen(stream: Reply, client: Client, news: queue.SimpleQueue[Failure | None]) -> None:
    """Pass on that something happened, and how it ended."""
    end = Failure(f"the daemon for {client.home} ended", NO_DAEMON)
    try:
        for _event in stream.events():
            news.put(None)
    except Failure as failure:
        end = failure
    news.put(end)


def _wait(news: queue.SimpleQueue[Failure | None], patience_s: float | None) -> None:
    """Until there is news, or it is time to draw anyway; all news that is there counts as one."""
    try:
        came = news.get(timeout=patience_s)
        while came is None:
            came = news.get_nowait()
    except queue.Empty:
        return
    raise came


def _screen(lines: list[str]) -> str:
    """The lines, drawn over the ones before where there is a screen; without a flicker."""
    height = terminal.height()
    if height is None:
        return "\n".join([*lines, ""])
    if len(lines) >= height:
        lines = [*lines[: height - 2], f"... {len(lines) - height + 2} more lines"]
    return _HOME + "".join(f"{line}{_TO_LINE_END}\n" for line in lines) + _TO_SCREEN_END
