"""The last good stratvisor.toml, where neither it nor the one in its place can be used."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from stratvisor.last_good import LastGood

BAD = "timezone = 'Asia/Tokyo'\n[http]\nport = 'nine'\n"
GOOD = "timezone = 'UTC'\n"


@pytest.mark.parametrize(
    ("kept", "zone"), [(GOOD, "UTC"), (BAD.replace("Tokyo", "Dubai"), "Asia/Tokyo"), (None, "Asia/Tokyo")]
)
def test_a_slip_takes_what_was_kept_if_that_is_good_by_now(home: Path, kept: str | None, zone: str) -> None:
    (home / "stratvisor.toml").write_text(BAD)
    if kept is not None:
        (home / "run" / "stratvisor.toml").write_text(kept)
    assert LastGood(home).settings().timezone == zone


def test_a_disk_that_keeps_nothing_is_said_and_tried_again(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "stratvisor.toml").write_text(GOOD)
    last_good = LastGood(home)
    in_the_way = home / "run" / "stratvisor.toml.new"
    in_the_way.mkdir()
    last_good.keep_settings()
    assert "cannot keep the last good version" in caplog.text
    in_the_way.rmdir()
    last_good.keep_settings()
    assert (home / "run" / "stratvisor.toml").read_text() == GOOD


def test_what_was_kept_stands_until_its_successor_is_whole(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "stratvisor.toml").write_text(GOOD)
    last_good = LastGood(home)
    last_good.keep_settings()
    (home / "stratvisor.toml").write_text(GOOD + "# longer\n")
    monkeypatch.setattr(Path, "rename", Mock(side_effect=OSError(28, "No space left on device")))
    last_good.keep_settings()
    assert (home / "run" / "stratvisor.toml").read_text() == GOOD


def test_what_was_taken_away_is_kept_again_once_that_is_known(home: Path) -> None:
    (home / "stratvisor.toml").write_text(GOOD)
    last_good = LastGood(home)
    last_good.keep_settings()
    (home / "run" / "stratvisor.toml").unlink()
    last_good.forget()
    last_good.keep_settings()
    assert (home / "run" / "stratvisor.toml").read_text() == GOOD
