"""A process that is nobody's business: it says which signals reach it, into the file it is given."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

if __name__ == "__main__":
    _heard = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _one in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(_one, lambda number, _frame: os.write(_heard, b"%d\n" % number) and None)
    os.write(_heard, b"here\n")
    while True:
        signal.pause()
