"""A device: its disk, its clock, and one life of the agent after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.ring import letters
from tests.simulation.ring.agent import Agent

from qfleet_agent.machine import effects, events
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName, Millis

if TYPE_CHECKING:
    from tests.simulation.ring.region import Region


@dataclass(slots=True)
class Journal:
    """What survives an agent's crash; ``write`` is one transaction."""

    tasks: dict[events.Key, bytes] = field(default_factory=dict)
    results: dict[events.Key, bytes] = field(default_factory=dict)
    artefacts: dict[bytes, bytes] = field(default_factory=dict)
    epoch: int = 0
    contacts: payloads.Contacts | None = None

    def write(self, writes: Sequence[effects.Write]) -> None:
        """Make writes durable, all of them."""
        for write in writes:
            match write:
                case effects.SaveTask(key=key, assign=assign):
                    self.tasks[key] = assign
                case effects.SaveResult(key=key, result=result, digest=digest, artefact=artefact):
                    self.tasks.pop(key, None)
                    self.results[key] = result
                    if digest is not None and artefact is not None:
                        self.artefacts[digest] = artefact
                case effects.DropResults(keys=keys):
                    for key in keys:
                        self.results.pop(key, None)
                case effects.SaveEpoch(epoch=epoch):
                    self.epoch = epoch
                case effects.SaveContacts(plan=plan):
                    self.contacts = codec.decode(plan, payloads.Contacts)
                case _:
                    pass  # telemetry may be lost


class Device:
    """The hardware. ``agent`` is None while it is down."""

    alive = True

    def __init__(self, region: "Region", name: DeviceName) -> None:
        self.region = region
        self.world = world = region.world
        self.name = name
        self.journal = Journal()
        self.half = letters.Half(name, region.name, world.random.randbytes) if world.weather.sealed else None
        self.agent: Agent | None = None
        self.set_forward_ms = 0
        self.full_until = 0
        self.plugged = True
        """Whether its cable is, where it has two ways."""
        self.wanted = True
        """Whether it boots again after a crash."""

    def boot(self) -> None:
        """Start the agent, if the device is not up."""
        if self.agent is None and self.wanted:
            self.world.trace.note(self.name, "boots")
            self.agent = Agent(self)
            self.world.touched.append(self.agent)

    def crash(self, point: str, *, down_ms: int | None = None) -> None:
        """Lose everything but the journal, and come back after a while."""
        if self.agent is None:
            return
        world = self.world
        world.trace.fault(f"agent crash: {point}", self.name)
        self.agent.die()
        self.agent = None
        self.region.will(self.name)
        wait = world.choose((50, 500, 5_000, 5_000, 70_000)) if down_ms is None else down_ms
        world.clock.after(wait, self, self.boot)

    def plug(self, *, plugged: bool) -> None:
        """Plug the cable in, or pull it."""
        if self.plugged != plugged:
            self.plugged = plugged
            if self.agent is not None and self.agent.uplink.steering is not None:
                self.agent.uplink.steering.look()

    def wall(self) -> Millis:
        """The device's wall clock, which may be wrong."""
        return Millis(letters.START + self.world.clock.now + self.set_forward_ms)

    def disk_takes(self) -> bool:
        """Whether a write succeeds now."""
        return self.world.clock.now >= self.full_until and not self.world.chance(
            self.world.weather.refuse_write
        )
