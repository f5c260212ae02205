"""One daemon that runs in a folder of its own, and what the benchmark sees of it from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from host import NotAnswering
from post import Post, TooLate, listen
from processes import descendants, lives

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from host import Host
    from programs import Program

PATIENCE_S = 40.0
"""For anything at all; what takes longer is reported as not measured."""


class Instance:
    """A host's daemon, its programs, and their post."""

    def __init__(self, folder: Path, make_host: Callable[[Path], Host]) -> None:
        folder.mkdir()
        self.folder = folder
        self.post = Post(folder / "post")
        self.programs: Sequence[Program] = ()
        self.began_ns = 0
        self.patience_s = PATIENCE_S
        self.home = folder / "h"
        self.home.mkdir()
        self.host = make_host(self.home)
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self, programs: Sequence[Program]) -> None:
        """Write the config and start the daemon."""
        self.programs = programs
        self.host.configure(programs)
        self.start_daemon()

    def start_daemon(self) -> None:
        """Start the daemon on the config as it stands. Its words go to a file beside it."""
        with (self.folder / "said").open("ab") as said:
            self.began_ns = time.monotonic_ns()
            self._daemon = subprocess.Popen(
                list(self.host.argv),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=dict(self.host.env),
                cwd=self.folder,
            )

    @property
    def pid(self) -> int:
        """Of the daemon."""
        if self._daemon is None:
            raise NotAnswering("not started")
        return self._daemon.pid

    def kill_daemon(self) -> None:
        """As the kernel's OOM killer would."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGKILL)
            self._daemon.wait()
        self.host.close()

    def wait_for_words(self, count: int, after: int = 0) -> int:
        """Until `count` programs spoke since the word numbered `after`; when the last of them was heard.

        Raises:
            TooLate: they did not.
            NotAnswering: the daemon is no more.
        """

        def enough() -> bool:
            self._refuse_dead()
            return len({word.name for word in self.post.words[after:]}) >= count

        self.post.wait(enough, self.patience_s, f"{count} programs to speak")
        return max(word.at_ns for word in self.post.words[after:])

    def settle(self) -> int:
        """Until all programs are there and the daemon itself says so; when it first answered.

        Raises:
            TooLate: it does not come to that.
            NotAnswering: the daemon is no more.
        """
        self.wait_for_words(len(self.programs))
        deadline = time.monotonic() + self.patience_s
        answered_ns = 0
        while time.monotonic() < deadline:
            with suppress(NotAnswering):
                answer = self.host.ask()
                answered_ns = answered_ns or time.monotonic_ns()
                if self.host.running(answer) >= len(self.programs):
                    return answered_ns
            time.sleep(0.02)
        raise TooLate(f"{len(self.programs)} programs to be called running: not within {self.patience_s:g} s")

    def helpers(self) -> list[int]:
        """The daemon and all that it runs beside the programs and their children."""
        return [self.pid, *descendants(self.pid, but=set(self.post.pids().values()))]

    def alive(self, name: str) -> list[int]:
        """The living processes of one program, however many there are."""
        listen([self.post], 0)
        said = {word.pid for word in self.post.words if word.name == name}
        return [pid for pid in sorted(said) if lives(pid)]

    def kill(self, *names: str) -> int:
        """Kill the newest process of each of these programs; when it began."""
        pids = self.post.pids()
        at_ns = time.monotonic_ns()
        for name in names:
            os.kill(pids[name], signal.SIGKILL)
        return at_ns

    def wait_for_word(self, name: str, after: int) -> int:
        """Until one program speaks for the first time since the word numbered `after`; when it was heard.

        Raises:
            TooLate: it does not.
            NotAnswering: the daemon is no more.
        """

        def times() -> list[int]:
            self._refuse_dead()
            return [word.at_ns for word in self.post.words[after:] if word.name == name]

        self.post.wait(lambda: bool(times()), self.patience_s, f"{name} to speak")
        return times()[0]

    def _refuse_dead(self) -> None:
        if self._daemon is not None and self._daemon.poll() is not None:
            last = (self.folder / "said").read_text("utf-8", "replace").strip().rpartition("\n")[2]
            raise NotAnswering(f"the daemon ended with {self._daemon.returncode}: {last[:200]}")

    def close(self) -> None:
        """Let go of it; who ends the processes is `processes.end_all`."""
        self.host.close()
        self.post.close()
