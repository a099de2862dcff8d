"""Backup and restore: between both dialects, and while somebody writes."""

import itertools
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.integration import store_rows
from tests.integration.postgres import Server
from tests.integration.store_site import Site, drop_everything, other, sqlite

from qfleet_controlplane.settings import read
from qfleet_controlplane.store import audit, bulk, leases, migrate, orders
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import fleet
from qfleet_wire.names import ControllerName, Millis

REGION = store_rows.REGION
MOMENTARY = {"regions", "controllers", "audit"}
"""Tables that a restored database does not have as they were."""


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


def test_keys_are_never_copied_in_clear(site: Site, tmp_path: Path) -> None:
    assert "--passphrase-file" in site.run("backup", tmp_path / "b", "--with-authority", code=78)
    assert not (tmp_path / "b").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_migrate_says_what_it_did(site: Site) -> None:
    assert f"has schema {migrate.newest()} already" in site.run("migrate")
    drop_everything(site.url)
    assert f"has schema {migrate.newest()} now; it had none" in site.run("migrate")
