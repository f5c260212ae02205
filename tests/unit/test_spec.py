"""What a process is made of, in one digest."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace

import pytest

from stratvisor.spec import Process, ReadyAfter, ReadyNotify, Spec


def test_a_key_that_nobody_uses_is_no_part_of_the_digest() -> None:
    """What an older stratvisor said of the same file, before any key was added: its runs go on."""
    said = b'[["Process",{"script":"strategies/ema.py"}]]'
    assert Process(script="strategies/ema.py").fingerprint == hashlib.sha256(said).hexdigest()


@pytest.mark.parametrize("name", [item.name for item in fields(Process)])
def test_every_key_of_a_process_is_part_of_it_where_it_is_used(name: str) -> None:
    usual = Process()
    assert replace(usual, **{name: "used"}).fingerprint != usual.fingerprint  # type: ignore[arg-type]


def test_the_kinds_of_readiness_are_told_apart() -> None:
    after, notify = (Spec("ema", Process(), start=start) for start in (ReadyAfter(), ReadyNotify()))
    assert after.retry_key != notify.retry_key
