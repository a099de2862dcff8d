"""The broker as the daemon sees it: addresses, logins and accounts, that starts and stops."""

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from qfleet_controlplane.broker import clients, configuration, logins, mosquitto, ports, userfile
from qfleet_controlplane.broker.accounts import Accounts, Provisioner, Shared
from qfleet_controlplane.broker.addresses import Address, parse_addresses, spell
from qfleet_controlplane.broker.child import Child
from qfleet_controlplane.broker.configuration import Listener
from qfleet_controlplane.broker.dynsec import Dynsec
from qfleet_controlplane.broker.userfile import Render, UserFile
from qfleet_controlplane.errors import BrokerUnavailable, ConfigurationError
from qfleet_controlplane.settings import Settings
from qfleet_wire.names import DeviceName, RegionName


class Broker(Protocol):
    """A broker that the control plane uses."""

    @property
    def access(self) -> clients.Access:
        """How the controller reaches it; valid after ``start``. Of a cluster, the first node."""

    @property
    def accesses(self) -> tuple[clients.Access, ...]:
        """How the controller reaches each of its nodes."""

    @property
    def logins(self) -> logins.Logins:
        """The fixed logins."""

    @property
    def accounts(self) -> Provisioner:
        """Makes and ends devices' accounts."""

    @property
    def advertised(self) -> str:
        """The URLs that devices are told; valid after ``start``."""

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
        self._region = RegionName(settings.region)
        self._directory = settings.broker_directory
        self.logins = _own_logins(self._directory / "logins.toml")
        self._child: Child | None = None
        self._port = 0
        self.accounts: Provisioner = Accounts(
            UserFile(
                self._directory / configuration.USERS,
                lambda devices: configuration.render_accounts(self._region, self.logins, devices),
                reload=self._reload,
                prove=lambda login: clients.probe(clients.Access(self.access.address, login)),
            )
        )

    @property
    def access(self) -> clients.Access:
        """How the controller reaches it: over loopback unless bound to one address."""
        host = self._settings.broker.host
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        return clients.Access(Address("mqtt", reachable, self._port), self.logins.controller)

    @property
    def accesses(self) -> tuple[clients.Access, ...]:
        """The one way to reach it."""
        return (self.access,)

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
        """Choose the port and start the server, with the accounts that it had the last time."""
        broker = self._settings.broker
        self._port = await ports.choose(broker.host, broker.port, self._directory / "port")
        await asyncio.to_thread(self._carry_accounts_over)
        self._child = Child(
            Listener(broker.host, self._port, self._directory),
            self._region,
            probe=lambda: clients.probe(self.access),
        )
        await self._child.start()

    async def stop(self) -> None:
        """Stop the server."""
        await self.accounts.stop()
        if self._child is not None:
            await self._child.stop()

    async def _reload(self) -> None:
        if self._child is not None:
            await self._child.reload()

    def _carry_accounts_over(self) -> None:
        """So a fleet that reconnects is not turned away until the device table has been read."""
        path = self._directory / configuration.USERS
        try:
            lines = configuration.device_lines(self._region, path.read_text("utf-8")) if path.exists() else []
            userfile.replace(path, configuration.render_users(self._region, self.logins, lines).encode())
        except (OSError, ValueError) as error:
            raise BrokerUnavailable(f"cannot write the broker's accounts {path}: {error}") from error


class External:
    """A broker or cluster that somebody else runs; it may be down when the control plane starts."""

    restarts = 0

    def __init__(self, settings: Settings) -> None:
        broker = settings.broker
        self.logins = logins.read(Path(broker.login_file)) if broker.login_file else logins.NO_LOGINS
        self._addresses = parse_addresses(broker.url)
        self._ca_file = broker.ca_file
        self.advertised = broker.advertise or spell(self._addresses)
        self._backend = self._choose_backend(settings)
        self.accounts: Provisioner = Shared() if self._backend is None else Accounts(self._backend)

    @property
    def access(self) -> clients.Access:
        """How the controller reaches it; of a cluster, the first node."""
        return self.accesses[0]

    @property
    def accesses(self) -> tuple[clients.Access, ...]:
        """How the controller reaches each of its nodes."""
        return tuple(self._reach(address, self.logins.controller) for address in self._addresses)

    async def start(self) -> None:
        """Nothing to start: the link connects, and connects again, by itself."""

    async def refresh(self, devices: Mapping[DeviceName, logins.Login]) -> None:
        """Make every account anew, whatever the broker holds.

        Raises:
            BrokerUnavailable: it did not take them.
        """
        if self._backend is not None:
            await self._backend.refresh(devices)

    async def stop(self) -> None:
        """Stop making accounts."""
        await self.accounts.stop()

    def _reach(self, address: Address, login: logins.Login) -> clients.Access:
        return clients.Access(address, login, self._ca_file)

    def _choose_backend(self, settings: Settings) -> Dynsec | UserFile | None:
        region, broker = RegionName(settings.region), settings.broker
        renderers: dict[str, Render] = {
            "nats": lambda devices: configuration.render_accounts(region, self.logins, devices),
            "mosquitto": lambda devices: mosquitto.render_passwords(self.logins, devices),
        }
        if broker.accounts == "dynsec":
            return Dynsec(clients.in_turn(lambda: self.accesses), region)
        if broker.accounts in renderers:
            return UserFile(
                Path(broker.accounts_file),
                renderers[broker.accounts],
                reload=lambda: userfile.run_command(broker.reload_command),
                prove=self._prove,
            )
        return None

    async def _prove(self, login: logins.Login) -> None:
        """Return when a login works at every node that the controller itself can reach."""
        proved, refusal = 0, None
        for address in self._addresses:
            try:
                await clients.probe(self._reach(address, login))
                proved += 1
            except BrokerUnavailable as error:
                refusal = error
                if await self._is_up(address):
                    raise
        if not proved and refusal is not None:
            raise refusal

    async def _is_up(self, address: Address) -> bool:
        try:
            await clients.probe(self._reach(address, self.logins.controller))
        except BrokerUnavailable:
            return False
        return True


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
