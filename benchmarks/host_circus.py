"""circusd: https://circus.readthedocs.io, with its defaults, on Unix sockets."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from host import Answer, NotAnswering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peers import Peers
    from programs import Program

CLIENT = Path(__file__).with_name("circus_client.py")

_DAEMON = """\
[circus]
endpoint = ipc://{folder}/e
pubsub_endpoint = ipc://{folder}/p
include_dir = {folder}/conf.d
"""

_PROGRAM = """\
[watcher:{name}]
cmd = {command}
stdout_stream.class = FileStream
stdout_stream.filename = {folder}/{name}.log
stderr_stream.class = FileStream
stderr_stream.filename = {folder}/{name}.log

[env:{name}]
{environment}
"""


class Circus:
    """Asked by circus' own client, which lives in the peers' environment and is told what to do by pipe."""

    def __init__(self, folder: Path, peers: Peers) -> None:
        self._folder = folder
        self._peers = peers
        self._client: subprocess.Popen[str] | None = None
        (folder / "conf.d").mkdir()
        (folder / "circus.ini").write_text(_DAEMON.format(folder=folder), "utf-8")

    @property
    def argv(self) -> Sequence[str]:
        """See `Host`."""
        return (str(self._peers.python), "-m", "circus.circusd", str(self._folder / "circus.ini"))

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
                environment="\n".join(f"{name} = {value}" for name, value in program.env.items()),
                folder=self._folder,
            )
            (self._folder / "conf.d" / f"{program.name}.ini").write_text(text, "utf-8")

    def ask(self) -> Answer:
        """See `Host`."""
        return self._send("status")

    def running(self, answer: Answer) -> int:
        """See `Host`."""
        statuses: dict[str, Any] = json.loads(answer.text).get("statuses", {})
        return sum(status == "active" for status in statuses.values())

    def reload(self) -> None:
        """See `Host`."""
        self._send("reloadconfig")

    def logs(self, name: str) -> list[Path]:
        """See `Host`."""
        return [self._folder / f"{name}.log"]

    def close(self) -> None:
        """See `Host`."""
        if self._client is not None:
            self._client.kill()
            self._client.wait()
            self._client = None

    def _send(self, command: str) -> Answer:
        if self._client is None:
            self._client = subprocess.Popen(
                [str(self._peers.python), str(CLIENT), f"ipc://{self._folder}/e"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=dict(self._peers.env),
            )
        if self._client.stdin is None or self._client.stdout is None:
            raise NotAnswering("no pipe to circus' client")
        try:
            self._client.stdin.write(command + "\n")
            self._client.stdin.flush()
        except OSError as error:
            raise NotAnswering(str(error)) from error
        said = self._client.stdout.readline()
        took_ns, _, text = said.partition(" ")
        if not text or "error" in json.loads(text):
            raise NotAnswering(said)
        return Answer(text.encode(), int(took_ns))
