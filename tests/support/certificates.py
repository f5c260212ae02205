"""Self-signed certificates, made by the system's openssl."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

OPENSSL = shutil.which("openssl")

needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="needs the openssl command")


class Pair(NamedTuple):
    """A certificate for localhost and 127.0.0.1, and its key."""

    cert: Path
    key: Path


def make_pair(folder: Path, name: str = "tls") -> Pair:
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    subprocess.run(
        [
            OPENSSL or "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", str(pair.key), "-out", str(pair.cert), "-days", "2", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=DNS:localhost,DNS:bots.example.com,IP:127.0.0.1",
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    pair.key.chmod(0o600)
    return pair
