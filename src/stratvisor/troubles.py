"""What the daemon itself cannot do now: shown among the problems until it can.

Knows one sentence a file, and who may not overlook it; logs nothing and mends nothing: whoever says a
trouble tries again, and says when it is over. Threads may speak too: each word is one assignment.
"""

from __future__ import annotations

from dataclasses import dataclass

from stratvisor.spec import Problem


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that does not work."""

    why: str
    grave: bool
    """Whether the daemon may lose what people rely on: it is not ready then."""


class Troubles:
    """Those of one daemon, by the file they are about, relative to the home."""

    def __init__(self) -> None:
        self._now: dict[str, Trouble] = {}

    def say(self, file: str, why: str, *, grave: bool = False) -> bool:
        """`file` is in trouble; the answer is whether that is new."""
        before = self._now.get(file)
        self._now[file] = Trouble(why, grave)
        return before is None

    def over(self, file: str) -> bool:
        """It is not any more; the answer is whether it was."""
        return self._now.pop(file, None) is not None

    def problems(self) -> list[Problem]:
        """All of them, as those of config files are shown."""
        return [Problem(file, 1, 1, "", trouble.why) for file, trouble in sorted(self._now.copy().items())]

    def grave(self) -> str | None:
        """What keeps the daemon from being ready."""
        found = [f"{file}: {one.why}" for file, one in sorted(self._now.copy().items()) if one.grave]
        return "; ".join(found) or None
