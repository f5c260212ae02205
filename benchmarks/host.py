"""A process host under measurement: what the benchmark must be able to ask of any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from programs import Program


class NotAnswering(Exception):  # noqa: N818  the daemon's state, not an error of the benchmark
    """The daemon does not answer, or not with what was asked for."""


class Answer(NamedTuple):
    """What came back, unread, and how long it took from the first byte sent to the last received."""

    text: bytes
    took_ns: int


class Host(Protocol):
    """One daemon's own way of doing things, in a folder of its own."""

    @property
    def argv(self) -> Sequence[str]:
        """The daemon, to run in the foreground."""

    @property
    def env(self) -> Mapping[str, str]:
        """Its environment."""

    def configure(self, programs: Sequence[Program]) -> None:
        """Write its config files, for exactly these programs."""

    def ask(self) -> Answer:
        """One request for the status of everything, on a connection that is kept.

        Raises:
            NotAnswering: nobody listens yet, or no more.
        """

    def running(self, answer: Answer) -> int:
        """How many programs an answer of `ask` says to be running."""

    def reload(self) -> None:
        """Make it put its changed config files in force."""

    def logs(self, name: str) -> list[Path]:
        """Where a program's output lies, oldest first."""

    def close(self) -> None:
        """Let go of connections."""
