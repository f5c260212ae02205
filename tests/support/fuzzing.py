"""What fuzz tests share: how much of it, bounds on every example, and damage done to bytes, JSON and files.

`make test` does a little, the same each time; `make fuzz` does $STRATVISOR_FUZZ times as much with new luck.
"""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

TIMES = int(os.environ.get("STRATVISOR_FUZZ", "1"))
CPU_S = 15.0
"""Of this process: how busy the machine is makes little difference."""
REAL_S = 60.0
"""For what waits without working: a FIFO that nobody writes to."""
MEMORY_KB = 512_000
"""How much more than before an example may have needed at its worst."""


class Hangs(BaseException):
    """An example that does not end. No edge of the program under test takes it for an error of its own."""


@contextmanager
def a_folder() -> Iterator[Path]:
    """One for a single example: a fixture's is shared by all of a test's."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        yield Path(folder)


def examples(count: int) -> settings:
    """So many of them in CI. A fixture may be shared: each example makes what it needs anew."""
    tolerated = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count * TIMES, deadline=None, suppress_health_check=tolerated)


@contextmanager
def bounded() -> Iterator[None]:
    """Whatever goes on within ends soon and in little memory; a hang ends where it hangs."""

    def hangs(number: int, _frame: FrameType | None) -> None:
        raise Hangs("busy for too long" if number == signal.SIGPROF else "waiting for too long")

    before = {number: signal.signal(number, hangs) for number in (signal.SIGPROF, signal.SIGALRM)}
    needed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    signal.setitimer(signal.ITIMER_REAL, REAL_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - needed < MEMORY_KB


ODD_TEXT = st.sampled_from(
    [
        "",
        " ",
        "\0",
        "\n",
        "\r\n",
        "\t",
        "\ufeff",
        "\x85",
        "\u2028",
        "\u202e",
        "\ud800",
        "é",
        "\U0001d54f",
        "٣",
        "%",
        "..",
        "/",
    ]
) | st.text(max_size=8)
ODD_NUMBERS = st.sampled_from(
    [
        0,
        -1,
        1,
        2**31,
        2**32,
        2**63 - 1,
        2**63,
        -(2**63),
        2**64,
        10**19,
        10**40,
        1e308,
        float("inf"),
        float("nan"),
    ]
)
ODD_LEAVES = st.none() | st.booleans() | ODD_NUMBERS | st.integers() | st.floats() | ODD_TEXT
ODD_JSON = st.recursive(
    ODD_LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3),
    max_leaves=5,
)
"""Any value that JSON has, and some that only Python's JSON has."""

_OF_ENCODINGS = [
    b"",
    b"\0",
    b"\xff",
    b"\x7f",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\r",
    b"\t",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
]
_OF_SIZE = [b"[" * 3_000, b"{a: " * 50, b"9" * 5_000, b"x" * 100_000, b"\xed\xa0\x80"]
_OF_YAML = [
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!python/object:os.system ",
    b"---\n",
    b"...\n",
    b"%YAML 9.9\n",
    b"? ",
    b"- ",
]
_OF_SCALARS = [
    b": ",
    b"# ",
    b"|\n",
    b">-\n",
    b'"\\ud800"',
    b'"\\U0010ffff"',
    b"1e999",
    b"-0",
    b".nan",
    b"0x_",
]
_OF_TIMES = [b"99999999999999999999", b"2026-02-30", b"24:00", b"0001-01-01", b"9999-12-31"]
ODD_BYTES = st.sampled_from([*_OF_ENCODINGS, *_OF_SIZE, *_OF_YAML, *_OF_SCALARS, *_OF_TIMES])


@st.composite
def damaged(draw: st.DrawFn, contents: Sequence[bytes]) -> bytes:
    """One of the contents after a few accidents: cut, overwritten, doubled, or something odd put in."""
    content = draw(st.sampled_from(contents))
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        end = min(end, start + draw(st.sampled_from([0, 1, 2, 8, 64, len(content)])))
        put = draw(ODD_BYTES | st.binary(max_size=4) | st.just(content[start:end] * 2))
        content = content[:start] + put + content[end:]
    return content


@st.composite
def damaged_json(draw: st.DrawFn, value: Any) -> Any:
    """The value with a few of its parts replaced, removed or added."""
    for _ in range(draw(st.integers(1, 3))):
        value = _hurt(draw, value)
    return value


def _hurt(draw: st.DrawFn, value: Any) -> Any:
    """Go some way down into the value and do something there."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(ODD_JSON)
    parts = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    key = draw(st.sampled_from(sorted(parts)))
    deed = draw(st.sampled_from(["deeper", "deeper", "deeper", "remove", "add"]))
    if deed == "deeper":
        parts[key] = _hurt(draw, parts[key])
    elif deed == "remove":
        del parts[key]
    else:
        parts[draw(ODD_TEXT) if isinstance(value, dict) else len(parts)] = draw(ODD_JSON)
    return parts if isinstance(value, dict) else list(parts.values())
