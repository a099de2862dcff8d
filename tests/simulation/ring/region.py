"""A region: its broker, the devices there, and whoever leads it or thinks so."""

from typing import TYPE_CHECKING

from tests.simulation.ring.carrier import Carrier
from tests.simulation.ring.controller import Controller, Done

from qfleet_controlplane.machine import events
from qfleet_wire.names import DeviceName, RegionName

if TYPE_CHECKING:
    from tests.simulation.ring.world import World


class Region:
    """At most one controller leads; those it was taken from may live on for a while."""

    alive = True

    def __init__(self, world: "World", name: RegionName) -> None:
        self.world = world
        self.name = name
        self.carrier = Carrier(world, self)
        self.controllers: list[Controller] = []
        self.controller: Controller | None = None
        self.epoch = 0
        """Of the present lease."""
        self._lives = 0

    def lead(self) -> None:
        """Start a controller; it takes the lease, with a higher epoch."""
        self._lives += 1
        fence = self.world.site.acquire(self.name, f"c{self._lives}")
        self.epoch = fence.epoch
        self.controllers = [one for one in self.controllers if one.alive]
        self.controller = Controller(self, fence)
        self.controllers.append(self.controller)
        self.controller.post.announce()

    def lead_again(self, wait_ms: int) -> None:
        """Start a controller after a while; until then there is none."""
        self.controller = None

        def lead() -> None:
            if self.controller is None:
                self.lead()

        self.world.clock.after(wait_ms, self, lead)

    def take_over(self) -> None:
        """Another controller takes the lease; the old one lives on, and may believe that it leads."""
        old = self.controller
        if old is None:
            return
        old.honest = self.world.chance(0.4)
        self.world.trace.fault("takeover", old.name, "notices" if old.honest else "goes on")
        self.lead()
        if not old.honest:
            old.held_ms = self.world.choose((50, 3_000, 8_000, 30_000))
            old.command_all()

    def order(self, event: events.Event, done: Done | None = None) -> None:
        """Tell the controller that leads; without one nothing is taken in."""
        if self.controller is not None:
            self.controller.tell(event, done)

    def will(self, device: DeviceName) -> None:
        """A connection is gone: the broker may publish the device's last will, soon or late."""
        if self.world.chance(0.7):
            self.world.clock.after(
                self.world.choose((10, 1_000, 20_000)), self, lambda: self._tell_will(device)
            )

    def _tell_will(self, device: DeviceName) -> None:
        for controller in self.controllers:
            if controller.alive:
                controller.tell(events.PresenceLost(device))
