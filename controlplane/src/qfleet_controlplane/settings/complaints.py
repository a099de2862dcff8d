"""What is wrong with settings: each check returns a sentence, or nothing.

A sentence names the setting as it stands in the file, its value, and what to do.
"""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from qfleet_controlplane.settings.tables import Api, Broker, Keys, Leases, QuantumKeys, Security, Settings
from qfleet_wire import key_delivery
from qfleet_wire.channel.suites import SUITES
from qfleet_wire.errors import InvalidName
from qfleet_wire.names import parse_name


def every(settings: Settings) -> Iterator[str]:
    """Make every check; what is in order gives an empty text."""
    yield _names(settings)
    yield _paths(settings)
    yield _database(settings)
    yield _api(settings.api)
    yield from (_place(place) for place in settings.places.values())
    yield _embedded(settings)
    yield _leases(settings.leases)
    yield _telemetry(settings.telemetry_days)
    yield _security(settings.security)
    yield _keys(settings.keys)
    yield _quantum_keys(settings.security.qkd)


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
    yield "profiles", settings.profiles
    yield "database_password_file", settings.database_password_file
    yield "api.tls_certificate", settings.api.tls_certificate
    yield "api.tls_key", settings.api.tls_key
    for place in settings.places.values():
        yield f"{_table(place)}.login_file", place.broker.login_file
        yield f"{_table(place)}.ca_file", place.broker.ca_file
        yield f"{_table(place)}.accounts_file", place.broker.accounts_file
    yield "security.preshared_directory", settings.security.preshared_directory
    if (qkd := settings.security.qkd) is not None:
        yield "security.qkd.ca_file", qkd.ca_file
        yield "security.qkd.certificate_file", qkd.certificate_file
        yield "security.qkd.key_file", qkd.key_file


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


def _quantum_keys(qkd: QuantumKeys | None) -> str:
    if qkd is None:
        return ""
    try:
        key_delivery.address(qkd.url)
        for name in qkd.devices:
            parse_name(name, "device")
    except (ValueError, InvalidName) as error:
        return f"[security.qkd]: {error}"
    return (
        ""
        if 0 < qkd.answer_s <= 30
        else f"security.qkd.answer_s = {qkd.answer_s:g}: use more than 0, at most 30"
    )


def _telemetry(days: float) -> str:
    return "" if 0 < days <= 3650 else f"telemetry_days = {days:g}: use more than 0, at most 3650"


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


def _security(security: Security) -> str:
    unknown = [name for name in security.suites if name not in SUITES]
    if unknown or not security.suites:
        return f"security.suites = {list(security.suites)!r}: use one or more of {', '.join(SUITES)}"
    if not 1 <= security.rekey_minutes <= 1440:
        return f"security.rekey_minutes = {security.rekey_minutes}: use 1 to 1440"
    return ""


def _keys(keys: Keys) -> str:
    if not 0 <= keys.low_water_bits <= 10**9:
        return f"keys.low_water_bits = {keys.low_water_bits}: use 0 (never) to 1,000,000,000"
    if not 10 <= keys.session_s <= 86_400:
        return f"keys.session_s = {keys.session_s:g}: use 10 to 86400 seconds"
    if not 0 <= keys.path_ms <= 60_000:
        return f"keys.path_ms = {keys.path_ms:g}: use 0 to 60000"
    return ""


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
