"""``init``: everything that a new control plane needs, created once and never overwritten.

With ``--authority`` it makes a further controller of a fleet that exists: keys come from the bundle,
tokens and devices stand in the database already. The database is looked at before anything is created,
and what was created goes again when a later step fails: ``init`` can be repeated.
"""

import argparse
import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from qfleet_controlplane import settings
from qfleet_controlplane.authority import belonging, bundle, creation, files, tokens
from qfleet_controlplane.authority.roles import Role
from qfleet_controlplane.broker.addresses import parse_addresses
from qfleet_controlplane.broker.services import Embedded
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import ownership
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
    if options.authority is None:
        ownership.refuse_used(chosen.database_url)
        with _undone_on_failure(config, state):
            token = _found(chosen, founding, config, text)
        _tell(config, state, token)
    else:
        opened = _open(options.authority, founding, chosen)
        with _undone_on_failure(config, state):
            _join(chosen, founding, config, text, opened=opened)
        _tell_joined(config, state)
    return 0


def _found(chosen: settings.Settings, founding: creation.Founding, config: Path, text: str) -> str:
    """Create a fleet and return its admin token; the database is last, because it cannot be undone."""
    state, now, token = chosen.directory, _now(), tokens.generate(secrets.token_bytes)
    creation.create(state / "authority", founding, now=now, random=secrets.token_bytes)
    _make_logins(chosen)
    files.write_secret(state / "admin.token", f"{token}\n".encode())
    _write_configuration(config, text)
    owner = belonging.of_directory(state, founding.fleet)
    ownership.found(chosen.database_url, owner, tokens.row(token, "admin", Role.ADMIN, now))
    return token


def _join(
    chosen: settings.Settings,
    founding: creation.Founding,
    config: Path,
    text: str,
    *,
    opened: bundle.Bundle,
) -> None:
    """Create a further controller of a fleet."""
    directory = chosen.directory / "authority"
    bundle.join(directory, opened, founding, now=_now(), random=secrets.token_bytes)
    _make_logins(chosen)
    _write_configuration(config, text)


def _open(path: Path, founding: creation.Founding, chosen: settings.Settings) -> bundle.Bundle:
    """Open a bundle, and see that the database is its fleet's, before anything is created."""
    if not chosen.shared:
        raise ConfigurationError("a further controller needs the first one's PostgreSQL: give --database URL")
    if not founding.passphrase:
        raise ConfigurationError(
            "the bundle is sealed: give --passphrase-file with the passphrase of its 'authority export'"
        )
    _demand(path, "bundle", "'authority export' on the first controller writes it")
    opened = bundle.read(path, founding.passphrase)
    bundle.check_names(opened, founding.fleet, founding.controller)
    if not ownership.refuse_other(chosen.database_url, belonging.of_bundle(opened)).used:
        raise ConfigurationError(
            f"the database {ownership.where(chosen.database_url)} holds no fleet: "
            f"give the one that the first controller of fleet {opened.fleet!r} has"
        )
    return opened


@contextlib.contextmanager
def _undone_on_failure(config: Path, state: Path) -> Iterator[None]:
    """Make the state directory; remove what was created in it, and the configuration, on failure."""
    known = set(state.iterdir()) if state.is_dir() else None
    try:
        _make_state(state)
        yield
    except BaseException:
        config.unlink(missing_ok=True)
        for path in set(state.iterdir()) - (known or set()) if state.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if known is None and state.is_dir():
            with contextlib.suppress(OSError):
                state.rmdir()
        raise


def _make_logins(chosen: settings.Settings) -> None:
    for place in chosen.places.values():
        if place.broker.url == "embedded":
            Embedded(place)


def _write_configuration(config: Path, text: str) -> None:
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot create {config.parent}: {error.strerror}; use --directory"
        ) from error
    files.replace(config, text.encode(), mode=0o644)


def _now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)


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
    _demand(path, "passphrase file", "correct --passphrase-file")
    lines = files.read_secret(path).splitlines()
    if not lines or not lines[0]:
        raise ConfigurationError(f"{path} is empty: its first line is the passphrase")
    return lines[0]


def _demand(path: Path, what: str, advice: str) -> None:
    """See that a file that the operator named is there, or say so in words that fit it."""
    try:
        path.stat()
    except OSError as error:
        raise ConfigurationError(f"the {what} {path} cannot be read: {error.strerror}; {advice}") from error


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
