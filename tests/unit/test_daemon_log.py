"""The daemon's own log: in its zone, and never in its way."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stratvisor.daemon_log import DaemonLog
from stratvisor.settings import Logging, LogLevel, Settings
from stratvisor.troubles import Troubles

LOG = logging.getLogger("stratvisor.test")


@pytest.fixture
def root() -> Iterator[None]:
    """Logging as it was."""
    ours = logging.getLogger()
    handlers, level, raises = ours.handlers[:], ours.level, logging.raiseExceptions
    yield
    for handler in ours.handlers:
        handler.close()
    ours.handlers[:] = handlers
    ours.setLevel(level)
    logging.raiseExceptions = raises


@pytest.mark.usefixtures("root")
class TestDaemonLog:
    def begin(self, home: Path, *, verbose: bool = False) -> tuple[DaemonLog, Settings, Troubles]:
        troubles, settings = Troubles(), Settings(home=home)
        log = DaemonLog(home, troubles, verbose=verbose)
        log.obey(settings)
        return log, settings, troubles

    def test_each_line_begins_with_the_time_in_the_daemons_zone(self, tmp_path: Path) -> None:
        log, settings, _ = self.begin(tmp_path)
        LOG.info("one")
        log.obey(replace(settings, timezone="Asia/Dubai"))
        LOG.info("two")
        first, second = (tmp_path / "log" / "stratvisor.log").read_text().splitlines()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} IST INFO one", first)
        assert second.endswith(" +04 INFO two")

    def test_the_level_is_obeyed_unless_all_is_wanted(self, tmp_path: Path) -> None:
        for verbose in (False, True):
            log, settings, _ = self.begin(tmp_path / str(verbose), verbose=verbose)
            log.obey(replace(settings, logging=Logging(LogLevel.ERROR)))
            LOG.warning("heard")
            assert (tmp_path / str(verbose) / "log").exists() is verbose

    def test_a_removed_folder_is_made_again(self, tmp_path: Path) -> None:
        self.begin(tmp_path)
        LOG.info("one")
        shutil.rmtree(tmp_path / "log")
        LOG.info("two")
        assert "two" in (tmp_path / "log" / "stratvisor.log").read_text()

    def test_a_folder_that_takes_nothing_is_a_trouble_until_it_does(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, _, troubles = self.begin(tmp_path)
        (tmp_path / "log").write_text("no folder")
        LOG.info("lost")
        [problem] = troubles.problems()
        assert problem.file == "log/stratvisor.log"
        assert "cannot be written" in problem.message
        (tmp_path / "log").unlink()
        LOG.info("kept")
        assert troubles.problems() == []
        assert [line[-4:] for line in (tmp_path / "log" / "stratvisor.log").read_text().splitlines()] == [
            "kept"
        ]
        assert "Traceback" not in capsys.readouterr().err

    def test_what_a_full_disk_left_in_a_buffer_does_not_follow(self, tmp_path: Path) -> None:
        _, _, troubles = self.begin(tmp_path)
        (tmp_path / "log").mkdir()
        path = tmp_path / "log" / "stratvisor.log"
        path.symlink_to("/dev/full")
        LOG.info("lost")
        assert "No space left" in troubles.problems()[0].message
        [file] = [one for one in logging.getLogger().handlers if isinstance(one, logging.FileHandler)]
        assert file.stream is None
        path.unlink()
        LOG.info("kept")
        assert path.read_text().endswith(" INFO kept\n")
        assert "lost" not in path.read_text()
