"""A real daemon on a home of its own, driven as a user would: files, signals, and its Unix socket."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from waiting import DEADLINE_S, alive, until

from stratvisor.shim import lognames

WICKED = Path(__file__).parent.parent / "children" / "wicked.py"


class Unix(http.client.HTTPConnection):
    """HTTP over the Unix socket of a home."""

    def __init__(self, home: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE_S)
        self._home = home

    def connect(self) -> None:
        folder = os.open(self._home / "run", os.O_PATH)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(DEADLINE_S)
        try:
            # tmp_path may be too long for sun_path
            self.sock.connect(f"/proc/self/fd/{folder}/stratvisor.sock")
        finally:
            os.close(folder)


class Instance:
    """One home and the daemon that runs on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.daemon: subprocess.Popen[bytes] | None = None
        self.runs_by: list[str] = []
        """What the daemon's command line begins with."""
        self.python = sys.executable
        self.popen: dict[str, Any] = {}
        """How its process is made, where that is not as this one."""
        (home / "stratvisor.toml").write_text("[http]\nport = 0\n")

    # The daemon.

    def up(self) -> Self:
        """Start it, and wait until its socket answers."""
        with (self.home / "daemon.err").open("ab") as errors:
            self.daemon = subprocess.Popen(
                [*self.runs_by, self.python, "-m", "stratvisor", "--home", str(self.home), "up"],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                **self.popen,
            )
        until(self._answers, "the daemon answers")
        return self

    def _answers(self) -> bool:
        assert self.daemon is not None
        assert self.daemon.poll() is None, (self.home / "daemon.err").read_text()
        try:
            return self.ask("GET", "/healthz", raw=True)[0] == 200
        except OSError:
            return False

    @property
    def daemon_pid(self) -> int:
        assert self.daemon is not None
        return self.daemon.pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the daemon by a signal, and wait until it is gone."""
        assert self.daemon is not None
        self.daemon.send_signal(number)
        self.daemon.wait(DEADLINE_S)

    def again(self) -> Self:
        """kill -9, then a new daemon."""
        self.kill()
        return self.up()

    # Its config.

    def write(self, strategy: str, *arguments: str, text: str = "") -> Path:
        """A strategy file: a temperament of wicked.py with its arguments, and more YAML."""
        path = self.home / "conf.d" / f"{strategy}.yaml"
        args = json.dumps(list(arguments))
        path.write_text(f"script: {WICKED}\nargs: {args}\n" + textwrap.dedent(text))
        return path

    # Asking it.

    def ask(self, method: str, path: str, *, raw: bool = False, page: bool = False) -> tuple[int, Any]:
        """Status and JSON of one request; `raw`: its bytes, and of a `page` those a browser gets."""
        connection = Unix(self.home)
        try:
            connection.request(method, path, headers={"Accept": "text/html" if page else "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        return answer.status, body if raw else json.loads(body)

    def get(self, path: str) -> Any:
        status, body = self.ask("GET", f"/python/{path}")
        assert status == 200, body
        return body

    def post(self, path: str, expected: int | None = None) -> Any:
        status, body = self.ask("POST", f"/python/{path}")
        assert status == expected if expected else status < 300, body
        return body

    def show(self, strategy: str) -> Any:
        return self.get(f"status/{strategy}")

    def state(self, strategy: str) -> str:
        return str(self.show(strategy)["state"])

    def until_shown(self, strategy: str, wanted: Callable[[Any], object], what: str) -> Any:
        """The first look at a strategy that is as wanted: at the next one it may be something else again."""
        looks: list[Any] = []

        def look() -> bool:
            looks[:] = [self.show(strategy)]
            return bool(wanted(looks[0]))

        until(look, f"{strategy}: {what}")
        return looks[0]

    def until_state(self, strategy: str, *states: str) -> Any:
        return self.until_shown(strategy, lambda shown: shown["state"] in states, f"in {states}")

    def until_new_pid(self, strategy: str, old: int | None = None) -> int:
        shown = self.until_shown(strategy, lambda shown: shown["pid"] not in {None, old}, "another pid")
        return int(shown["pid"])

    def pid(self, strategy: str) -> int:
        return self.until_new_pid(strategy)

    # Its logs.

    def printed(self, strategy: str) -> list[str]:
        paths = lognames.of(self.home / "log" / "strategies", strategy)
        text = b"".join(Path(path).read_bytes() for path in paths).decode()
        return [line for line in text.splitlines() if not line.startswith("[stratvisor] ")]

    def until_printed(self, strategy: str, text: str) -> str:
        def found() -> str | None:
            return next((line for line in self.printed(strategy) if line.startswith(text)), None)

        until(found, f"{text!r} in the log of {strategy}")
        return (found() or "")[len(text) :]

    def close(self) -> None:
        """Stop everything, politely where that works."""
        if self.daemon is not None and self.daemon.poll() is None:
            self.kill(signal.SIGTERM)


@contextmanager
def instance(home: Path) -> Iterator[Instance]:
    """An instance whose daemon is ended afterwards."""
    made = Instance(home)
    try:
        yield made
    finally:
        made.close()


def numbers(lines: list[str]) -> list[int]:
    """What a steady strategy counted."""
    return [int(line.removeprefix("line ")) for line in lines if line.startswith("line ")]


__all__ = ["Instance", "alive", "instance", "numbers"]
