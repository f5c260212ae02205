"""Changes of real files are heard of, whatever happens to their folders."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
)

from stratvisor import watch
from stratvisor.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PATIENCE_S = 30

linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Home:
    """A home that is watched."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._poked = asyncio.Event()
        self.watcher = Watcher(
            [path / "conf.d", path / "strategies", path / "stratvisor.toml"], self._poked.set
        )

    async def settle(self) -> None:
        """Let our thread and the loop do what they have to."""
        await asyncio.get_running_loop().run_in_executor(self.watcher._thread, threading.get_ident)
        turn = asyncio.Event()
        asyncio.get_running_loop().call_soon(turn.set)
        await turn.wait()
        self._poked.clear()

    async def poked(self) -> None:
        await asyncio.wait_for(self._poked.wait(), PATIENCE_S)

    async def hears(self, change: Callable[[], object]) -> None:
        await self.settle()
        change()
        await self.poked()

    async def hears_edits_of(self, path: Path) -> None:
        for number in range(3):
            content = str(number)
            await self.hears(lambda content=content: path.write_text(content))  # type: ignore[misc]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home as `init` makes it."""
    for name in ("conf.d", "strategies/lib", "run", "log"):
        (tmp_path / "home" / name).mkdir(parents=True)
    (tmp_path / "home" / "stratvisor.toml").touch()
    (tmp_path / "home" / "conf.d" / "ema.yaml").write_text("script: ema.py\n")
    return tmp_path / "home"


@pytest.fixture
async def home(folder: Path) -> AsyncIterator[Home]:
    made = Home(folder)
    await made.poked()
    yield made
    made.watcher.close()


# What is heard.


async def test_an_edit_a_new_file_a_rename_and_a_removal_are_heard(home: Home) -> None:
    conf = home.path / "conf.d"
    await home.hears_edits_of(conf / "ema.yaml")
    await home.hears((conf / "orb.yaml").touch)
    await home.hears(lambda: (conf / "orb.yaml").rename(conf / "orb2.yaml"))
    await home.hears((conf / "orb2.yaml").unlink)


async def test_modules_in_folders_old_and_new_are_heard(home: Home) -> None:
    await home.hears_edits_of(home.path / "strategies" / "lib" / "broker.py")
    await home.hears((home.path / "strategies" / "lib" / "new").mkdir)
    await home.hears_edits_of(home.path / "strategies" / "lib" / "new" / "paper.py")


async def test_the_settings_are_heard_edited_in_place_or_by_rename(home: Home) -> None:
    settings = home.path / "stratvisor.toml"
    await home.hears_edits_of(settings)
    (home.path / "draft").write_text("timezone = 'UTC'")
    await home.hears(lambda: (home.path / "draft").rename(settings))
    await home.hears(settings.unlink)
    await home.hears(settings.touch)


async def test_a_checkout_in_a_burst_is_heard_at_its_end(home: Home) -> None:
    await home.settle()
    for number in range(200):
        (home.path / "conf.d" / f"s{number}.yaml").write_text("script: x.py\n")
    await home.poked()


async def test_reading_is_no_news(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[FileSystemEvent] = []
    hear = watch._Within.on_any_event

    def hear_and_note(self: watch._Within, event: FileSystemEvent) -> None:
        heard.append(event)
        hear(self, event)

    monkeypatch.setattr(watch._Within, "on_any_event", hear_and_note)
    (home.path / "conf.d" / "ema.yaml").read_text()
    list((home.path / "conf.d").iterdir())
    await home.hears((home.path / "conf.d" / "last.yaml").touch)
    names = {Path(os.fsdecode(event.src_path)).name for event in heard}
    assert "ema.yaml" not in names


# Folders come and go.


@pytest.mark.parametrize("name", ["conf.d", "strategies"])
async def test_a_folder_that_appears_later_is_watched(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path)
    await home.poked()
    await home.hears((tmp_path / name).mkdir)
    await home.hears_edits_of(tmp_path / name / "ema")
    home.watcher.close()


async def test_a_folder_that_vanishes_and_comes_back_is_watched(home: Home) -> None:
    conf = home.path / "conf.d"
    for _ in range(5):
        await home.hears(lambda: shutil.rmtree(conf))
        await home.hears(conf.mkdir)
        await home.hears_edits_of(conf / "ema.yaml")


async def test_a_folder_removed_and_made_in_one_go_is_watched(home: Home) -> None:
    conf = home.path / "conf.d"
    for _ in range(10):
        await home.settle()
        shutil.rmtree(conf)
        conf.mkdir()
        await home.poked()
        await home.hears_edits_of(conf / "ema.yaml")


async def test_a_folder_that_gets_the_number_of_the_last_one_is_watched(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_identity", lambda folder: (1, 1) if folder.is_dir() else None)
    conf = home.path / "conf.d"
    await home.settle()
    shutil.rmtree(conf)
    conf.mkdir()
    await home.poked()
    await home.hears_edits_of(conf / "ema.yaml")


async def test_a_folder_replaced_by_rename_is_watched(home: Home, tmp_path: Path) -> None:
    conf = home.path / "conf.d"
    (home.path / "conf.new").mkdir()
    await home.settle()
    conf.rename(home.path / "conf.old")
    (home.path / "conf.new").rename(conf)
    await home.poked()
    await home.hears_edits_of(conf / "ema.yaml")


async def test_a_folder_moved_in_from_elsewhere_is_watched(home: Home, tmp_path: Path) -> None:
    conf = home.path / "conf.d"
    (tmp_path / "elsewhere").mkdir()
    await home.hears(lambda: conf.rename(tmp_path / "away"))
    await home.hears(lambda: (tmp_path / "elsewhere").rename(conf))
    await home.hears_edits_of(conf / "ema.yaml")


async def test_a_link_to_a_folder_is_watched_where_it_leads(home: Home, tmp_path: Path) -> None:
    conf = home.path / "conf.d"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    await home.hears(lambda: shutil.rmtree(conf))
    await home.hears(lambda: conf.symlink_to(tmp_path / "one"))
    await home.hears_edits_of(tmp_path / "one" / "ema.yaml")
    (home.path / "next").symlink_to(tmp_path / "two")
    await home.hears(lambda: (home.path / "next").replace(conf))
    await home.hears_edits_of(tmp_path / "two" / "ema.yaml")


async def test_a_home_reached_by_a_link_is_watched(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    home = Home(tmp_path / "link")
    await home.poked()
    await home.hears_edits_of(folder / "conf.d" / "ema.yaml")
    await home.hears_edits_of(folder / "stratvisor.toml")
    await home.hears(lambda: shutil.rmtree(folder / "conf.d"))
    home.watcher.close()


async def test_a_folder_exchanged_unseen_is_watched_from_the_next_refresh(home: Home, tmp_path: Path) -> None:
    conf = home.path / "conf.d"
    (tmp_path / "current").symlink_to(tmp_path / "one")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    await home.hears(lambda: shutil.rmtree(conf))
    await home.hears(lambda: conf.symlink_to(tmp_path / "current"))
    (tmp_path / "next").symlink_to(tmp_path / "two")
    (tmp_path / "next").replace(tmp_path / "current")
    home.watcher.refresh()
    await home.hears_edits_of(tmp_path / "two" / "ema.yaml")


# What is of interest, event by event.


class Told:
    """What a handler passed on."""

    def __init__(self) -> None:
        self.changes = 0
        self.replaced: list[Path] = []

    def change(self) -> None:
        self.changes += 1


@pytest.mark.parametrize(
    ("event", "changes", "replaced"),
    [
        (FileModifiedEvent("/home/stratvisor.toml"), 1, []),
        (FileModifiedEvent(b"/home/stratvisor.toml"), 1, []),
        (FileMovedEvent("/home/draft", "/home/stratvisor.toml"), 0, ["/home/stratvisor.toml"]),
        (DirCreatedEvent("/home/conf.d"), 0, ["/home/conf.d"]),
        (FileModifiedEvent("/home/notes.txt"), 0, []),
        (DirCreatedEvent("/home/log"), 0, []),
    ],
)
def test_in_the_parent_only_our_own_are_of_interest(
    event: FileSystemEvent, changes: int, replaced: list[str]
) -> None:
    told = Told()
    paths = [Path("/home/conf.d"), Path("/home/stratvisor.toml")]
    watch._Beside(paths, told.change, told.replaced.append).on_any_event(event)
    assert (told.changes, told.replaced) == (changes, [Path(path) for path in replaced])


@pytest.mark.parametrize(
    ("event", "changes", "replaced"),
    [
        (FileModifiedEvent("/home/strategies/lib/ema.py"), 1, []),
        (FileCreatedEvent("/home/strategies/__pycache__/ema.cpython-311.pyc"), 0, []),
        (DirCreatedEvent("/home/strategies/lib/__pycache__"), 0, []),
        (DirDeletedEvent("/home/strategies/lib"), 1, []),
        (DirDeletedEvent("/home/strategies"), 0, ["/home/strategies"]),
    ],
)
def test_in_a_folder_all_is_of_interest_but_what_python_writes(
    event: FileSystemEvent, changes: int, replaced: list[str]
) -> None:
    told = Told()
    watch._Within(Path("/home/strategies"), told.change, told.replaced.append).on_any_event(event)
    assert (told.changes, told.replaced) == (changes, [Path(path) for path in replaced])


def test_a_folder_behind_a_link_that_is_removed_is_gone(tmp_path: Path) -> None:
    told = Told()
    (tmp_path / "conf.d").symlink_to(tmp_path / "real")
    handler = watch._Within(tmp_path / "conf.d", told.change, told.replaced.append)
    handler.on_any_event(DirDeletedEvent(str(tmp_path / "real")))
    assert (told.changes, told.replaced) == (0, [tmp_path / "conf.d"])


async def test_only_folders_are_watched(tmp_path: Path) -> None:
    (tmp_path / "stratvisor.toml").touch()
    home = Home(tmp_path)
    await home.poked()
    await home.settle()
    assert list(home.watcher._watches) == [tmp_path]
    home.watcher.close()


# The end.


async def test_closing_ends_all_threads_and_gives_all_descriptors_back(folder: Path) -> None:
    threads, descriptors = set(threading.enumerate()), _descriptors()
    home = Home(folder)
    await home.poked()
    home.watcher.refresh()
    await home.settle()
    assert set(threading.enumerate()) > threads
    home.watcher.close()
    home.watcher.close()
    assert set(threading.enumerate()) <= threads  # what others left may end meanwhile
    assert _descriptors() <= descriptors


def _descriptors() -> set[int]:
    folder = Path("/proc/self/fd")
    links = [link for link in folder.iterdir() if link.is_symlink()] if folder.exists() else []
    return {int(link.name) for link in links}


async def test_after_closing_nothing_is_heard(folder: Path) -> None:
    home = Home(folder)
    await home.poked()
    await home.settle()
    home.watcher._tell()
    home.watcher.close()
    home.watcher.refresh()
    turn = asyncio.Event()
    asyncio.get_running_loop().call_soon(turn.set)
    await turn.wait()
    assert not home._poked.is_set()


def test_what_is_heard_after_the_loop_has_ended_is_no_error(folder: Path) -> None:
    async def make() -> Home:
        home = Home(folder)
        await home.poked()
        return home

    home = asyncio.run(make())
    home.watcher._tell()
    home.watcher.close()


# What the kernel will not do.


@linux
async def test_without_a_descriptor_left_it_is_a_warning_until_there_is_one(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    with caplog.at_level(logging.WARNING):
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            home = Home(folder)
            await home.settle()
            home.watcher.refresh()
            await home.settle()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert caplog.text.count("cannot watch for changes") == 1
    assert "rescan" in caplog.text
    await home.hears(home.watcher.refresh)
    await home.hears_edits_of(folder / "conf.d" / "ema.yaml")
    home.watcher.close()


@linux
async def test_without_a_watch_left_it_is_a_warning_until_there_is_one(
    home: Home, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is one of the whole machine, so the kernel's word is played."""

    def exhausted(*_args: object) -> int:
        ctypes.set_errno(errno.ENOSPC)
        return -1

    conf = home.path / "conf.d"
    warning = f"cannot watch {conf} for changes: [Errno 28] inotify watch limit reached"
    for outage in (1, 2):
        monkeypatch.setattr("watchdog.observers.inotify_c.inotify_add_watch", exhausted)
        await home.hears(lambda: shutil.rmtree(conf))
        await home.hears(conf.mkdir)
        home.watcher.refresh()
        await home.settle()
        assert caplog.text.count(warning) == outage
        monkeypatch.undo()
        await home.hears(home.watcher.refresh)
        await home.hears_edits_of(conf / "ema.yaml")
