"""Every point at which shim or daemon may die, and what must hold then; the suite is made from this.

What holds everywhere is not repeated: one copy at a time, each line once and in order, every end known or
said to be unknown, no foreign process signalled, nothing left behind, and in the end what was wanted last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from faulty import Temper

BOTH = ("before", "after")


@dataclass(frozen=True)
class Case:
    """One point, and what it takes to come to it."""

    point: str
    holds: str
    temper: Temper = field(default_factory=Temper)
    whens: tuple[str, ...] = BOTH
    first: tuple[str, ...] = ()
    """Orders to be carried out before: deaths that lead here."""
    old_log: bool = False
    """Whether a log is due to be removed."""
    who: str = "daemon"
    unlucky: str = ""
    """Where another shim has to die in its launch."""


EARLY = "before shim.main.Shim.launch rundir.write"
LATE = "after shim.main.Shim.launch rundir.write"

STAMPED = Temper(timestamps=True)
SMALL = Temper(max_size="1KB")
FAMILY = Temper(["family"])
NOTIFY = Temper(["notify"])
TO_MAIN = Temper(to="main")


def _cases(module: str, *rows: tuple[Any, ...]) -> list[Case]:
    """Rows of a point, what holds, and settings; all of one module."""
    return [Case(f"{module}.{point}", holds, **(more[0] if more else {})) for point, holds, *more in rows]


SHIM = [
    *_cases(
        "shim.main",
        ("Shim.launch os.fork", "no pid.json: nothing has run, the launch is made again"),
        ("Shim.launch rundir.write", "the gate stays shut: nothing has run, the launch is made again"),
        ("Shim.launch os.write", "shut: made again; open: the run goes on under a new shim"),
        ("run os.write", "the strategy runs and nobody said so: it goes on under a new shim"),
        ("Shim.resume rundir.write", "the run goes on under one more shim"),
        ("Shim._on_notify os.open", "ready by the next READY=1, or by the file", {"temper": NOTIFY}),
        ("Shim.finish rundir.write_exit", "the end is asked for again, or stands"),
        ("Shim.finish os.waitpid", "the end stands"),
    ),
    *_cases(
        "shim.child",
        ("_leave_parent os.setsid", "the end of a process that was not let go is an end"),
        ("become os.write", "the same"),
        ("become os.execvpe", "the same", {"whens": ("before",)}),
    ),
    *_cases(
        "shim.held",
        ("Held.__init__ os.mkfifo", "made again, or another shim"),
        ("Held.__init__ os.open", "made again, or another shim"),
        ("Held.fill os.splice", "the bytes are in the one pipe or in the other", {"temper": STAMPED}),
        ("Held._look_into os.read", "a copy: nothing has moved", {"temper": STAMPED}),
        ("Held.moving os.pwrite", "the log is cut back to where it was", {"temper": STAMPED}),
        ("Held._take os.read", "with the first byte taken the log is whole", {"temper": STAMPED}),
        ("Held.clear os.pwrite", "the record names what is already gone", {"temper": STAMPED}),
        ("Held.clear os.pwrite", "the same, of a line of our own"),
    ),
    *_cases(
        "shim.logfile",
        ("Log._move os.splice", "each byte is in the pipe or in the log"),
        ("Log._append os.pwrite", "the log is cut back to where it was", {"temper": STAMPED}),
        (
            "Log.recover os.ftruncate",
            "the record stands until the log is cut back",
            {
                "temper": STAMPED,
                "first": ("after shim.held.Held.fill os.splice", "after shim.logfile.Log._append os.pwrite"),
            },
        ),
        ("Log._next_part os.open", "an empty part is gone on with", {"temper": SMALL}),
        ("Log.sync os.fsync", "the end is asked for again"),
    ),
    *_cases("shim.lognames", ("prune os.unlink", "the rest is removed next time", {"old_log": True})),
    *_cases(
        "shim.rundir",
        ("write os.open", "no pid.json, or the old one"),
        ("write os.rename", "the old pid.json, or the new one"),
        ("write_exit os.open", "the end is asked for again"),
        ("write_exit os.pwrite", "the end is asked for again"),
        ("write_exit os.ftruncate", "the end is asked for again"),
        ("write_exit os.rename", "the end is asked for again, or stands"),
    ),
    *_cases(
        "shim.stopping",
        ("Stopper._signal os.killpg", "the next shim goes on with the stop where it was"),
        ("Stopper._signal os.kill", "the same", {"temper": TO_MAIN}),
        ("Stopper._signal signal.pidfd_send_signal", "the same, by a shim that took over"),
        ("Stopper._signal os.killpg 2", "the same, by a shim that took over"),
        ("Stopper._signal signal.pidfd_send_signal 2", "the same", {"temper": TO_MAIN}),
    ),
    *_cases(
        "shim.tree",
        ("reap_strays os.waitpid", "the daemon reaps what is left", {"temper": FAMILY}),
        ("clear os.kill", "the next shim clears what is left", {"temper": FAMILY}),
        ("clear os.waitpid", "the same", {"temper": FAMILY}),
        ("clear_marked os.kill", "the same", {"temper": FAMILY}),
    ),
]

DAEMON = [
    *_cases(
        "runner.folders.Folders",
        ("lock os.makedirs", "nothing has run"),
        ("lock os.open", "nothing has run"),
        ("lock fcntl.flock", "the lock goes with its holder"),
        ("furnish os.mkdir", "a directory without pid.json is removed: nothing has run"),
        ("furnish os.makedirs", "the same"),
        ("furnish rundir.reserve", "the same"),
        ("furnish os.mkfifo", "the same"),
        ("furnish rundir.write", "the same"),
        ("write_want rundir.write", "the next daemon finds out what is wanted and says so"),
        ("remove os.rename", "it is whole, or goes on to be removed"),
        ("remove shutil.rmtree", "the next daemon removes the rest"),
        ("remove_unborn os.rename", "the next daemon gives it its name back if it lives", {"unlucky": LATE}),
        ("remove_unborn os.rename 2", "the next daemon gives it its name back", {"unlucky": LATE}),
        ("remove_unborn shutil.rmtree", "the next daemon removes the rest", {"unlucky": EARLY}),
        ("_sweep os.rename", "the next daemon gives it its name back"),
        ("_sweep shutil.rmtree", "the next daemon removes the rest"),
        ("lose rundir.write", "the same is found again", {"unlucky": LATE}),
    ),
    *_cases(
        "runner.local",
        ("LocalRunner._poke os.write", "the next daemon pokes every shim that it adopts"),
    ),
    *_cases("runner.handles", ("reap os.waitid", "the shim was done")),
    *_cases(
        "runner.logfolder",
        ("create os.makedirs", "nothing has run"),
        ("create os.open", "an empty log; nothing has run"),
    ),
    *_cases(
        "runner.orphans", ("Orphans._reap_one os.waitpid", "the end is known by pidfd, or said not to be")
    ),
    *_cases(
        "runner.zygote.Zygote",
        ("_send socket.send_fds", "nothing has run, or the run is adopted"),
        ("_exec os.posix_spawn", "the same"),
        ("_spawn_zygote subprocess.Popen", "a zygote ends with its daemon"),
        ("_open_errors os.open", "nothing has run"),
    ),
    *_cases("runner.secrets", ("hand_over os.write", "a shim without its secrets ends; nothing has run")),
    *_cases(
        "store",
        ("Store.save", "the old state.json stands, or the new one"),
    ),
    *_cases(
        "replacing",
        ("replace os.open", "the old state.json stands"),
        ("replace os.fsync", "the old state.json stands"),
        ("sync_folder os.fsync", "the new state.json stands"),
    ),
    *_cases(
        "shim.rundir",
        ("write os.open", "the old file stands"),
        ("write os.rename", "the old file, or the new one"),
        ("reserve os.open", "nothing has run"),
        ("reserve os.posix_fallocate", "nothing has run"),
    ),
    Case("daemon.prepare", "nothing was touched yet"),
    Case("history_db.HistoryDatabase.write", "the next daemon tells the history of the end that it finds"),
    Case("last_good.LastGood._keep", "the last good version, old or new"),
    Case("news_socket.NewsSocket.__enter__", "the socket is made anew"),
    Case("shim.zygote.serve os.fork", "another zygote; the launch is made again", who="zygote"),
]

EXEMPT = {
    "shim.rundir.say_why os.write": "where no process can be had, and nothing has begun",
    "shim.held._read_away os.read": "where a pipe is too small to be exact: test_redacted_log",
    "shim.child.become os.write 2": "says why it cannot be executed, and ends anyway",
    "shim.logfile.Log._append os.ftruncate": "on a full disk; until then the record stands: test_logfile",
    "shim.logfile.Log._drop os.read": "on a full disk, where bytes are lost as it is",
    "runner.folders.Folders.furnish os.chown": "for root and another user alone, and the mkfifo again",
    "runner.local.LocalRunner._stop_without_files signal.pidfd_send_signal": (
        "the run's directory is gone: the next daemon finds a copy that blocks, as test_daemon has it"
    ),
}
"""Points that are not walked, and why."""
