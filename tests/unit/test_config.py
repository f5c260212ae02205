"""conf.d: every file by itself, the last good version of a bad one, and what a change means."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from filing import RUN, told

from stratvisor import config, settings
from stratvisor.almanac import Almanac
from stratvisor.config import Config, Diff, Reader
from stratvisor.reading import document, source
from stratvisor.settings import Settings
from stratvisor.spec import Logs, Process, Restart, Spec


class Folder:
    """A home with a conf.d, read again and again by one reader."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.conf = home / "conf.d"
        self.conf.mkdir()
        self.reader = Reader()
        self.in_force: dict[str, Spec] = {}

    def write(self, name: str, text: str) -> None:
        (self.conf / name).write_text(text)

    def read(self) -> Config:
        known, _ = settings.read(self.home)
        found = self.reader.read(self.home, known, self.in_force)
        self.in_force = dict(found.strategies)
        return found

    def problems(self) -> list[str]:
        return told(self.read().problems)


def plain(found: Config) -> Config:
    """But for the calendars."""
    return replace(found, almanac=Almanac())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_each_file_is_a_strategy_by_its_name(folder: Folder) -> None:
    folder.write("ema.yaml", RUN)
    folder.write("a_b-1.yaml", RUN + "title: Another\n")
    found = folder.read()
    assert {name: (spec.id, spec.title) for name, spec in found.strategies.items()} == {
        "ema": ("ema", "ema"),
        "a_b-1": ("a_b-1", "Another"),
    }
    assert found.sources == {"ema": RUN.encode(), "a_b-1": f"{RUN}title: Another\n".encode()}
    assert (found.problems, found.bad, found.has_folder) == ((), frozenset(), True)


def test_a_bad_file_harms_only_itself(folder: Folder) -> None:
    folder.write("good.yaml", RUN)
    folder.write("bad.yaml", RUN + "enabeld: false\ntitle: 5\n")
    found = folder.read()
    assert found.strategies.keys() == found.sources.keys() == {"good"}
    assert found.bad == {"bad"}
    assert told(found.problems) == [
        "conf.d/bad.yaml:2:1: enabeld: unknown key; did you mean 'enabled'?",
        'conf.d/bad.yaml:3:8: title: is a whole number; quote it: "5"',
    ]


def test_the_last_good_version_stays_in_force(folder: Folder) -> None:
    folder.write("ema.yaml", RUN + "title: Good\n")
    good = folder.read().strategies["ema"]
    folder.write("ema.yaml", "title: [\n")
    for _ in range(2):
        found = folder.read()
        assert found.strategies == {"ema": good}
        assert found.bad == {"ema"}
        assert not found.sources
    folder.write("ema.yaml", RUN + "title: Better\n")
    assert folder.read().strategies["ema"].title == "Better"


def test_a_file_removed_is_a_strategy_removed(folder: Folder) -> None:
    folder.write("ema.yaml", RUN)
    folder.read()
    (folder.conf / "ema.yaml").unlink()
    assert plain(folder.read()) == Config()


def test_without_a_folder_there_is_nothing_and_it_is_said(folder: Folder) -> None:
    folder.write("ema.yaml", RUN)
    folder.read()
    (folder.conf / "ema.yaml").unlink()
    folder.conf.rmdir()
    found = folder.read()
    assert (found.strategies, found.bad, found.has_folder) == ({}, frozenset(), False)
    assert told(found.problems) == [
        "conf.d:1:1: is missing: make the folder; each file ID.yaml in it is a strategy"
    ]


def test_a_folder_that_cannot_be_read_changes_nothing(folder: Folder) -> None:
    folder.write("ema.yaml", RUN)
    good = folder.read().strategies
    (folder.conf / "ema.yaml").unlink()
    folder.conf.rmdir()
    folder.conf.touch()
    found = folder.read()
    assert found.strategies == good
    assert not found.has_folder
    assert told(found.problems) == ["conf.d:1:1: cannot be read: Not a directory"]


@pytest.mark.parametrize(
    "name",
    [
        ".ema.yaml",
        "ema.yaml~",
        ".ema.yaml.swp",
        "#ema.yaml#",
        ".#ema.yaml",
        "README.md",
        "ema.toml",
        "4913",
        "yaml",
    ],
)
def test_what_editors_and_people_keep_beside_is_nothing(name: str, folder: Folder) -> None:
    folder.write(name, "nope: [")
    assert plain(folder.read()) == Config()


STEM = (
    "the name is the strategy's id, which must be lower-case letters, digits, _ and -, at most 64, "
    "the first no _ or -; rename the file"
)


@pytest.mark.parametrize("stem", ["Ema", "my strategy", "-ema", "_ema", "a.b", "é", "x" * 65])
def test_a_name_that_is_no_id_is_a_problem_of_that_file(stem: str, folder: Folder) -> None:
    folder.write(f"{stem}.yaml", RUN)
    folder.write("good.yaml", RUN)
    found = folder.read()
    assert told(found.problems) == [f"conf.d/{stem}.yaml:1:1: {STEM}"]
    assert found.strategies.keys() == {"good"}


def test_a_name_that_is_no_text_is_a_problem(folder: Folder) -> None:
    os.close(os.open(os.fsencode(folder.conf) + b"/\xff.yaml", os.O_CREAT))
    (problem,) = folder.problems()
    assert problem.encode() == f"conf.d/\ufffd.yaml:1:1: {STEM}".encode()


def test_a_name_with_a_line_end_or_an_escape_is_told_on_one_line(folder: Folder) -> None:
    folder.write("\n.yaml", RUN)
    folder.write("\x1b[2J.yml", RUN)
    (folder.home / "calendars").mkdir()
    (folder.home / "calendars" / "\r.yml").write_text("")
    assert all(problem.isprintable() for problem in folder.problems())
    assert len(folder.problems()) == 3


def test_all_is_no_id(folder: Folder) -> None:
    folder.write("all.yaml", RUN)
    assert folder.problems() == [
        "conf.d/all.yaml:1:1: 'all' means every strategy in commands; rename the file"
    ]


def test_another_suffix_is_a_problem_of_its_strategy(folder: Folder) -> None:
    folder.write("ema.yaml", RUN)
    good = folder.read().strategies["ema"]
    (folder.conf / "ema.yaml").rename(folder.conf / "ema.yml")
    found = folder.read()
    assert told(found.problems) == ["conf.d/ema.yml:1:1: the name must end in .yaml; rename it to ema.yaml"]
    assert found.strategies == {"ema": good}
    assert found.bad == {"ema"}
    (folder.conf / "ema.yml").rename(folder.conf / "ema.YAML")
    assert folder.problems() == ["conf.d/ema.YAML:1:1: the name must end in .yaml; rename it to ema.yaml"]


def test_beside_the_right_file_another_suffix_harms_nothing(folder: Folder) -> None:
    folder.write("ema.yaml", RUN)
    folder.write("ema.yml", "nope: [")
    found = folder.read()
    assert told(found.problems) == ["conf.d/ema.yml:1:1: the name must end in .yaml; rename it to ema.yaml"]
    assert found.sources.keys() == {"ema"}
    assert not found.bad


def test_what_is_no_file_is_a_problem_and_blocks_nothing(folder: Folder) -> None:
    os.mkfifo(folder.conf / "a.yaml")
    (folder.conf / "b.yaml").mkdir()
    (folder.conf / "c.yaml").symlink_to("gone.yaml")
    (folder.conf / "d.yaml").write_bytes(b"x" * 1_000_001)
    (folder.conf / "e.yaml").symlink_to("/dev/zero")
    found = folder.read()
    assert told(found.problems) == [
        "conf.d/a.yaml:1:1: cannot be read: it is not a regular file; remove or rename it",
        "conf.d/b.yaml:1:1: cannot be read: it is not a regular file; remove or rename it",
        "conf.d/c.yaml:1:1: cannot be read: it is a symlink to nothing; remove or mend it",
        "conf.d/d.yaml:1:1: is over 1 MB; no file of settings is that large",
        "conf.d/e.yaml:1:1: cannot be read: it is not a regular file; remove or rename it",
    ]
    assert found.bad == {"a", "b", "c", "d", "e"}


def test_a_link_to_a_file_is_a_file(folder: Folder) -> None:
    (folder.home / "elsewhere").write_text(RUN)
    (folder.conf / "ema.yaml").symlink_to("../elsewhere")
    assert folder.read().sources == {"ema": RUN.encode()}


def test_a_file_that_goes_while_we_look_is_gone(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("ema.yaml", RUN)
    folder.write("zzz.yaml", RUN)
    read = source.read

    def read_and_remove(path: Path) -> bytes:
        if path.name == "ema.yaml":
            (folder.conf / "zzz.yaml").unlink()
        return read(path)

    monkeypatch.setattr(source, "read", read_and_remove)
    found = folder.read()
    assert found.strategies.keys() == {"ema"}
    assert not found.bad
    assert not found.problems


def test_a_problem_that_many_share_is_told_once(folder: Folder) -> None:
    (folder.home / "stratvisor.toml").write_text("[defaults]\nenv_file = 'no.env'\n")
    for name in ("a", "b", "c"):
        folder.write(f"{name}.yaml", RUN)
    assert folder.problems() == ["stratvisor.toml:2:1: defaults.env_file: no such file"]
    assert folder.read().bad == {"a", "b", "c"}


def test_what_is_wrong_in_the_defaults_is_told_with_the_settings_alone(folder: Folder) -> None:
    toml = '[defaults]\nenv_file = "no.env"\nsandbx = 1\n[defaults.restart]\ndealy = "1s"\nmax_delay = "1s"\n'
    (folder.home / "stratvisor.toml").write_text(toml)
    folder.write("a.yaml", RUN)
    folder.write("b.yaml", RUN)
    folder.write("c.yaml", RUN + "restart: {delay: 5s}\n")
    _, problems = settings.read(folder.home)
    assert [(problem.line, problem.key) for problem in problems] == [
        (3, "defaults.sandbx"),
        (5, "defaults.restart.dealy"),
    ]
    assert folder.problems() == ["stratvisor.toml:2:1: defaults.env_file: no such file"]
    assert folder.read().bad == {"a", "b", "c"}, "and they are bad all the same"


def test_problems_come_in_the_order_of_files_and_lines(folder: Folder) -> None:
    folder.write("b.yaml", RUN + "z: 1\ny: 1\n")
    folder.write("a.yaml", RUN + "x: 1\n")
    assert [problem.split(": ")[1] for problem in folder.problems()] == ["x", "z", "y"]


def test_what_did_not_change_is_not_parsed_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    read = document.read

    def counted(content: bytes, file: str) -> object:
        parsed.append(file)
        return read(content, file)

    monkeypatch.setattr(document, "read", counted)
    for name in ("a", "b"):
        folder.write(f"{name}.yaml", RUN)
    first = folder.read()
    folder.write("b.yaml", RUN + "title: New\n")
    second = folder.read()
    assert parsed == ["conf.d/a.yaml", "conf.d/b.yaml", "conf.d/b.yaml"]
    assert first.strategies["a"] == second.strategies["a"]
    (folder.home / "stratvisor.toml").write_text("[defaults]\ntags = ['x']\n")
    assert folder.read().strategies["a"].tags == ("x",)
    assert len(parsed) == 5


def test_what_lies_on_the_disk_is_looked_at_each_time(folder: Folder) -> None:
    folder.write("ema.yaml", "script: ema.py\n")
    (problem,) = folder.problems()
    assert problem == "conf.d/ema.yaml:1:9: script: no such file"
    (folder.home / "ema.py").touch()
    assert folder.problems() == []
    (folder.home / "ema.py").unlink()
    found = folder.read()
    assert told(found.problems) == [problem], "and the problem is told once, however often it was found"
    assert found.strategies.keys() == {"ema"}


def test_the_zone_of_the_daemon_is_in_force_at_once(folder: Folder) -> None:
    folder.write("ema.yaml", RUN)
    assert folder.read().strategies["ema"].timezone == "Asia/Kolkata"
    (folder.home / "stratvisor.toml").write_text('timezone = "UTC"\n')
    assert folder.read().strategies["ema"].timezone == "UTC"


def test_one_look_without_a_reader(folder: Folder) -> None:
    folder.write("ema.yaml", RUN)
    assert config.read(folder.home, Settings(folder.home), {}).strategies == folder.read().strategies


# What a change means.

BEFORE = Spec("x", Process(script="a.py"), title="x")


@pytest.mark.parametrize(
    "after",
    [
        replace(BEFORE, title="y"),
        replace(BEFORE, tags=("a",)),
        replace(BEFORE, restart=Restart(give_up=None)),
        replace(BEFORE, logs=Logs(timestamps=True)),
        replace(BEFORE, enabled=False),
    ],
)
def test_most_changes_are_live(after: Spec) -> None:
    nothing = frozenset[str]()
    assert config.diff({"x": BEFORE}, {"x": after}) == Diff(
        nothing, nothing, nothing, frozenset({"x"}), nothing
    )


@pytest.mark.parametrize(
    "process",
    [
        Process(script="b.py"),
        Process(script="a.py", args=("x",)),
        Process(script="a.py", env=(("A", "1"),)),
        Process(script="a.py", nice=1),
        Process(script="a.py", cwd="b"),
    ],
)
def test_what_a_process_is_made_of_needs_a_new_run(process: Process) -> None:
    found = config.diff({"x": BEFORE}, {"x": replace(BEFORE, process=process, title="y")})
    assert found.replaced == {"x"}
    assert not found.live


def test_each_strategy_is_in_one_part_of_a_diff() -> None:
    old = {"same": BEFORE, "gone": BEFORE, "live": BEFORE, "made": BEFORE}
    new = {
        "same": BEFORE,
        "new": BEFORE,
        "live": replace(BEFORE, title="y"),
        "made": replace(BEFORE, process=Process()),
    }
    assert config.diff(old, new) == Diff(
        *(frozenset({name}) for name in ("new", "gone", "made", "live", "same"))
    )


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n" + RUN + "tags: [a, b]\nrestart: {delay: 60s, max_delay: 2m}\n",
        "restart:\n  max_delay: 120s\n  delay: 1m\ntags:\n  - a\n  - 'b'\n" + RUN,
    ],
)
def test_an_edit_that_changes_nothing_is_nothing(text: str, folder: Folder) -> None:
    folder.write("x.yaml", RUN + "tags: [a, b]\nrestart: {delay: 1m, max_delay: 2m}\n")
    before = folder.read().strategies
    folder.write("x.yaml", text)
    assert config.diff(before, folder.read().strategies).same == {"x"}
