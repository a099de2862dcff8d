"""The tables of the configuration file as they are read, with their defaults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import msgspec

from qfleet_controlplane.errors import InvalidSetting
from qfleet_wire.names import ControllerName, FleetName, RegionName

DEFAULT_CONFIG = Path("/etc/qfleet/controlplane.toml")
DEFAULT_STATE = Path("/var/lib/qfleet-controlplane")
API_PORT = 8440
MQTT_PORT = 1883
_OTHERS = 0o077


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the HTTP API listens. Beyond loopback it speaks TLS 1.3 only."""

    host: str = "127.0.0.1"
    port: int = API_PORT
    """0 takes a free port; ``address.json`` in the state directory says which."""
    tls_certificate: str = ""
    tls_key: str = ""
    max_body_bytes: int = 16 * 1024 * 1024


class Broker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The message broker: the embedded one, or any MQTT 3.1.1 broker by URL.

    ``host`` and ``port`` are where the embedded broker listens; ``allow_remote`` must be set to
    let it listen beyond loopback. ``advertise`` is the URL that devices are told, if another.
    ``url`` and ``advertise`` may name the nodes of a cluster, separated by commas.
    """

    url: str = "embedded"
    host: str = "127.0.0.1"
    port: int = MQTT_PORT
    allow_remote: bool = False
    advertise: str = ""
    login_file: str = ""
    """TOML file of mode 0600 with the logins ``controller``, ``device`` and ``enrol``."""
    ca_file: str = ""
    """Certificate authorities for ``mqtts://``; the system's when empty."""
    accounts: Literal["auto", "shared", "dynsec", "nats", "mosquitto"] = "auto"
    """Where devices' own logins are made: ``dynsec`` by Mosquitto's dynamic security plugin, ``nats`` and
    ``mosquitto`` in ``accounts_file``; ``shared``: all devices use the login file's ``device``. ``auto``
    is the embedded broker's own file, and ``shared`` for any other broker."""
    accounts_file: str = ""
    reload_command: tuple[str, ...] = ()
    """Program and arguments, run without a shell, that let the broker read ``accounts_file`` again."""


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A region: its broker, and what placement weighs."""

    broker: Broker = Broker()
    residency: tuple[str, ...] = ()
    """Tags; a job that names some runs only in regions that carry one of them."""
    energy_price: float | None = None
    """Price of a kilowatt-hour, in whatever currency all regions share."""


class Leases(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How controllers share regions. All controllers of a fleet must have the same values."""

    ttl_s: float = 6.0
    """A controller that has not renewed for so long has lost its regions."""
    renew_s: float = 2.0
    look_s: float = 1.0
    """How often it looks for regions that nobody leads."""


class QuantumKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The key delivery at this site, whose keys devices' sessions mix in."""

    url: str
    """``https://HOST:PORT`` of ETSI GS QKD 014."""
    ca_file: str
    certificate_file: str
    """Of the control plane as an application there; its name is the control plane's SAE ID."""
    key_file: str
    devices: dict[str, str] = {}
    """SAE ID of each device that has another than its name."""
    require: bool = False
    """Refuse sessions without such a key, whatever the device's profile demands."""
    answer_s: float = 3.0
    """How long an answer is waited for; handshakes of other devices wait as long."""


class Security(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is demanded of a device's session; a device's profile may demand more."""

    suites: tuple[str, ...] = ("qfleet1",)
    """Accepted suites, the best first."""
    require_preshared_key: bool = False
    preshared_directory: str = ""
    """Holds one file ``DEVICE.keys`` per device, lines of an id and 64 hexadecimal digits."""
    rekey_minutes: int = 60
    qkd: QuantumKeys | None = None


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys between devices that a scenario puts at both ends of a quantum link."""

    low_water_bits: int = 262_144
    """A link whose ends share less key makes more by itself, once both tell what they have; 0: never."""
    session_s: float = 600.0
    """An order is void when it was not begun in so long."""
    path_ms: float = 20.0
    """One-way delay between devices beside that of light; sessions choose their reconciliation by both."""


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is logged to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that an operator can set."""

    fleet: str
    region: str = ""
    """The only region; its broker is ``broker``. Left out where ``regions`` has tables."""
    controller: str = "controller"
    state: str = str(DEFAULT_STATE)
    database: str = ""
    """URL ``postgresql://USER@HOST/NAME`` or ``sqlite:////PATH``; empty: SQLite in the state directory."""
    profiles: str = ""
    """Folder of firmware profiles whose noise jobs may ask for; empty: the system's, or the package's."""
    database_password_file: str = ""
    """Its first line is the password for ``database``; mode 0600 or less."""
    api: Api = Api()
    broker: Broker = Broker()
    regions: dict[str, Region] = {}
    leases: Leases = Leases()
    telemetry_days: float = 2.0
    """What devices measured is forgotten when it is older; a device writes 2,880 samples a day by default."""
    security: Security = Security()
    keys: Keys = Keys()
    log: Log = Log()

    @property
    def directory(self) -> Path:
        """The state directory."""
        return Path(self.state)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the store, with the password from its file; never to be logged.

        Raises:
            InvalidSetting: the password file cannot be read, or others may read it.
        """
        if not self.database:
            return f"sqlite:///{self.directory / 'controlplane.db'}"
        scheme, separator, rest = self.database.partition("://")
        if not scheme.startswith("postgresql"):
            return self.database
        if self.database_password_file:
            user, at, where = rest.rpartition("@")
            rest = f"{user}:{quote(_first_line(Path(self.database_password_file)), safe='')}{at}{where}"
        return f"postgresql+psycopg{separator}{rest}"

    @property
    def shared(self) -> bool:
        """Whether other controllers may lead regions of the same store."""
        return self.database.startswith("postgresql")

    @property
    def places(self) -> Mapping[RegionName, "Settings"]:
        """Every region with its settings, as if it were the only one, in the file's order."""
        if not self.regions:
            return {RegionName(self.region): self}
        return {
            RegionName(name): msgspec.structs.replace(
                self, region=name, broker=region.broker, regions={name: region}
            )
            for name, region in self.regions.items()
        }

    @property
    def place(self) -> Region:
        """What placement weighs, and the broker, of the one region of these settings."""
        return self.regions.get(self.region) or Region(broker=self.broker)

    @property
    def broker_directory(self) -> Path:
        """Where the embedded broker of the one region of these settings keeps its files."""
        return self.directory / (f"broker-{self.region}" if self.regions else "broker")

    @property
    def names(self) -> tuple[FleetName, RegionName, ControllerName]:
        """The three names of the one region of these settings, checked by ``read``."""
        return FleetName(self.fleet), RegionName(self.region), ControllerName(self.controller)


def _first_line(path: Path) -> str:
    """Read a secret's only line; refuse a file that others may read."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"cannot read database_password_file {path}: {error}") from error
    if mode & _OTHERS:
        raise InvalidSetting(f"{path} holds a password and others may read it: chmod 600 {path}")
    lines = text.splitlines()
    if not lines or not lines[0]:
        raise InvalidSetting(f"{path} is empty: its first line is the database's password")
    return lines[0]
