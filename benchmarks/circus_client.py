"""Passes commands to circusd, one a line on standard input.

One line back for each: how many nanoseconds the call took, and the answer as JSON. Run by the
interpreter that has circus; the benchmark itself does without.
"""

from __future__ import annotations

import json
import sys
import time

from circus.client import CircusClient  # type: ignore[import-not-found]
from circus.exc import CallError  # type: ignore[import-not-found]

client = CircusClient(endpoint=sys.argv[1], timeout=30)
for line in sys.stdin:
    began_ns = time.monotonic_ns()
    try:
        answer = client.send_message(line.strip())
    except CallError as error:
        answer = {"error": str(error)}
    print(time.monotonic_ns() - began_ns, json.dumps(answer), flush=True)
