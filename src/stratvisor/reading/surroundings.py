"""What a strategy's file relies on outside itself: files, folders, an account, what the system lets it set.

Looks at the disk and at the machine, every time anew, and changes neither. What is found missing is the
file's problem, at the key that names it: the strategy could not start.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING

from stratvisor.reading import env_file, source
from stratvisor.reading.grammar import Elsewhere
from stratvisor.spec import THREAD_VARIABLES, Process
from stratvisor.territory import GOVERNING, SECRET
from stratvisor.wording import label, nearest, quoted

if sys.platform != "win32":
    import pwd
    import resource

if TYPE_CHECKING:
    from pathlib import Path

    from stratvisor.reading.env_file import Pairs
    from stratvisor.reading.keys import At, Facts


def note(facts: Facts, at: At, home: Path) -> Pairs:
    """Note what is missing, and give the variables of `env`, laid over those of `env_file`."""
    process = Process(**facts.of(Process))
    variables = {**dict(_env_file(facts, at, home)), **dict(process.env)}
    _check_script(process, at.key("script"), home)
    _check_python(process, at.key("python"), home)
    _check_command(process, at.key("command"), home, variables)
    _check_cwd(process, at.key("cwd"), home)
    _check_user(process, at.key("user"))
    _check_reach(process, at, home)
    _check_limits(process, at.key("limits"))
    return tuple(sorted(variables.items()))


def shown(path: Path, home: Path) -> str:
    """A file as problems name it: relative to the home where it lies in it."""
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)


def _env_file(facts: Facts, at: At, home: Path) -> Pairs:
    here = at.key("env_file")
    written = facts.get(Elsewhere, "env_file")
    if written is None:
        return ()
    path = home / written
    try:
        content = source.read(path)
    except source.MissingError:
        _refuse(here, _missing(written, home, "file"))
        return ()
    except source.CannotReadError as error:
        _refuse(here, str(error))
        return ()
    pairs, problems = env_file.read(content, shown(path, home))
    at.findings.problems.extend(problems)
    if facts.get(Process, "threads") is not None:
        for name in sorted(dict(pairs).keys() & set(THREAD_VARIABLES)):
            _refuse(here, f"sets {name}, as 'limits.threads' does; keep one of them")
    for name in sorted(dict(pairs).keys() & dict(facts.get(Process, "secrets")).keys()):
        _refuse(here, f"sets {name}, as 'secrets' does; keep one of them")
    return pairs


def _check_script(process: Process, at: At, home: Path) -> None:
    if process.script is None:
        return
    if PurePath(os.path.normpath(process.script)).parts[:1] == (os.pardir,):
        _refuse(at, "leaves the home; put the file into it, or write an absolute path")
    elif (mode := _mode(process.script, at, home)) and not stat.S_ISREG(mode):
        _refuse(at, "is not a file; name the Python file to run")


def _check_python(process: Process, at: At, home: Path) -> None:
    if process.python is None or process.command is not None:
        return
    if "/" not in process.python and not os.access(home / process.python, os.F_OK):
        program = shutil.which(process.python)
        hint = f"; write {program}" if program else ""
        _refuse(at, f"no such file in the home{hint}")
    else:
        _check_executable(process.python, at, home)


def _check_command(process: Process, at: At, home: Path, variables: dict[str, str]) -> None:
    if process.command is None:
        return
    program = process.command[0]
    if "/" in program:
        _check_executable(program, at, home)
    elif not shutil.which(program, path=variables.get("PATH")):
        _refuse(at, f"no program {quoted(program)} on PATH; write its whole path")


def _check_executable(written: str, at: At, home: Path) -> None:
    mode = _mode(written, at, home)
    if mode and not (stat.S_ISREG(mode) and os.access(home / written, os.X_OK)):
        _refuse(at, "is not a program that may be executed")


def _check_cwd(process: Process, at: At, home: Path) -> None:
    mode = _mode(process.cwd, at, home, "folder") if at.place else None
    if mode and not stat.S_ISDIR(mode):
        _refuse(at, "is not a folder")


def _check_reach(process: Process, at: At, home: Path) -> None:
    for name, paths, kept in (("read", process.read, SECRET), ("write", process.write, GOVERNING)):
        for written in paths:
            here = at.key(name)
            if _mode(written, here, home) is None:
                continue
            path = (home / written).resolve()
            for one in kept:
                own = (home / one).resolve()
                around = name == "write" and path in own.parents
                if path.is_relative_to(own) or around:
                    what = "holds" if around else "is" if path == own else "is in"
                    _refuse(
                        here, f"{quoted(written)} {what} stratvisor's own {one}; no strategy may {name} that"
                    )
                    break


def _check_user(process: Process, at: At) -> None:
    if process.user is None:
        return
    if sys.platform == "win32":
        _refuse(at, "another account needs a POSIX system; remove it")
    elif os.geteuid() != 0:
        _refuse(at, "another account needs the daemon to run as root; remove it")
    else:
        try:
            pwd.getpwnam(process.user)
        except KeyError:
            guess = nearest(process.user, (entry.pw_name for entry in pwd.getpwall()))
            _refuse(at, "no such account on this machine" + (f"; did you mean {guess!r}?" if guess else ""))


def _check_limits(process: Process, at: At) -> None:
    """Without root, a process can only be given less than the daemon itself has."""
    if sys.platform != "win32" and os.geteuid() != 0:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        if process.nice < nice:
            _refuse(at.key("nice"), f"below the daemon's own {nice} needs root; write {nice} or more")
        _check_hard_limit(
            process.open_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1], at.key("open_files")
        )
        _check_hard_limit(process.core, resource.getrlimit(resource.RLIMIT_CORE)[1], at.key("core"))


def _check_hard_limit(wanted: int | None, most: int, at: At) -> None:
    if wanted is not None and 0 <= most < wanted:  # RLIM_INFINITY is -1 on Linux
        _refuse(at, f"above this machine's hard limit, {most}; write {most} or less, or none")


def _mode(written: str, at: At, home: Path, meant: str = "file") -> int | None:
    """The type of what stands at a path; None, and a problem, where that is nothing."""
    try:
        return (home / written).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        _refuse(at, _missing(written, home, meant))
    except OSError as error:
        _refuse(at, f"cannot be looked at: {error.strerror}")
    return None


def _missing(written: str, home: Path, meant: str) -> str:
    """That a path leads nowhere, and which of its siblings was perhaps meant."""
    path = home / written
    try:
        while not path.parent.is_dir():
            path = path.parent
        if path.exists():
            return f"{shown(path, home)!r} is not a folder"
        guess = nearest(path.name, (sibling.name for sibling in path.parent.iterdir()))
    except OSError:
        guess = None
    is_last = path == home / written
    what = f"no such {meant}" if is_last else f"no such {meant}: {label(written)}"
    kind = "" if is_last else "the folder "
    return what + (f"; did you mean {kind}{shown(path.with_name(guess), home)!r}?" if guess else "")


def _refuse(at: At, message: str) -> None:
    """Note a problem at the value; one that was not written cannot be wrong."""
    if at.place:
        at.problem(at.place.value, message)
