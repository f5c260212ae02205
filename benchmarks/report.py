"""The findings as a table for people, and as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from findings import OURS, PEERS, SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from findings import Findings, Measure

NOTHING = "-"


def table(findings: Findings, words: Mapping[str, object]) -> str:
    """Medians, and stratvisor's ratio to each peer. `words` fill the labels."""
    rows = [["", "", *SUBJECTS, *(f"ratio to {peer}" for peer in PEERS), "better is"]]
    for measure in findings.figures:
        figures = [_figure(measure, findings.median(measure, subject)) for subject in SUBJECTS]
        ratios = [_ratio(findings.ratio(measure, peer)) for peer in PEERS]
        rows.append([measure.label.format(**words), measure.unit, *figures, *ratios, measure.better])
    return "\n".join(_aligned(rows))


def as_json(findings: Findings, words: Mapping[str, object], about: Mapping[str, object]) -> dict[str, Any]:
    """Everything: each single figure, the medians and the ratios."""
    return {
        **about,
        "failures": findings.failures,
        "measures": [
            {
                "measure": measure.label.format(**words).strip(),
                "unit": measure.unit,
                "better": measure.better or None,
                "figures": figures,
                "median": {subject: findings.median(measure, subject) for subject in figures},
                "ratio": {peer: findings.ratio(measure, peer) for peer in PEERS if OURS in figures},
            }
            for measure, figures in findings.figures.items()
        ],
    }


def _figure(measure: Measure, value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.{measure.digits}f}"


def _ratio(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column in {0, 1} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
