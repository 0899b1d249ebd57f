"""Whose requests are answered at all: those that name this server, and no page of another site.

A page from anywhere can make a browser send requests to ``127.0.0.1``, and a name of its own can be pointed there (DNS
rebinding). Such a request has the other site's name in ``Origin`` or in ``Host``, so both are held against the names
that this server goes by. An address in ``Host`` cannot be rebound.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from provetune.core.errors import UsageError
from provetune.serving.access_answers import Turned

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FOREIGN = Turned(403, "forbidden_origin", "Pages of other sites may not ask this server.")
_MISNAMED = Turned(
    403, "forbidden_host", "The server does not go by this name; who runs it can add names with --allow-host."
)


def is_loopback(host: str) -> bool:
    """Whether an address to bind to can be reached from this machine alone."""
    name = host.strip("[]")
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Names:
    """The names that a server goes by.

    Args:
        bound: the address it is bound to. Beyond loopback every IP address is a name of it.
        more: names besides, as people write them in front of the port.

    Raises:
        UsageError: one of them is no host name.
    """

    def __init__(self, bound: str, more: Sequence[str] = ()) -> None:
        for name in more:
            if not _HOST.fullmatch(name) or ":" in name.rpartition("]")[2]:
                raise UsageError(
                    f"'{name}' is no host name.", hint="Give the name alone: no scheme, no port, e.g. api.example.org."
                )
        own = [] if bound in ("0.0.0.0", "::", "") else [f"[{bound}]" if ":" in bound.strip("[]") else bound]
        self._names = _LOOPBACK_NAMES | {name.lower() for name in (*own, *more)}
        self._addresses = not is_loopback(bound)

    def judge(self, headers: Iterable[tuple[bytes, bytes]], method: str) -> Turned | None:
        """Why a request with these headers is turned away; None lets it pass."""
        hosts, origins, sites, modes = [], [], [], []
        for name, value in headers:
            if name == b"host":
                hosts.append(value)
            elif name == b"origin":
                origins.append(value)
            elif name == b"sec-fetch-site":
                sites.append(value)
            elif name == b"sec-fetch-mode":
                modes.append(value)
        if len(hosts) != 1 or not self._is_own(hosts[0].decode("latin-1")):
            return _MISNAMED
        if any(not _same_place(origin.decode("latin-1"), hosts[0].decode("latin-1")) for origin in origins):
            return _FOREIGN
        # A link to the page may be followed from anywhere; nothing else may come from another site.
        follows = method in ("GET", "HEAD") and modes == [b"navigate"]
        if not follows and any(site not in (b"same-origin", b"none") for site in sites):
            return _FOREIGN
        return None

    def _is_own(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].lower()
        return name in self._names or (self._addresses and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _same_place(origin: str, host: str) -> bool:
    scheme, _, place = origin.partition("://")
    return scheme in ("http", "https") and place.lower() == host.lower()
