"""Where shim and daemon touch the outside, found in their source; and a way to die there, in tests alone.

A point is one call in the source of something that changes the world: `shim.main.Shim.launch os.fork`. They
are read from the syntax tree, so none can be forgotten, and production code knows nothing of them. `install`
puts stand-ins for `os` and its like into the modules of a process that was made for this; each call then
looks for an order to kill its own process just before or just after.

    FAULTS/orders.WHO   lines `before POINT` or `after POINT`; the first is in force, and goes with its death;
                        `pause before POINT` only stops it there, until it gets SIGCONT
    FAULTS/reached      every point that a process came to

WHO is `daemon`, `zygote`, or a strategy: its shim, and the child that is to become it.

Standard library only: it is also run in the shim.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

SOURCE = Path(__file__).parent.parent.parent / "src" / "stratvisor"

SHIM = ("child", "held", "logfile", "lognames", "main", "rundir", "stopping", "tree", "zygote")
SHIM_MODULES = tuple(f"shim.{name}" for name in SHIM)
DAEMON_MODULES = (
    *(
        f"runner.{name}"
        for name in ("folders", "handles", "local", "logfolder", "orphans", "secrets", "zygote")
    ),
    "replacing",
    "shim.rundir",  # both use it
)

EFFECTS: dict[str, frozenset[str]] = {
    library: frozenset(names.split())
    for library, names in (
        (
            "os",
            """chown execvpe fork fsync ftruncate kill killpg makedirs mkdir mkfifo posix_fallocate
            posix_spawn pwrite rename setsid splice unlink waitid waitpid write""",
        ),
        ("fcntl", "flock"),
        ("rundir", "reserve write write_exit"),
        ("shutil", "rmtree"),
        ("signal", "pidfd_send_signal"),
        ("socket", "send_fds"),
        ("subprocess", "Popen"),
    )
}
"""What changes something that others see. Descriptors and memory of one's own end with the process."""

CONSUMING = ("shim.held", "shim.logfile")
"""Where os.read takes bytes away for good."""

WHOLE = (
    "daemon.prepare",
    "history_db.HistoryDatabase.write",
    "last_good.LastGood._keep",
    "news_socket.NewsSocket.__enter__",
    "store.Store.save",
)
"""Functions that reach the world through objects; each is one point."""


class Point(NamedTuple):
    """One call in the source."""

    module: str
    function: str
    call: str
    ordinal: int
    """Which of the function's calls of this kind; 1 for the first."""
    lines: range

    def __str__(self) -> str:
        number = f" {self.ordinal}" if self.ordinal > 1 else ""
        return f"{self.module}.{self.function} {self.call}{number}"


@functools.cache
def points(module: str) -> tuple[Point, ...]:
    """Those of one module, in order."""
    found: list[Point] = []
    _collect(_tree(module), module, "", found)
    return tuple(found)


def indirect(module: str) -> list[str]:
    """Effects that are not simply called where they are named, so that no point is seen in them."""
    tree = _tree(module)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    called |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Subscript)}  # a type
    named = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _effect(node, module)]
    return [f"{module}:{node.lineno}: {ast.unparse(node)}" for node in named if id(node) not in called]


def _tree(module: str) -> ast.Module:
    return ast.parse(SOURCE.joinpath(*module.split(".")).with_suffix(".py").read_text("utf-8"))


def _collect(node: ast.AST, module: str, where: str, found: list[Point]) -> None:
    for child in ast.iter_child_nodes(node):
        inside = where
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inside = f"{where}.{child.name}" if where else child.name
        _collect(child, module, inside, found)
        call = _effect(child.func, module) if isinstance(child, ast.Call) else None
        if isinstance(child, ast.Call) and call is not None and not _harmless(child):
            ordinal = 1 + sum((one.function, one.call) == (where, call) for one in found)
            lines = range(child.lineno, (child.end_lineno or child.lineno) + 1)
            found.append(Point(module, where, call, ordinal, lines))


def _effect(node: ast.AST, module: str) -> str | None:
    """`os.fork`, where this names something that changes the world."""
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr="open"):
            return "os.open"
        case ast.Attribute(value=ast.Name(id="os"), attr="read") if module in CONSUMING:
            return "os.read"
        case ast.Attribute(value=ast.Name(id=library), attr=name) if name in EFFECTS.get(library, ()):
            return f"{library}.{name}"
    return None


def _harmless(call: ast.Call) -> bool:
    """An open that makes nothing, or a look at a dead child that leaves it there."""
    flags = {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)}
    return ("open" in flags and "O_CREAT" not in flags) or "WNOWAIT" in flags


# Inside the process that is to die.


def install(modules: tuple[str, ...], faults: Callable[[], str | None], who: Callable[[], str]) -> None:
    """Put stand-ins into modules of this process. `faults`: the folder of orders, where it is known yet."""
    trap = Trap(faults, who)
    for name in modules:
        module = importlib.import_module(f"stratvisor.{name}")
        for library in (*EFFECTS, "fcntl"):
            real = vars(module).get(library)
            if real is not None and not isinstance(real, StandIn):
                setattr(module, library, StandIn(real, library, name, trap))


def install_whole(faults: Callable[[], str | None], who: Callable[[], str]) -> None:
    """Make points of the functions in `WHOLE`."""
    trap = Trap(faults, who)
    for name in WHOLE:
        parts = name.split(".")
        depth = next(end for end, part in enumerate(parts) if part[0].isupper() or end == len(parts) - 1)
        owner: Any = importlib.import_module("stratvisor." + ".".join(parts[:depth]))
        for part in parts[depth:-1]:
            owner = getattr(owner, part)
        setattr(owner, parts[-1], trap.around(getattr(owner, parts[-1]), name))


class Trap:
    """Kills its own process where an order says so."""

    def __init__(self, faults: Callable[[], str | None], who: Callable[[], str]) -> None:
        self._faults = faults
        self._who = who
        self._noted: set[str] = set()

    def around(self, real: Callable[..., Any], point: str) -> Callable[..., Any]:
        """`real` as a point."""

        @functools.wraps(real)
        def call(*arguments: Any, **named: Any) -> Any:
            self.spring("before", point)
            result = None
            try:
                result = real(*arguments, **named)
            finally:
                if not (point.endswith(" os.fork") and result == 0):  # the child has points of its own
                    self.spring("after", point)
            return result

        return call

    def spring(self, when: str, point: str) -> None:
        faults = self._faults()
        if faults is None:
            return
        self._note(faults, point)
        path = f"{faults}/orders.{self._who()}"
        try:
            order, *others = Path(path).read_text("utf-8").splitlines()
        except (OSError, ValueError):
            return
        if f"{when} {point}" in {order, order.replace("pause ", "")}:
            number = signal.SIGSTOP if order.startswith("pause ") else signal.SIGKILL
            rest = Path(f"{path}.rest")
            rest.write_text("\n".join(others), "utf-8")
            with contextlib.suppress(FileNotFoundError):  # another thread is at it
                rest.rename(path)
                os.kill(os.getpid(), number)

    def _note(self, faults: str, point: str) -> None:
        if point not in self._noted:
            self._noted.add(point)
            note = os.open(f"{faults}/reached", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            os.write(note, f"{point}\n".encode())
            os.close(note)


class StandIn:
    """A library as one module has it, with its points."""

    def __init__(self, real: object, library: str, module: str, trap: Trap) -> None:
        self._real = real
        self._library = library
        self._module = module
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        frame = sys._getframe(1)
        call = f"{self._library}.{name}"
        for point in points(self._module):
            if (
                point.call == call
                and point.function == frame.f_code.co_qualname
                and frame.f_lineno in point.lines
            ):
                return self._trap.around(real, str(point))
        return real
