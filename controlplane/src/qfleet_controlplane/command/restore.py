"""``restore``: everything as a backup has it, in one transaction, or nothing.

Refused are a file that is not as it was written, another fleet, a schema that this version does not
know, a database in use, and one that holds something unless that is meant. What is not on this
machine, configuration and authority, comes from the backup too.
"""

import argparse
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from qfleet_controlplane import settings as configuration
from qfleet_controlplane.authority import belonging, chest, files
from qfleet_controlplane.command.backup import record_hash
from qfleet_controlplane.command.initialise import read_passphrase
from qfleet_controlplane.daemon.daemon import clock
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import archive, audit, engines, migrate, ownership, snapshot
from qfleet_controlplane.store.archive import Manifest
from qfleet_controlplane.store.writer import Writer

T = TypeVar("T")
_WHO = "console"


def run(options: argparse.Namespace) -> int:
    """Restore a backup.

    Raises:
        ConfigurationError: with what speaks against it; nothing has been changed then.
    """
    backup: Path = options.file.absolute()
    with tempfile.TemporaryDirectory(prefix="qfleet-restore-") as made:
        parts = Path(made)
        manifest = archive.read(backup, parts)
        settings = _settings(options.config, parts, manifest)
        kept = _kept(settings, parts, manifest, options.passphrase_file)
        ownership.refuse_other(settings.database_url, _owner(settings, kept))
        snapshot.upgrade(parts / archive.STORE)
        if engines.in_use(settings.database_url):
            raise snapshot.Occupied("a controller has the database open: stop it first")
        migrate.upgrade(settings.database_url)
        _transact(settings, lambda connection: snapshot.refuse_if_occupied(connection, force=options.force))
        chest.put_back(kept, settings.directory)
        if not options.config.exists():
            options.config.parent.mkdir(parents=True, exist_ok=True)
            files.replace(options.config, (parts / archive.CONFIGURATION).read_bytes(), mode=0o644)
        rows = _load(settings, parts / archive.STORE, backup.name, force=options.force)
    _tell(manifest, rows)
    return 0


def _settings(config: Path, parts: Path, manifest: Manifest) -> Settings:
    """The configuration of this machine, else the backup's; of the same fleet."""
    source = config if config.exists() else parts / archive.CONFIGURATION
    if not source.exists():
        raise ConfigurationError(f"there is no configuration {config}, and the backup holds none")
    settings = configuration.read(source)
    if settings.fleet != manifest.fleet:
        raise ConfigurationError(
            f"the backup is of fleet {manifest.fleet!r}, and {config} is of fleet {settings.fleet!r}"
        )
    own = record_hash(settings)
    if own and own != manifest.authority:
        raise ConfigurationError(
            f"the authority in {settings.directory / 'authority'} is not the one of the backup, and devices "
            "of the one refuse the other: move the directory away, or use the right machine"
        )
    try:
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot create {settings.directory}: {error.strerror}") from error
    return settings


def _kept(
    settings: Settings, parts: Path, manifest: Manifest, passphrase: Path | None
) -> dict[str, chest.Kept]:
    """What of the sealed authority is to be put back: nothing where there is one."""
    if record_hash(settings):
        return {}
    if archive.AUTHORITY not in manifest.parts:
        raise ConfigurationError(
            f"{settings.directory} holds no authority, and neither does the backup: put the directory "
            "'authority' there from wherever it was saved, or nothing could open what the database holds"
        )
    if passphrase is None:
        raise ConfigurationError("the backup's authority is sealed: give --passphrase-file")
    return chest.unseal((parts / archive.AUTHORITY).read_bytes(), read_passphrase(passphrase))


def _owner(settings: Settings, kept: dict[str, chest.Kept]) -> ownership.Owner:
    """Whose the restored fleet is, by the authority that is here or comes with the backup."""
    path = files.Layout(Path("authority")).root_certificate
    if (certificate := kept.get(str(path))) is not None:
        return belonging.of_certificate(settings.fleet, certificate.content)
    return belonging.of_directory(settings.directory, settings.fleet)


def _load(settings: Settings, store: Path, name: str, *, force: bool) -> dict[str, int]:
    def work(connection: sa.Connection) -> dict[str, int]:
        snapshot.refuse_if_occupied(connection, force=force)
        rows = snapshot.load(connection, store)
        entry = audit.Entry(clock(), _WHO, "store.restore", name, snapshot.describe(rows))
        audit.append(connection, [entry])
        return rows

    return _transact(settings, work)


def _transact(settings: Settings, work: Callable[[sa.Connection], T]) -> T:
    writer = Writer(settings.database_url)
    try:
        return writer.transact(work)
    finally:
        writer.close()


def _tell(manifest: Manifest, rows: dict[str, int]) -> None:
    when = datetime.fromtimestamp(manifest.created / 1000, UTC).isoformat(timespec="seconds")
    print(  # noqa: T201 - this is the command line
        f"Restored the backup of {when}: {snapshot.describe(rows)}.\n"
        "What was decided after that moment is gone: revoke again what was revoked since (devices, tokens,\n"
        "invitations), and run 'qfleet-controlplane broker rebuild' where devices have accounts of their own."
    )
