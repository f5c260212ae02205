"""Between fork and exec: what a strategy's process must have become before it is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BETWEEN = Path(__file__).parent.parent / "children" / "between.py"


def become(what: str) -> Any:
    """What a process says that did this one thing to itself."""
    done = subprocess.run([sys.executable, str(BETWEEN), what], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_else_keeps_no_group_of_roots() -> None:
    users, groups, others = become("groups")
    assert set(users) == set(groups) == {65_534}
    assert 0 not in others
    assert 4 not in others


def test_limits_are_an_accounts_own_where_they_are_lower() -> None:
    """Below a shim that is not dumpable, its /proc/self was root's, and no strategy of theirs began."""
    assert become("limits") == [64, 64]


def test_descriptors_that_lie_in_each_others_places_are_told_apart() -> None:
    assert become("descriptors") == [True, 5, True]
