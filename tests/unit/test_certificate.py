"""A certificate and its key: what is refused, at `check` as by the server."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

import os
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
from certificates import OPENSSL, make_pair, needs_openssl

from stratvisor import settings
from stratvisor.reading.certificate import Unusable, context

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_openssl


def refusal(cert: Path, key: Path) -> tuple[str, str]:
    with pytest.raises(Unusable) as refused:
        context(cert, key)
    return refused.value.which, str(refused.value)


def test_a_good_pair(tmp_path: Path) -> None:
    made = context(*make_pair(tmp_path))
    assert isinstance(made, ssl.SSLContext)
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o640, False), (0o644, True), (0o620, True), (0o604, True)])  # fmt: skip
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int, refused: bool) -> None:  # noqa: FBT001
    pair = make_pair(tmp_path)
    pair.key.chmod(mode)
    if refused:
        which, told = refusal(*pair)
        assert which == "key"
        assert told == f"others can read or change it (mode {mode:o}); chmod 600 it, and have it made anew"
    else:
        context(*pair)


def test_another_users_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_pair(tmp_path)
    os.chown(pair.key, 4321, -1) if os.geteuid() == 0 else monkeypatch.setattr(os, "geteuid", lambda: 4321)
    assert refusal(*pair)[0] == "key"


def test_the_key_of_another_certificate(tmp_path: Path) -> None:
    one, other = make_pair(tmp_path, "one"), make_pair(tmp_path, "other")
    assert refusal(one.cert, other.key) == (
        "key",
        "is not the key of this certificate; name the two that belong together",
    )


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    locked = tmp_path / "locked.key"
    subprocess.run(
        [OPENSSL or "openssl", "ec", "-in", pair.key, "-out", locked, "-aes256", "-passout", "pass:x"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    locked.chmod(0o600)
    which, told = refusal(pair.cert, locked)
    assert which == "key"
    assert "password" in told


def test_files_that_are_none(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    nothing = tmp_path / "nothing.pem"
    assert refusal(nothing, pair.key) == ("cert", "cannot be read: No such file or directory")
    assert refusal(pair.cert, tmp_path) == ("key", "is not a file")
    nothing.write_text("no PEM")
    assert refusal(nothing, pair.key)[0] == "cert"


def test_the_settings_take_a_good_pair_and_then_any_address(tmp_path: Path) -> None:
    make_pair(tmp_path)
    text = '[http]\nhost = "0.0.0.0"\ntls_cert = "tls.crt"\ntls_key = "tls.key"\n'
    found, problems = settings.parse(text.encode(), tmp_path)
    assert problems == ()
    assert (found.http.host, found.http.tls_cert, found.http.tls_key) == ("0.0.0.0", "tls.crt", "tls.key")  # noqa: S104
    assert not found.http.is_loopback


def test_the_settings_say_which_of_the_two_is_bad(tmp_path: Path) -> None:
    make_pair(tmp_path).key.chmod(0o644)
    text = '[http]\ntls_cert = "tls.crt"\ntls_key = "tls.key"\n'
    (problem,) = settings.parse(text.encode(), tmp_path)[1]
    assert (problem.line, problem.key) == (3, "http.tls_key")
