"""`systemd`: a unit file for an instance, filled in from where it lies and who owns it.

Knows systemd's words and how it quotes. Rule: what confines the unit confines every strategy in it, so
there is nothing here that a strategy could trip over; each line that is not obvious says why it is there.
"""

from __future__ import annotations

import pwd
import sys
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.failure import Failure

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from stratvisor.cli.verbs import Verbs

_UNIT = """\
# stratvisor systemd > /etc/systemd/system/{name}.service && systemctl enable --now {name}
[Unit]
Description=stratvisor: trading strategies in {home}
Wants=network-online.target
# Stopped before what it is ordered after: at power-off strategies still have network and D-Bus.
After=network-online.target time-sync.target dbus.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={start}
ExecReload={reload}
WorkingDirectory={folder}
User={user}
# A crash is followed by a new daemon, which adopts what runs; `stratvisor shutdown` is followed by none.
Restart=on-failure
RestartSec=1s
# An event loop that stands still is replaced, and its stack printed.
WatchdogSec=60s
Environment=PYTHONFAULTHANDLER=1
# `systemctl stop` and `restart` leave the strategies alone: the daemon alone gets the signal. When the
# machine goes down it sees that, stops them each by its own plan, and asks for the time that this takes.
KillMode=process
TimeoutStartSec=2min
TimeoutStopSec=1min
# One strategy that takes all memory harms only itself.
OOMPolicy=continue
TasksMax=infinity
Delegate=yes
LimitNOFILE=524288
# No PrivateTmp, ProtectHome, ProtectClock or MemoryDenyWriteExecute: these take files, devices or compilers
# from strategies that live longer than the daemon.
ProtectSystem=full
ReadWritePaths={paths}
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectHostname=yes
LockPersonality=yes

[Install]
WantedBy=multi-user.target
"""


def add(verbs: Verbs) -> None:
    """The verb."""
    verbs.add(
        "systemd",
        _systemd,
        does="print a systemd unit for this instance",
        more="The daemon runs as the owner of the folder, with the Python that runs this command.",
        examples=("systemd", "systemd > /etc/systemd/system/stratvisor.service"),
    )


def _systemd(arguments: argparse.Namespace) -> int:
    print(unit(home.find(arguments.home)), end="")
    return 0


def unit(place: Path) -> str:
    """The unit of an instance.

    Raises:
        Failure: systemd could not read it.
    """
    if not str(place).isprintable():
        raise Failure(f"cannot write a unit for {place}: a path in it holds a control character; rename it")
    command = (sys.executable, "-P", "-m", "stratvisor", "--home", str(place))
    return _UNIT.format(
        name="stratvisor",
        home=_percent(str(place)),
        folder=_percent(str(place)),
        paths=_quoted(str(place)),
        user=_owner(place),
        start=" ".join(map(_quoted_word, (*command, "up"))),
        reload=" ".join(map(_quoted_word, (*command, "reload"))),
    )


def _owner(place: Path) -> str:
    """Whose the folder is; a number where he has no name (systemd takes either)."""
    uid = place.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _percent(text: str) -> str:
    """A setting that is one path: nothing but specifiers has a meaning (systemd.unit(5))."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One of several words: quoted, with escapes (systemd.syntax(7))."""
    if not set(text) & set(" \t\"'\\;"):
        return _percent(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_percent(escaped)}"'


def _quoted_word(text: str) -> str:
    """The same in a command line, where $ begins a variable (systemd.service(5))."""
    return _quoted(text).replace("$", "$$")
