"""stratvisor, as this interpreter has it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from unixhttp import UnixHttp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from host import Answer
    from programs import Program

_SETTINGS = """\
[http]
port = 0
[defaults.restart]
when = "always"
delay = "0s"
give_up = "none"
[defaults.logs]
max_size = "1GB"
keep_total = "10GB"
"""


def command(home: Path, *words: str) -> tuple[str, ...]:
    """A stratvisor command line."""
    return (sys.executable, "-m", "stratvisor", "--home", str(home), *words)


class Stratvisor:
    """Restarts at once and never gives up, as the others do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._http = UnixHttp(folder / "run" / "stratvisor.sock")
        (folder / "conf.d").mkdir()
        (folder / "stratvisor.toml").write_text(_SETTINGS, "utf-8")
        self._written: dict[str, str] = {}

    @property
    def argv(self) -> Sequence[str]:
        """See `Host`."""
        return command(self._folder, "up")

    @property
    def env(self) -> Mapping[str, str]:
        """See `Host`. Compiled modules may be kept, as those of the others were when they were installed."""
        return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def configure(self, programs: Sequence[Program]) -> None:
        """See `Host`."""
        for program in programs:
            text = json.dumps({"command": program.argv, "env": program.env})  # JSON is YAML
            if self._written.get(program.name) != text:
                (self._folder / "conf.d" / f"{program.name}.yaml").write_text(text + "\n", "utf-8")
                self._written[program.name] = text

    def ask(self) -> Answer:
        """See `Host`."""
        return self._http.time("GET", "/python/status", None, {})

    def running(self, answer: Answer) -> int:
        """See `Host`."""
        count: int = json.loads(answer.text)["counts"].get("running", 0)
        return count

    def reload(self) -> None:
        """See `Host`."""
        self._http.send("POST", "/python/reload", None, {})

    def logs(self, name: str) -> list[Path]:
        """See `Host`."""
        return sorted((self._folder / "log" / "strategies").glob(f"{name}_*.log"))

    def close(self) -> None:
        """See `Host`."""
        self._http.close()
