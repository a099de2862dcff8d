"""The site of the key demo: four devices, a key delivery at each, and applications with certificates.

All certificates are of one CA that the demo makes; only the two ground sites have applications.
"""

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qfleet import errors
from qfleet.demo import processes, site
from qfleet.demo.directory import Directory

DEVICES = {
    "ground-a": "x86-gateway",
    "ground-b": "x86-gateway",
    "satellite": "jetson-orin-nano",
    "fibre-node": "raspberry-pi-4",
}
APPLICATIONS = {"ground-a": ("alice", "tunnel-a"), "ground-b": ("bob", "tunnel-b")}
_BY_HAND = "\n[keys]\nlow_water_bits = 0\n"
"""Sessions are those that the demo asks for, so that it can say what comes of each."""
NEVER = {"satellite": ("satellite-itself",), "fibre-node": ("node-itself",)}
"""The devices between have applications of their own, which no other device serves."""
_MARK = re.compile(r"Keys are delivered at https://127\.0\.0\.1:(\d+)")
_START_S = 30.0
_STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class KeySite:
    """The running site; ``ports`` are those of the key deliveries by device."""

    place: site.Site
    certificates: Path
    ports: Mapping[str, int]

    def host(self, device: str) -> str:
        """Where a device's key delivery listens."""
        return f"127.0.0.1:{self.ports[device]}"


def start(directory: Directory, family: processes.Family, sockets: Path, tell: site.Tell) -> KeySite:
    """Start it all and wait until every key delivery serves.

    ``sockets`` is a folder with a short path, for the address of a Unix socket has 107 bytes at most.
    """
    certificates = directory.path / "certificates"
    _certificates(directory, certificates)
    more = {name: _settings(name, certificates, sockets) for name in DEVICES}
    place = site.start(directory, family, tell, devices=DEVICES, more=more, settings=_BY_HAND)
    ports = {}
    tool = site.find("qfleet-agent")
    for name in DEVICES:
        tell(f"starting the key delivery of {name}")
        log = directory.logs / f"{name}-keys.log"
        settings = directory.device(name) / "agent.toml"
        family.start(f"{name} keys", [tool, "keys", "serve", "--config", str(settings)], log=log)
        ports[name] = _port(family, name, log)
    return KeySite(place, certificates, ports)


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _certificates(directory: Directory, folder: Path) -> None:
    names = [one for every in (*APPLICATIONS.values(), *NEVER.values()) for one in every]
    options = [word for one in names for word in ("--application", one)]
    processes.run(
        [site.find("qfleet-agent"), "keys", "certificates", str(folder), "--host", "127.0.0.1",
         "--host", "localhost", *options],
        log=directory.logs / "certificates.log",
    )  # fmt: skip


def _settings(name: str, certificates: Path, sockets: Path) -> str:
    everybody = APPLICATIONS | NEVER
    lines = [
        f'keys_socket = "{sockets / name}.sock"',
        "[keys]",
        "port = 0",
        *(f'{what}_file = "{certificates / file}"' for what, file in _FILES.items()),
        f"applications = {list(everybody[name])}",
    ]
    for peer in DEVICES:
        if peer != name:
            lines += [f"[keys.peers.{peer}]", f"applications = {list(everybody[peer])}"]
    return "\n".join(lines) + "\n"


_FILES = {"certificate": "server.crt", "key": "server.key", "client_ca": "ca.crt"}


def _port(family: processes.Family, name: str, log: Path) -> int:
    end = time.monotonic() + _START_S
    while True:
        family.check()
        found = _MARK.search(log.read_text(encoding="utf-8", errors="replace")) if log.exists() else None
        if found is not None:
            return int(found[1])
        if time.monotonic() > end:
            raise errors.DemoFailed(f"the key delivery of {name} did not come up", log=log)
        time.sleep(_STEP_S)
