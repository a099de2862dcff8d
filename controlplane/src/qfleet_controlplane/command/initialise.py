"""``init``: everything that a new control plane needs, created once and never overwritten.

With ``--authority`` it makes a further controller of a fleet that exists: keys come from the bundle,
tokens and devices stand in the database already.
"""

import argparse
import secrets
import time
from pathlib import Path

from qfleet_controlplane import settings
from qfleet_controlplane.authority import bundle, creation, files, tokens
from qfleet_controlplane.authority.roles import Role
from qfleet_controlplane.broker.addresses import parse_addresses
from qfleet_controlplane.broker.services import Embedded
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import registry
from qfleet_wire.names import Millis

_CONFIG_NAME = "controlplane.toml"
_REGION = "main"


def run(options: argparse.Namespace) -> int:
    """Create configuration, authority, database, broker logins and the first admin token."""
    config, state = _places(options.directory)
    if config.exists():
        raise ConfigurationError(f"{config} exists already: remove it first if it is not wanted")
    text = _configuration(options, state)
    chosen = settings.parse(text, source="the given options")
    first = next(iter(chosen.places.values()))
    founding = creation.Founding(*first.names, read_passphrase(options.passphrase_file))
    opened = None if options.authority is None else _open(options.authority, founding, chosen)
    _make_state(state)
    now = Millis(time.time_ns() // 1_000_000)
    if opened is None:
        creation.create(state / "authority", founding, now=now, random=secrets.token_bytes)
    else:
        bundle.join(state / "authority", opened, founding, now=now, random=secrets.token_bytes)
    for place in chosen.places.values():
        if place.broker.url == "embedded":
            Embedded(place)
    if opened is None:
        token = tokens.generate(secrets.token_bytes)
        registry.initialise(chosen.database_url, tokens.row(token, "admin", Role.ADMIN, now))
        files.write_secret(state / "admin.token", f"{token}\n".encode())
    config.parent.mkdir(parents=True, exist_ok=True)
    files.replace(config, text.encode(), mode=0o644)
    if opened is None:
        _tell(config, state, token)
    else:
        _tell_joined(config, state)
    return 0


def _open(path: Path, founding: creation.Founding, chosen: settings.Settings) -> bundle.Bundle:
    """Open a bundle before anything is created."""
    if not chosen.shared:
        raise ConfigurationError("a further controller needs the first one's PostgreSQL: give --database URL")
    opened = bundle.read(path, founding.passphrase)
    bundle.check_names(opened, founding.fleet, founding.controller)
    return opened


def _places(directory: Path | None) -> tuple[Path, Path]:
    if directory is None:
        return settings.DEFAULT_CONFIG, settings.DEFAULT_STATE
    absolute = directory.absolute()
    return absolute / _CONFIG_NAME, absolute


def _make_state(state: Path) -> None:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot create {state}: {error.strerror}; use --directory") from error


def _configuration(options: argparse.Namespace, state: Path) -> str:
    """Spell the configuration; names are checked by parsing it afterwards."""
    host, port = _endpoint(options.listen, "--listen")
    lines = [
        "# Configuration of the control plane; every setting is explained in docs/controlplane.md.",
        f"fleet = {_text(options.fleet)}",
        f"controller = {_text(options.controller)}",
        f"state = {_text(str(state))}",
    ]
    if options.database:
        lines.append(f"database = {_text(options.database)}")
    if options.database_password_file:
        lines.append(f"database_password_file = {_text(str(options.database_password_file.absolute()))}")
    regions = options.region or [_REGION]
    if len(regions) == 1:
        lines.insert(2, f"region = {_text(regions[0])}")
    lines += ["", "[api]", f"host = {_text(host)}", f"port = {port}"]
    for region, url in _brokers(regions, options.broker or []).items():
        # Quoted, so that a name that cannot be is told by the check of names.
        table = "broker" if len(regions) == 1 else f"regions.{_text(region)}.broker"
        lines += ["", f"[{table}]", f"url = {_text(url)}"]
        lines += _listener(options, port) if url == "embedded" else []
    return "\n".join(lines) + "\n"


def _brokers(regions: list[str], given: list[str]) -> dict[str, str]:
    """Each region's broker: ``URL`` alone where there is one region, else ``REGION=URL`` for each."""
    if len(regions) == 1:
        url = (given or ["embedded"])[-1].removeprefix(f"{regions[0]}=")
        urls = {regions[0]: url}
    else:
        urls = dict(text.partition("=")[::2] for text in given)
        if sorted(urls) != sorted(regions) or len(given) != len(regions):
            raise ConfigurationError(
                f"regions {', '.join(regions)} need one --broker REGION=URL each, "
                f"not {' '.join(given) or 'none'}"
            )
    for url in urls.values():
        if url != "embedded":
            parse_addresses(url)
    return urls


def _listener(options: argparse.Namespace, port: int) -> list[str]:
    """Where an embedded broker listens."""
    default = "127.0.0.1:0" if port == 0 else f"127.0.0.1:{settings.MQTT_PORT}"
    host, broker_port = _endpoint(options.broker_listen or default, "--broker-listen")
    lines = [f"host = {_text(host)}", f"port = {broker_port}"]
    if not settings.is_loopback(host):
        lines += [
            "# Asked for with --broker-listen: the broker is reachable from the network.",
            "allow_remote = true",
        ]
    return lines


def _endpoint(text: str, option: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise ConfigurationError(f"{option} {text!r} is not valid: use HOST:PORT, for example 127.0.0.1:8440")
    return host.strip("[]"), int(port)


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    if not escaped.isprintable():
        raise ConfigurationError(f"{value!r} holds control characters")
    return f'"{escaped}"'


def read_passphrase(path: Path | None) -> bytes:
    """Return the first line of a passphrase file; empty when none is named."""
    if path is None:
        return b""
    lines = files.read_secret(path).splitlines()
    if not lines or not lines[0]:
        raise ConfigurationError(f"{path} is empty: its first line is the passphrase")
    return lines[0]


def _tell(config: Path, state: Path, token: str) -> None:
    root_key = files.Layout(state / "authority").root_key
    print(  # noqa: T201 - this is the command line
        f"Created {config} and {state}.\n"
        f"Admin API token (shown once; also in {state / 'admin.token'}):\n\n    {token}\n\n"
        f"Take {root_key} offline: it is not needed to run, only to renew the issuers within a year.\n"
        f"Start with: qfleet-controlplane run --config {config}"
    )


def _tell_joined(config: Path, state: Path) -> None:
    print(  # noqa: T201 - this is the command line
        f"Created {config} and {state} for a further controller of the fleet; API tokens are the fleet's.\n"
        f"Start with: qfleet-controlplane run --config {config}"
    )
