"""Codes, sessions and the token's file."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from serving import TOKEN, FakeClock

from stratvisor.http import doors
from stratvisor.http.apitoken import api_token
from stratvisor.http.doors import Doors
from stratvisor.http.keyfile import KeyProblem
from stratvisor.http.keyring import Keyring

if TYPE_CHECKING:
    from pathlib import Path


def a_door(clock: FakeClock | None = None) -> Doors:
    clock = clock or FakeClock()
    return Doors(Keyring(TOKEN, None, clock), clock)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_never_repeat_and_are_long() -> None:
    one = a_door()
    codes = {one.mint_code() for _ in range(50)}
    assert len(codes) == 50
    assert min(map(len, codes)) >= 32


def test_codes_and_sessions_are_bounded() -> None:
    one = a_door()
    first_code = one.mint_code()
    codes = [one.mint_code() for _ in range(doors.MOST)]
    assert one.log_in(first_code) is None
    opened = [one.log_in(TOKEN) for _ in range(doors.MOST + 1)]
    assert opened[0] is not None
    cookie, session = opened[0]
    assert one.session(cookie) is None
    assert session.over.is_set()
    assert one.log_in(codes[-1]) is not None


def test_no_secret_is_kept_as_it_is() -> None:
    one = a_door()
    code, opened = one.mint_code(), one.log_in(TOKEN)
    kept = repr(vars(one)) + repr(vars(one.keyring))
    assert TOKEN not in kept
    assert code not in kept
    assert opened is not None
    assert opened[0] not in kept


@pytest.mark.parametrize("text", ["", "\ud800", "x" * 100_000, TOKEN + "\n"])
def test_strange_tokens_are_wrong_tokens(text: str) -> None:
    assert a_door().keyring.find(text) is None


def test_the_token_is_made_once_with_its_rights(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    token = api_token(keys)
    assert len(token) >= 43
    assert mode(keys) == 0o700
    assert mode(keys / "api.token") == 0o600
    assert api_token(keys) == token
    assert [path.name for path in keys.iterdir()] == ["api.token"]


def test_rights_that_are_too_wide_are_tightened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = tmp_path / "keys"
    token = api_token(keys)
    keys.chmod(0o755)
    (keys / "api.token").chmod(0o644)
    assert api_token(keys) == token
    assert (mode(keys), mode(keys / "api.token")) == (0o700, 0o600)
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 2


def test_a_token_that_came_first_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two first starts at once: the second finds nothing, and then the first's file in its place."""
    keys = tmp_path / "keys"
    token = api_token(keys)
    monkeypatch.setattr(os.path, "lexists", lambda _path: False)
    assert api_token(keys) == token
    assert [path.name for path in keys.iterdir()] == ["api.token"]


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"short", b"two words in one token file", b"\xff" * 40, b"x" * 5000]
)
def test_a_file_without_a_token_is_said_to_be_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "api.token"
    path.write_bytes(content)
    with pytest.raises(KeyProblem, match=r"cannot use .*api\.token: it holds no token"):
        api_token(tmp_path)
    assert path.read_bytes() == content


def test_a_link_a_pipe_and_a_folder_are_no_token(tmp_path: Path) -> None:
    path = tmp_path / "api.token"
    target = tmp_path / "chosen"
    target.write_text("a-token-that-somebody-else-chose\n")
    path.symlink_to(target)
    with pytest.raises(KeyProblem, match="cannot use"):
        api_token(tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(KeyProblem, match="no plain file"):
        api_token(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(KeyProblem, match="Is a directory"):
        api_token(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("in the way")
    with pytest.raises(KeyProblem, match="cannot use"):
        api_token(tmp_path / "keys")


def test_another_users_token_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api_token(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(KeyProblem, match="belongs to uid"):
        api_token(tmp_path)
