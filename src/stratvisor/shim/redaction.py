"""Secrets out of a stream of bytes: every print of one becomes `[redacted NAME]`.

Covered is a value as it is, with any of its characters escaped as JSON, Python or a URL escape them,
and its base64, wherever in the encoded text it begins; each whole, or its first `LEAST` characters
and however many follow. Values have no line break in them, so a print of one never crosses a line.

Knows no file and keeps nothing between two calls: what may be the beginning of a print stays with the
caller, who comes again when there is more behind it. So a reader may be killed at any moment, and a
print that comes byte by byte is found as one that comes at once.

Not covered are other ways to write a value (hexadecimal, reversed, encrypted, a middle part of it):
who wants to smuggle it out can.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST = 8
"""Characters from the beginning of a print on that are as good as all of it."""

_SKIPPED = (0, 2, 3)
"""Base64 digits that what stands before a value has a part in, by its place modulo 3."""

_Ways = tuple[bytes, ...]


class _Print(NamedTuple):
    """One form of one secret: of each of its characters, every way to write it."""

    name: str
    characters: tuple[_Ways, ...]

    @property
    def head(self) -> bytes:
        """An expression for its first characters."""
        return b"".join(_either(ways) for ways in self.characters[:LEAST])

    @property
    def longest(self) -> int:
        """Bytes, however it is written."""
        return sum(max(map(len, ways)) for ways in self.characters)

    def reach(self, text: bytes, start: int) -> tuple[int, bool]:
        """Where the print from `start` on ends (there, if it is none), and whether it may go on after `text`.

        An escape begins with what may stand for itself, so all readings are followed at once.
        """
        end, is_open = start, False
        places = {start}
        for count, ways in enumerate(self.characters, 1):
            reached = set()
            for place in places:
                for way in ways:
                    if text.startswith(way, place):
                        reached.add(place + len(way))
                    elif len(text) - place < len(way) and way.startswith(text[place:]):
                        is_open = True
            if not reached:
                break
            places = reached
            if count >= LEAST:
                end = max(end, *places)
        return end, is_open


class Redactor:
    """Takes the values of `secrets`, which it has under their names, out of texts."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._prints = [one for name, value in secrets.items() for one in _prints(name, value)]
        self._longest = max(one.longest for one in self._prints)
        self._heads = re.compile(b"|".join(one.head for one in self._prints))
        firsts = {way[:1] for one in self._prints for way in one.characters[0]}
        self._firsts = re.compile(_either(tuple(firsts)))

    def whole(self, text: bytes) -> bytes:
        """All of a text that nothing follows."""
        return self.cut(text, len(text), final=True)[0]

    def cut(self, text: bytes, limit: int, *, final: bool = False) -> tuple[bytes, int]:
        """What to write of the first `limit` bytes, and how many bytes it stands for.

        These are fewer where the text ends in what may be the beginning of a print, unless it is `final`;
        and more where a print goes past the limit.
        """
        written = []
        done = 0
        while (match := self._heads.search(text, done)) and match.start() < limit:
            start = match.start()
            end, names, is_open = self._cover(text, start)
            written.append(text[done:start])
            if is_open and not final:
                if len(text) - start <= 2 * self._longest:
                    return b"".join(written), start
                end = self._opening(text, start)  # prints that overlap without end are not waited for
            written.append(b"[redacted %s]" % ", ".join(names).encode())
            done = end
        stop = max(done, min(limit, len(text)))
        if not final:
            stop = max(done, min(stop, self._opening(text, done)))
        written.append(text[done:stop])
        return b"".join(written), stop

    def _cover(self, text: bytes, start: int) -> tuple[int, list[str], bool]:
        """Where the print at `start` and those that overlap it end, their names, and if they may go on."""
        end, names = start, dict[str, None]()
        place = start
        while True:
            reached, name = max((one.reach(text, place)[0], one.name) for one in self._prints)
            end = max(end, reached)
            names[name] = None
            match = self._heads.search(text, place + 1, end + self._longest)
            if match is None or match.start() >= end:
                return end, list(names), self._opening(text, start) < end
            place = match.start()

    def _opening(self, text: bytes, start: int) -> int:
        """From where on the text may be the beginning of a print; its length: from nowhere."""
        start = max(start, text.rfind(b"\n", start) + 1, len(text) - self._longest)
        for match in self._firsts.finditer(text, start):
            if any(one.reach(text, match.start())[1] for one in self._prints):
                return match.start()
        return len(text)


def _prints(name: str, value: str) -> list[_Print]:
    plain = _Print(name, tuple(_ways(character) for character in value))
    return [plain, *(_Print(name, _digits(value.encode(), place)) for place in range(3))]


def _ways(character: str) -> _Ways:
    """How a character is written as it is, in JSON, in Python and in a URL."""
    plain = character.encode()
    if character.isascii() and character.isalnum():
        return (plain,)
    units = character.encode("utf-16-be")
    escaped = b"".join(b"\\u%02x%02x" % pair for pair in zip(units[::2], units[1::2], strict=True))
    ways = {
        plain,
        json.dumps(character)[1:-1].encode(),
        ascii(character)[1:-1].encode(),
        b"".join(b"%%%02x" % byte for byte in plain),
        escaped,
    }
    if not character.isascii():
        ways.add(b"".join(b"\\x%02x" % byte for byte in plain))
    elif character in "/'\"":
        ways.add(b"\\" + plain)
    elif character == " ":
        ways.add(b"+")
    return tuple(sorted(ways | {_upper(way) for way in ways}))


def _upper(way: bytes) -> bytes:
    """An escape with its hexadecimal digits in upper case."""
    return re.sub(rb"(?<=%)..|(?<=\\[ux])[0-9a-f]+", lambda digits: digits[0].upper(), way)


def _digits(value: bytes, place: int) -> tuple[_Ways, ...]:
    """The base64 digits that are the value's alone, where `place` bytes modulo 3 stand before it."""
    before = bytes(place)
    digits = binascii.b2a_base64(before + value, newline=False).decode()
    last = len(before + value) * 8 // 6
    return tuple(_digit(digit) for digit in digits[_SKIPPED[place] : last])


def _digit(digit: str) -> _Ways:
    """Also the one for URLs (RFC 4648, 5), and the other as a URL or JSON escape it."""
    return (*_ways(digit), *{"+": (b"-",), "/": (b"_",)}.get(digit, ()))


def _either(ways: _Ways) -> bytes:
    return b"(?:" + b"|".join(map(re.escape, ways)) + b")" if len(ways) > 1 else re.escape(ways[0])
