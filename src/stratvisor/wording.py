"""How a message quotes what somebody wrote, guesses what they meant, and tells an amount or a day.

Whatever stands in a file, a message stays one printable line of bounded length.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

from stratvisor.spec import DAY, HOUR, MILLISECOND, MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

DURATIONS = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
"""The units of durations in config files, in nanoseconds."""

MOST = 64
"""Characters of somebody's text that a message repeats."""


def quoted(text: str) -> str:
    """The text in double quotes, as it can be pasted into YAML, TOML and JSON."""
    return json.dumps(text if len(text) <= MOST else text[:MOST] + "...", ensure_ascii=not text.isprintable())


def label(name: str) -> str:
    """A key's name inside a dotted path."""
    return name if len(name) <= MOST and name.isprintable() and name.strip() else quoted(name)


def file_name(name: str) -> str:
    """A file's name as one line of a message: git brings any bytes, and a terminal obeys some of them."""
    return "".join(character if character.isprintable() else "\ufffd" for character in name)


def nearest(word: str, options: Iterable[str], cutoff: float | None = None) -> str | None:
    """The option that the word is most likely a slip of, in upper or lower case; None: none is near.

    `cutoff` is the share that must be alike, 0 to 1; by itself it lets one slip in three letters pass.
    """
    if len(word) > MOST:
        return None
    if cutoff is None:
        cutoff = 0.65 if len(word) <= 4 else 0.7
    by_small = {option.lower(): option for option in options}
    found = difflib.get_close_matches(word.lower(), by_small, n=1, cutoff=cutoff)
    return by_small[found[0]] if found else None


def did_you_mean(word: str, options: Iterable[str], cutoff: float | None = None) -> str:
    """The end of a sentence: a guess, or nothing."""
    guess = nearest(word, options, cutoff)
    return "" if guess is None else f"; did you mean {guess!r}?"


def bytes_text(amount: int) -> str:
    """Bytes as people say them, to a tenth of their largest unit: 1.1GB, 512MB, 900B."""
    scaled, unit = float(amount), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if scaled < 999.95:
            break
        scaled, unit = scaled / 1000, larger
    return f"{scaled:.1f}".removesuffix(".0") + unit


def duration_text(length_ns: int) -> str:
    """A duration of whole milliseconds as it stands in a config file, in its largest unit: 90s, 2h, 0s."""
    if length_ns == 0:
        return "0s"
    unit = next(unit for unit in reversed(DURATIONS) if length_ns % DURATIONS[unit] == 0)
    return f"{length_ns // DURATIONS[unit]}{unit}"


def day_text(day: date) -> str:
    """`Tue 24 Nov`."""
    return f"{day:%a} {day.day} {day:%b}"
