"""The command line, whatever is typed: an exit code and words for people, never a traceback."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from fake_daemon import Answer, FakeDaemon, run_cli, status, strategy
from filing import RUN
from fuzzing import ODD_TEXT, bounded, examples
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.cli.main import parser

CODES = {0, 1, 2, 3, 130, 141}
WORDS = [
    "ema",
    "all",
    "@nifty",
    "-",
    "--",
    "0",
    "1",
    "-1",
    "1e9",
    "2026-11-06",
    "10:03",
    "ema@10:03",
    "mon",
    "NSE",
    "~nobody",
    "\udcff",
    ".",
]


def verbs(
    whole: argparse.ArgumentParser, before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Every verb with the options that it knows."""
    inner = [action for action in whole._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield before, [option for action in whole._actions for option in action.option_strings]
    for action in inner:
        for name, one in action.choices.items():
            yield from verbs(one, (*before, name))


LEFT_OUT = {"up", "init", "shutdown", "upgrade"}
"""What becomes a daemon, makes folders wherever it is told to, or waits for the end of this process."""
VERBS = [
    (names, options)
    for names, options in verbs(parser())
    if names[0] not in LEFT_OUT and "generate" not in names
]


def an_argument(text: str) -> str:
    """As the system hands it over: bytes that are no UTF-8 have become surrogates."""
    return os.fsdecode(text.replace("\0", "").encode("utf-8", "surrogatepass"))


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    names, options = draw(st.sampled_from(VERBS))
    words = st.sampled_from([*WORDS, *options, *options]) | ODD_TEXT.map(an_argument)
    # The same after an option, which may take it.
    said = st.tuples(words) | st.tuples(st.sampled_from(options), words)
    given_words = [word for one in draw(st.lists(said, max_size=4)) for word in one]
    if draw(st.integers(0, 9)) == 0:
        return given_words
    return [*names, *given_words]


class AnyAnswer(dict[Any, Any]):
    """What a daemon that knows `ema` says, whatever it is asked."""

    def get(self, asked: tuple[str, str], _default: object = None) -> Answer:
        word, _, rest = asked[1].strip("/").partition("/")
        if word not in BODIES or (word in {"start", "stop", "restart"} and "ema" not in rest):
            return Answer(404, json.dumps(PROBLEM).encode(), "application/problem+json")
        body = status(strategy("ema")) if (word, rest) == ("status", "") else BODIES[word]
        return Answer(200, json.dumps(body).encode())


PLAN: Any = {"start": ["ema"], "stop": [], "restart": [], "live": [], "problems": [], "refused": None}
BODIES: dict[str, Any] = {
    **{verb: strategy("ema") for verb in ("status", "start", "stop", "restart")},
    "plan": PLAN,
    "reload": PLAN,
    "why": {"id": "ema", "state": "running", "since": None, "why": "because"},
    "next": {"id": "ema", "next": [{"start": "2026-11-24T09:15:00+05:30", "stop": None}]},
    "runs": {"id": "ema", "runs": []},
    "logs": {"id": "ema", "lines": ["a"], "position": None},
    "shutdown": {"stop_strategies": False},
}
PROBLEM = {"type": "about:blank", "title": "No", "status": 404, "detail": "there is none", "instance": "/"}


@pytest.fixture(scope="module", params=["no daemon", "a daemon"])
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An instance, and what may answer for it."""
    home = Path(tempfile.mkdtemp(prefix="fuzz"))
    (home / "conf.d").mkdir()
    (home / "conf.d" / "ema.yaml").write_text(
        RUN + 'schedule: {start: "09:15", stop: "15:30"}\ntags: [nifty]\n'
    )
    (home / "stratvisor.toml").touch()
    daemon = FakeDaemon(home) if request.param == "a daemon" else None
    if daemon is not None:
        daemon.answers = AnyAnswer()
    try:
        yield home
    finally:
        if daemon is not None:
            daemon.close()
        shutil.rmtree(home)


@examples(150)
@given(line=command_lines())
def test_any_command_line_ends_with_a_code_and_without_a_traceback(place: Path, line: list[str]) -> None:
    with bounded(), mock.patch("getpass.getpass", side_effect=EOFError):
        code, out, err = run_cli(*line, home=place)
    assert code in CODES
    assert "Traceback" not in out + err
    assert "this is a bug" not in err
    if code:
        assert err or out
