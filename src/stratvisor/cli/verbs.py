"""How a verb joins the command line."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEFAULT_WAIT_S = 30.0
MOST_WAIT_S = 60.0
"""What the daemon lets a request wait."""


class Verbs:
    """The verbs of one command line: each with its help, its examples and the global options."""

    def __init__(self, parser: argparse.ArgumentParser, dest: str = "verb") -> None:
        self._verbs = parser.add_subparsers(title="verbs", dest=dest, metavar=dest.upper(), required=True)
        self._everywhere = argparse.ArgumentParser(add_help=False)
        # SUPPRESS: a verb that is not given --home must not wipe out one given before the verb.
        self._everywhere.add_argument("--home", metavar="DIR", default=argparse.SUPPRESS, help=_HOME_HELP)

    def add(
        self,
        name: str,
        carry_out: Callable[[argparse.Namespace], int],
        *,
        does: str,
        more: str = "",
        examples: Sequence[str] = (),
    ) -> argparse.ArgumentParser:
        """One verb, ready for its own arguments. `carry_out` answers with the exit code."""
        verb = self._parser(name, does, more, examples)
        verb.set_defaults(carry_out=carry_out)
        return verb

    def group(self, name: str, *, does: str, more: str = "", examples: Sequence[str] = ()) -> Verbs:
        """A verb that does nothing by itself, and has verbs of its own."""
        return Verbs(self._parser(name, does, more, examples), dest="what")

    def _parser(self, name: str, does: str, more: str, examples: Sequence[str]) -> argparse.ArgumentParser:
        return self._verbs.add_parser(
            name,
            help=does,
            description=f"{does[0].upper()}{does[1:]}.{' ' if more else ''}{more}",
            epilog="\n".join(["examples:", *(f"  stratvisor {example}" for example in examples)]),
            formatter_class=Wrapped,
            parents=[self._everywhere],
        )


class Wrapped(argparse.HelpFormatter):
    """Wraps prose, and leaves alone what is a list of lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(f"{indent}{line}\n" for line in text.splitlines())
        return super()._fill_text(text, width, indent)


def add_one(verb: argparse.ArgumentParser) -> None:
    """The argument of a verb about one strategy."""
    verb.add_argument(
        "id", metavar="ID", type=named, help="the strategy: the name of its file in conf.d, without .yaml"
    )


def add_some(verb: argparse.ArgumentParser) -> None:
    """The argument of a verb that takes any number of strategies."""
    verb.add_argument(
        "ids", metavar="ID", nargs="+", type=named, help="a strategy, @TAG for all that carry it, or `all`"
    )


def add_wait(verb: argparse.ArgumentParser) -> None:
    """How long to wait for the end of what was asked for."""
    verb.add_argument(
        "--wait",
        metavar="SECONDS",
        type=seconds,
        default=DEFAULT_WAIT_S,
        help=f"wait so long for it to be done, 60 at most; 0: not at all (default: {DEFAULT_WAIT_S:g})",
    )


def named(text: str) -> str:
    """An id or a selector, for argparse; which of them exist, the daemon knows."""
    if not text.strip():
        raise argparse.ArgumentTypeError("ID is empty")
    return text


def seconds(text: str) -> float:
    """A time to wait, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = -1
    if 0 <= number <= MOST_WAIT_S:
        return number
    raise argparse.ArgumentTypeError(f"must be seconds, 0 to {MOST_WAIT_S:g}, not {text!r}")


def count(text: str) -> int:
    """How many, for argparse."""
    if re.fullmatch("0{0,9}[1-9][0-9]{0,8}", text):
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number, at least 1, not {text!r}")


def add_home(parser: argparse.ArgumentParser) -> None:
    """The option that says which instance is meant, before the verb."""
    parser.add_argument("--home", metavar="DIR", help=_HOME_HELP)


_HOME_HELP = "the instance (default: the nearest folder upwards with a stratvisor.toml, else with a conf.d)"
