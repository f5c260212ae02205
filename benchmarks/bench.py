"""stratvisor beside supervisor and circus: one run, one table.

Everything happens with real processes in a temporary folder, on Unix sockets alone, and everything
that was started is ended. Needs Linux, for it reads /proc. The two peers are installed from PyPI into
an environment inside that folder and run with their defaults; figures are medians, taken by turns or
side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import compiling
import crowding
import flooding
import hosting
import orphaning
import peers
import redacting
import report
import starting
from lab import QUICK, Effort, Lab
from processes import become_subreaper, end_all

from stratvisor import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

LIMIT_S = 280
"""After the peers are installed; what is not measured by then is left out."""

PARTS: dict[str, Callable[[Lab], None]] = {
    "start": starting.measure,
    "orphan": orphaning.measure,
    "host": hosting.measure,
    "log": flooding.measure,
    "schedule": compiling.measure,
    "redact": redacting.measure,
}


class OutOfTime(Exception):  # noqa: N818  the clock's word, not an error
    """The run has taken as long as it may."""


def main() -> int:
    """The whole run."""
    wanted = _arguments()
    if sys.platform != "linux":
        print("cannot run the benchmark here: it reads /proc, which Linux alone has", file=sys.stderr)
        return 1
    become_subreaper()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _out_of_time)
    try:
        with tempfile.TemporaryDirectory(prefix="svb-", ignore_cleanup_errors=True) as folder:
            return _run(wanted, Path(folder))
    finally:
        end_all()


def _arguments() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--quick", action="store_true", help="about a minute: fewer rounds, smaller sizes")
    asked.add_argument("--only", choices=PARTS, action="append", help="this part; may be given repeatedly")
    asked.add_argument("--alone", action="store_true", help="stratvisor alone, without its peers")
    asked.add_argument("--many", type=int, metavar="N", help="only this: N strategies under stratvisor alone")
    asked.add_argument("--json", type=Path, metavar="FILE", help="every single figure, too")
    return asked.parse_args()


def _run(wanted: argparse.Namespace, folder: Path) -> int:
    began = time.monotonic()
    lab = Lab(folder, _install(wanted, folder), QUICK if wanted.quick else Effort())
    signal.alarm(LIMIT_S)
    try:
        if wanted.many:
            _say(f"{wanted.many} strategies")
            crowding.measure(lab, wanted.many)
        else:
            for part in wanted.only or PARTS:
                _say(part)
                PARTS[part](lab)
    except OutOfTime:
        lab.findings.failures.append(f"what is missing: not measured within {LIMIT_S} s")
    except KeyboardInterrupt:
        lab.findings.failures.append("what is missing: interrupted")
    signal.alarm(0)
    _tell(lab, wanted, time.monotonic() - began)
    return 1 if lab.findings.failures else 0


def _install(wanted: argparse.Namespace, folder: Path) -> peers.Peers | None:
    if wanted.alone or wanted.many:
        return None
    _say("installing supervisor and circus")
    try:
        return peers.install(folder / "peers")
    except subprocess.CalledProcessError as failure:
        print(f"cannot install the peers ({failure}); stratvisor is measured alone", file=sys.stderr)
        return None


def _tell(lab: Lab, wanted: argparse.Namespace, took_s: float) -> None:
    effort = lab.effort
    words = {
        "n": effort.strategies,
        "many": wanted.many,
        "idle": f"{effort.idle_s:g}",
        "mb": effort.flood_bytes // 1_000_000,
        "lines": f"{effort.flood_bytes // flooding.LINE:,}",
    }
    about = {
        "stratvisor": __version__,
        "peers": dict(lab.peers.versions) if lab.peers else {},
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "seconds": round(took_s, 1),
    }
    print(report.table(lab.findings, words), end="\n\n")
    print(", ".join(f"{name} {value}" for name, value in about.items() if name != "peers"))
    for failure in lab.findings.failures:
        print(f"not measured: {failure}")
    if wanted.json:
        wanted.json.write_text(
            json.dumps(report.as_json(lab.findings, words, about), indent=1) + "\n", "utf-8"
        )


def _say(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _out_of_time(_number: int, _frame: FrameType | None) -> NoReturn:
    raise OutOfTime


if __name__ == "__main__":
    sys.exit(main())
