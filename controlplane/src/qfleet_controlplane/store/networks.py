"""Reading and writing the network that is loaded, its twin, and what is asked of that."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from qfleet_controlplane.store.tables.fleet import devices
from qfleet_controlplane.store.tables.network import network_orders, networks, twins
from qfleet_wire.names import Millis


class Loaded(NamedTuple):
    """The scenario that is loaded: as it was given, and what follows from it."""

    id: int
    loaded: Millis
    source: str
    text: bytes
    survey: bytes


class Saved(NamedTuple):
    """A twin as it was when it was saved."""

    network: int
    running: bool
    speed: float
    saved: Millis
    state: bytes


class Order(NamedTuple):
    """One thing that was asked of a twin."""

    id: int
    network: int
    body: bytes


def load(connection: sa.Connection, source: str, text: bytes, survey: bytes, now: Millis) -> int:
    """Replace the network by another, and return its number; the twin before is forgotten."""
    for table in (networks, twins, network_orders):
        connection.execute(table.delete())
    done = connection.execute(
        networks.insert().values(loaded=now, source=source, text=text, survey=survey).returning(networks.c.id)
    )
    return int(done.scalar_one())


def number(connection: sa.Connection) -> int | None:
    """Return the number of the network that is loaded; None: there is none."""
    found: int | None = connection.execute(sa.select(sa.func.max(networks.c.id))).scalar()
    return found


def loaded(connection: sa.Connection) -> Loaded | None:
    """Return the network that is loaded; None: there is none."""
    row = connection.execute(sa.select(networks).order_by(networks.c.id.desc()).limit(1)).first()
    return None if row is None else Loaded(row.id, Millis(row.loaded), row.source, row.text, row.survey)


def enrolled(connection: sa.Connection, seats: Mapping[str, str]) -> set[str]:
    """Return which of the devices at a scenario's nodes the fleet knows."""
    query = sa.select(devices.c.name).where(
        devices.c.name.in_(sorted(seats.values())), devices.c.status.not_in(("invited", "revoked", "retired"))
    )
    return set(connection.execute(query).scalars())


def twin(connection: sa.Connection, network: int) -> Saved | None:
    """Return a network's twin; None: it never ran."""
    row = connection.execute(sa.select(twins).where(twins.c.network == network)).first()
    return (
        None
        if row is None
        else Saved(row.network, bool(row.running), row.speed, Millis(row.saved), row.state)
    )


def save(connection: sa.Connection, saved: Saved, done: Iterable[int] = ()) -> None:
    """Save a twin and strike out what was done of what was asked of it."""
    connection.execute(twins.delete().where(twins.c.network == saved.network))
    connection.execute(twins.insert().values({**saved._asdict(), "running": int(saved.running)}))
    for order in done:
        connection.execute(network_orders.delete().where(network_orders.c.id == order))


def ask(connection: sa.Connection, network: int, body: bytes) -> None:
    """Ask something of a twin."""
    connection.execute(network_orders.insert().values(network=network, body=body))


def asked(connection: sa.Connection, network: int) -> list[Order]:
    """Return what was asked of a twin and is not done, in sequence."""
    query = sa.select(network_orders).where(network_orders.c.network == network).order_by(network_orders.c.id)
    return [Order(row.id, row.network, row.body) for row in connection.execute(query)]
