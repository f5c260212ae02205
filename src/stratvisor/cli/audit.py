"""`audit`: who changed what through the doors, and whether anybody touched the record of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stratvisor.cli import home
from stratvisor.cli.failure import FAILED, USAGE, Failure
from stratvisor.cli.shown import clean, moment
from stratvisor.cli.verbs import count

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from stratvisor import trail
    from stratvisor.cli.verbs import Verbs

SHOWN = 50

_MORE = (
    "`verify` finds records that were edited, removed, added or moved, and a cut end by the last hash that "
    "the daemon keeps in run/. Whoever can write both places can make the whole anew: note the hash that "
    "`verify` prints on another machine, and give it to --head later. Needs no daemon. Exit code 1 where "
    "something is wrong."
)


def add(verbs: Verbs) -> None:
    """The verb."""
    verb = verbs.add(
        "audit",
        _audit,
        does="show who changed what through the doors, or verify that record",
        more=_MORE,
        examples=("audit", "audit -n 500", "audit verify", f"audit verify --head {'ab' * 4}"),
    )
    verb.add_argument("what", nargs="?", choices=["verify"], help="look for records that do not fit")
    verb.add_argument(
        "-n", dest="count", metavar="N", type=count, help=f"the last so many (default: {SHOWN})"
    )
    verb.add_argument(
        "--head", metavar="HASH", help="a hash noted earlier, or its beginning: must be there still"
    )


def _audit(arguments: argparse.Namespace) -> int:
    place = home.find(arguments.home)
    if arguments.what is None:
        if arguments.head is not None:
            raise Failure(
                "cannot look for a hash without verifying; write `stratvisor audit verify --head HASH`", USAGE
            )
        return _show(place, arguments.count or SHOWN)
    if arguments.count is not None:
        raise Failure("cannot verify a part; write `stratvisor audit verify`", USAGE)
    return _verify(place, arguments.head)


def _show(place: Path, most: int) -> int:
    from stratvisor import trail  # noqa: PLC0415  no other verb needs it

    lines = _lines(place)
    for line in lines[-most:]:
        print(_told(trail.parse(line)))
    if not lines:
        print("nothing was changed through the doors yet")
    return 0


def _told(record: dict[str, Any] | None) -> str:
    if record is not None:
        with suppress(ValueError, TypeError):  # edited: its time is none
            return _sentence(record)
    return "(a damaged line: `stratvisor audit verify`)"


def _sentence(record: dict[str, Any]) -> str:
    what = " ".join(clean(record[key]) for key in ("what", "strategy") if record.get(key))
    change = _difference(record.get("before"), record.get("after"))
    lost = f" ({record['lost']} records before this one were lost)" if record.get("lost") else ""
    who = f"{clean(record.get('who'))} from {clean(record.get('where'))}"
    return f"{moment(record.get('at'))}  {who}: {what}{change}{lost}"


def _difference(before: Any, after: Any) -> str:
    """What differs, as `state: running -> stopping`."""
    old, new = (facts if isinstance(facts, dict) else {} for facts in (before, after))
    told = [
        f"{clean(key)}: {_plain(old[key])} -> {_plain(new.get(key))}"
        if key in old
        else f"{clean(key)}: {_plain(new[key])}"
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    ]
    return f"  [{', '.join(told)}]" if told else ""


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return (
            clean(" ".join(str(part) for part in (value.get("wants"), value.get("until")) if part)) or "..."
        )
    return clean("none" if value is None else " ".join(map(str, value)) if isinstance(value, list) else value)


def _verify(place: Path, noted: str | None) -> int:
    from stratvisor import trail  # noqa: PLC0415  the same

    # Before the file: a daemon that writes on meanwhile must not look like a cut end.
    kept = _kept_head(place)
    found = trail.check(_lines(place), kept)
    wrong = list(found.findings)
    if noted is not None and not any(one.startswith(noted.lower()) for one in found.hashes):
        wrong.append(f"no record has the hash {clean(noted)}")
    print("\n".join([*wrong, f"{found.records} records; the last has the hash {found.head.hash}"]))
    if kept is None and found.records:
        print(f"warning: {home.AUDIT_HEAD} is gone or damaged: whether the end was cut off cannot be told")
    return FAILED if wrong else 0


def _kept_head(place: Path) -> trail.Head | None:
    from stratvisor import trail  # noqa: PLC0415  the same

    try:
        return trail.parse_head((place / home.AUDIT_HEAD).read_text("ascii"))
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _lines(place: Path) -> list[bytes]:
    """What is written whole; the daemon may be writing the next line."""
    try:
        content = (place / home.AUDIT).read_bytes()
    except FileNotFoundError:
        return []
    return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
