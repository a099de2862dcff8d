"""The configuration file of the agent: TOML, every key optional, an unknown one an error.

Nothing secret stands in it: keys and logins live in the state directory, which only the agent
can read.
"""

import tomllib
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from qfleet_agent.errors import SettingsInvalid
from qfleet_agent.key_settings import Keys
from qfleet_agent.ways.chooser import Rules
from qfleet_agent.ways.way import ONLY, Way
from qfleet_wire import key_delivery
from qfleet_wire.profile import explain

DEFAULT_PATH = Path("/etc/qfleet/agent.toml")
DEFAULT_STATE = Path("/var/lib/qfleet-agent")
_SCHEMES = {"dask": "tcp", "dask+tls": "tls"}


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the agent connects. Times in seconds."""

    broker: str | None = None
    """Broker URL instead of the join token's: ``mqtt://host:port``, ``mqtts://…`` or ``unix:///path``."""
    ca_file: Path | None = None
    """Certificates that an ``mqtts`` broker is checked against, instead of the system's."""
    reconnect_base_s: float = 5.0
    """First wait after a lost connection; it doubles up to ``reconnect_most_s``, each ±50 %."""
    reconnect_most_s: float = 120.0
    answer_s: float = 15.0
    """How long the controller may take to answer a hello before it is asked again."""
    ways: tuple[Way, ...] = ()
    """Several ways to the region's broker, of which the agent takes the best that is there; none: one."""
    price_ms: float = 1_000.0
    """Round trip, in milliseconds, that a price of 1 per MB is worth when ways are compared."""
    settle_s: float = 60.0
    """How long a better way must have answered before it is taken instead of one that works."""
    probe_s: float = 10.0
    """Time between two looks at a better way."""

    def __post_init__(self) -> None:
        if not 0 < self.reconnect_base_s <= self.reconnect_most_s:
            raise ValueError(
                f"reconnect_base_s = {self.reconnect_base_s} must be above 0 "
                f"and at most reconnect_most_s = {self.reconnect_most_s}"
            )
        if self.answer_s <= 0:
            raise ValueError(f"answer_s = {self.answer_s} must be above 0")
        if self.price_ms < 0 or self.settle_s < 0 or self.probe_s <= 0:
            raise ValueError(
                f"price_ms = {self.price_ms} and settle_s = {self.settle_s} must not be below 0, "
                f"probe_s = {self.probe_s} must be above 0"
            )
        names = [way.name for way in self.ways]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two ways have the name {name!r}: each needs its own")

    @property
    def routes(self) -> tuple[Way, ...]:
        """The ways there are, at least one."""
        return self.ways or (ONLY,)

    @property
    def rules(self) -> Rules:
        """What the settings say about choosing one."""
        return Rules(self.reconnect_base_s, self.reconnect_most_s, self.price_ms, self.settle_s, self.probe_s)


class Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the agent proves itself to a cluster that speaks TLS (``executor = "dask+tls://…"``)."""

    ca_file: Path | None = None
    """Certificates that scheduler and workers are checked against."""
    cert_file: Path | None = None
    key_file: Path | None = None


class Scheduler(NamedTuple):
    """Where the scheduler of a Dask cluster is: an address as Dask writes it, or a scheduler file."""

    address: str
    file: str


class QuantumKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The key delivery at this site whose keys sessions with the control plane mix in."""

    url: str
    """``https://HOST:PORT`` of ETSI GS QKD 014."""
    ca_file: Path
    certificate_file: Path
    """Of the agent as an application there; its name is the agent's SAE ID."""
    key_file: Path
    controller: str = "controlplane"
    """SAE ID of the control plane."""
    answer_s: float = 10.0
    """How long an answer is waited for before a session goes on, or fails, without."""

    def __post_init__(self) -> None:
        key_delivery.address(self.url)
        if not 0 < self.answer_s <= 60:
            raise ValueError(f"answer_s = {self.answer_s:g} must be above 0 and at most 60")


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What sessions with the control plane are made of, beside what the profile demands."""

    qkd: QuantumKeys | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings. Paths may be relative to the working directory."""

    state: Path = DEFAULT_STATE
    """Directory of the journal, the keys and the status file; the agent alone writes it."""
    profile: str = "auto"
    """Name of the device's profile; ``auto`` takes the best match."""
    profiles_dir: Path | None = None
    """Where profiles are looked for, instead of the installed ones."""
    workers: int | None = None
    """Worker processes, at most the profile's; default: the profile's, at most one per core."""
    executor: str = "local"
    """Where tasks run: ``local`` is worker processes of this agent; ``dask://HOST:PORT``,
    ``dask+tls://HOST:PORT`` or ``dask:///PATH/OF/SCHEDULER.json`` is a Dask cluster."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    preshared_key_file: Path | None = None
    """Pre-shared keys for sessions, each used once: one ``ID HEX`` a line."""
    keys_socket: Path | None = None
    """Unix socket where the key process connects; default: ``keys.sock`` in the runtime directory, else
    in ``state``."""
    link: Link = Link()
    cluster: Cluster = Cluster()
    keys: Keys = Keys()
    channel: Channel = Channel()

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers = {self.workers} must be at least 1")
        scheduler = scheduler_of(self.executor)
        if scheduler is not None and scheduler.address.startswith("tls:") and self.cluster.ca_file is None:
            raise ValueError(
                f"executor = {self.executor!r} needs ca_file in [cluster], and cert_file and key_file "
                "where the cluster asks for them"
            )

    @property
    def scheduler(self) -> Scheduler | None:
        """The cluster that tasks run on; None: they run here."""
        return scheduler_of(self.executor)


def scheduler_of(executor: str) -> Scheduler | None:
    """Read an ``executor``; None is the local one. Raises ``ValueError``."""
    if executor == "local":
        return None
    scheme, _, rest = executor.partition("://")
    if scheme == "dask" and rest.startswith("/"):
        return Scheduler("", rest)
    host, _, port = rest.rpartition(":")
    if scheme not in _SCHEMES or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(
            f"executor = {executor!r} must be 'local', 'dask://HOST:PORT', 'dask+tls://HOST:PORT' "
            "or 'dask:///PATH/OF/SCHEDULER.json'"
        )
    return Scheduler(f"{_SCHEMES[scheme]}://{rest}", "")


def load(path: Path | None, *, state: Path | None = None) -> Settings:
    """Read the settings from ``path``; None reads the default file if there is one.

    ``state`` is the state directory to use instead of the configured one.

    Raises:
        SettingsInvalid: with the file, the key, what is wrong with it, and its nearest match.
    """
    read = _read(path)
    return read if state is None else msgspec.structs.replace(read, state=state)


def _read(path: Path | None) -> Settings:
    chosen = DEFAULT_PATH if path is None else path
    try:
        text = chosen.read_text(encoding="utf-8")
    except FileNotFoundError:
        if path is None:
            return Settings()
        raise SettingsInvalid(f"{chosen}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{chosen}: cannot be read: {error}") from error
    return parse(text, source=str(chosen))


def parse(text: str, *, source: str) -> Settings:
    """Read settings from TOML; ``source`` names the file in errors. Raises ``SettingsInvalid``."""
    try:
        return msgspec.convert(tomllib.loads(text), Settings, dec_hook=_path)
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{source}: not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise SettingsInvalid(f"{source}: {explain(error, Settings)}") from error


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected text, got {value!r}")
