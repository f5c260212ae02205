"""Changes what is kept: sets, removes and takes in secrets, and changes the key.

One at a time, under a lock; each file is replaced whole, and nothing is written where anything kept
cannot be opened: the key that opens it may still turn up. Rule: no text here repeats a value.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from stratvisor.reading import source
from stratvisor.replacing import replace
from stratvisor.vault import contents, keymaking, keyring
from stratvisor.vault.contents import FILE, Spot, Vault
from stratvisor.vault.sealing import Ring, new_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LEAST, MOST = 8, 1024
"""Characters of a value. Shorter ones turn up in a log by chance (a PIN in a price), and redacting them
would tell what they are; longer ones would be waited for beyond what a pipe of a busy user holds."""

_HEAD = """\
# Secrets: readable names, sealed values. Written by `stratvisor secret`, which keeps no remarks of others.
# Made for git; what opens it is not: keys/encryption.key.
"""


class CannotKeep(Exception):  # noqa: N818  its text is what people read
    """Nothing was changed; the text says why and what to do."""


def why_unfit(value: str) -> str | None:
    """What keeps a value from being a secret here; None: nothing does."""
    if len(value) < LEAST:
        return (
            f"it has fewer than {LEAST} characters, too few to be told from other text in a log; put it "
            "together with what it is used with, such as CLIENT:PIN, and take it apart in the script"
        )
    if len(value) > MOST:
        return f"it has more than {MOST} characters; keep it in a file in keys/ and tell the script its path"
    if not value.isprintable():
        return (
            "it has a line break or another character that cannot be shown; keep it in a file in keys/, or "
            "as its base64"
        )
    if value != value.strip():
        return "it begins or ends with a space; remove it"
    return None


def put(home: Path, values: Mapping[Spot, str]) -> list[Spot]:
    """Keep these values. Returns those that are new or differ from what was kept.

    Raises:
        CannotKeep: one of them is unfit, or what is kept cannot be opened.
        OSError: a file cannot be written.
    """
    for spot, value in values.items():
        if why := why_unfit(value):
            raise CannotKeep(f"cannot keep {spot.name}: {why}")
    with keymaking.changing(home):
        vault, ring = _opened(home)
        changed = [spot for spot, value in values.items() if _value(vault, spot) != value]
        if changed:
            sealed = {spot: one.text for spot, one in vault.values.items()}
            _write(home, sealed | {spot: ring.seal(values[spot]) for spot in changed})
    return changed


def remove(home: Path, spot: Spot) -> None:
    """Keep a secret no longer. It need not be possible to open it.

    Raises:
        CannotKeep: there is none, or the file is bad.
        OSError: the file cannot be written.
    """
    with keymaking.changing(home):
        sealed = {one: kept.text for one, kept in _values(home).items()}
        if sealed.pop(spot, None) is None:
            there = ", ".join(str(one) for one in sealed if one.name == spot.name)
            hint = f"there is {there}; say --for" if there else "`stratvisor secret list` shows all"
            raise CannotKeep(f"cannot remove {spot}: there is none; {hint}")
        _write(home, sealed)


def rotate(home: Path) -> int:
    """Change the key. Returns how many values were sealed anew.

    First a new key joins the old, then every value is sealed with it, then the old ones go: whenever this
    is broken off, everything opens, and the next time brings it to its end.

    Raises:
        CannotKeep: what is kept cannot be opened.
        OSError: a file cannot be written.
    """
    with keymaking.changing(home):
        if not _values(home):
            raise CannotKeep("cannot change the key: nothing is sealed with it yet")
        vault, ring = _opened(home)
        ring = Ring([new_key(), *ring.keys])
        keymaking.put(home, ring)
        _write(home, {spot: ring.reseal(sealed.text) for spot, sealed in vault.values.items()})
        keymaking.put(home, Ring(ring.keys[:1]))
    return len(vault.values)


def _values(home: Path) -> dict[Spot, contents.Sealed]:
    try:
        text = source.read(home / FILE)
    except source.MissingError:
        return {}
    except source.CannotReadError as error:
        raise CannotKeep(f"cannot change {FILE}: it {error}") from None
    values, problems = contents.parse(text)
    if problems:
        raise CannotKeep(f"cannot change {FILE}: {problems[0]}")
    return values


def _opened(home: Path) -> tuple[Vault, Ring]:
    """What is kept, all of which opens, and the keys: made now, where nothing is kept yet."""
    values = _values(home)
    try:
        vault = Vault(values, keyring.read(home))
    except keyring.NoKey as problem:
        if values:
            raise CannotKeep(
                f"cannot change {FILE}: {problem}; if there is none, remove {FILE} and set everything anew"
            ) from None
        vault = Vault(values, keymaking.make(home))
    except keyring.KeyProblem as problem:
        raise CannotKeep(f"cannot change {FILE}: {problem}") from None
    for spot in values:
        _value(vault, spot)
    assert vault.ring is not None  # noqa: S101  of both branches above
    return vault, vault.ring


def _value(vault: Vault, spot: Spot) -> str | None:
    sealed = vault.values.get(spot)
    try:
        return None if sealed is None else vault.open(sealed)
    except contents.NoValue as error:
        raise CannotKeep(f"cannot change {FILE}: {spot.name}: {error}") from None


def _write(home: Path, sealed: Mapping[Spot, str]) -> None:
    path = (home / FILE).resolve()
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    replace(path, (_HEAD + _text(sealed)).encode(), mode)


def _text(sealed: Mapping[Spot, str]) -> str:
    """A line a value, in the order of their names: a change of one is one line of a diff."""
    shared = {spot.name: text for spot, text in sealed.items() if spot.strategy is None}
    lines = ["shared:" if shared else "shared: {}"]
    lines += [f"  {name}: {text}" for name, text in sorted(shared.items())]
    owners = sorted({spot.strategy for spot in sealed if spot.strategy is not None})
    lines += ["strategies:"] if owners else []
    for owner in owners:
        lines.append(f"  {owner}:")
        own = {spot.name: text for spot, text in sealed.items() if spot.strategy == owner}
        lines += [f"    {name}: {text}" for name, text in sorted(own.items())]
    return "\n".join(lines) + "\n"
