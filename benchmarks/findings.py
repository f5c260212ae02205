"""What is measured, and what was found: every single figure, by measure and subject."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Literal

SUBJECTS = ("stratvisor", "supervisor", "circus")
OURS, *PEERS = SUBJECTS


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table."""

    label: str
    unit: str = "ms"
    better: Literal["less", "more", ""] = "less"
    """Which figure wins; empty where only the right one does."""
    digits: int = 1


@dataclass(slots=True)
class Findings:
    """All figures, in the order in which their measures were first met."""

    figures: dict[Measure, dict[str, list[float]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    """What could not be measured, and why."""

    def add(self, measure: Measure, subject: str, value: float) -> None:
        """One more figure."""
        self.figures.setdefault(measure, {}).setdefault(subject, []).append(value)

    def median(self, measure: Measure, subject: str) -> float | None:
        """Of all its figures; None: there is none."""
        values = self.figures.get(measure, {}).get(subject)
        return statistics.median(values) if values else None

    def ratio(self, measure: Measure, peer: str) -> float | None:
        """Of stratvisor's median to a peer's; None where that says nothing."""
        ours, theirs = self.median(measure, OURS), self.median(measure, peer)
        return ours / theirs if measure.better and ours is not None and theirs else None
