"""Reading one file never blocks and never takes much, whatever stands at its path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from stratvisor.reading.source import LIMIT, CannotReadError, MissingError, read

if TYPE_CHECKING:
    from pathlib import Path


def why(path: Path) -> str:
    with pytest.raises(CannotReadError) as raised:
        read(path)
    assert not isinstance(raised.value, MissingError)
    return str(raised.value)


def test_a_file_and_a_link_to_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "b").symlink_to("a")
    assert read(tmp_path / "a") == read(tmp_path / "b") == b"text"


def test_nothing_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read(tmp_path / "a")
    with pytest.raises(MissingError):
        read(tmp_path / "no" / "a")


def test_a_link_to_nothing_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("gone")
    assert why(tmp_path / "a") == "cannot be read: it is a symlink to nothing; remove or mend it"


def test_a_ring_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    assert why(tmp_path / "a").startswith("cannot be read: ")


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    assert why(tmp_path / "a") == "cannot be read: it is not a regular file; remove or rename it"


def test_a_folder(tmp_path: Path) -> None:
    assert "not a regular file" in why(tmp_path)


def test_a_file_without_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/dev/zero")
    assert "not a regular file" in why(tmp_path / "a")


def test_the_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * LIMIT)
    assert len(read(path)) == LIMIT
    path.write_bytes(b"x" * (LIMIT + 1))
    assert why(path) == "is over 1 MB; no file of settings is that large"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").touch(0o000)
    assert why(tmp_path / "a") == "cannot be read: Permission denied"


def test_a_name_too_long(tmp_path: Path) -> None:
    assert why(tmp_path / ("x" * 300)) == "cannot be read: File name too long"


def test_nothing_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  a count
    for path in (tmp_path / "a", tmp_path, tmp_path / "gone"):
        try:
            read(path)
        except CannotReadError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
