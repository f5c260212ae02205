"""The grammar of conf.d/ID.yaml: every key, its values, what it means, and the field of `spec` it fills.

A key is declared here and nowhere else. What two keys may not say together stands in `contradictions`,
what must be there on this machine in `surroundings`.
"""

from __future__ import annotations

from dataclasses import dataclass

from stratvisor.reading.keys import Key, Section
from stratvisor.reading.schedule import SCHEDULE
from stratvisor.reading.secrets import SECRETS
from stratvisor.reading.shapes import Form, ListOf, Named, OneOf, Or, misplaced
from stratvisor.reading.values import (
    Decimal,
    Flag,
    Whole,
    choice,
    duration,
    free_text,
    line,
    matching,
    one_of,
    path,
    share,
    size,
)
from stratvisor.reading.words import SIGNAL, VARIABLE
from stratvisor.spec import (
    DAY,
    GB,
    HOUR,
    ID,
    KB,
    MB,
    MILLISECOND,
    SECOND,
    GiveUp,
    Isolation,
    Limits,
    Logs,
    OnChange,
    Process,
    ReadyAfter,
    ReadyNotify,
    Restart,
    RestartWhen,
    Spec,
    Start,
    Stop,
    StopTo,
)

TB = 1000 * GB


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a file says that stands in no dataclass as it is said."""

    env_file: str | None = None
    """Its content goes into `Process.env`."""


_PROCESS = (
    Key(
        "script",
        path(),
        "The Python file to run, as PYTHON -u SCRIPT ARGS.",
        Process,
        default="required, or `command`",
        shared=False,
    ),
    Key("args", ListOf(free_text()), "Arguments of the script.", Process, shared=False),
    Key(
        "command",
        ListOf(free_text(), least=1),
        "Program and arguments, for anything that is not a Python file; instead of `script`.",
        Process,
        default="none",
        shared=False,
    ),
    Key("python", path(), "The interpreter of the script.", Process, default="the one that runs the daemon"),
    Key("cwd", path(), "The folder it runs in.", Process),
    Key("env", Named(VARIABLE, free_text()), "Environment variables.", Process),
    Key(
        "env_file",
        path(),
        "A file of NAME=VALUE lines, laid under `env`.",
        Elsewhere,
        default="none",
    ),
    Key(
        "inherit_env",
        ListOf(VARIABLE, repeats=False),
        "Variables of the daemon's own environment to pass on; no other is.",
        Process,
    ),
    Key(
        "secrets",
        SECRETS,
        "Secrets that it is given as variables; `{VARIABLE: secret}` where the names differ.",
        Process,
    ),
    Key(
        "user", line(100), "The account to run as, where the daemon is root.", Process, default="the daemon's"
    ),
    Key("sandbox", choice(Isolation), "How much of the machine it may reach.", Process),
    Key(
        "read",
        ListOf(path(), repeats=False),
        "Files and folders to read, beside its script's folder (of a `command`: that of the first file it "
        "names), its interpreter and the system's programs.",
        Process,
    ),
    Key("write", ListOf(path(), repeats=False), "Files and folders to change, beside `data/ID`.", Process),
    Key(
        "connect",
        ListOf(Whole(1, 65535), repeats=False),
        "With `sandbox: strict`: the TCP ports it may connect to, and no other.",
        Process,
    ),
    Key(
        "unix_sockets",
        ListOf(path(), repeats=False),
        "Unix sockets it needs, such as a database's; without, it can make none.",
        Process,
    ),
)

_RESTART = Section(
    (
        Key(
            "when",
            choice(RestartWhen),
            "After which ends of a run, if nobody asked for it, another one follows.",
            Restart,
        ),
        Key(
            "success_codes",
            ListOf(Whole(0, 255), most=256, repeats=False),
            "Exit codes that are no failure.",
            Restart,
        ),
        Key(
            "delay",
            duration(0, DAY),
            "How long to wait before the first restart; after ten short runs, half a second at least.",
            Restart,
            "delay_ns",
        ),
        Key("factor", Decimal(1, 100), "By how much the delay grows with each further short run.", Restart),
        Key("max_delay", duration(0, 7 * DAY), "What the delay grows to at most.", Restart, "max_delay_ns"),
        Key(
            "jitter",
            share(),
            "By how much a delay is drawn shorter or longer, so that not all come back at once.",
            Restart,
        ),
        Key(
            "reset_after",
            duration(MILLISECOND, 7 * DAY),
            "A run this long clears the delay and the count of failures.",
            Restart,
            "reset_after_ns",
        ),
        Key(
            "give_up",
            OneOf(
                (
                    Form(
                        Section(
                            (
                                Key("failures", Whole(1, 1000), "How many failures make it give up.", GiveUp),
                                Key(
                                    "within",
                                    duration(MILLISECOND, 30 * DAY),
                                    "Within how long these failures must lie.",
                                    GiveUp,
                                    "within_ns",
                                ),
                            )
                        ),
                        lambda facts: GiveUp(**facts.of(GiveUp)),
                        signs=frozenset({"failures", "within"}),
                    ),
                ),
                meant="{failures: 5, within: 10m} or none",
                words={"none": None},
            ),
            "When to stop trying, until the next window, `start` or an edit.",
            Restart,
        ),
    )
)

_START: OneOf[Start] = OneOf(
    (
        Form(
            Section(
                (
                    Key(
                        "ready_after",
                        duration(0, HOUR),
                        "Ready once it lived so long.",
                        ReadyAfter,
                        "after_ns",
                    ),
                ),
                dict.fromkeys(("ready", "timeout"), "does not go with 'ready_after'"),
            ),
            lambda facts: ReadyAfter(**facts.of(ReadyAfter)),
            signs=frozenset({"ready_after"}),
        ),
        Form(
            Section(
                (
                    Key(
                        "ready",
                        one_of("notify"),
                        "Ready once it sends READY=1 to $NOTIFY_SOCKET.",
                        default="by `ready_after`",
                        required=True,
                    ),
                    Key(
                        "timeout",
                        duration(MILLISECOND, DAY),
                        "How long it may take to say so, else it is stopped as a failure.",
                        ReadyNotify,
                        "timeout_ns",
                    ),
                )
            ),
            lambda facts: ReadyNotify(**facts.of(ReadyNotify)),
            signs=frozenset({"ready", "timeout"}),
        ),
    ),
    meant="{ready_after: 1s} or {ready: notify, timeout: 60s}",
)

_STOP = Section(
    (
        Key(
            "signals",
            ListOf(
                SIGNAL,
                least=1,
                most=10,
            ),
            "What is sent, one after another; after the last one's timeout comes KILL to the whole tree.",
            Stop,
        ),
        Key("timeout", duration(0, DAY), "How long each signal gets to take effect.", Stop, "timeout_ns"),
        Key(
            "to", choice(StopTo), "Who gets the signals: the process group, or the main process alone.", Stop
        ),
    )
)

_LIMITS = Section(
    (
        Key(
            "memory",
            Or(size(MB, 1000 * TB)),
            "Memory of all its processes together (RSS); over it, the run is killed.",
            Limits,
        ),
        Key(
            "processes",
            Or(Whole(1, 1_000_000)),
            "How many processes it may have at once; over it, the run is killed.",
            Limits,
        ),
        Key(
            "open_files",
            Or(Whole(16, 1_000_000_000)),
            "How many files each of its processes may have open (RLIMIT_NOFILE).",
            Process,
        ),
        Key(
            "cpu_time",
            Or(duration(SECOND, 3650 * DAY, step=SECOND)),
            "CPU time of each of its processes, in whole seconds (RLIMIT_CPU).",
            Process,
            "cpu_time_ns",
        ),
        Key(
            "nice", Whole(-20, 19), "Scheduling priority: the higher, the more it yields to others.", Process
        ),
        Key(
            "threads",
            Or(Whole(1, 1024)),
            "Threads that numeric libraries start (OpenMP, OpenBLAS, MKL, NumExpr, Numba).",
            Process,
        ),
        Key("core", Or(Or(size(0, TB), 0, 0)), "Size of a core dump (RLIMIT_CORE).", Process),
    )
)

_LOGS = Section(
    (
        Key("max_size", size(KB, TB), "At what size a log goes on in a new part.", Logs),
        Key("keep_files", Whole(1, 100_000), "How many log files to keep, parts included.", Logs),
        Key("keep_days", Whole(1, 36_500), "For how many days to keep them.", Logs),
        Key("keep_total", size(KB, 1000 * TB), "What all of them may take together.", Logs),
        Key("timestamps", Flag(), "Put the time before each line.", Logs),
    )
)

_KEYS = (
    Key("title", line(200), "What people call it.", Spec, default="the id", shared=False),
    *_PROCESS,
    Key("enabled", Flag(), "Whether it may run at all.", Spec),
    Key(
        "tags",
        ListOf(matching("tag", ID.pattern, "lower-case letters, digits, _ and -"), repeats=False),
        "For @TAG in commands.",
        Spec,
    ),
    Key("schedule", SCHEDULE, "When it is wanted.", Spec, default="always on"),
    Key("restart", _RESTART, "What follows a run that ended by itself."),
    Key("start", _START, "When a run counts as ready.", Spec),
    Key("stop", _STOP, "How a run is ended."),
    Key("limits", _LIMITS, "What a run may use."),
    Key("logs", _LOGS, "How its output is kept."),
    Key("on_change", choice(OnChange), "When an edit of what a process is made of takes effect.", Spec),
)


STRATEGY = Section(_KEYS, misplaced(_KEYS))
"""The whole file."""

DEFAULTS = Section(
    tuple(key for key in _KEYS if key.shared),
    misplaced(_KEYS) | {key.name: "belongs into each strategy's own file" for key in _KEYS if not key.shared},
)
"""What of it may stand in [defaults]."""
