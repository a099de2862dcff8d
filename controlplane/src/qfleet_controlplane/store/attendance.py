"""Which process a controller's name belongs to: of two that bear the same name, one leads.

Beside a controller's row, which says until when it counts as alive, a fact holds the instance that
keeps the row. Another instance gets the name only after the row has lapsed; a restarted controller,
told by the state directory that it shares with its former life, gets it at once.
"""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from qfleet_controlplane.store import clock, leases, registry
from qfleet_controlplane.store.tables.control import controllers
from qfleet_wire.names import ControllerName


class Instance(NamedTuple):
    """A process of a controller: its state directory's own identity, and its own."""

    place: str
    process: str

    def encode(self) -> bytes:
        """As the database has it."""
        return f"{self.place} {self.process}".encode()


def claim(
    connection: sa.Connection,
    controller: ControllerName,
    instance: Instance,
    ttl_ms: int,
    *,
    restarted: bool = False,
) -> int:
    """Attend under a name for ``ttl_ms`` more; return 0, or for how long another instance has it still.

    ``restarted`` takes the name over from a former process of the same state directory.
    """
    left_ms = _lock(connection, controller)
    mine = instance.encode()
    holder = registry.fact(connection, _key(controller))
    same_place = holder is not None and holder.startswith(f"{instance.place} ".encode())
    if left_ms > 0 and holder != mine and not (restarted and same_place):
        return left_ms
    if holder != mine:
        registry.put_fact(connection, _key(controller), mine)
    leases.attend(connection, controller, ttl_ms)
    return 0


def holds(connection: sa.Connection, controller: ControllerName, instance: Instance) -> bool:
    """Whether the name is this instance's, and stays so until the transaction ends."""
    _lock(connection, controller)
    return registry.fact(connection, _key(controller)) == instance.encode()


def leave(connection: sa.Connection, controller: ControllerName, instance: Instance) -> None:
    """Say that a controller has stopped, unless the name is another instance's."""
    if holds(connection, controller, instance):
        leases.leave(connection, controller)


def _lock(connection: sa.Connection, controller: ControllerName) -> int:
    """Keep other claims of a name waiting until the transaction ends; return what is left of the present."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    missing = dialect.insert(controllers).values(name=controller, expires=0)
    connection.execute(missing.on_conflict_do_nothing())
    row = controllers.c.name == controller
    connection.execute(sa.select(controllers.c.name).where(row).with_for_update())
    return int(connection.scalar(sa.select(controllers.c.expires - clock.now()).where(row)) or 0)


def _key(controller: ControllerName) -> str:
    return f"controller {controller}"
