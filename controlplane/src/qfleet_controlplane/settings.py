"""The configuration file: one TOML document, typed, without secrets.

An unknown setting is an error that names its nearest match. Relative paths are refused, so that
a service and its operator never mean different files. Secrets stand in files of their own;
nothing here may hold one.

A file either names its one region (``region`` and ``[broker]``) or has a table ``[regions.NAME]``
for each; ``places`` gives both forms as one.
"""

import ipaddress
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

from qfleet_controlplane.errors import InvalidSetting
from qfleet_wire.channel.suites import SUITES
from qfleet_wire.errors import InvalidName
from qfleet_wire.names import ControllerName, FleetName, RegionName, parse_name
from qfleet_wire.profile import explain

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


class Security(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is demanded of a device's session; a device's profile may demand more."""

    suites: tuple[str, ...] = ("qfleet1",)
    """Accepted suites, the best first."""
    require_preshared_key: bool = False
    preshared_directory: str = ""
    """Holds one file ``DEVICE.keys`` per device, lines of an id and 64 hexadecimal digits."""
    rekey_minutes: int = 60


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
    database_password_file: str = ""
    """Its first line is the password for ``database``; mode 0600 or less."""
    api: Api = Api()
    broker: Broker = Broker()
    regions: dict[str, Region] = {}
    leases: Leases = Leases()
    security: Security = Security()
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


def read(path: Path) -> Settings:
    """Read and check the configuration file.

    Raises:
        InvalidSetting: with the file, the key, what was wrong with it and its nearest match.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(
            f"cannot read the configuration {path}: {error}; create one with 'qfleet-controlplane init'"
        ) from error
    return parse(text, source=str(path))


def parse(text: str, *, source: str) -> Settings:
    """Read settings from TOML text; ``source`` names the file in errors."""
    try:
        settings = msgspec.convert(tomllib.loads(text), Settings)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSetting(f"{source}: not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise InvalidSetting(f"{source}: {explain(error, Settings)}") from error
    complaints = (
        _names(settings),
        _paths(settings),
        _database(settings),
        _api(settings.api),
        *(_place(place) for place in settings.places.values()),
        _embedded(settings),
        _leases(settings.leases),
        _security(settings.security),
    )
    for complaint in complaints:
        if complaint:
            raise InvalidSetting(f"{source}: {complaint}")
    return settings


def _names(settings: Settings) -> str:
    if not settings.region and not settings.regions:
        return 'no region is named: set region = "NAME", or add a table [regions.NAME] for each'
    if settings.region and settings.regions:
        return f"region = {settings.region!r} and tables [regions.NAME] exclude each other: keep one form"
    if settings.regions and settings.broker != Broker():
        return "[broker] belongs to no region: make it [regions.NAME.broker]"
    try:
        for what in ("fleet", "controller"):
            parse_name(getattr(settings, what), what)
        for name in settings.places:
            parse_name(name, "region")
    except InvalidName as error:
        return str(error)
    return ""


def _paths(settings: Settings) -> str:
    for name, value in _path_settings(settings):
        if value and not Path(value).is_absolute():
            return f"{name} = {value!r} is a relative path: give an absolute one"
    return ""


def _path_settings(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "state", settings.state
    yield "database_password_file", settings.database_password_file
    yield "api.tls_certificate", settings.api.tls_certificate
    yield "api.tls_key", settings.api.tls_key
    for place in settings.places.values():
        yield f"{_table(place)}.login_file", place.broker.login_file
        yield f"{_table(place)}.ca_file", place.broker.ca_file
        yield f"{_table(place)}.accounts_file", place.broker.accounts_file
    yield "security.preshared_directory", settings.security.preshared_directory


def _database(settings: Settings) -> str:
    if not settings.database:
        return ""
    scheme, separator, _ = settings.database.partition("://")
    if not separator or scheme.split("+")[0] not in {"sqlite", "postgresql"}:
        return "database is not a URL that can be used: give postgresql://USER@HOST/NAME or sqlite:////PATH"
    try:
        parts = urlsplit(settings.database)
        password = parts.password
    except ValueError as error:
        return f"database is not a valid URL: {error}"
    if password is not None:
        return "database holds a password: put it in the file that database_password_file names"
    if settings.database_password_file and (scheme.startswith("sqlite") or not parts.username):
        return "database_password_file is for database = 'postgresql://USER@HOST/NAME', with the user's name"
    return ""


def _leases(leases: Leases) -> str:
    if not 0.5 <= leases.ttl_s <= 600:
        return f"leases.ttl_s = {leases.ttl_s:g}: use 0.5 to 600 seconds"
    if not 0.05 <= leases.renew_s <= leases.ttl_s / 2:
        return f"leases.renew_s = {leases.renew_s:g}: use 0.05 to half of leases.ttl_s = {leases.ttl_s:g}"
    if not 0.05 <= leases.look_s <= 60:
        return f"leases.look_s = {leases.look_s:g}: use 0.05 to 60 seconds"
    return ""


def _api(api: Api) -> str:
    if not 0 <= api.port <= 65535:
        return f"api.port = {api.port} is not a port: use 1 to 65535, or 0 for a free one"
    if bool(api.tls_certificate) != bool(api.tls_key):
        return "api.tls_certificate and api.tls_key go together: set both or neither"
    if not is_loopback(api.host) and not api.tls_certificate:
        return (
            f"api.host = {api.host!r} is beyond loopback and would carry API tokens in clear: "
            "set api.tls_certificate and api.tls_key, or listen on 127.0.0.1 behind a TLS proxy"
        )
    return ""


def _place(settings: Settings) -> str:
    if complaint := _broker(settings.broker):
        return f"{_table(settings)}.{complaint}"
    place = settings.place
    for tag in place.residency:
        if not tag or tag != tag.strip():
            return f"regions.{settings.region}.residency holds {tag!r}: use tags such as 'EU'"
    if place.energy_price is not None and not 0 <= place.energy_price < 1e6:
        return f"regions.{settings.region}.energy_price = {place.energy_price:g}: use 0 or more"
    return ""


def _broker(broker: Broker) -> str:
    if not 0 <= broker.port <= 65535:
        return f"port = {broker.port} is not a port: use 1 to 65535, or 0 for a free one"
    if broker.url != "embedded" and not _are_urls(broker.url):
        return f"url = {broker.url!r}: use 'embedded', mqtt://HOST[:PORT], mqtts://… or unix:///PATH"
    if broker.url == "embedded" and not broker.allow_remote and not is_loopback(broker.host):
        return (
            f"host = {broker.host!r} would let the embedded broker listen beyond loopback: "
            "set allow_remote = true there if that is meant"
        )
    return _accounts(broker)


def _are_urls(text: str) -> bool:
    return all(url.strip().startswith(("mqtt://", "mqtts://", "unix://")) for url in text.split(","))


def _accounts(broker: Broker) -> str:
    chosen = broker.accounts
    if broker.url == "embedded" and chosen != "auto":
        return f"accounts = {chosen!r} is for brokers with a url: the embedded one makes its own"
    if chosen in ("dynsec", "nats", "mosquitto") and not broker.login_file:
        return f"accounts = {chosen!r} needs login_file: 'qfleet-controlplane broker logins' makes one"
    if (chosen in ("nats", "mosquitto")) != bool(broker.accounts_file):
        return f"accounts_file = {broker.accounts_file!r} goes with accounts = 'nats' or 'mosquitto'"
    if broker.reload_command and not broker.accounts_file:
        return "reload_command goes with accounts_file"
    return ""


def _embedded(settings: Settings) -> str:
    """Two brokers cannot listen at one place."""
    taken: dict[int, str] = {}
    for name, place in settings.places.items():
        port = place.broker.port
        if place.broker.url != "embedded" or port == 0:
            continue
        if port in taken:
            return (
                f"regions {taken[port]!r} and {name!r} both embed a broker on port {port}: "
                f"set another regions.{name}.broker.port, or an outside broker's url"
            )
        taken[port] = name
    return ""


def _table(settings: Settings) -> str:
    """The table of a region's broker as it stands in the file."""
    return f"regions.{settings.region}.broker" if settings.regions else "broker"


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


def _security(security: Security) -> str:
    unknown = [name for name in security.suites if name not in SUITES]
    if unknown or not security.suites:
        return f"security.suites = {list(security.suites)!r}: use one or more of {', '.join(SUITES)}"
    if not 1 <= security.rekey_minutes <= 1440:
        return f"security.rekey_minutes = {security.rekey_minutes}: use 1 to 1440"
    return ""


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
