"""The configuration file: one TOML document, typed, without secrets.

An unknown setting is an error that names its nearest match. Relative paths are refused, so that
a service and its operator never mean different files. Secrets stand in files of their own under
the state directory; nothing here may hold one.
"""

import ipaddress
import tomllib
from pathlib import Path
from typing import Literal

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
    region: str
    controller: str = "controller"
    state: str = str(DEFAULT_STATE)
    database: str = ""
    """SQLAlchemy URL; empty means SQLite in the state directory."""
    api: Api = Api()
    broker: Broker = Broker()
    security: Security = Security()
    log: Log = Log()

    @property
    def directory(self) -> Path:
        """The state directory."""
        return Path(self.state)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.database or f"sqlite:///{self.directory / 'controlplane.db'}"

    @property
    def names(self) -> tuple[FleetName, RegionName, ControllerName]:
        """The three names of this control plane, checked by ``read``."""
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
        _api(settings.api),
        _broker(settings.broker),
        _security(settings.security),
    )
    for complaint in complaints:
        if complaint:
            raise InvalidSetting(f"{source}: {complaint}")
    return settings


def _names(settings: Settings) -> str:
    try:
        for what in ("fleet", "region", "controller"):
            parse_name(getattr(settings, what), what)
    except InvalidName as error:
        return str(error)
    return ""


def _paths(settings: Settings) -> str:
    paths = {
        "state": settings.state,
        "api.tls_certificate": settings.api.tls_certificate,
        "api.tls_key": settings.api.tls_key,
        "broker.login_file": settings.broker.login_file,
        "broker.ca_file": settings.broker.ca_file,
        "security.preshared_directory": settings.security.preshared_directory,
    }
    for name, value in paths.items():
        if value and not Path(value).is_absolute():
            return f"{name} = {value!r} is a relative path: give an absolute one"
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


def _broker(broker: Broker) -> str:
    if not 0 <= broker.port <= 65535:
        return f"broker.port = {broker.port} is not a port: use 1 to 65535, or 0 for a free one"
    if broker.url != "embedded" and not broker.url.startswith(("mqtt://", "mqtts://", "unix://")):
        return f"broker.url = {broker.url!r}: use 'embedded', mqtt://HOST[:PORT], mqtts://… or unix:///PATH"
    if broker.url == "embedded" and not broker.allow_remote and not is_loopback(broker.host):
        return (
            f"broker.host = {broker.host!r} would let the embedded broker listen beyond loopback: "
            "set broker.allow_remote = true if that is meant"
        )
    return ""


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
