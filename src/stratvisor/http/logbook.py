"""The logs of a strategy: which there are, their end, lines that hold a text, and what comes meanwhile.

All but a download is text for people: invalid UTF-8 replaced, terminal escapes taken out. A download is
the bytes as they are. Files are only ever those that the host lists for the strategy; a name in a
request is compared with them and never becomes a path.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from aiohttp import web

from stratvisor import logs
from stratvisor.http.answers import json_answer, wants_page
from stratvisor.http.errors import STARTED, RequestError
from stratvisor.http.formats import ending
from stratvisor.http.front import Front, front
from stratvisor.http.negotiate import HTML, JSON, PLAIN, best
from stratvisor.http.parameters import flag, text, whole
from stratvisor.http.route import Answer, Asked, Route
from stratvisor.http.sse import CONTENT_TYPE, frame, stream
from stratvisor.ports import Host, Json, Refused, UnknownStrategy
from stratvisor.shim import lognames

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

POLL_S = 0.25
"""How often the end of a log is looked at while somebody follows it, and only then."""

MOST_LINES = 10_000
TAIL_LINES = 200
_HISTORY = 1000


async def show(request: web.Request, asked: Asked) -> web.StreamResponse:
    """Whichever of these was asked for."""
    here = front(request)
    strategy = request.match_info["id"]
    run = await _run_name(here.host, strategy, asked["run"])
    files = _files(here.host, strategy, run)
    if run is not None and not files:
        raise RequestError(
            404, f"{strategy} has no log of run {asked['run']}; it may be older than logs.keep_days"
        )
    modes = [name for name in ("follow", "grep", "download") if asked[name]]
    if len(modes) > 1:
        raise RequestError(422, f"cannot {' and '.join(modes)} at once; ask for one of them")
    if asked["follow"]:
        return await _follow(request, asked, strategy, run)
    if asked["download"]:
        return await _download(request, _newest_run(files))
    if wants_page(request):
        return await _page(request, asked, files)
    if asked["grep"]:
        return await _grep(request, asked, files)
    if asked["tail"] is not None:
        return await _tail(request, asked["tail"], files)
    return json_answer({"id": strategy, "files": [_file_json(file) for file in files]})


async def _tail(request: web.Request, lines: int, files: Sequence[Path]) -> web.Response:
    found = await front(request).read(logs.tail, files, lines)
    told = [*found.lines, found.partial][-lines:] if found.partial and lines else found.lines
    if _wants_text(request):
        return web.Response(text="".join(f"{line}\n" for line in told))
    position = None if found.position is None else str(found.position)
    return json_answer({"id": request.match_info["id"], "lines": told, "position": position})


async def _grep(request: web.Request, asked: Asked, files: Sequence[Path]) -> web.Response:
    found = await front(request).read(logs.grep, files, asked["grep"], _count(asked))
    if _wants_text(request):
        return web.Response(text="".join(f"{match.log}:{match.line}: {match.text}\n" for match in found))
    return json_answer({"id": request.match_info["id"], "matches": [match._asdict() for match in found]})


async def _page(request: web.Request, asked: Asked, files: Sequence[Path]) -> web.Response:
    here = front(request)
    strategy = request.match_info["id"]
    runs = list(dict.fromkeys(_run_of(path) for path in here.host.log_files(strategy)))
    shown = files if asked["run"] or asked["grep"] else _newest_run(files)
    matches = tail = None
    if asked["grep"]:
        matches = await here.read(logs.grep, shown, asked["grep"], _count(asked))
    else:
        tail = await here.read(logs.tail, shown, _count(asked))
    facts = {
        "strategy": strategy,
        "runs": runs[::-1],
        "ends": await _ends(here.host, strategy, len(runs)),
        "run": _run_of(shown[0]) if shown and not (asked["grep"] and not asked["run"]) else "",
        "lines": _count(asked),
        "grep": asked["grep"] or "",
        "matches": matches,
        "tail": tail,
    }
    return here.pages.answer(request, "logs.html", facts)


async def _ends(host: Host, strategy: str, count: int) -> dict[str, str]:
    """By the name of its log: each run's number and how it ended. Without the history there are none."""
    try:
        known = await host.runs(strategy, count)
    except (Refused, UnknownStrategy):
        return {}
    return {
        _log_name(run["log"]): f"{run['run']}: {ending(run) or 'still running'}"
        for run in known
        if run["log"]
    }


async def _follow(request: web.Request, asked: Asked, strategy: str, run: str | None) -> web.StreamResponse:
    here = front(request)
    given = request.headers.get("Last-Event-ID") or asked["from"]
    position = None if given is None else logs.Position.parse(given)
    if given is not None and position is None:
        raise RequestError(422, "from, Last-Event-ID: must be a position that came with lines")
    return await stream(request, _frames(here, strategy, run, position, _count(asked)))


async def _frames(
    here: Front, strategy: str, run: str | None, position: logs.Position | None, lines: int
) -> AsyncGenerator[bytes, None]:
    """Lines as they come. Of a named run: until it is over; else on into the next run, for ever."""
    while True:
        # Asked before reading: what is read after a run's end is all there will be.
        over = run is not None and not _writes(here.host, strategy, run)
        files = _files(here.host, strategy, run)
        if position is None:
            found = await here.read(logs.tail, files, lines)
            more, after = found.lines, found.position
        else:
            more, after = await here.read(logs.forward, files, position)
        if more:
            yield frame("lines", {"lines": more}, str(after))
        elif after == position:
            if over:
                break
            await here.pause(POLL_S)
        position = after
    if position is not None and (rest := await here.read(logs.partial, files, position)):
        yield frame("lines", {"lines": [rest]})
    yield frame("end", {"run": run})


async def _download(request: web.Request, files: Sequence[Path]) -> web.StreamResponse:
    """All parts of one run as one file."""
    if not files:
        raise RequestError(404, f"{request.match_info['id']} has no log yet")
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{_run_of(files[0])}.log"',
    }
    answer = web.StreamResponse(headers=headers)
    await answer.prepare(request)
    if request.method == "HEAD":
        return answer
    request[STARTED] = answer
    for path in files:
        pieces = logs.content(path)
        while (piece := await front(request).read(next, pieces, None)) is not None:
            await answer.write(piece)
    return answer


async def _run_name(host: Host, strategy: str, given: str | None) -> str | None:
    """The name of a run's log, for its number in the history or the name itself."""
    if given is None:
        return None
    if not given.isdecimal():
        return given.removesuffix(".log")
    for entry in (_current(host, strategy), *await host.runs(strategy, _HISTORY)):
        if str(entry.get("run")) == given and entry.get("log"):
            return _log_name(entry["log"])
    raise RequestError(
        404, f"{strategy} has no log of a run {given}; `stratvisor runs {strategy}` lists its runs"
    )


def _log_name(path: str) -> str:
    return PurePath(path).name.removesuffix(".log")


def _current(host: Host, strategy: str) -> Json:
    """The strategy as it is; of one that was removed, whose logs stay: nothing."""
    try:
        return host.strategy(strategy)
    except UnknownStrategy:
        return {}


def _writes(host: Host, strategy: str, run: str) -> bool:
    """Whether this run still lives, and so may print more."""
    facts = _current(host, strategy)
    return bool(facts.get("pid") and facts["log"] and PurePath(facts["log"]).name == f"{run}.log")


def _files(host: Host, strategy: str, run: str | None) -> list[Path]:
    files = list(host.log_files(strategy))
    return files if run is None else logs.of_run(files, run)


def _newest_run(files: Sequence[Path]) -> list[Path]:
    return logs.of_run(files, _run_of(files[-1])) if files else []


def _run_of(path: Path) -> str:
    name = lognames.parse(path.name)
    return path.stem if name is None else name.run


def _file_json(path: Path) -> Json:
    name = lognames.parse(path.name)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        size = 0
    return {"name": path.name, "run": _run_of(path), "part": name.part if name else 1, "size": size}


def _count(asked: Asked) -> int:
    count: int | None = asked["tail"]
    return TAIL_LINES if count is None else count


def _wants_text(request: web.Request) -> bool:
    return best(request.headers.get("Accept", "*/*"), JSON, PLAIN) == PLAIN


ROUTES = (
    Route(
        "GET",
        "/logs/{id}",
        show,
        "The files of its runs; with `tail`, `grep`, `follow` or `download` what is in them",
        {200: Answer("files, lines or matches", "Logs", others=(HTML, PLAIN, CONTENT_TYPE))},
        (
            text(
                "run",
                "Of this run alone: its number, or its log's name; left out: all (for a download the newest)",
            ),
            whole("tail", f"The last so many lines, or matches ({TAIL_LINES})", 0, MOST_LINES, None),
            text("grep", "Lines that hold this text, as it stands"),
            flag("follow", "Server-sent events: the last lines, then each as it is printed"),
            text("from", "follow: begin at this position, as it came with a tail or an event"),
            flag("download", "The bytes of a run as they are, all parts in one"),
        ),
    ),
)
