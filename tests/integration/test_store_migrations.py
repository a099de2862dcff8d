"""Databases of the first release come up to date with every row, on both dialects."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from tests.integration.store_rows import first_release_rows

from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import engines, leases, migrate, queries, records, registry
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import METADATA
from qfleet_wire.names import ControllerName, DeviceName, JobId

RECORD = {"confirmed": 0, "contradicted": 0.0, "judged": 0, "suspicion": 0.0}
ADDED = {
    "regions", "controllers", "orders", "shares", "telemetry", "networks", "twins", "network_orders",
    "key_orders", "key_reports", "key_sessions", "key_relays", "key_alarms", "key_stocks", "key_settings",
    "key_asks",
}  # fmt: skip


def fill_first_release(url: str) -> dict[str, list[dict[str, object]]]:
    """Make a database of schema 0001 with rows in every table, and return them."""
    engine = engines.open_writer(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        rows = first_release_rows()
        known = sa.MetaData()
        known.reflect(connection)
        assert set(rows) == set(known.tables) - {"alembic_version"}
        for table in known.sorted_tables:
            if table.name in rows:
                connection.execute(table.insert(), rows[table.name])
    engine.dispose()
    return rows


def read(url: str) -> dict[str, list[dict[str, object]]]:
    engine = engines.open_reader(url)
    with engine.connect() as connection:
        found = {
            table.name: [dict(row._mapping) for row in connection.execute(sa.select(table))]
            for table in METADATA.sorted_tables
        }
    engine.dispose()
    return found


def test_migrating_up_from_nothing_gives_the_tables(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    migrate.upgrade(empty_database_url)
    engine = engines.open_reader(empty_database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        names = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    assert names == {*METADATA.tables, "alembic_version"}


def test_a_filled_database_of_the_first_release_keeps_every_row(empty_database_url: str) -> None:
    before = fill_first_release(empty_database_url)
    migrate.upgrade(empty_database_url)
    after = read(empty_database_url)
    states = before.pop("job_states")
    assert after["shares"] == [{**row, "region": ""} for row in states]
    for table, rows in before.items():
        extra: dict[str, object] = {"region": ""} if table in {"tasks", "devices", "invitations"} else {}
        extra |= RECORD if table == "devices" else {}
        assert sorted(after[table], key=repr) == sorted(({**row, **extra} for row in rows), key=repr)
    assert all(after[table] == [] for table in ADDED - {"shares"})


def test_a_migrated_database_has_the_schema_of_a_new_one(empty_database_url: str) -> None:
    fill_first_release(empty_database_url)
    migrate.upgrade(empty_database_url)
    engine = engines.open_reader(empty_database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_what_was_the_only_region_gets_its_name_and_is_loaded(empty_database_url: str) -> None:
    fill_first_release(empty_database_url)
    database = Database(empty_database_url)
    database.writer.transact(lambda connection: registry.adopt_region(connection, "north"))
    known = database.read_now(lambda connection: records.load(connection, "north"))
    elsewhere = database.read_now(lambda connection: records.load(connection, "south"))
    views = database.read_now(lambda connection: queries.job_views(connection, JobId("a1")))
    database.close()
    assert set(known.devices) == {DeviceName("pi-1"), DeviceName("pi-2")}
    assert [len(job.tasks) for job in known.jobs.values()] == [3]
    assert [view.status for view in views] == ["running"]
    assert not elsewhere.devices
    assert not elsewhere.jobs


def test_a_newer_database_is_refused_and_left_alone(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    engine = engines.open_writer(empty_database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        Database(empty_database_url)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "9999"
    engine.dispose()


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent/controlplane\.db cannot be brought up to date"):
        migrate.upgrade(f"sqlite:///{tmp_path / 'absent' / 'controlplane.db'}")


def test_controllers_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    fill_first_release(empty_database_url)
    with ThreadPoolExecutor(4) as pool:
        changed = list(pool.map(lambda _: migrate.upgrade(empty_database_url), range(4)))
    newest = migrate.newest()
    assert sorted(changed) == [("0001", newest), *[(newest, newest)] * 3]


def test_a_schema_does_not_change_under_a_running_controller(postgresql: str) -> None:
    database = Database(postgresql)

    def former(connection: sa.Connection) -> None:
        leases.attend(connection, ControllerName("busy"), 60_000)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")

    database.writer.transact(former)
    with pytest.raises(ConfigurationError, match=r"controllers 'busy' run on it: stop them first"):
        migrate.upgrade(postgresql)
    database.close()


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "psycopg" else find(name, *rest)
    )
    with pytest.raises(ConfigurationError, match=r"qfleet-controlplane\[postgresql\]"):
        migrate.upgrade("postgresql://qfleet@db.example/fleet")
