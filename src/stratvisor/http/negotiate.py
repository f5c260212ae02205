"""Which of several forms an Accept header asks for (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from functools import lru_cache

JSON = "application/json"
HTML = "text/html"
PLAIN = "text/plain"

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


@lru_cache(maxsize=256)
def best(accept: str, *offers: str) -> str:
    """The offer with the highest quality; the first of equals, and the first where none is accepted."""
    ranges = list(_ranges(accept[:4096]))
    return max(offers, key=lambda offer: _quality(offer, ranges))


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        if media:
            found.append((media.lower(), _weight(parameters)))
    return found


def _weight(parameters: list[str]) -> float:
    """The q of a range, 1 where there is none; one that is no number counts as none at all."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            return float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
    return 1.0


def _quality(offer: str, ranges: list[tuple[str, float]]) -> float:
    """By the most specific range that names the offer."""
    main = offer.partition("/")[0]
    for pattern in (offer, f"{main}/*", "*/*"):
        named = [weight for media, weight in ranges if media == pattern]
        if named:
            return max(named)
    return 0.0
