"""``backup`` and ``migrate``: a copy of everything while controllers run, and the schema of this version.

The copy is of one moment. It holds the database and the configuration; with ``--with-authority`` also
the authority and the embedded brokers' logins, sealed under a passphrase. Other secrets of the
configuration (a database's password, a certificate of the API) stay where they are.
"""

import argparse
import secrets
import tempfile
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from qfleet_controlplane.authority import belonging, chest, files
from qfleet_controlplane.command.initialise import read_passphrase
from qfleet_controlplane.daemon.daemon import clock
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import archive, audit, engines, migrate, ownership, snapshot
from qfleet_controlplane.store.writer import StoreFailed, Writer
from qfleet_wire.channel import authority

_WHO = "console"


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Write a backup.

    Raises:
        ConfigurationError: the file cannot be written, or the database has an older schema or is
            another fleet's.
        StoreFailed: the database cannot be read.
    """
    target: Path = options.file.absolute()
    if target.exists() and not options.force:
        raise ConfigurationError(f"{target} exists already: give another name, or --force to replace it")
    if not target.parent.is_dir():
        raise ConfigurationError(f"there is no directory {target.parent}: create it first")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as made:
            manifest, digest = _write(settings, options, target, Path(made))
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error.strerror or error}") from error
    _note(settings, str(target), f"sha256 {digest}, audit up to {manifest.audit_sequence}")
    print(f"Wrote {target}: {snapshot.describe(manifest.rows)}.\nSHA-256 {digest}")  # noqa: T201
    return 0


def upgrade(settings: Settings, _: argparse.Namespace) -> int:
    """Bring the database to the schema of this version."""
    before, after = migrate.upgrade(settings.database_url)
    if before == after:
        print(f"The database has schema {after} already.")  # noqa: T201 - this is the command line
    else:
        print(f"The database has schema {after} now; it had {before or 'none'}.")  # noqa: T201
    return 0


def record_hash(settings: Settings) -> str:
    """SHA-256 of the authority's record on this machine; empty where there is no authority."""
    path = files.Layout(settings.directory / "authority").record
    return authority.record_hash(files.read(path)).hex() if path.exists() else ""


def _write(
    settings: Settings, options: argparse.Namespace, target: Path, directory: Path
) -> tuple[archive.Manifest, str]:
    """Make the parts in a private directory and put them together; return the SHA-256 of the whole."""
    manifest = _copy(settings, directory)
    parts = {name: directory / name for name in (archive.STORE, archive.CONFIGURATION)}
    parts[archive.CONFIGURATION].write_bytes(files.read(options.config))
    if options.with_authority:
        parts[archive.AUTHORITY] = directory / archive.AUTHORITY
        parts[archive.AUTHORITY].write_bytes(_seal(settings, options.passphrase_file))
    return manifest, archive.write(target, manifest, parts)


def _copy(settings: Settings, directory: Path) -> archive.Manifest:
    """Copy the database as of one moment."""
    engine = engines.open_reader(settings.database_url)
    try:
        with engine.begin() as connection:
            ownership.verify(connection, belonging.of_directory(settings.directory, settings.fleet))
            rows = snapshot.write(connection, directory / archive.STORE)
            head = audit.verify(connection)
            return archive.Manifest(
                format=archive.FORMAT,
                fleet=settings.fleet,
                created=clock(),
                version=version("qfleet-controlplane"),
                schema=snapshot.revision(connection) or "",
                dialect=connection.dialect.name,
                authority=record_hash(settings),
                audit_sequence=head.sequence,
                audit_hash=head.hash.hex(),
                rows=rows,
                parts={},
            )
    except exc.SQLAlchemyError as error:
        raise StoreFailed(f"the database cannot be copied: {migrate.explain(error)}") from error
    finally:
        engine.dispose()


def _seal(settings: Settings, passphrase_file: Path | None) -> bytes:
    kept = chest.gather(settings.directory)
    return chest.seal(kept, read_passphrase(passphrase_file), random=secrets.token_bytes)


def _note(settings: Settings, subject: str, detail: str) -> None:
    entry = audit.Entry(clock(), _WHO, "store.backup", subject, detail)

    def work(connection: sa.Connection) -> None:
        audit.append(connection, [entry])

    writer = Writer(settings.database_url)
    try:
        writer.transact(work)
    finally:
        writer.close()
