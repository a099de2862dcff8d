"""``init``: everything that a new control plane needs, created once and never overwritten."""

import argparse
import secrets
import time
from pathlib import Path

from qfleet_controlplane import settings
from qfleet_controlplane.authority import creation, files, tokens
from qfleet_controlplane.authority.roles import Role
from qfleet_controlplane.broker.addresses import parse_address
from qfleet_controlplane.broker.services import Embedded
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import registry
from qfleet_wire.names import Millis

_CONFIG_NAME = "controlplane.toml"


def run(options: argparse.Namespace) -> int:
    """Create configuration, authority, database, broker logins and the first admin token."""
    config, state = _places(options.directory)
    if config.exists():
        raise ConfigurationError(f"{config} exists already: remove it first if it is not wanted")
    text = _configuration(options, state)
    chosen = settings.parse(text, source="the given options")
    _make_state(state)
    now = Millis(time.time_ns() // 1_000_000)
    fleet, region, controller = chosen.names
    founding = creation.Founding(fleet, region, controller, read_passphrase(options.passphrase_file))
    creation.create(state / "authority", founding, now=now, random=secrets.token_bytes)
    if chosen.broker.url == "embedded":
        Embedded(chosen)
    token = tokens.generate(secrets.token_bytes)
    registry.initialise(chosen.database_url, tokens.row(token, "admin", Role.ADMIN, now))
    files.write_secret(state / "admin.token", f"{token}\n".encode())
    config.parent.mkdir(parents=True, exist_ok=True)
    files.replace(config, text.encode(), mode=0o644)
    _tell(config, state, token)
    return 0


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
        f"region = {_text(options.region)}",
        f"controller = {_text(options.controller)}",
        f"state = {_text(str(state))}",
        "",
        "[api]",
        f"host = {_text(host)}",
        f"port = {port}",
        "",
        "[broker]",
        f"url = {_text(options.broker)}",
    ]
    if options.broker == "embedded":
        default = "127.0.0.1:0" if port == 0 else f"127.0.0.1:{settings.MQTT_PORT}"
        broker_host, broker_port = _endpoint(options.broker_listen or default, "--broker-listen")
        lines += [f"host = {_text(broker_host)}", f"port = {broker_port}"]
        if not settings.is_loopback(broker_host):
            lines += [
                "# Asked for with --broker-listen: the broker is reachable from the network.",
                "allow_remote = true",
            ]
    else:
        parse_address(options.broker)
    return "\n".join(lines) + "\n"


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
