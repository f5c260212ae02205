"""The zygote of a home with a clock of its own; see `stepped`."""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).resolve()
sys.path += [str(_HERE.parent), str(_HERE.parents[2] / "src")]

import stepped  # noqa: E402

from stratvisor.shim import zygote  # noqa: E402

if __name__ == "__main__":
    stepped.install_in_shims()
    zygote._start()
