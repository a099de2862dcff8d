"""``token`` and ``authority``: what is done on the control plane's own machine, without the API."""

import argparse
import secrets
from collections.abc import Callable

import sqlalchemy as sa

from qfleet_controlplane.authority import bundle, files, maintenance, tokens
from qfleet_controlplane.authority.roles import Role
from qfleet_controlplane.command.initialise import read_passphrase
from qfleet_controlplane.daemon.daemon import clock
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import audit, registry
from qfleet_controlplane.store.writer import Writer
from qfleet_wire.channel import certificates
from qfleet_wire.channel.identity import ControllerIdentity
from qfleet_wire.errors import InvalidName
from qfleet_wire.names import parse_name

_WHO = "console"


def add_token(settings: Settings, options: argparse.Namespace) -> int:
    """Make an API token and print it once."""
    try:
        name = parse_name(options.name, "token")
    except InvalidName as error:
        raise ConfigurationError(str(error)) from error
    token, now = tokens.generate(secrets.token_bytes), clock()

    def work(connection: sa.Connection) -> None:
        if registry.has_token(connection, name):
            raise ConfigurationError(f"a token named {name!r} exists or existed: use another name")
        registry.add_token(connection, tokens.row(token, name, Role[options.role.upper()], now))
        audit.append(connection, [audit.Entry(now, _WHO, "token.add", name, options.role)])

    _transact(settings, work)
    print(token)  # noqa: T201 - this is the command line
    return 0


def revoke_token(settings: Settings, options: argparse.Namespace) -> int:
    """Revoke an API token; it ends within seconds."""
    now = clock()

    def work(connection: sa.Connection) -> None:
        if not registry.revoke_token(connection, options.name, now):
            raise ConfigurationError(f"there is no token named {options.name!r}: 'token list' shows all")
        audit.append(connection, [audit.Entry(now, _WHO, "token.revoke", options.name, "")])

    _transact(settings, work)
    return 0


def list_tokens(settings: Settings, _: argparse.Namespace) -> int:
    """Print the names and roles of the tokens that are valid."""

    def work(connection: sa.Connection) -> None:
        for row in registry.tokens(connection):
            print(f"{row.name:20} {row.role}")  # noqa: T201 - this is the command line

    _transact(settings, work)
    return 0


def renew_issuers(settings: Settings, options: argparse.Namespace) -> int:
    """Renew the issuers' certificates with the root key."""
    layout, root = _authority(settings, options)
    who = _who(settings)
    maintenance.renew_issuers(layout, root, who, now=clock(), random=secrets.token_bytes)
    _note(settings, "authority.renew-issuers", who.fleet)
    print("Renewed the issuers; restart the control plane.")  # noqa: T201 - this is the command line
    return 0


def revoke_controller(settings: Settings, options: argparse.Namespace) -> int:
    """Revoke controllers' certificates with the root key."""
    layout, root = _authority(settings, options)
    hashes = [maintenance.hash_of(files.read(path)) for path in options.certificate]
    version = maintenance.revoke_controllers(layout, root, settings.names[0], hashes)
    for hashed in hashes:
        _note(settings, "authority.revoke-controller", hashed.hex())
    print(  # noqa: T201 - this is the command line
        f"Version {version} of the list holds {len(hashes)} more; devices get it when they connect to a "
        "control plane that was started since."
    )
    return 0


def export_authority(settings: Settings, options: argparse.Namespace) -> int:
    """Write the bundle with which a further controller joins."""
    layout, passphrase = (
        files.Layout(settings.directory / "authority"),
        read_passphrase(options.passphrase_file),
    )
    who = _who(settings)
    files.write_secret(options.file, bundle.export(layout, who, passphrase, random=secrets.token_bytes))
    _note(settings, "authority.export", who.controller)
    print(f"Wrote {options.file}: it holds the issuers' keys, so delete it once it has served.")  # noqa: T201 - this is the command line
    return 0


def _who(settings: Settings) -> ControllerIdentity:
    """The controller in its first region, for which ``init`` made its certificate."""
    return ControllerIdentity(*next(iter(settings.places.values())).names)


def _authority(settings: Settings, options: argparse.Namespace) -> tuple[files.Layout, certificates.Issuer]:
    layout, fleet = files.Layout(settings.directory / "authority"), settings.names[0]
    stored = files.read_secret(options.root_key or layout.root_key)
    passphrase = read_passphrase(options.passphrase_file)
    certificate = files.read(layout.root_certificate)
    return layout, maintenance.load_root(stored, passphrase, certificate, fleet)


def _note(settings: Settings, action: str, subject: str) -> None:
    entry = audit.Entry(clock(), _WHO, action, subject, "")
    _transact(settings, lambda connection: audit.append(connection, [entry]))


def _transact(settings: Settings, work: Callable[[sa.Connection], object]) -> None:
    writer = Writer(settings.database_url)
    try:
        writer.transact(work)
    finally:
        writer.close()
