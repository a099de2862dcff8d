"""What a controller does for its region beside handling events: orders of others, and rebalancing.

As ``qfleet_controlplane.daemon.region``: orders are read from the durable inbox and become events;
facts of all regions are shown to the machine every two seconds, which may then give tasks away.
"""

from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.ring.site import Refused

from qfleet_controlplane.machine import census, events
from qfleet_controlplane.planning import regions
from qfleet_controlplane.service import ordering
from qfleet_controlplane.store import orders
from qfleet_controlplane.store.leases import LeaseLost

if TYPE_CHECKING:
    from tests.simulation.ring.controller import Controller

_ORDERS_MS = 1_000
_LOOK_MS = 2_000


class Chores:
    """Runs while its controller does."""

    def __init__(self, controller: "Controller") -> None:
        self._controller = controller
        self._world = controller.world
        self._doing: set[int] = set()
        if self._world.weather.regions > 1:
            self._orders()
            self._look()

    def _orders(self) -> None:
        controller = self._controller
        if controller.machine is not None and not self._doing:
            try:
                self._carry_out()
            except Refused:
                self._world.trace.note(controller.name, "cannot read its orders")
            except LeaseLost:
                controller.stop()
        self._world.clock.after(_ORDERS_MS, controller, self._orders)

    def _carry_out(self) -> None:
        controller = self._controller
        region = controller.region.name
        inbox = controller.site.read(lambda connection: ordering.read(connection, region))
        if inbox.empty:
            controller.site.transact(
                controller.fence, lambda connection: orders.done(connection, inbox.empty)
            )
        for order in inbox.wanted:
            self._world.trace.fault("order carried out", controller.name, type(order.event).__name__)
            self._doing.add(order.order)
            controller.tell(order, partial(self._done, order.order))

    def _done(self, number: int, _stored: bool) -> None:  # noqa: FBT001 - what is not stored is read again
        self._doing.discard(number)

    def _look(self) -> None:
        """Tell the others how the region is, and show the machine how they are."""
        controller, told = self._controller, self._world.facts
        if controller.machine is not None:
            now, name = self._world.clock.now, controller.region.name
            if controller.leads:
                told[name] = (now, census.facts(controller.machine.state, regions.Description(name)))
            known = tuple(regions.aged(facts, now - at) for at, facts in told.values())
            controller.tell(events.Rebalance(name, known))
        self._world.clock.after(_LOOK_MS, controller, self._look)
