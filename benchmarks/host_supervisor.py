"""supervisord: https://supervisord.org, with its defaults; no rotation, so that none can lose a line."""

from __future__ import annotations

import re
import xmlrpc.client
from typing import TYPE_CHECKING, Any

from unixhttp import UnixHttp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from host import Answer
    from peers import Peers
    from programs import Program

_DAEMON = """\
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
user={user}
minfds=4096

[unix_http_server]
file={folder}/s

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files={folder}/conf.d/*.ini
"""

_PROGRAM = """\
[program:{name}]
command={command}
environment={environment}
autorestart=true
redirect_stderr=true
stdout_logfile={folder}/{name}.log
stdout_logfile_maxbytes=0
"""


class Supervisor:
    """Asked over XML-RPC, as supervisorctl does it."""

    def __init__(self, folder: Path, peers: Peers) -> None:
        self._folder = folder
        self._peers = peers
        self._http = UnixHttp(folder / "s")
        (folder / "conf.d").mkdir()
        (folder / "supervisord.conf").write_text(_DAEMON.format(folder=folder, user=peers.user), "utf-8")

    @property
    def argv(self) -> Sequence[str]:
        """See `Host`."""
        return (
            str(self._peers.python),
            "-m",
            "supervisor.supervisord",
            "-c",
            str(self._folder / "supervisord.conf"),
        )

    @property
    def env(self) -> Mapping[str, str]:
        """See `Host`."""
        return self._peers.env

    def configure(self, programs: Sequence[Program]) -> None:
        """See `Host`."""
        for program in programs:
            text = _PROGRAM.format(
                name=program.name,
                command=" ".join(program.argv),
                environment=",".join(f'{name}="{value}"' for name, value in program.env.items()),
                folder=self._folder,
            )
            (self._folder / "conf.d" / f"{program.name}.ini").write_text(text, "utf-8")

    def ask(self) -> Answer:
        """See `Host`."""
        return self._http.time("POST", "/RPC2", *_call("getAllProcessInfo"))

    def running(self, answer: Answer) -> int:
        """See `Host`."""
        return len(re.findall(rb"<string>RUNNING</string>", answer.text))

    def reload(self) -> None:
        """See `Host`. What `supervisorctl update` does about changed programs."""
        (parsed,), _method = xmlrpc.client.loads(self._send("reloadConfig"))
        answer: Any = parsed
        _added, changed, _removed = answer[0]
        for group in changed:
            self._send("stopProcessGroup", group)
            self._send("removeProcessGroup", group)
            self._send("addProcessGroup", group)

    def logs(self, name: str) -> list[Path]:
        """See `Host`."""
        return [self._folder / f"{name}.log"]

    def close(self) -> None:
        """See `Host`."""
        self._http.close()

    def _send(self, method: str, *arguments: str) -> bytes:
        return self._http.send("POST", "/RPC2", *_call(method, *arguments))


def _call(method: str, *arguments: str) -> tuple[bytes, dict[str, str]]:
    return xmlrpc.client.dumps(arguments, f"supervisor.{method}").encode(), {"Content-Type": "text/xml"}
