"""Reads the command line, runs the verb, and makes an exit code of how it went.

0 done, 1 failed or refused, 2 not understood, 3 no daemon runs. A user never sees a traceback; under
`python -X dev -m stratvisor` a programmer does.
"""

from __future__ import annotations

import argparse
import io
import os
import sys

from stratvisor import __version__
from stratvisor.cli import (
    audit,
    calendar,
    check,
    completion,
    control,
    daemon,
    init,
    inquire,
    logs,
    reload,
    secret,
    simulate,
    status,
    systemd,
    token,
)
from stratvisor.cli.failure import FAILED, INTERRUPTED, PIPE_CLOSED, Failure
from stratvisor.cli.verbs import Verbs, Wrapped, add_home

_EPILOG = """\
examples:
  stratvisor init ~/trading           make an instance, with an example strategy
  stratvisor up                       start the daemon of the instance one stands in
  stratvisor status --watch           the table of strategies, live
  stratvisor stop @nifty              stop every strategy with the tag `nifty`
  stratvisor --home ~/trading why ema_crossover

ID is a strategy; start, stop and restart also take @TAG and `all`.
Exit codes: 0 done, 1 failed or refused, 2 not understood, 3 no daemon runs."""


def main(argv: list[str] | None = None) -> int:
    """Run one command line; the answer is the exit code."""
    _print_anything()
    try:
        code = _run(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _close_pipe()
        return PIPE_CLOSED
    return code


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = argparse.ArgumentParser(
        prog="stratvisor",
        description="Hosts automated Python trading strategies on your own server.",
        epilog=_EPILOG,
        formatter_class=Wrapped,
    )
    whole.add_argument("--version", action="version", version=f"stratvisor {__version__}")
    add_home(whole)
    verbs = Verbs(whole)
    for group in (
        daemon,
        init,
        check,
        calendar,
        simulate,
        status,
        inquire,
        control,
        reload,
        logs,
        secret,
        token,
        audit,
        systemd,
    ):
        group.add(verbs)
    completion.add(verbs, parser)
    return whole


def _run(argv: list[str] | None) -> int:
    try:
        arguments = parser().parse_args(argv)
        code: int = arguments.carry_out(arguments)
    except SystemExit as asked:  # argparse, after its help or a usage error
        return asked.code if isinstance(asked.code, int) else FAILED
    except BrokenPipeError:
        raise
    except Failure as failure:
        return _say(str(failure), failure.code)
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        return _say(f"cannot go on: {error.strerror or error}{place}", FAILED)
    except Exception as bug:
        if sys.flags.dev_mode:
            raise
        return _say(f"cannot go on: {type(bug).__name__}: {bug}; this is a bug of stratvisor's", FAILED)
    return code


def _say(message: str, code: int) -> int:
    sys.stdout.flush()
    print(message, file=sys.stderr)
    return code


def _print_anything() -> None:
    """Never fail over a letter that the terminal's encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _close_pipe() -> None:
    """Nobody reads any more: let Python's own flush at its exit go nowhere, and quietly."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
