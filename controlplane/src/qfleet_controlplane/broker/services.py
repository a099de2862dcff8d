"""The broker as the daemon sees it: something with an address and logins that starts and stops."""

import secrets
from pathlib import Path
from typing import Protocol

from qfleet_controlplane.broker import clients, logins, ports
from qfleet_controlplane.broker.addresses import Address, parse_address
from qfleet_controlplane.broker.child import Child
from qfleet_controlplane.broker.configuration import Listener
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.settings import Settings
from qfleet_wire.names import RegionName


class Broker(Protocol):
    """A broker that the control plane uses."""

    @property
    def access(self) -> clients.Access:
        """How the controller reaches it; valid after ``start``."""

    @property
    def logins(self) -> logins.Logins:
        """The logins of all three roles."""

    @property
    def advertised(self) -> str:
        """The URL that devices are told; valid after ``start``."""

    @property
    def restarts(self) -> int:
        """How often it was started again."""

    async def start(self) -> None:
        """Make it ready; raise ``BrokerUnavailable`` when that fails."""

    async def stop(self) -> None:
        """Release it."""


class Embedded:
    """The NATS server that the control plane starts itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._directory = settings.directory / "broker"
        self.logins = _own_logins(self._directory / "logins.toml")
        self._child: Child | None = None
        self._port = 0

    @property
    def access(self) -> clients.Access:
        """How the controller reaches it: over loopback unless bound to one address."""
        host = self._settings.broker.host
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        return clients.Access(Address("mqtt", reachable, self._port), self.logins.controller)

    @property
    def advertised(self) -> str:
        """The URL that devices are told."""
        return self._settings.broker.advertise or str(self.access.address)

    @property
    def restarts(self) -> int:
        """How often the server was started again."""
        return self._child.restarts if self._child else 0

    @property
    def pid(self) -> int | None:
        """Process id of the server."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Choose the port and start the server."""
        broker = self._settings.broker
        self._port = await ports.choose(broker.host, broker.port, self._directory / "port")
        self._child = Child(
            Listener(broker.host, self._port, self._directory),
            RegionName(self._settings.region),
            self.logins,
            probe=lambda: clients.probe(self.access),
        )
        await self._child.start()

    async def stop(self) -> None:
        """Stop the server."""
        if self._child is not None:
            await self._child.stop()


class External:
    """A broker that somebody else runs; it may be down when the control plane starts."""

    restarts = 0

    def __init__(self, settings: Settings) -> None:
        broker = settings.broker
        self.logins = logins.read(Path(broker.login_file)) if broker.login_file else logins.NO_LOGINS
        self.access = clients.Access(parse_address(broker.url), self.logins.controller, broker.ca_file)
        self.advertised = broker.advertise or str(self.access.address)

    async def start(self) -> None:
        """Nothing to start: the link connects, and connects again, by itself."""

    async def stop(self) -> None:
        """Nothing to stop."""


def open_broker(settings: Settings) -> Embedded | External:
    """Make the broker that the settings name."""
    if settings.broker.url == "embedded":
        return Embedded(settings)
    return External(settings)


def _own_logins(path: Path) -> logins.Logins:
    if not path.exists():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            logins.write(path, logins.generate(secrets.token_bytes))
        except OSError as error:
            raise ConfigurationError(f"cannot write the broker's logins {path}: {error}") from error
    return logins.read(path)
