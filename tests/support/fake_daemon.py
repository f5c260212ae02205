"""A daemon made of the standard library: what it answers is said by each test, what it was asked is kept."""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import socketserver
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

from waiting import DEADLINE_S

from stratvisor.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable


class Asked(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    accept: str


class Answer(NamedTuple):
    """What to say: `body` is sent as it is."""

    status: int
    body: bytes
    content_type: str = "application/json"


class FakeDaemon:
    """Answers on run/stratvisor.sock of a home. Paths are those below the base path."""

    def __init__(self, home: Path, base: str = "/python") -> None:
        self.home = home
        self.asked: queue.Queue[Asked] = queue.Queue()
        self.answered: queue.Queue[None] = queue.Queue()
        self.answers: dict[tuple[str, str], Answer | Callable[[], object]] = {}
        self.streams: dict[str, queue.Queue[bytes | None]] = {}
        self._base = base
        self._server = _bound(home / "run" / "stratvisor.sock", self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        for stream in self.streams.values():
            stream.put(None)
        self._server.shutdown()
        self._thread.join(DEADLINE_S)
        self._server.server_close()

    def says(self, method: str, path: str, body: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.answers[method, path] = Answer(status, json.dumps(body).encode())

    def refuses(self, method: str, path: str, status: int, detail: str) -> None:
        """Answer with a problem document."""
        problem = {"type": "about:blank", "title": "No", "status": status, "detail": detail}
        self.answers[method, path] = Answer(status, json.dumps(problem).encode(), "application/problem+json")

    def streams_to(self, path: str) -> queue.Queue[bytes | None]:
        """Pieces of a stream to come; None ends it."""
        return self.streams.setdefault(path, queue.Queue())

    def next_asked(self) -> Asked:
        return self.asked.get(timeout=DEADLINE_S)

    def _handler(daemon) -> type[BaseHTTPRequestHandler]:  # noqa: N805  `self` is the handler below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"] or 0)))

            def _answer(self, body: bytes) -> None:
                url = urlsplit(self.path)
                path = url.path.removeprefix(daemon._base)
                query, form = dict(parse_qsl(url.query)), dict(parse_qsl(body.decode()))
                daemon.asked.put(Asked(self.command, path, query, form, self.headers["Accept"]))
                if path in daemon.streams:
                    self._stream(daemon.streams[path])
                    return
                answer = daemon.answers.get((self.command, path), _NOTHING)
                if isinstance(answer, Answer):
                    self._say(answer)
                else:
                    answer()
                    self.close_connection = True

            def _say(self, answer: Answer) -> None:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                daemon.answered.put(None)

            def _stream(self, pieces: queue.Queue[bytes | None]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while (piece := pieces.get()) is not None:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_words: object) -> None:
                pass

        return Handler


_NOTHING = Answer(404, b'{"title": "Not Found", "status": 404, "detail": "there is nothing here"}')


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, _request: object, _address: object) -> None:
        """A client that went away, as those under test do."""


def _bound(path: Path, handler: type[BaseHTTPRequestHandler]) -> _Server:
    """A server at a path of any length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return _Server(f"/proc/self/fd/{folder}/{path.name}", handler)
    finally:
        os.close(folder)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def run_cli(*arguments: str | Path, home: Path, **env: str) -> Outcome:
    """Run the command line in this process, in the home."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        contextlib.chdir(home),
        mock.patch.dict(os.environ, environment(**env), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main([str(argument) for argument in arguments])
    return Outcome(code, *(_content(stream) for stream in (out, err)))


def _content(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def run_process(*arguments: str | Path, home: Path, **env: str) -> Outcome:
    """Run the command line in a process of its own, in the home."""
    done = subprocess.run(
        [sys.executable, "-m", "stratvisor", *map(str, arguments)],
        cwd=home,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def environment(**more: str) -> dict[str, str]:
    """The tests' own, without what changes how things are shown."""
    dropped = {"COLUMNS", "LINES", "NO_COLOR", "TERM", "PYTHONUNBUFFERED", "PYTHONDEVMODE"}
    source = str(Path(__file__).parents[2] / "src")
    return (
        {key: value for key, value in os.environ.items() if key not in dropped}
        | {"PYTHONPATH": source}
        | more
    )


def strategy(name: str = "ema", **facts: Any) -> dict[str, Any]:
    """One strategy as the daemon shows it."""
    return {
        "id": name,
        "title": name,
        "tags": [],
        "state": "running",
        "why": "in its window until 15:30 IST",
        "since": "2026-11-23T09:15:00+05:30",
        "pid": 4711,
        "run": 3,
        "uptime_s": 3725.25,
        "restarts": 2,
        "last_exit": None,
        "retry_at": None,
        "kill_at": None,
        "next_start": "2026-11-24T09:15:00+05:30",
        "next_stop": "2026-11-23T15:30:00+05:30",
        "hold": None,
        "cpu_percent": 0.25,
        "memory_bytes": 24_500_000,
        "log": f"log/strategies/{name}_20261123_091500_IST.log",
        "script_sha256": "ab" * 32,
        "commit": "cd" * 20,
        "stale": False,
        "restart_pending": False,
        "problems": [],
        **facts,
    }


def status(*strategies: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """All of them, as the daemon shows them."""
    counts: dict[str, int] = {}
    for one in strategies:
        counts[one["state"]] = counts.get(one["state"], 0) + 1
    return {
        "version": "9.9.9",
        "now": "2026-11-23T10:17:05.125+05:30",
        "timezone": "Asia/Kolkata",
        "ready": True,
        "why_not_ready": None,
        "counts": counts,
        "problems": [],
        "strategies": list(strategies),
        **facts,
    }
