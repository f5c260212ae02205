"""The last good version of each config file, kept under run/ so that it outlives the daemon too.

Without it, a file broken while the daemon was down would stop a strategy that runs well, and a slip
in stratvisor.toml would take the [defaults] from all of them at once.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stratvisor import almanac, config, settings
from stratvisor.vault import contents, keymaking

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stratvisor.config import Config
    from stratvisor.settings import Settings
    from stratvisor.spec import Spec

log = logging.getLogger(__name__)


class LastGood:
    """The kept versions of one home. All methods block on disk."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._kept: dict[Path, bytes] = {}

    def forget(self) -> None:
        """What was kept is gone: keep all of it again."""
        self._kept = {}

    def settings(self) -> Settings:
        """Those of stratvisor.toml; where it is bad now, those it last said while it was good."""
        known, problems = settings.read(self._home)
        if problems:
            try:
                text = self._settings_path.read_bytes()
            except OSError:
                return known
            last, still_bad = settings.parse(text, self._home)
            return known if still_bad else last
        return known

    def keep_settings(self) -> None:
        """stratvisor.toml is good as it stands."""
        try:
            text = (self._home / settings.FILE).read_bytes()
        except FileNotFoundError:
            self._settings_path.unlink(missing_ok=True)
            return
        self._keep(self._settings_path, text)

    def calendars(self) -> dict[str, bytes]:
        """The texts of calendar files as they last were good."""
        try:
            return {path.stem: path.read_bytes() for path in self._calendars.glob("*" + almanac.SUFFIX)}
        except OSError:
            return {}

    def strategies(self, names: Iterable[str], known: Settings) -> dict[str, Spec]:
        """What the files of these strategies last said while they were good, as far as it was kept."""
        calendars = almanac.read(self._home, self.calendars())
        secrets = contents.read(self._home, keymaking.fingerprint_key)
        found = {}
        for name in names:
            try:
                text = self._strategy_path(name).read_bytes()
            except OSError:
                continue
            spec = config.recall(name, text, known, calendars, secrets)
            if spec is not None:
                found[name] = spec
        return found

    def keep(self, read: Config) -> None:
        """What is good of what was read."""
        for name, text in read.sources.items():
            self._keep(self._strategy_path(name), text)
        for name, text in read.almanac.sources.items():
            self._keep(self._calendars / (name + almanac.SUFFIX), text)

    def _keep(self, path: Path, text: bytes) -> None:
        """By rename, and only where it is new."""
        if self._kept.get(path) == text:
            return
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_name(path.name + ".new")
            draft.write_bytes(text)
            draft.chmod(0o600)
            draft.rename(path)
        except OSError as error:
            log.warning("cannot keep the last good version in %s: %s", path, error)
            return
        self._kept[path] = text

    @property
    def _calendars(self) -> Path:
        return self._home / "run" / "calendars.d"  # no strategy's id has a dot

    @property
    def _settings_path(self) -> Path:
        return self._home / "run" / settings.FILE

    def _strategy_path(self, name: str) -> Path:
        return self._home / "run" / name / "conf.yaml"
