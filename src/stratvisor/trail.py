"""The chain of the audit trail: each record carries the hash of the one before, and its own.

Pure: records in, lines out; lines in, findings out. A line that was edited does not fit its own hash; one
that was removed, added or moved does not fit its neighbour; and a cut end is found where the last hash is
also known from elsewhere. What cannot be found: a chain that somebody made anew as a whole, together with
the place where its last hash is kept. Against that helps a copy of a hash on another machine.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_DIGITS = 64
_SUFFIX = ',"hash":"'
_TAIL = len(_SUFFIX) + _DIGITS + len('"}')


class Head(NamedTuple):
    """The last link of a chain."""

    number: int
    hash: str


NO_HEAD = Head(0, "0" * _DIGITS)
"""Before the first record."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a chain looks like."""

    records: int
    head: Head
    """Of its last record that can be read."""
    findings: tuple[str, ...]
    hashes: frozenset[str]


def seal(before: Head, facts: Mapping[str, Any]) -> tuple[bytes, Head]:
    """The line of a record, with its newline, and the head of the chain that ends with it."""
    record = {"n": before.number + 1, **facts, "prev": before.hash}
    body = json.dumps(record, separators=(",", ":"))
    digest = _digest(body)
    return f'{body[:-1]}{_SUFFIX}{digest}"}}\n'.encode("ascii"), Head(before.number + 1, digest)


def check(lines: Iterable[bytes], known: Head | None = None) -> Checked:
    """Look at every line of a trail; `known` is the last link as it is known from elsewhere."""
    last, count = NO_HEAD, 0
    findings: list[str] = []
    hashes: list[str] = []
    for place, line in enumerate(lines, start=1):
        count += 1
        record = parse(line)
        if record is None:
            findings.append(f"line {place} is no record: it was damaged or edited")
            continue
        findings += (f"line {place}, record {record['n']}: {what}" for what in _misfits(line, record, last))
        last = Head(record["n"], record["hash"])
        hashes.append(last.hash)
    if known is not None and known != NO_HEAD and known.hash not in hashes:
        findings.append(
            f"the end was cut off or made anew: record {known.number} with the hash {known.hash} was written "
            "and is not here"
        )
    return Checked(count, last, tuple(findings), frozenset(hashes))


def parse(line: bytes) -> dict[str, Any] | None:
    """A record; None: it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    kinds = {"n": int, "prev": str, "hash": str}
    return record if all(type(record.get(key)) is kind for key, kind in kinds.items()) else None


def head_text(head: Head) -> str:
    """As it is kept."""
    return f"{head.number} {head.hash}\n"


def parse_head(text: str) -> Head | None:
    """As it was kept; None: it is damaged."""
    number, _, digest = text.strip().partition(" ")
    if not (re.fullmatch("[0-9]{1,18}", number) and len(digest) == _DIGITS):
        return None
    return Head(int(number), digest)


def _misfits(line: bytes, record: dict[str, Any], before: Head) -> Iterator[str]:
    """What does not fit; the bytes themselves are hashed, so that no way to write the same passes."""
    text = line.rstrip(b"\n").decode("ascii", "replace")
    if text[-_TAIL:] != f'{_SUFFIX}{record["hash"]}"}}' or _digest(text[:-_TAIL] + "}") != record["hash"]:
        yield "it was edited: its hash is another's"
    if record["prev"] == before.hash:
        return
    if before == NO_HEAD:
        yield "what came before it is missing"
    else:
        yield f"it does not follow record {before.number}: records were removed, added or moved here"


def _digest(body: str) -> str:
    return sha256(body.encode("ascii", "replace")).hexdigest()
