"""A control plane's files without a process, as the commands for backup and restore find them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from tests.integration import store_rows

from qfleet_controlplane.command import line
from qfleet_controlplane.settings import read
from qfleet_controlplane.store import archive, audit, engines
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import METADATA, control

CONFIG = """
fleet = "test"
region = "north"
state = "{state}"
database = "{database}"
"""


@dataclass
class Site:
    """A control plane's files, without a process."""

    directory: Path
    url: str
    capture: Callable[[], tuple[str, str]]

    def __post_init__(self) -> None:
        self.config = self.directory / "controlplane.toml"
        self.state = self.directory / "state"
        (self.state / "authority").mkdir(parents=True)
        self.configure("test")
        self.authority = {"root.key": b"seed", "record.bin": b"record of the fleet", "rest.key": b"k" * 32}
        for name, content in self.authority.items():
            (self.state / "authority" / name).write_bytes(content)
            (self.state / "authority" / name).chmod(0o400 if name.endswith("key") else 0o644)

    def configure(self, fleet_name: str) -> None:
        text = CONFIG.format(state=self.state, database=self.url)
        self.config.write_text(text.replace('"test"', f'"{fleet_name}"'))
        read(self.config)

    def fill(self) -> None:
        database = Database(self.url)
        database.writer.transact(store_rows.fill)
        database.close()
        self.empty_leases()

    def empty_leases(self) -> None:
        """Let what leads or attends end, as time would."""
        for table in (control.regions, control.controllers):
            self.transact(table.update().values(expires=0))

    def transact(self, statement: sa.Executable) -> None:
        engine = engines.open_writer(self.url)
        with engine.begin() as connection:
            connection.execute(statement)
        engine.dispose()

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        database = Database(self.url)
        found = database.read_now(store_rows.dump)
        database.read_now(audit.verify)
        database.close()
        return found

    def run(self, *arguments: object, code: int = 0) -> str:
        """Run the command and return what it said."""
        given = [str(argument) for argument in arguments]
        assert line.main([*given, "--config", str(self.config)]) == code
        return "".join(self.capture())


def other(site: Site, directory: Path, url: str) -> Site:
    return Site(directory, url, site.capture)


def sqlite(directory: Path) -> str:
    return f"sqlite:///{directory / 'restored.db'}"


def drop_everything(url: str) -> None:
    engine = engines.open_writer(url)
    with engine.begin() as connection:
        METADATA.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
    engine.dispose()


def alter_store(backup: Path, directory: Path, statement: str) -> None:
    """Change the backup's database and seal it again, as its owner could."""
    parts = directory / "parts"
    parts.mkdir()
    manifest = archive.read(backup, parts)
    engine = sa.create_engine(f"sqlite:///{parts / archive.STORE}", poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
    archive.write(backup, manifest, {name: parts / name for name in manifest.parts})
