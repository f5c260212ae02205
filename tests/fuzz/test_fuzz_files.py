"""Files that people edit, as no person writes them: a value, or problems with their places, and soon."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from filing import NOWHERE, RUN
from fuzzing import ODD_BYTES, ODD_TEXT, a_folder, bounded, damaged, examples
from hypothesis import given
from hypothesis import strategies as st
from spec_files import NONSENSE, SPECS, TREES, written

from stratvisor import almanac, config, lookahead, machine, settings, timeline, timetable, view
from stratvisor.almanac import Almanac
from stratvisor.calendar import Calendar
from stratvisor.reading import document, env_file
from stratvisor.settings import Settings
from stratvisor.spec import Problem, Spec
from stratvisor.state import Look, Now, State

ROOT = Path(__file__).parents[2]
NOW = Now(10**12, datetime(2026, 11, 23, 4, 0, tzinfo=UTC))
STRATEGIES = [path.read_bytes() for path in sorted((ROOT / "conf.d").glob("*.yaml"))]
CALENDARS = [path.read_bytes() for path in sorted((ROOT / "src/stratvisor/calendars").glob("*.yaml"))]
TOML = [(ROOT / "stratvisor.toml").read_bytes()]
ENV = [b'# c\nexport A=1\nB="x\\n\\"y"\nC=\'z\' # c\n']
JOBS = [
    RUN.encode() + f"schedule: {text}\n".encode()
    for text in (
        '{at: "0 16 * * mon-fri", calendar: NSE, overlap: queue, catch_up: true, timeout: 30m}',
        '{every: 5m, windows: [{days: mon-fri, from: "09:15", to: "15:30"}], timezone: America/New_York}',
        '{once: "2026-11-23 09:20"}',
        '{windows: [{session: {from: open-10m}}, {start: "0 10 * * *", for: 2h}], calendar: MCX}',
    )
]


def a_file(contents: list[bytes]) -> st.SearchStrategy[bytes]:
    """Any bytes, a good file after some accidents, or as an editor of another system saves it."""
    as_saved = st.sampled_from(contents).flatmap(
        lambda content: st.sampled_from(
            [
                content.replace(b"\n", b"\r\n"),
                content.replace(b"\n", b"\r"),
                b"\xef\xbb\xbf" + content,
                content.decode().encode("utf-16"),
                content.decode().encode("utf-32"),
                content.rstrip(),
                content * 2,
            ]
        )
    )
    return (
        damaged(contents) | as_saved | st.binary(max_size=200) | st.lists(ODD_BYTES, max_size=6).map(b"".join)
    )


STRATEGY_FILES = (
    a_file(STRATEGIES + JOBS)
    | SPECS.map(lambda spec: [json.dumps(written(spec)).encode()]).flatmap(damaged)
    | NONSENSE.map(lambda text: RUN.encode() + text)
    | TREES.map(lambda tree: f"{RUN}schedule: {tree}\n".encode(errors="replace"))
)


def sound(problems: tuple[Problem, ...], content: bytes) -> bool:
    """Whether each problem can be printed on one line, and stands in the file."""
    last = content.count(b"\n") + content.count(b"\r") + content.count(b"\xc2\x85") + 1
    last += content.count(b"\xe2\x80\xa8") + content.count(b"\xe2\x80\xa9")
    return all(
        str(problem).isprintable()
        and problem.message
        and 1 <= problem.line <= last + 1
        and problem.column >= 1
        for problem in problems
    )


@pytest.mark.parametrize("loader", ["C", "Python"])
@examples(300)
@given(content=a_file(STRATEGIES + CALENDARS))
def test_any_yaml_is_a_tree_or_problems(loader: str, content: bytes) -> None:
    parser = document._LOADER if loader == "C" else yaml.SafeLoader
    with pytest.MonkeyPatch.context() as patch, bounded():
        patch.setattr(document, "_LOADER", parser)
        root, problems = document.read(content, "f")
    assert root is not None or problems
    assert sound(problems, content)


@examples(600)
@given(content=STRATEGY_FILES)
def test_any_strategy_is_refused_or_works(content: bytes) -> None:
    with bounded():
        found = config.parse("x", content, "conf.d/x.yaml", Settings(NOWHERE))
        if isinstance(found, Spec):
            works(found)
        else:
            assert found
            assert sound(found, content)


def works(spec: Spec) -> None:
    """Whatever is accepted can be judged, shown, and looked ahead for."""
    state, _actions = machine.step(NOW, spec, State(), Look())
    machine.wake_at(NOW, spec, state)
    shown = view.strategy(NOW, spec, state, view.Facts())
    assert json.loads(json.dumps(shown)) == shown
    assert spec.process.fingerprint
    timetable.upcoming(spec.schedule, NOW.wall, 3)
    lookahead.notes(spec.schedule, NOW.wall)
    lookahead.unstopped(spec.schedule, NOW.wall)
    timeline.outlook(spec, NOW.wall, NOW.wall + timedelta(days=1))


@examples(300)
@given(content=a_file(CALENDARS))
def test_any_calendar_is_refused_or_works(content: bytes) -> None:
    with bounded():
        found = almanac.parse("X", content, "calendars/X.yaml", almanac.shipped())
        if isinstance(found, Calendar):
            works_with(found)
        else:
            assert found
            assert sound(found, content)


def works_with(calendar: Calendar) -> None:
    """Strategies of all forms can go by it."""
    known = Almanac({"X": calendar})
    for form in ("{session: {}}", '{days: mon-fri, from: "09:15", to: "15:30"}'):
        text = f"{RUN}schedule: {{calendar: X, windows: [{form}], special_sessions: run}}\n"
        found = config.parse("x", text.encode(), "conf.d/x.yaml", Settings(NOWHERE), known)
        if isinstance(found, Spec):
            works(found)


@examples(300)
@given(content=a_file([*TOML, b'[defaults]\nrestart = {when = "always"}\n[http]\nport = 0\n']))
def test_any_settings_are_settings_with_problems(content: bytes) -> None:
    with bounded():
        found, problems = settings.parse(content, NOWHERE)
        assert sound(problems, content)
        strategy = config.parse("x", RUN.encode(), "conf.d/x.yaml", found)
        assert isinstance(strategy, Spec) or strategy


@examples(300)
@given(content=a_file(ENV))
def test_any_env_file_is_variables_and_problems(content: bytes) -> None:
    with bounded():
        pairs, problems = env_file.read(content, "f")
    assert sound(problems, content)
    assert all(name and b"\0" not in os.fsencode(f"{name}={value}") for name, value in pairs)


NAMES = (
    st.sampled_from(
        ["ema", "all", "a b", "A", "-", "_", "x" * 64, "x" * 65, "\n", "\x1b[31m", "é", "\udcff", ".x"]
    )
    | ODD_TEXT
).flatmap(lambda stem: st.sampled_from([".yaml", ".yml", ".YAML", "", ".yaml~"]).map(lambda end: stem + end))
THINGS = ["file", "folder", "fifo", "loop", "nowhere", "huge"]


@examples(100)
@given(
    things=st.lists(
        st.tuples(st.sampled_from(["conf.d", "calendars"]), NAMES, st.sampled_from(THINGS), STRATEGY_FILES),
        max_size=6,
    ),
    toml=a_file(TOML),
)
def test_any_home_is_read_and_what_is_good_in_it_stays_good(
    things: list[tuple[str, str, str, bytes]], toml: bytes
) -> None:
    with a_folder() as home:
        (home / "conf.d").mkdir()
        (home / "calendars").mkdir()
        (home / "stratvisor.toml").write_bytes(toml)
        for folder, name, thing, content in things:
            put(home / folder, name, thing, content)
        good = home / "conf.d" / "good-by-itself.yaml"
        good.write_text(RUN)
        with bounded():
            known, problems = settings.read(home)
            found = config.read(home, known, {})
        assert known.defaults or "good-by-itself" in found.strategies
        assert all(str(problem).isprintable() for problem in (*problems, *found.problems))


def put(folder: Path, name: str, thing: str, content: bytes) -> None:
    """Make a thing of this name, if there can be one."""
    path = folder / name
    with suppress(OSError, ValueError):  # no name of a file: NUL, a lone surrogate, too long
        if path.parent == folder and not os.path.lexists(path):
            make(path, thing, content)


def make(path: Path, thing: str, content: bytes) -> None:
    match thing:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "nowhere":
            path.symlink_to("/no/such/file")
        case "huge":
            path.write_bytes(content)
            os.truncate(path, 2**33)
        case _:
            path.write_bytes(content)
