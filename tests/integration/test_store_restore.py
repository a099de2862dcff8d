"""What ``restore`` refuses, changing nothing, and what only ``--force`` does."""

import hashlib
import io
import itertools
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.integration.store_site import Site, alter_store, other, sqlite
from tests.integration.test_store_migrations import fill_first_release

from qfleet_controlplane.store import archive, clock
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import METADATA, control, fleet, record


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    made = Site(tmp_path / "one", f"sqlite:///{tmp_path / 'controlplane.db'}", capsys.readouterr)
    made.fill()
    return made


@pytest.fixture
def either(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    """On each dialect."""
    made = Site(tmp_path / "either", database_url, capsys.readouterr)
    made.fill()
    made.run("backup", tmp_path / "either.backup")
    return made


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


def test_a_format_of_the_future_is_refused(target: Site, backup: Path) -> None:
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


def test_a_database_that_holds_something_is_replaced_only_by_force(either: Site, tmp_path: Path) -> None:
    before = either.dump()
    assert "--force" in either.run("restore", tmp_path / "either.backup", code=78)
    assert either.dump() == before
    either.transact(fleet.devices.update().values(status="lost"))
    either.run("restore", tmp_path / "either.backup", "--force")
    assert either.dump()["devices"] == before["devices"]
    assert [row[3] for row in either.dump()["audit"]][-1] == "store.restore"


def test_a_database_in_use_is_never_replaced(either: Site, tmp_path: Path) -> None:
    before = either.dump()["devices"]
    database = Database(either.url)
    for table, hold in itertools.product(("regions", "controllers"), (True, False)):
        expires = clock.now() + sa.literal(60_000 if hold else -1)
        statement = METADATA.tables[table].update().values(expires=expires)
        database.writer.transact(lambda connection: connection.execute(statement))  # noqa: B023 - runs now
        if hold:
            assert "stop" in either.run("restore", tmp_path / "either.backup", "--force", code=78)
    assert either.dump()["devices"] == before
    database.close()
    either.run("restore", tmp_path / "either.backup", "--force")


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
