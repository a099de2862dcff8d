"""What only PostgreSQL asks of the store: lost servers, several writers, and passwords."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from tests.integration.postgres import Server

from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import audit, bulk
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import fleet
from qfleet_controlplane.store.writer import StoreFailed, Writer
from qfleet_wire.names import Millis

_FACTS = bulk.Insert(fleet.meta)


@pytest.fixture
def database(postgresql: str) -> Iterator[Database]:
    opened = Database(postgresql)
    yield opened
    opened.close()


def put(database: Database, key: str) -> None:
    database.writer.transact(lambda connection: _FACTS.write(connection, [(key, b"")]))


def keys(database: Database) -> set[str]:
    return set(database.read_now(lambda connection: connection.scalars(sa.select(fleet.meta.c.key)).all()))


@pytest.fixture
def own_server(postgresql_server: Server) -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


def test_a_server_that_was_restarted_is_used_again(own_server: Server) -> None:
    database = Database(own_server.create())
    put(database, "before")
    assert keys(database) == {"before"}
    own_server.stop()
    with pytest.raises(StoreFailed):
        put(database, "lost")
    with pytest.raises(StoreFailed):
        keys(database)
    own_server.start()
    put(database, "after")
    assert keys(database) == {"before", "after"}
    database.close()


def test_a_connection_that_ends_in_a_transaction_undoes_it(
    database: Database, postgresql_server: Server
) -> None:
    def work(connection: sa.Connection) -> None:
        _FACTS.write(connection, [("half", b"")])
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        postgresql_server.execute(f"SELECT pg_terminate_backend({pid})")
        _FACTS.write(connection, [("other half", b"")])

    with pytest.raises(StoreFailed):
        database.writer.transact(work)
    put(database, "next")
    assert keys(database) == {"next"}


def test_readers_see_one_moment(database: Database) -> None:
    put(database, "first")

    def twice(connection: sa.Connection) -> list[int]:
        count = sa.select(sa.func.count()).select_from(fleet.meta)
        before = connection.scalar(count)
        put(database, "second")
        return [before or 0, connection.scalar(count) or 0]

    assert database.read_now(twice) == [1, 1]
    assert keys(database) == {"first", "second"}


def test_regions_write_at_the_same_time(database: Database) -> None:
    both = threading.Barrier(2, timeout=30)

    def work(connection: sa.Connection, key: str) -> None:
        _FACTS.write(connection, [(key, b"")])
        both.wait()

    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda region: database.writer_for(region).transact(lambda each: work(each, region)),
                ("north", "south"),
            )
        )
    assert keys(database) == {"north", "south"}
    assert database.writer_for("north") is database.writer_for("north")


def test_the_audit_chain_of_many_writers_holds(database: Database, postgresql: str) -> None:
    writers = [Writer(postgresql) for _ in range(4)]

    def log(number: int) -> None:
        entries = [audit.Entry(Millis(number), "ops", "act", f"{number}-{each}", "") for each in range(3)]
        writers[number % 4].transact(lambda connection: audit.append(connection, entries))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(log, range(100)))
    for writer in writers:
        writer.close()
    assert database.read_now(audit.verify).sequence == 300


def test_a_password_stands_in_no_error(postgresql: str) -> None:
    url = postgresql.replace("qfleet@", "qfleet:hunter2@").replace("host=", "host=/nowhere")
    with pytest.raises(ConfigurationError, match="cannot be brought up to date") as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)
    writer = Writer(url)
    with pytest.raises(StoreFailed) as failed:
        writer.transact(audit.read_head)
    writer.close()
    assert "hunter2" not in f"{failed.value} {writer!r} {writer._engine!r}"


def test_text_that_postgresql_cannot_hold_is_mended_where_it_comes_from_others(database: Database) -> None:
    entry = audit.Entry(Millis(1), "ops", "alarm", "pi-1", "a\0b")
    database.writer.transact(lambda connection: audit.append(connection, [entry]))
    assert database.read_now(audit.verify).sequence == 1
