"""Says "look again" when something changes beneath the paths that config is read from.

Folders may be missing, vanish, be replaced by a rename as git and editors do, or appear later: beside
each one its parent is watched. Knows nothing of what changed, and is only a hint: what the kernel
will not watch is found by whoever looks again at times, and that is a warning here, not an error.

watchdog is imported here alone; on Linux its threads wait in poll and in a queue without a timeout
(0 context switches of any of them in 10 s). Rule: whatever may take time happens in one thread of our
own, so that the loop waits for no folder and no two of us change the watches at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from watchdog.observers.api import BaseObserver

log = logging.getLogger(__name__)

_CHANGES: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]
"""Not that a file was opened or closed: else reading would be news, and lead to reading."""

_OURS = "__pycache__"
"""What Python writes as strategies begin is no change of theirs."""


class Watcher:
    """Watches `paths`, each a file or a folder with all beneath it, in parents that exist.

    Of what lies `beside` them only whether it comes and goes.

    Calls `poke` on the running loop, at least once after the last change, and once after a new watch
    stands, since nobody saw what changed before.
    """

    def __init__(self, paths: Iterable[Path], poke: Callable[[], None], beside: Iterable[Path] = ()) -> None:
        self._poke = poke
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "watch")
        self._closed = False
        self._told = False
        # Of our thread alone:
        within, alone = ([path.absolute() for path in some] for some in (paths, beside))
        self._targets = _targets(within, alone, self._tell, self._replaced)
        self._observer: BaseObserver | None = None
        self._watches: dict[Path, _Watch] = {}
        self._unwatched: set[Path] = set()
        self.refresh()

    def refresh(self) -> None:
        """Set what watches are missing, soon: for the times when somebody looks again anyway."""
        self._in_thread(self._set_watches)

    def close(self) -> None:
        """Watch no more. Waits for the threads: a moment, up to half a second after a move."""
        if not self._closed:
            self._closed = True
            self._thread.submit(self._stop).result()
            self._thread.shutdown()

    # In any thread.

    def _replaced(self, folder: Path) -> None:
        self._in_thread(self._watch_anew, folder)

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._pass_on)

    def _pass_on(self) -> None:
        self._told = False
        if not self._closed:
            self._poke()

    def _in_thread(self, work: Callable[..., None], *args: Path) -> None:
        with contextlib.suppress(RuntimeError):  # it is shut down
            self._thread.submit(work, *args)

    # In our own.

    def _watch_anew(self, folder: Path) -> None:
        """The watch of this folder holds on to what was there before."""
        self._let_go(folder)
        self._set_watches()
        self._tell()

    def _set_watches(self) -> None:
        try:
            if self._observer is None:
                self._observer = _started()
        except (OSError, RuntimeError) as error:  # no inotify instance, no descriptor, no thread
            self._warn(Path(), f"cannot watch for changes: {error}")
            return
        self._unwatched.discard(Path())
        for folder, target in self._targets.items():
            self._set_watch(self._observer, folder, target)

    def _set_watch(self, observer: BaseObserver, folder: Path, target: _Target) -> None:
        identity = _identity(folder)
        if folder in self._watches and self._watches[folder].identity != identity:
            self._let_go(folder)
        if identity is None or folder in self._watches:
            return
        try:
            # Of a link the folder it leads to: watchdog would watch the link itself.
            watch = observer.schedule(
                target.handler, str(folder.resolve()), recursive=target.recursive, event_filter=_CHANGES
            )
        except (FileNotFoundError, NotADirectoryError):
            return  # gone again, as its parent will tell
        except (OSError, RuntimeError) as error:
            self._warn(folder, f"cannot watch {folder} for changes: {error}")
            return
        self._unwatched.discard(folder)
        self._watches[folder] = _Watch(identity, watch)
        self._tell()

    def _let_go(self, folder: Path) -> None:
        watch = self._watches.pop(folder, None)
        if watch is not None and self._observer is not None:
            self._observer.unschedule(watch.watch)

    def _warn(self, folder: Path, text: str) -> None:
        """Once, until it is watched again."""
        if folder not in self._unwatched:
            self._unwatched.add(folder)
            log.warning("%s; they are found by the next rescan, up to half a minute late", text)

    def _stop(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()


class _Beside(FileSystemEventHandler):
    """Hears in a parent what happens to our paths there."""

    def __init__(self, paths: list[Path], tell: Callable[[], None], replaced: Callable[[Path], None]) -> None:
        self._paths = {path.name: path for path in paths}
        self._tell = tell
        self._replaced = replaced

    def on_any_event(self, event: FileSystemEvent) -> None:
        names = {Path(os.fsdecode(path)).name for path in (event.src_path, event.dest_path)}
        for name in names & self._paths.keys():
            if isinstance(event, FileModifiedEvent):
                self._tell()
            else:
                self._replaced(self._paths[name])


class _Within(FileSystemEventHandler):
    """Hears what happens to one of our folders and beneath it."""

    def __init__(self, folder: Path, tell: Callable[[], None], replaced: Callable[[Path], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._replaced = replaced

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = Path(os.fsdecode(event.src_path))
        if isinstance(event, DirDeletedEvent) and path == self._folder.resolve():
            self._replaced(self._folder)
        elif _OURS not in path.parts:
            self._tell()


@dataclass(frozen=True, slots=True)
class _Target:
    """A folder to watch when it is there."""

    recursive: bool
    handler: FileSystemEventHandler


@dataclass(frozen=True, slots=True)
class _Watch:
    """A watch that stands, and what it stands on."""

    identity: tuple[int, int]
    watch: ObservedWatch


def _targets(
    paths: list[Path], alone: list[Path], tell: Callable[[], None], replaced: Callable[[Path], None]
) -> dict[Path, _Target]:
    """The parents, then the paths themselves, which are watched as long as they are folders."""
    targets: dict[Path, _Target] = {}
    for parent in dict.fromkeys(path.parent for path in (*paths, *alone)):
        beside = [path for path in (*paths, *alone) if path.parent == parent]
        targets[parent] = _Target(recursive=False, handler=_Beside(beside, tell, replaced))
    for path in paths:
        targets[path] = _Target(recursive=True, handler=_Within(path, tell, replaced))
    return targets


def _started() -> BaseObserver:
    observer = Observer()
    observer.start()
    return observer


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which folder it is; None: there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None
