"""Where a broker is: ``mqtt://``, ``mqtts://`` and ``unix://`` URLs, parsed and spelled.

A cluster has several, separated by commas. An address never holds a login: a URL with a user name or
password is refused, because URLs reach logs.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from qfleet_controlplane.errors import InvalidSetting

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Address:
    """A broker's address; ``host`` is the path of the socket and ``port`` 0 for ``unix``."""

    scheme: Literal["mqtt", "mqtts", "unix"]
    host: str
    port: int

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_address(url: str) -> Address:
    """Read a broker URL; raise ``InvalidSetting`` for one that names no broker."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidSetting(f"broker URL is not valid: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise InvalidSetting("a broker URL holds no login: put it in the file named by broker.login_file")
    if parts.scheme == "unix" and parts.path and not parts.netloc:
        return Address("unix", parts.path, 0)
    if parts.scheme in ("mqtt", "mqtts") and parts.hostname and parts.path in ("", "/"):
        scheme: Literal["mqtt", "mqtts"] = "mqtt" if parts.scheme == "mqtt" else "mqtts"
        return Address(scheme, parts.hostname, _PORTS[scheme] if port is None else port)
    raise InvalidSetting(
        f"broker URL {url!r} is not valid: use mqtt://HOST[:PORT], mqtts://… or unix:///PATH"
    )


def parse_addresses(urls: str) -> tuple[Address, ...]:
    """Read one URL, or those of a cluster's nodes, separated by commas; raise ``InvalidSetting``."""
    return tuple(parse_address(url.strip()) for url in urls.split(","))


def spell(addresses: tuple[Address, ...]) -> str:
    """Spell addresses; the inverse of ``parse_addresses``."""
    return ",".join(map(str, addresses))
