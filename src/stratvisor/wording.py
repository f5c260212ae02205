"""How a problem quotes what somebody wrote, and guesses what they meant.

Whatever stands in a file, a message stays one printable line of bounded length.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 64
"""Characters of somebody's text that a message repeats."""


def quoted(text: str) -> str:
    """The text in double quotes, as it can be pasted into YAML, TOML and JSON."""
    return json.dumps(text if len(text) <= MOST else text[:MOST] + "...", ensure_ascii=not text.isprintable())


def label(name: str) -> str:
    """A key's name inside a dotted path."""
    return name if len(name) <= MOST and name.isprintable() and name.strip() else quoted(name)


def nearest(word: str, options: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The option that the word is most likely a slip of, in upper or lower case; None: none is near."""
    if len(word) > MOST:
        return None
    by_small = {option.lower(): option for option in options}
    found = difflib.get_close_matches(word.lower(), by_small, n=1, cutoff=cutoff)
    return by_small[found[0]] if found else None


def did_you_mean(word: str, options: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of a sentence: a guess, or nothing."""
    guess = nearest(word, options, cutoff)
    return "" if guess is None else f"; did you mean {guess!r}?"
