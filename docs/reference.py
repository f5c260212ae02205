"""Writes the README's tables of config keys from the code that reads them: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from stratvisor import schema

KINDS: tuple[schema.Kind, ...] = ("strategy", "settings", "calendar")


def table(kind: schema.Kind) -> str:
    """Every key of one kind of file, as Markdown."""
    lines = ["| key | value | default | |", "|---|---|---|---|"]
    for row in schema.rows(kind):
        default = f"`{row.default}`" if row.default and " " not in row.default else row.default
        cells = (f"`{row.key}`", row.type, default, row.meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def written(text: str) -> str:
    """A document with its tables made anew."""
    for kind in KINDS:
        begin, end = f"<!-- keys: {kind} -->\n", "<!-- /keys -->"
        before, rest = text.split(begin)
        after = rest.split(end, maxsplit=1)[1]
        text = f"{before}{begin}{table(kind)}\n{end}{after}"
    return text


def main() -> None:
    """Rewrite the file that is named."""
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
