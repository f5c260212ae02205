"""Strategy files to be read: one for each key, any spec as a hand of its own writes it, and any nonsense."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import time
from typing import Any

from filing import BASE
from hypothesis import strategies as st

from stratvisor import almanac, schema
from stratvisor.reading.words import SIGNALS
from stratvisor.spec import (
    DAY,
    DAY_NAMES,
    GB,
    HOUR,
    MB,
    MILLISECOND,
    MINUTE,
    SECOND,
    CronFor,
    CronPair,
    DaysWindow,
    Edge,
    GiveUp,
    Isolation,
    Limits,
    Logs,
    Manual,
    OnChange,
    Process,
    ReadyAfter,
    ReadyNotify,
    Restart,
    RestartWhen,
    SessionTime,
    SessionWindow,
    Spec,
    SpecialSessions,
    Stop,
    StopTo,
    WindowForm,
    Windows,
)

EFFECTS: dict[str, tuple[str, Spec]] = {
    "title": ("title: A title", replace(BASE, title="A title")),
    "env": (
        "env: {B: b, A: '1'}",
        replace(BASE, process=replace(BASE.process, env=(("A", "1"), ("B", "b")))),
    ),
    "inherit_env": (
        "inherit_env: [HTTPS_PROXY]",
        replace(BASE, process=replace(BASE.process, inherit_env=("HTTPS_PROXY",))),
    ),
    "sandbox": ("sandbox: off", replace(BASE, process=replace(BASE.process, sandbox=Isolation.OFF))),
    "connect": (
        "sandbox: strict\nconnect: [443, 53]",
        replace(BASE, process=replace(BASE.process, sandbox=Isolation.STRICT, connect=(443, 53))),
    ),
    "unix_sockets": (
        "unix_sockets: [/run/postgresql]",
        replace(BASE, process=replace(BASE.process, unix_sockets=("/run/postgresql",))),
    ),
    "enabled": ("enabled: false", replace(BASE, enabled=False)),
    "tags": ("tags: [nifty, intra-day]", replace(BASE, tags=("nifty", "intra-day"))),
    "schedule": ("schedule: manual", replace(BASE, schedule=Manual())),
    "restart.when": ("restart: {when: always}", replace(BASE, restart=Restart(when=RestartWhen.ALWAYS))),
    "restart.success_codes": (
        "restart: {success_codes: [0, 3]}",
        replace(BASE, restart=Restart(success_codes=(0, 3))),
    ),
    "restart.delay": ("restart: {delay: 2s}", replace(BASE, restart=Restart(delay_ns=2 * SECOND))),
    "restart.factor": ("restart: {factor: 1.5}", replace(BASE, restart=Restart(factor=1.5))),
    "restart.max_delay": (
        "restart: {max_delay: 2m}",
        replace(BASE, restart=Restart(max_delay_ns=2 * MINUTE)),
    ),
    "restart.jitter": ("restart: {jitter: 20%}", replace(BASE, restart=Restart(jitter=0.2))),
    "restart.reset_after": (
        "restart: {reset_after: 5m}",
        replace(BASE, restart=Restart(reset_after_ns=5 * MINUTE)),
    ),
    "restart.give_up": ("restart: {give_up: none}", replace(BASE, restart=Restart(give_up=None))),
    "restart.give_up.failures": (
        "restart: {give_up: {failures: 3}}",
        replace(BASE, restart=Restart(give_up=GiveUp(3))),
    ),
    "restart.give_up.within": (
        "restart: {give_up: {within: 1h}}",
        replace(BASE, restart=Restart(give_up=GiveUp(within_ns=HOUR))),
    ),
    "start.ready_after": ("start: {ready_after: 3s}", replace(BASE, start=ReadyAfter(3 * SECOND))),
    "start.ready": ("start: {ready: notify}", replace(BASE, start=ReadyNotify())),
    "start.timeout": ("start: {ready: notify, timeout: 9s}", replace(BASE, start=ReadyNotify(9 * SECOND))),
    "stop.signals": ("stop: {signals: [INT, SIGTERM]}", replace(BASE, stop=Stop(signals=("INT", "TERM")))),
    "stop.timeout": ("stop: {timeout: 20s}", replace(BASE, stop=Stop(timeout_ns=20 * SECOND))),
    "stop.to": ("stop: {to: main}", replace(BASE, stop=Stop(to=StopTo.MAIN))),
    "limits.memory": ("limits: {memory: none}", replace(BASE, limits=Limits(memory=None))),
    "limits.processes": ("limits: {processes: 9}", replace(BASE, limits=Limits(processes=9))),
    "limits.open_files": (
        "limits: {open_files: 99}",
        replace(BASE, process=replace(BASE.process, open_files=99)),
    ),
    "limits.cpu_time": (
        "limits: {cpu_time: 1h}",
        replace(BASE, process=replace(BASE.process, cpu_time_ns=HOUR)),
    ),
    "limits.nice": ("limits: {nice: 5}", replace(BASE, process=replace(BASE.process, nice=5))),
    "limits.threads": ("limits: {threads: 2}", replace(BASE, process=replace(BASE.process, threads=2))),
    "limits.core": ("limits: {core: none}", replace(BASE, process=replace(BASE.process, core=None))),
    "logs.max_size": ("logs: {max_size: 1MB}", replace(BASE, logs=Logs(max_size=MB))),
    "logs.keep_files": ("logs: {keep_files: 5}", replace(BASE, logs=Logs(keep_files=5))),
    "logs.keep_days": ("logs: {keep_days: 7}", replace(BASE, logs=Logs(keep_days=7))),
    "logs.keep_total": ("logs: {keep_total: 1GB}", replace(BASE, logs=Logs(keep_total=GB))),
    "logs.timestamps": ("logs: {timestamps: true}", replace(BASE, logs=Logs(timestamps=True))),
    "on_change": ("on_change: next_run", replace(BASE, on_change=OnChange.NEXT_RUN)),
}
"""What each key makes of the shortest file."""

FILES: dict[str, tuple[str, Process]] = {
    "script": ("script: a.py", Process(script="a.py")),
    "args": ("script: a.py\nargs: [--x, '1', '']", Process(script="a.py", args=("--x", "1", ""))),
    "command": ("command: [sh, -c, exit]", Process(command=("sh", "-c", "exit"))),
    "python": ("script: a.py\npython: bin/python", Process(script="a.py", python="bin/python")),
    "cwd": ("script: a.py\ncwd: bin", Process(script="a.py", cwd="bin")),
    "read": ("script: a.py\nread: [bin, a.py]", Process(script="a.py", read=("bin", "a.py"))),
    "write": ("script: a.py\nwrite: [bin]", Process(script="a.py", write=("bin",))),
    "env_file": ("script: a.py\nenv_file: common.env", Process(script="a.py", env=(("A", "1"),))),
}
"""The same of keys that name files, in a home that has them."""


SPANS = st.integers(1, 10**6).map(lambda count: count * MILLISECOND)
PRINTED = st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Zl", "Zp"], exclude_characters="\ufeff")
TEXTS = st.text(PRINTED | st.sampled_from("\n\t\\\"'#:"), max_size=12)
NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)
IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
LINES = st.builds("{} {} * * {}".format, st.integers(0, 59), st.integers(0, 23), st.sampled_from(DAY_NAMES))
FORMS = (
    st.builds(DaysWindow, st.frozensets(st.integers(0, 6), min_size=1), TIMES, TIMES).filter(
        lambda form: form.start != form.end
    )
    | st.builds(CronPair, LINES, LINES).filter(lambda form: form.start != form.stop)
    | st.builds(
        CronFor,
        LINES,
        st.integers(MINUTE // MILLISECOND, 7 * DAY // MILLISECOND).map(lambda count: count * MILLISECOND),
    )
)
OFFSETS = st.integers(-12 * 3600, 12 * 3600).map(lambda count: count * SECOND)
SESSIONS = st.builds(
    SessionWindow,
    st.builds(SessionTime, st.just(Edge.OPEN), OFFSETS),
    st.builds(SessionTime, st.just(Edge.CLOSE), OFFSETS),
)
CALENDARS = st.sampled_from(sorted(almanac.shipped())).map(lambda name: almanac.shipped()[name])
LATE_STARTS = st.none() | st.just(0) | st.integers(1, 24 * 3600).map(lambda count: count * SECOND)
ZONES = st.sampled_from(["Asia/Kolkata", "America/New_York", "UTC"])
PROCESSES = st.builds(
    Process,
    command=st.lists(TEXTS, max_size=3).map(lambda rest: ("sh", *rest)),
    env=st.dictionaries(NAMES, TEXTS, max_size=3).map(lambda env: tuple(sorted(env.items()))),
    inherit_env=st.lists(NAMES.map(lambda name: f"I{name}"), unique=True, max_size=2).map(tuple),
    sandbox=st.just(Isolation.STRICT),
    connect=st.lists(st.integers(1, 65535), unique=True, max_size=2).map(tuple),
    open_files=st.none() | st.integers(16, 1000),
    cpu_time_ns=st.none() | st.integers(1, 999).map(lambda count: count * SECOND),
    nice=st.integers(0, 19),
    threads=st.none() | st.integers(1, 64),
    core=st.just(0) | st.none(),
)
RESTARTS = st.builds(
    Restart,
    when=st.sampled_from(RestartWhen),
    success_codes=st.lists(st.integers(0, 255), unique=True, max_size=3).map(tuple),
    delay_ns=st.integers(0, 1000).map(lambda count: count * MILLISECOND),
    factor=st.sampled_from([1.0, 1.5, 2.0]),
    max_delay_ns=st.integers(1, 10).map(lambda count: count * SECOND),
    jitter=st.sampled_from([0.0, 0.1, 0.125, 1.0]),
    reset_after_ns=SPANS,
    give_up=st.none() | st.builds(GiveUp, st.integers(1, 9), st.just(HOUR)),
)
SPECS = st.builds(
    Spec,
    id=st.just("x"),
    process=PROCESSES,
    title=st.text(string.ascii_letters + "कé:#'\"", min_size=1, max_size=12),
    tags=st.lists(IDS, unique=True, max_size=3).map(tuple),
    enabled=st.booleans(),
    schedule=st.just(BASE.schedule)
    | st.just(Manual())
    | st.builds(Windows, ZONES, st.lists(FORMS, min_size=1, max_size=3).map(tuple), late_start_ns=LATE_STARTS)
    | st.builds(
        Windows,
        ZONES,
        st.lists(FORMS | SESSIONS, min_size=1, max_size=3).map(tuple),
        CALENDARS,
        st.sampled_from(SpecialSessions),
        LATE_STARTS,
    ),
    restart=RESTARTS,
    start=st.builds(ReadyAfter, SPANS) | st.builds(ReadyNotify, SPANS),
    stop=st.builds(
        Stop,
        st.lists(st.sampled_from(SIGNALS), min_size=1, max_size=3).map(tuple),
        st.integers(0, 300).map(lambda count: count * MILLISECOND),
        st.sampled_from(StopTo),
    ),
    limits=st.builds(Limits, st.none() | st.integers(MB, GB), st.none() | st.integers(1, 999)),
    logs=st.builds(
        Logs,
        st.integers(1000, MB),
        st.integers(1, 99),
        st.integers(1, 99),
        st.integers(MB, GB),
        st.booleans(),
    ),
    on_change=st.sampled_from(OnChange),
)


def written(spec: Spec) -> dict[str, Any]:
    """A spec as a file's keys, as the reference says that they are written."""
    process, restart = spec.process, spec.restart
    keys: dict[str, Any] = {
        "title": spec.title,
        "command": list(process.command or ()),
        "env": dict(process.env),
        "inherit_env": list(process.inherit_env),
        "sandbox": process.sandbox,
        "connect": list(process.connect),
        "tags": list(spec.tags),
        "enabled": spec.enabled,
        "restart": {"when": restart.when, "success_codes": list(restart.success_codes)},
        "start": {"ready_after": ms(spec.start.after_ns)}
        if isinstance(spec.start, ReadyAfter)
        else {"ready": "notify", "timeout": ms(spec.start.timeout_ns)},
        "stop": {"signals": list(spec.stop.signals), "timeout": ms(spec.stop.timeout_ns), "to": spec.stop.to},
        "limits": {
            "memory": "none" if spec.limits.memory is None else f"{spec.limits.memory}B",
            "processes": or_none(spec.limits.processes),
            "open_files": or_none(process.open_files),
            "cpu_time": "none" if process.cpu_time_ns is None else f"{process.cpu_time_ns // SECOND}s",
            "nice": process.nice,
            "threads": or_none(process.threads),
            "core": or_none(process.core),
        },
        "logs": {
            "max_size": f"{spec.logs.max_size}B",
            "keep_files": spec.logs.keep_files,
            "keep_days": spec.logs.keep_days,
            "keep_total": f"{spec.logs.keep_total}B",
            "timestamps": spec.logs.timestamps,
        },
        "on_change": spec.on_change,
    }
    if restart.when is not RestartWhen.NEVER:
        keys["restart"] |= {
            "delay": ms(restart.delay_ns),
            "factor": restart.factor,
            "max_delay": ms(restart.max_delay_ns),
            "jitter": f"{restart.jitter * 100}%",
            "reset_after": ms(restart.reset_after_ns),
            "give_up": {"failures": restart.give_up.failures, "within": ms(restart.give_up.within_ns)}
            if restart.give_up
            else "none",
        }
    if isinstance(spec.schedule, Manual):
        keys["schedule"] = "manual"
    if isinstance(spec.schedule, Windows):
        keys["schedule"] = {
            "timezone": spec.schedule.timezone,
            "windows": list(map(window, spec.schedule.forms)),
            "late_start": late_start(spec.schedule.late_start_ns),
        }
        if spec.schedule.calendar:
            keys["schedule"] |= {
                "calendar": spec.schedule.calendar.name,
                "special_sessions": spec.schedule.special_sessions.value,
            }
    return keys


def late_start(late_ns: int | None) -> str:
    if late_ns is None:
        return "always"
    return ms(late_ns) if late_ns else "never"


def session_time(at: SessionTime) -> str:
    sign = "-" if at.offset_ns < 0 else "+"
    return at.edge.value + (f"{sign}{abs(at.offset_ns) // SECOND}s" if at.offset_ns else "")


def window(form: WindowForm) -> dict[str, Any]:
    match form:
        case DaysWindow():
            days = [DAY_NAMES[day] for day in form.days]
            return {"days": days, "from": form.start.isoformat(), "to": form.end.isoformat()}
        case CronPair():
            return {"start": form.start, "stop": form.stop}
        case CronFor():
            return {"start": form.start, "for": ms(form.length_ns)}
        case SessionWindow():
            return {"session": {"from": session_time(form.start), "to": session_time(form.end)}}


def ms(duration_ns: int) -> str:
    return f"{duration_ns // MILLISECOND}ms"


def or_none(value: int | None) -> int | str:
    return "none" if value is None else value


KEYS = [row.key.rpartition(".")[2] for row in schema.rows("strategy")]
SCALARS = st.sampled_from(
    [
        "~",
        "none",
        "manual",
        "true",
        "yes",
        "0",
        "1",
        "5",
        "-1",
        "1.5",
        "010",
        "1e3",
        "15:30",
        "'09:15'",
        "2026-11-23",
        "10s",
        "1d",
        "0s",
        "1GB",
        "10%",
        "TERM",
        "mon-fri",
        "daily",
        "notify",
        "always",
        "never",
        "on-failure",
        "restart",
        "a.py",
        "sh",
        "UTC",
        "'*",
        "*",
        "*",
        "*",
        "1'",
        "''",
        "&a",
        "*a",
        "!!str",
        "<<",
    ]
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=12,
)
NONSENSE = st.lists(st.tuples(st.sampled_from(KEYS), TREES), max_size=5).map(
    lambda pairs: "".join(f"{key}: {value}\n" for key, value in pairs).encode()
)
