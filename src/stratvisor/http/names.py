"""The names that this daemon goes by on TCP: which Host it answers to, and whose pages may give orders.

A page of a foreign name that was made to resolve to our address (DNS rebinding) comes with that name as
its Host. So names have to be known: those of loopback, the very address that was connected to (which no
name server can forge), and those of `[http] public_urls`, by which a proxy or the certificate is known.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratvisor.http.errors import RequestError
from stratvisor.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Authority:
    """What a URL has between `//` and its path, taken apart."""

    name: str
    port: int


class Names:
    """The names of one daemon. `public` are URLs without a path, as settings have checked them."""

    def __init__(self, public: Iterable[str] = ()) -> None:
        self.public = tuple(_as_browsers_write(url) for url in public)
        self._secure = {_of_url(url): url.startswith("https:") for url in self.public}

    def check_host(self, request: web.Request) -> None:
        """Raise 421 for a name that is not ours."""
        given = request.headers.getall("Host", [])
        if len(given) == 1 and (self._is_public(given[0], request) or _is_local(given[0], request)):
            return
        port = local_port(request)
        known = [f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", *map(_bare, self.public)]
        raise RequestError(
            421,
            f"this answers to {', '.join(known[:-1])} and {known[-1]}, "
            f"not to {', '.join(given) or 'no name'}; a proxy must send one of these as Host, "
            "or its own name stand in [http] public_urls",
        )

    def check_origin(self, request: web.Request) -> None:
        """Raise 403 for an order by another site's page. The Host is checked already."""
        origin = request.headers.get("Origin")
        if origin is None or origin.lower() in self.public:
            return
        host = request.headers["Host"]
        if self._is_public(host, request) or origin.lower() != f"{_scheme(request)}://{host}".lower():
            raise RequestError(
                403,
                f"a page of {origin} may not do this; use the one served here; a proxy must send no Origin, "
                "or the address of its pages stand in [http] public_urls",
            )

    def is_secure(self, request: web.Request) -> bool:
        """Whether the browser came by TLS, as far as anything says so."""
        if _scheme(request) == "https" or request.headers.get("Origin", "").lower().startswith("https:"):
            return True
        authority = _authority(request.headers.get("Host", ""), "https")
        return authority is not None and self._secure.get(authority, False)

    def client(self, request: web.Request) -> tuple[str, str | None]:
        """The address of a client on TCP, and that of the proxy that says so; None: there is none.

        A proxy is believed where it runs on this machine and brings a name of `public_urls`: whoever else
        here feigns one, deceives about an address that says nothing of his token.
        """
        transport = request.transport
        peer = None if transport is None else transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else "an address that is gone"
        told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        if (
            _is_address(told)
            and is_loopback(address)
            and self._is_public(request.headers.get("Host", ""), request)
        ):
            return told, address
        return address, None

    def _is_public(self, host: str, request: web.Request) -> bool:
        # A proxy that ends TLS sends the name alone, for port 443 as for 80.
        return any(_authority(host, scheme) in self._secure for scheme in {*_PORTS, _scheme(request)})


def local_port(request: web.Request) -> int:
    """The port of ours that was connected to."""
    here = connection(request)
    return 0 if here is None or here.family == socket.AF_UNIX else int(here.getsockname()[1])


def connection(request: web.Request) -> socket.socket | None:
    """The socket of a request; None: it is gone."""
    return None if request.transport is None else request.transport.get_extra_info("socket")


def _is_local(host: str, request: web.Request) -> bool:
    authority = _authority(host, _scheme(request))
    if authority is None or authority.port != local_port(request):
        return False
    return authority.name == "localhost" or _is_own_address(authority.name, request)


def _is_own_address(name: str, request: web.Request) -> bool:
    here = connection(request)
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return address.is_loopback or (here is not None and _address(here.getsockname()[0]) == address)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Also of a socket that takes both families, where IPv4 looks like ::ffff:192.0.2.1."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _scheme(request: web.Request) -> str:
    transport = request.transport
    return "http" if transport is None or transport.get_extra_info("sslcontext") is None else "https"


def _authority(host: str, scheme: str) -> Authority | None:
    match = _HOST.fullmatch(host)
    return None if match is None else Authority(match["name"].lower(), int(match["port"] or _PORTS[scheme]))


def _of_url(url: str) -> Authority | None:
    return _authority(_bare(url), url.partition(":")[0])


def _as_browsers_write(url: str) -> str:
    """Without the port that goes without saying."""
    lower = url.lower()
    return lower.removesuffix(":443" if lower.startswith("https:") else ":80")


def _bare(url: str) -> str:
    return url.partition("//")[2]
