"""How a command fails: what it tells its user, and the exit code."""

from __future__ import annotations

FAILED = 1
USAGE = 2
NO_DAEMON = 3
INTERRUPTED = 130
"""As shells report a process that SIGINT ended."""
PIPE_CLOSED = 141
"""As shells report one that SIGPIPE ended: `stratvisor logs ema | head`."""


class Failure(Exception):  # noqa: N818  most are a word to the user, not an error of the program
    """A command that cannot do what it was asked; the text says why and what to do."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
