"""Backup and restore: between both dialects, while somebody writes, and what is refused."""

import io
import itertools
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.integration import store_rows
from tests.integration.postgres import Server

from qfleet_controlplane.command import line
from qfleet_controlplane.settings import read
from qfleet_controlplane.store import audit, bulk, clock, engines, leases, migrate, orders
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import METADATA, control, fleet, record
from qfleet_wire.names import ControllerName, Millis

CONFIG = """
fleet = "test"
region = "north"
state = "{state}"
database = "{database}"
"""
REGION = store_rows.REGION
MOMENTARY = {"regions", "controllers", "audit"}
"""Tables that a restored database does not have as they were."""


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


@pytest.fixture
def site(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    made = Site(tmp_path / "one", database_url, capsys.readouterr)
    made.fill()
    return made


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    return path


def other(site: Site, directory: Path, url: str) -> Site:
    return Site(directory, url, site.capture)


def sqlite(directory: Path) -> str:
    return f"sqlite:///{directory / 'restored.db'}"


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_everything_comes_back_in_either_dialect(
    site: Site, tmp_path: Path, target: str, postgresql_server: Server
) -> None:
    before = site.dump()
    said = site.run("backup", tmp_path / "qfleet.backup")
    assert "2 devices, 2 jobs, 6 tasks, 1 results, 3 audit" in said
    assert (tmp_path / "qfleet.backup").stat().st_mode & 0o777 == 0o600
    url = sqlite(tmp_path) if target == "sqlite" else postgresql_server.create()
    restored = other(site, tmp_path / "two", url)
    restored.run("restore", tmp_path / "qfleet.backup")
    after = restored.dump()
    assert {name: rows for name, rows in after.items() if name not in MOMENTARY} == {
        name: rows for name, rows in before.items() if name not in MOMENTARY
    }
    assert after["audit"][:3] == before["audit"]
    assert [row[3] for row in after["audit"][3:]] == ["store.restore"]
    assert [(row[0], row[1], row[3]) for row in after["regions"]] == [(REGION, "", 0)]
    database = Database(url)
    order = orders.Order(REGION, Millis(1), "adopt", "a1")
    database.writer.transact(lambda connection: orders.put(connection, [order]))
    numbers = [row[0] for row in database.read_now(store_rows.dump)["orders"]]
    lease = database.writer.transact(
        lambda connection: leases.acquire(connection, REGION, ControllerName("heir"), 1000)
    )
    database.close()
    if target == "postgresql":
        postgresql_server.drop(url)
    assert len(set(numbers)) == len(numbers) == 2
    assert lease is not None
    assert lease.epoch > before["regions"][0][2]  # type: ignore[operator]  # an epoch


def test_the_audit_log_tells_of_the_backup(site: Site, tmp_path: Path) -> None:
    said = site.run("backup", tmp_path / "qfleet.backup")
    last = site.dump()["audit"][-1]
    assert last[3] == "store.backup"
    assert str(last[5]).split()[1].strip(",") in said


def test_a_backup_while_somebody_writes_is_of_one_moment(site: Site, tmp_path: Path) -> None:
    """A writer always stores an audit entry and a fact of the same number in one transaction."""
    facts, stop, began = bulk.Insert(fleet.meta), threading.Event(), threading.Event()

    def write() -> None:
        database = Database(site.url)
        for number in itertools.count():

            def work(connection: sa.Connection) -> None:
                facts.write(connection, [(f"number {number}", bytes(2000))])  # noqa: B023 - runs now
                entry = audit.Entry(Millis(1), "writer", "count", str(number), "")  # noqa: B023
                audit.append(connection, [entry])

            database.writer.transact(work)
            if number == 20:
                began.set()
            if stop.is_set():
                break
        database.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert began.wait(60)
        site.run("backup", tmp_path / "qfleet.backup")
    finally:
        stop.set()
        thread.join(60)
    restored = other(site, tmp_path / "two", sqlite(tmp_path))
    restored.run("restore", tmp_path / "qfleet.backup")
    after = restored.dump()
    told = {row[4] for row in after["audit"] if row[3] == "count"}
    stored = {str(row[0]).removeprefix("number ") for row in after["meta"] if str(row[0]) != "fleet"}
    assert told == stored
    assert len(told) > 20


def test_the_authority_comes_back_from_under_its_passphrase(
    site: Site, tmp_path: Path, passphrase: Path
) -> None:
    backup = tmp_path / "qfleet.backup"
    site.run("backup", backup, "--with-authority", "--passphrase-file", passphrase)
    assert b"k" * 32 not in backup.read_bytes()
    before = site.dump()
    for path in sorted(site.directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    drop_everything(site.url)
    wrong = tmp_path / "wrong"
    wrong.write_text("battery staple\n")
    wrong.chmod(0o600)
    assert "does not open" in site.run("restore", backup, "--passphrase-file", wrong, code=78)
    assert not site.config.exists()
    site.run("restore", backup, "--passphrase-file", passphrase)
    for name, content in site.authority.items():
        path = site.state / "authority" / name
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == (0o400 if name.endswith("key") else 0o644)
    assert site.dump()["devices"] == before["devices"]
    assert read(site.config).fleet == "test"


def drop_everything(url: str) -> None:
    engine = engines.open_writer(url)
    with engine.begin() as connection:
        METADATA.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
    engine.dispose()


def test_keys_are_never_copied_in_clear(site: Site, tmp_path: Path) -> None:
    assert "--passphrase-file" in site.run("backup", tmp_path / "b", "--with-authority", code=78)
    assert not (tmp_path / "b").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def backup(site: Site, tmp_path: Path) -> Path:
    site.run("backup", tmp_path / "qfleet.backup")
    return tmp_path / "qfleet.backup"


@pytest.fixture
def target(site: Site, tmp_path: Path, backup: Path) -> Iterator[Site]:
    made = other(site, tmp_path / "two", sqlite(tmp_path))
    yield made
    assert made.dump()["devices"] == [], "what is refused changes nothing"


def test_a_damaged_backup_is_refused(target: Site, backup: Path) -> None:
    whole = backup.read_bytes()
    with tarfile.open(backup) as tar:
        places = {each.name: each.offset_data + each.size // 2 for each in tar.getmembers()}
    for place in places.values():
        backup.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert "damaged" in target.run("restore", backup, code=78)
    for length in (0, 100, 600, len(whole) // 2):
        backup.write_bytes(whole[:length])
        assert "damaged" in target.run("restore", backup, code=78)


def test_another_fleet_is_refused(target: Site, backup: Path) -> None:
    target.configure("another")
    assert "of fleet 'test'" in target.run("restore", backup, code=78)
    target.configure("test")
    record_file = target.state / "authority" / "record.bin"
    record_file.write_bytes(b"another fleet of the same name")
    assert "is not the one of the backup" in target.run("restore", backup, code=78)


def test_a_newer_schema_is_refused(target: Site, backup: Path, tmp_path: Path) -> None:
    alter_store(backup, tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    assert "schema 9999, which this version does not know" in target.run("restore", backup, code=78)


def test_a_forged_audit_log_is_refused(target: Site, backup: Path, tmp_path: Path) -> None:
    alter_store(backup, tmp_path, "UPDATE audit SET detail = 'nothing happened' WHERE sequence = 2")
    assert "audit entry 2 was altered" in target.run("restore", backup, code=1)


def alter_store(backup: Path, directory: Path, statement: str) -> None:
    """Change the backup's database and seal it again, as its owner could."""
    from qfleet_controlplane.store import archive  # noqa: PLC0415 - used here only

    parts = directory / "parts"
    parts.mkdir()
    manifest = archive.read(backup, parts)
    engine = sa.create_engine(f"sqlite:///{parts / archive.STORE}", poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
    archive.write(backup, manifest, {name: parts / name for name in manifest.parts})


def test_a_format_of_the_future_is_refused(target: Site, backup: Path) -> None:
    import hashlib  # noqa: PLC0415 - used here only

    with tarfile.open(backup) as tar:
        text = tar.extractfile("manifest.json").read()  # type: ignore[union-attr]  # it is there
    told = json.dumps({**json.loads(text), "format": 2}).encode()
    with tarfile.open(backup, "w") as tar:
        for name, content in (
            ("manifest.json", told),
            ("manifest.sha256", hashlib.sha256(told).hexdigest().encode()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    assert "format 2" in target.run("restore", backup, code=78)


def test_a_database_that_holds_something_is_replaced_only_by_force(site: Site, backup: Path) -> None:
    before = site.dump()
    assert "--force" in site.run("restore", backup, code=78)
    assert site.dump() == before
    site.transact(fleet.devices.update().values(status="lost"))
    site.run("restore", backup, "--force")
    assert site.dump()["devices"] == before["devices"]
    assert [row[3] for row in site.dump()["audit"]][-1] == "store.restore"


def test_a_database_in_use_is_never_replaced(site: Site, backup: Path) -> None:
    before = site.dump()["devices"]
    database = Database(site.url)
    for table, hold in itertools.product(("regions", "controllers"), (True, False)):
        expires = clock.now() + sa.literal(60_000 if hold else -1)
        statement = METADATA.tables[table].update().values(expires=expires)
        database.writer.transact(lambda connection: connection.execute(statement))  # noqa: B023 - runs now
        if hold:
            assert "stop" in site.run("restore", backup, "--force", code=78)
    assert site.dump()["devices"] == before
    database.close()
    site.run("restore", backup, "--force")


def test_what_a_crash_left_of_a_lease_does_not_lock_a_sqlite_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path / "one", sqlite(tmp_path), capsys.readouterr)
    site.fill()
    site.run("backup", tmp_path / "qfleet.backup")
    far = clock.now() + sa.literal(10**12)
    for table in (control.regions, control.controllers):
        site.transact(table.update().values(expires=far))
    site.run("restore", tmp_path / "qfleet.backup", "--force")


def test_a_backup_of_an_older_schema_is_brought_up_to_date(site: Site, tmp_path: Path) -> None:
    from tests.integration.test_store_migrations import fill_first_release  # noqa: PLC0415 - used here only

    from qfleet_controlplane.store import archive  # noqa: PLC0415 - used here only

    site.run("backup", tmp_path / "qfleet.backup")
    parts = tmp_path / "parts"
    parts.mkdir()
    manifest = archive.read(tmp_path / "qfleet.backup", parts)
    (parts / archive.STORE).unlink()
    fill_first_release(f"sqlite:///{parts / archive.STORE}")
    engine = sa.create_engine(f"sqlite:///{parts / archive.STORE}", poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(record.audit.delete())
    engine.dispose()
    archive.write(tmp_path / "old.backup", manifest, {name: parts / name for name in manifest.parts})
    restored = other(site, tmp_path / "two", sqlite(tmp_path))
    restored.run("restore", tmp_path / "old.backup")
    assert [row[0] for row in restored.dump()["devices"]] == ["pi-1", "pi-2"]


def test_a_backup_that_exists_is_not_replaced(site: Site, backup: Path) -> None:
    before = backup.read_bytes()
    assert "exists already" in site.run("backup", backup, code=78)
    assert backup.read_bytes() == before
    site.run("backup", backup, "--force")
    assert backup.read_bytes() != before


def test_a_place_that_cannot_be_written_is_named(site: Site, tmp_path: Path) -> None:
    assert "no directory" in site.run("backup", tmp_path / "absent" / "b", code=78)
    assert "cannot write" in site.run("backup", "/proc/qfleet.backup", code=78)


def test_a_file_that_is_no_database_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path / "one", sqlite(tmp_path), capsys.readouterr)
    site.fill()
    site.run("backup", tmp_path / "qfleet.backup")
    (tmp_path / "restored.db").write_bytes(b"no database " * 1000)
    assert "restored.db cannot be" in site.run("restore", tmp_path / "qfleet.backup", "--force", code=78)


def test_migrate_says_what_it_did(site: Site) -> None:
    assert f"has schema {migrate.newest()} already" in site.run("migrate")
    drop_everything(site.url)
    assert f"has schema {migrate.newest()} now; it had none" in site.run("migrate")
