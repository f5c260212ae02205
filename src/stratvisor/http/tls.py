"""TLS with the certificate as it stands on disk: one that was renewed serves from the next connection on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stratvisor.reading import certificate

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

_LOG = logging.getLogger(__name__)


class Tls:
    """One certificate and its key."""

    def __init__(self, cert: Path, key: Path) -> None:
        self._cert, self._key = cert, key
        self._context: ssl.SSLContext | None = None
        self._seen: object = None

    def context(self) -> ssl.SSLContext:
        """For the next connection. Where files changed and cannot be used, the last good pair serves.

        Raises:
            Unusable: there was no good pair yet.
        """
        mark = _signature(self._cert), _signature(self._key)
        if self._context is None or mark != self._seen:
            self._seen = mark
            self._context = self._load()
        return self._context

    def _load(self) -> ssl.SSLContext:
        try:
            made = certificate.context(self._cert, self._key)
        except certificate.Unusable as problem:
            if self._context is None:
                raise
            # A renewal writes two files, one after the other: it is looked at again when either changes.
            _LOG.warning("tls_%s: %s; the one before serves on", problem.which, problem)
            return self._context
        if self._context is not None:
            _LOG.info("the TLS certificate was renewed")
        return made


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode
