"""The link: it loses, delays, reorders, doubles, alters and repeats what it carries.

It shows every message to every controller that is up, as a broker does, and to the device that it
is for while that is connected.
"""

from collections import deque
from typing import TYPE_CHECKING

from tests.simulation.ring.letters import Load, Message

from qfleet_wire.names import DeviceName

if TYPE_CHECKING:
    from tests.simulation.ring.region import Region
    from tests.simulation.ring.world import World

_OLD = 40


class Carrier:
    """Everything under way."""

    alive = True

    def __init__(self, world: "World", region: "Region") -> None:
        self._world = world
        self._region = region
        self._old: deque[Message] = deque(maxlen=_OLD)
        self.dark_until: dict[DeviceName, int] = {}

    def send(self, device: DeviceName, load: Load, *, up: bool, held_ms: int = 0) -> None:
        """Take a message, or only after its sender was held up; it may arrive, once or more, or not."""
        world, weather = self._world, self._world.weather
        message = Message(device, up, load)
        if self._old and world.chance(weather.replay):
            self._later("replayed", self._old[world.random.randrange(len(self._old))])
        self._old.append(message)
        if world.clock.now < self.dark_until.get(device, 0):
            world.trace.fault("lost in the dark", device)
        elif world.chance(weather.lose):
            world.trace.fault("lost", device)
        else:
            self._later("", message, held_ms)
            if world.chance(weather.duplicate):
                self._later("duplicated", message)

    def _later(self, fault: str, message: Message, held_ms: int = 0) -> None:
        world = self._world
        if fault:
            world.trace.fault(fault, message.device)
        delay = held_ms + world.choose(world.weather.delays_ms)
        if delay >= 1_000:
            world.trace.fault("delayed", message.device)
        if isinstance(message.load, bytes) and world.chance(world.weather.corrupt):
            world.trace.fault("corrupted", message.device)
            message = message._replace(load=self._spoil(message.load))
        world.clock.after(delay, self, lambda: self._deliver(message))

    def _spoil(self, load: bytes) -> bytes:
        random = self._world.random
        place = random.randrange(len(load))
        if random.random() < 0.2:
            return load[:place]
        return load[:place] + bytes([load[place] ^ (1 + random.randrange(255))]) + load[place + 1 :]

    def _deliver(self, message: Message) -> None:
        world = self._world
        if message.up:
            for controller in self._region.controllers:
                if controller.alive:
                    world.touched.append(controller)
                    controller.post.receive(message)
            return
        agent = world.devices[message.device].agent
        if agent is not None and agent.uplink.connected:
            world.touched.append(agent)
            agent.uplink.receive(message.load)
