"""One simulated fleet: a database, its regions with their controllers, and devices."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.ring import invariants, letters
from tests.simulation.ring.agent import Agent
from tests.simulation.ring.clockwork import Clockwork, Owner
from tests.simulation.ring.controller import Controller
from tests.simulation.ring.device import Device
from tests.simulation.ring.ledger import Ledger
from tests.simulation.ring.operator import Operator
from tests.simulation.ring.region import Region
from tests.simulation.ring.site import Site
from tests.simulation.ring.trace import Trace
from tests.simulation.ring.weather import CALM, Weather

from qfleet_controlplane.planning.regions import RegionFacts
from qfleet_wire.names import DeviceName

T = TypeVar("T")


class World:
    """Everything of one schedule, on one seeded generator. ``step`` lets one thing happen."""

    alive = True

    def __init__(self, seed: int, weather: Weather, *, name: str, devices: int = 2) -> None:
        self.random = random.Random(seed)
        self.weather = weather
        self.rough = True
        """False once the link has healed for good."""
        self.trace = Trace(name)
        self.clock = Clockwork()
        self.control_forward_ms = 0
        self.names = [DeviceName(f"device-{number}") for number in range(devices)]
        self.touched: list[object] = []
        """Whose state the present step may have changed."""
        self.ledger = Ledger(self)
        self.site = Site(self)
        self.operator = Operator(self)
        self.facts: dict[str, tuple[int, RegionFacts]] = {}
        """What each region told of itself, and when."""
        self.regions = [Region(self, name) for name in letters.REGIONS[: weather.regions]]
        places = [self.regions[number % len(self.regions)] for number in range(devices)]
        self.devices = {name: Device(place, name) for name, place in zip(self.names, places, strict=True)}
        for region in self.regions:
            region.lead()
        self.operator.begin()
        self._brew()

    # ── chance ──────────────────────────────────────────────────────────────────────────────

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens now; draws nothing where it cannot."""
        return probability > 0 and self.random.random() < probability

    def choose(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[int(self.random.random() * len(choices))]

    # ── steps ───────────────────────────────────────────────────────────────────────────────

    def step(self) -> None:
        """Let the next thing happen, then see whether everything still holds."""
        taken = self.clock.take()
        assert taken is not None, "nothing will ever happen again"
        owner, action = taken
        self.trace.step += 1
        self.trace.now = self.clock.now
        self.touched = [owner]
        action()
        self.check()
        self._strike(owner)

    def check(self, *, everything: bool = False) -> None:
        """See whether the invariants hold of what the step has touched, or of everything."""
        for device in self.devices.values():
            if everything or device in self.touched or device.agent in self.touched:
                invariants.check_device(self, device)

    def heal(self) -> None:
        """End all faults for good; what has gone wrong so far stays as it is."""
        sealed, losses = self.weather.sealed, self.weather.most_losses
        self.weather = replace(
            CALM,
            sealed=sealed,
            most_losses=losses,
            regions=len(self.regions),
            redundant=self.weather.redundant,
            liar=self.weather.liar,
            ways=self.weather.ways,
        )
        self.rough = False
        self.site.broken_until = 0
        for device in self.devices.values():
            device.full_until = 0
            device.plug(plugged=True)
            device.boot()
            self.operator.release(device.name)
        for region in self.regions:
            region.carrier.dark_until.clear()
            if region.controller is None:
                region.lead()

    def _strike(self, owner: Owner) -> None:
        """Kill a process where it stands, between two effects."""
        if isinstance(owner, Agent) and owner.alive and self.chance(self.weather.agent_crash):
            owner.crash(owner.point)
            self.check()
        elif isinstance(owner, Controller) and owner.alive and self.chance(self.weather.control_crash):
            owner.crash(owner.point)

    def _brew(self) -> None:
        """Let a trouble happen now and then."""

        def trouble() -> None:
            if self.rough:
                self.operator.trouble()
                self._brew()

        wait = -math.log(1.0 - self.random.random()) * self.weather.calm_ms
        self.clock.after(int(wait), self, trouble)
