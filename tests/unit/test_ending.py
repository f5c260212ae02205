"""Why a run ended, where its wait status alone does not say."""

from __future__ import annotations

import os
import signal
from typing import Any
from unittest.mock import Mock

import pytest

from stratvisor.shim import ending
from stratvisor.shim.ending import Ending

KILLER = "the kernel's OOM killer: the machine or its control group was out of memory"
PERHAPS = "perhaps the kernel's OOM killer: it killed 2 processes during this run"


def cause(
    number: int, monkeypatch: pytest.MonkeyPatch, *, kills: int | None, said: bytes | None
) -> str | None:
    """Of a process 4711 that was killed, where the kernel had killed three before the run and says this."""
    monkeypatch.setattr(ending, "oom_kills", lambda: kills)
    monkeypatch.setattr(ending, "_kernel_log", lambda: said)
    spec: dict[str, Any] = {"oom_kills": 3, "rlimits": {"cpu_time": 5}}
    return ending._cause_of(number, 4711, spec, Mock(because=None))


@pytest.mark.parametrize(
    ("kills", "said", "expected"),
    [
        (5, b"6,1,2;Out of memory: Killed process 4711 (python3) total-vm", KILLER),
        (5, b"6,1,2;Out of memory: Killed process 47110 (python3) total-vm", None),
        (5, b"", None),
        (5, None, PERHAPS),
        (3, b"6,1,2;Out of memory: Killed process 4711 (python3) of another boot's", None),
        (3, None, None),
        (None, None, None),
    ],
)
def test_a_kill_is_the_kernels_only_where_it_says_so(
    monkeypatch: pytest.MonkeyPatch, kills: int | None, said: bytes | None, expected: str | None
) -> None:
    assert cause(signal.SIGKILL, monkeypatch, kills=kills, said=said) == expected
    assert cause(signal.SIGTERM, monkeypatch, kills=kills, said=said) is None


def test_a_record_of_the_kernels_that_was_overwritten_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """read(2) of /dev/kmsg says EPIPE for it, and EAGAIN at the end."""
    null = os.open(os.devnull, os.O_RDONLY)
    monkeypatch.setattr(os, "open", Mock(return_value=null))
    monkeypatch.setattr(os, "read", Mock(side_effect=[b"one,", BrokenPipeError, b"two", BlockingIOError]))
    assert ending._kernel_log() == b"one,two"


def test_of_a_stranger_the_wait_status_is_all() -> None:
    stopper = Mock(detail="")
    assert Ending.of_stranger(7 << 8, stopper).code == 7
    assert Ending.of_stranger(signal.SIGKILL, stopper).signal == signal.SIGKILL
    assert Ending.of_stranger(None, stopper).unknown
