"""The store on real databases of both dialects: the audit chain, the writer, rows by the hundred."""

import asyncio
import functools
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.integration.core_fleet import url_of

from qfleet_controlplane.store import audit, bulk
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import fleet, record
from qfleet_controlplane.store.writer import StoreFailed
from qfleet_wire.names import Millis


def entry(number: int) -> audit.Entry:
    return audit.Entry(Millis(number), "ops", "device.revoke", f"device-{number}", "stolen")


def test_commits_survive_a_power_cut_as_far_as_settings_go(tmp_path: Path) -> None:
    database = Database(url_of(tmp_path))

    def pragmas(connection: sa.Connection) -> tuple[object, ...]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return tuple(connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names)

    assert database.writer.transact(pragmas) == ("wal", 2, 1)
    database.close()


def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(StoreFailed):
        database.read_now(
            lambda connection: connection.execute(fleet.meta.insert().values(key="a", value=b""))
        )


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def twice(connection: sa.Connection) -> None:
        for _ in range(2):
            connection.execute(fleet.meta.insert().values(key="same", value=b""))

    async def scenario() -> None:
        with pytest.raises(StoreFailed, match=r"UNIQUE constraint failed|duplicate key value"):
            await database.writer.run(twice)

    asyncio.run(scenario())
    assert database.read_now(lambda connection: connection.execute(sa.select(fleet.meta)).all()) == []


def test_the_error_of_a_failed_transaction_shows_no_values(database: Database) -> None:
    def twice(connection: sa.Connection) -> None:
        for _ in range(2):
            connection.execute(fleet.meta.insert().values(key="same", value=b"secret-value"))

    with pytest.raises(StoreFailed) as caught:
        database.writer.transact(twice)
    assert "secret-value" not in str(caught.value)


def test_rows_that_are_refused_leave_nothing_and_show_no_values(database: Database) -> None:
    def twice(connection: sa.Connection) -> None:
        rows = bulk.Insert(fleet.meta)
        rows.write(connection, [("first", b"")])
        rows.write(connection, [("same", b"secret-value"), ("other", b"")])
        rows.write(connection, [("same", b"secret-value")])

    with pytest.raises(StoreFailed, match=r"UNIQUE constraint failed|duplicate key value") as caught:
        database.writer.transact(twice)
    assert "secret-value" not in str(caught.value)
    assert database.read_now(lambda connection: connection.execute(sa.select(fleet.meta)).all()) == []


def test_what_the_work_itself_raises_comes_through(database: Database) -> None:
    def broken(connection: sa.Connection) -> None:
        connection.execute(fleet.meta.insert().values(key="a", value=b""))
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        database.writer.transact(broken)
    assert database.read_now(lambda connection: connection.execute(sa.select(fleet.meta)).all()) == []


@pytest.mark.parametrize("count", [0, 1, 5, 1003])
def test_rows_are_written_by_the_hundred(database: Database, count: int) -> None:
    rows = [(f"key-{number}", b"first") for number in range(count)]
    bulk_insert = bulk.Insert(fleet.meta)
    database.writer.transact(lambda connection: bulk_insert.write(connection, rows))
    read = database.read_now(
        lambda connection: [tuple(row) for row in connection.execute(sa.select(fleet.meta))]
    )
    assert sorted(read) == sorted(rows)


@pytest.mark.parametrize(("conflict", "left"), [("replace", b"second"), ("keep", b"first")])
def test_a_row_that_is_there_already(database: Database, conflict: str, left: bytes) -> None:
    chosen = bulk.Insert(fleet.meta, conflict)  # type: ignore[arg-type]  # parametrised
    for value in (b"first", b"second"):
        rows = [("key", value)]
        database.writer.transact(functools.partial(chosen.write, rows=rows))
    read = database.read_now(lambda connection: connection.scalar(sa.select(fleet.meta.c.value)))
    assert read == left


def test_an_untouched_audit_log_verifies(database: Database) -> None:
    database.writer.transact(lambda connection: audit.append(connection, [entry(1), entry(2)]))
    head = database.writer.transact(lambda connection: audit.append(connection, [entry(3)]))
    assert head.sequence == 3
    assert database.read_now(audit.verify) == head


@pytest.mark.parametrize(
    ("tampering", "complaint"),
    [
        ("UPDATE audit SET detail = 'sold' WHERE sequence = 2", "audit entry 2 was altered"),
        ("UPDATE audit SET at = 9 WHERE sequence = 1", "audit entry 1 was altered"),
        ("DELETE FROM audit WHERE sequence = 2", "audit entry 2 is missing"),
        ("DELETE FROM audit WHERE sequence = 1", "audit entry 1 is missing"),
        (
            "DELETE FROM audit WHERE sequence = 2; UPDATE audit SET sequence = 2 WHERE sequence = 3",
            "audit entry 2 does not follow the one before it",
        ),
        ("UPDATE audit SET hash = previous WHERE sequence = 3", "audit entry 3 was altered"),
    ],
)
def test_tampering_with_the_audit_log_shows(database: Database, tampering: str, complaint: str) -> None:
    entries = [entry(number) for number in range(1, 5)]
    database.writer.transact(lambda connection: audit.append(connection, entries))
    for statement in tampering.split(";"):
        database.writer.transact(lambda connection: connection.exec_driver_sql(statement))  # noqa: B023 - runs now
    with pytest.raises(audit.BrokenChain, match=complaint):
        database.read_now(audit.verify)


def test_an_audit_entry_is_part_of_its_transaction(database: Database) -> None:
    def half_done(connection: sa.Connection) -> None:
        audit.append(connection, [entry(1)])
        raise LookupError("it did not happen")

    with pytest.raises(LookupError):
        database.writer.transact(half_done)
    assert database.read_now(lambda connection: connection.execute(sa.select(record.audit)).all()) == []
