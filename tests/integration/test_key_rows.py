"""What the authority of keys decides is stored, on both dialects."""

import sqlalchemy as sa
from msgspec.structs import replace

from qfleet_controlplane.keys.model import Alarm, Ended, Relay, Session
from qfleet_controlplane.store import key_rows
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables.keys import key_settings
from qfleet_wire.key_orders import LinkStock, Stock
from qfleet_wire.names import DeviceName, Millis

A, B, C = (DeviceName(name) for name in ("a", "b", "c"))
SESSION = Session(
    name="s1", link="a|b", devices=(A, B), protocol="bb84", created=Millis(5), expires=Millis(9),
    busy=Millis(6), pulses=7, who="eve", said={"alice": Ended(outcome="aborted", seen="error-rate")},
)  # fmt: skip
RELAY = Relay(
    name="r1", route=(A, B, C), links=("a|b", "b|c"), size=32, created=Millis(5), expires=Millis(9),
    who="eve", said={"b": "key"},
)  # fmt: skip
ALARM = Alarm(name="x", at=Millis(6), link="a|b", session="s1", seen="error-rate", action="marked", network=3)


def save(database: Database, *what: Session | Relay | Alarm) -> None:
    for one in what:
        database.writer.transact(lambda connection, one=one: key_rows.save(connection, one))  # type: ignore[misc]


def test_what_is_stored_is_read_as_it_was_and_changes_in_place(database: Database) -> None:
    save(database, SESSION, RELAY, ALARM)
    assert database.read_now(key_rows.open_sessions) == {"s1": SESSION}
    assert database.read_now(key_rows.open_relays) == {"r1": RELAY}
    assert database.read_now(key_rows.standing_alarms) == {"a|b": ALARM}
    done, over = replace(SESSION, status="key", ended=Millis(8)), replace(RELAY, status="expired")
    cleared = replace(ALARM, cleared=Millis(9))
    save(database, done, over, cleared)
    assert database.read_now(key_rows.open_sessions) == {}
    assert database.read_now(lambda connection: key_rows.open_sessions(connection, ["s1", "s2"])) == {
        "s1": done
    }
    assert database.read_now(lambda connection: key_rows.open_relays(connection, ["r1"])) == {"r1": over}
    assert database.read_now(key_rows.standing_alarms) == {}
    assert database.read_now(lambda connection: key_rows.alarms(connection, 5)) == [cleared]
    assert database.read_now(lambda connection: key_rows.relays(connection, 5)) == [over]


def test_the_latest_session_of_a_link_is_the_open_one_of_those_that_began_together(
    database: Database,
) -> None:
    older = replace(SESSION, name="s0", created=Millis(4))
    same = replace(SESSION, name="s2", status="aborted", ended=Millis(5))
    other = replace(SESSION, name="s3", link="b|c", created=Millis(1))
    save(database, older, SESSION, same, other)
    assert database.read_now(key_rows.latest_sessions) == {"a|b": SESSION, "b|c": other}
    listed = database.read_now(lambda connection: key_rows.sessions(connection, 3))
    assert [one.name for one in listed] == ["s1", "s2", "s0"]
    listed = database.read_now(lambda connection: key_rows.sessions(connection, 3, "b|c"))
    assert listed == [other]


def test_the_last_stock_counts(database: Database) -> None:
    for bits in (1, 2):
        told = Stock(links=(LinkStock(peer=B, ours_bits=bits, all_bits=bits, used_bits=0),))
        database.writer.transact(
            lambda connection, told=told, bits=bits: key_rows.stock(connection, A, told, Millis(bits))  # type: ignore[misc]
        )
    (found,) = database.read_now(key_rows.stocks).values()
    assert (found.at, found.links[B].all_bits) == (2, 2)


def test_what_ended_long_ago_is_forgotten_and_what_is_open_is_not(database: Database) -> None:
    over = [replace(RELAY, name=f"r{number}", status="key", created=Millis(number)) for number in (9, 10)]
    cleared = [replace(ALARM, name=f"x{number}", at=Millis(number), cleared=Millis(99)) for number in (9, 10)]
    save(database, SESSION, replace(SESSION, name="s2", status="key"), RELAY, *over, ALARM, *cleared)
    for device, told in ((A, 9), (B, 10)):
        database.writer.transact(
            lambda connection, device=device, told=told: key_rows.stock(  # type: ignore[misc]
                connection, device, Stock(links=()), Millis(told)
            )
        )
    now = Millis(10 + key_rows.KEPT_MS)
    database.writer.transact(lambda connection: key_rows.forget(connection, now))
    assert [one.name for one in database.read_now(lambda connection: key_rows.sessions(connection, 9))] == [
        "s1"
    ]
    assert database.read_now(key_rows.open_relays) == {"r1": RELAY}
    assert database.read_now(lambda connection: key_rows.relays(connection, 9)) == [over[1], RELAY]
    assert database.read_now(lambda connection: key_rows.alarms(connection, 9)) == [cleared[1], ALARM]
    assert set(database.read_now(key_rows.stocks)) == {B}
    assert database.read_now(key_rows.standing_alarms) == {"a|b": ALARM}


def test_two_who_decide_do_so_one_after_the_other(database: Database) -> None:
    for _ in range(2):
        database.writer.transact(key_rows.take_turn)
    assert database.writer.transact(_turns) == 2


def _turns(connection: sa.Connection) -> int:
    return int(connection.scalar(sa.select(key_settings.c.value)) or 0)
