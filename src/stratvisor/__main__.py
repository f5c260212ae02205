"""`python -m stratvisor`: the command line."""

from __future__ import annotations

import sys

from stratvisor.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
