"""Asks exchange_calendars, which may not be installed, for the record of an exchange.

The one place that starts `program`. The library never comes into this process.

Rule: a version with which the library forgets sessions in silence is not asked at all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratvisor.generate.record import CannotGenerateError, Record
from stratvisor.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = Path(__file__).with_name("program.py")
TIMEOUT_S = 120.0

FORGETFUL = (3, 1)
"""From this pandas on, exchange_calendars 4.13 drops sessions on days of the weekend without a word, such as
that of 1 February 2025 in Bombay."""

_INSTALL = f"{sys.executable} -m pip install 'stratvisor[calendars]'"


def ask(code: str, first: date, last: date) -> Record:
    """What the library knows of the sessions that open between two dates, both included.

    Raises:
        CannotGenerateError: it is not installed, does not know the exchange, or failed.
    """
    _check_installed()
    answer = _asked(code, first, last)
    if "unknown" in answer:
        names = answer["unknown"]
        hint = did_you_mean(code, names) or f"; there are {', '.join(sorted(names))}"
        raise CannotGenerateError(f"exchange_calendars has no exchange of this code{hint}")
    return _record(answer, first, last)


def _check_installed() -> None:
    try:
        metadata.version("exchange_calendars")
        pandas = metadata.version("pandas")
    except metadata.PackageNotFoundError:
        raise CannotGenerateError(f"exchange_calendars is not installed; run {_INSTALL}") from None
    if tuple(map(int, pandas.split(".")[:2])) >= FORGETFUL:
        why = f"with pandas {pandas}, exchange_calendars loses sessions"
        raise CannotGenerateError(f"{why}; run {_INSTALL}, which installs an older one")


def _asked(code: str, first: date, last: date) -> Mapping[str, Any]:
    try:
        done = subprocess.run(
            # -P: else a calendar.py beside the program would be taken for the standard library's.
            [sys.executable, "-P", "-W", "ignore", PROGRAM, code, first.isoformat(), last.isoformat()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotGenerateError(
            f"exchange_calendars gave no answer in {TIMEOUT_S:g} s; try again"
        ) from None
    if done.returncode:
        last_words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        why = "".join(last_words) or f"exit {done.returncode}"
        raise CannotGenerateError(f"exchange_calendars failed: {why}; run {_INSTALL}")
    answer: Mapping[str, Any] = json.loads(done.stdout)
    return answer


def _record(answer: Mapping[str, Any], first: date, last: date) -> Record:
    return Record(
        code=answer["code"],
        timezone=answer["timezone"],
        library=answer["library"],
        first=first,
        last=last,
        stretches=tuple((_instant(start), _instant(end)) for start, end in answer["stretches"]),
        names={date.fromisoformat(day): name for day, name in answer["names"].items()},
        changes=frozenset(map(date.fromisoformat, answer["changes"])),
        closures={int(year): count for year, count in answer["closures"].items()},
        known_from=_date(answer["known_from"]),
        known_until=_date(answer["known_until"]),
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
