"""Two ways of a device: a cable that is unplugged now and then, and a satellite that passes by plan.

The agent's own chooser decides between them; here is what it is told, and what follows.
"""

import datetime as dt
from typing import TYPE_CHECKING

from tests.simulation.ring import letters

from qfleet_agent.machine import events
from qfleet_agent.ways import contact, telling
from qfleet_agent.ways.chooser import Chooser, Rules
from qfleet_agent.ways.contact import Contact
from qfleet_agent.ways.standing import Now
from qfleet_agent.ways.way import Way
from qfleet_wire import ways
from qfleet_wire.names import Millis
from qfleet_wire.payloads import Contacts

if TYPE_CHECKING:
    from tests.simulation.ring.agent import Agent
    from tests.simulation.ring.uplink import Uplink

EVERY_MS, OPEN_MS = 60_000, 15_000
BEAT_MS = 15_000
SOON_MS = 50
"""The window's end is noticed so late at most."""
_LATER_MS = 20_000
_FIRST = dt.datetime.fromtimestamp(letters.START / 1000, dt.UTC)
CABLE = Way(name="cable", kind="ethernet")
SKY = Way(
    name="sky",
    kind="satellite",
    stretch=1,
    contact=Contact(first=_FIRST, every_s=EVERY_MS / 1000, open_s=OPEN_MS / 1000, planned=True),
)
"""A plan names some of these windows: the satellite passes by all of them, whatever is planned."""
RULES = Rules(base_s=2.0, most_s=20.0, settle_s=10.0, probe_s=5.0)


class Steering:
    """Of one life of an agent."""

    def __init__(self, agent: "Agent", uplink: "Uplink") -> None:
        self._agent = agent
        self._world = agent.world
        self._uplink = uplink
        self._chooser = Chooser((CABLE, SKY), RULES)
        self._since = Millis(0)
        self._looks = 0
        if agent.device.journal.contacts is not None:
            self._chooser.planned(agent.device.journal.contacts)

    @property
    def way(self) -> Way | None:
        """The way whose connection stands."""
        return self._chooser.current

    @property
    def batch_ms(self) -> int:
        """How long what is sent gathers."""
        return 0 if self.way is None else self.way.manner.batch_ms

    def there(self, way: Way, *, late_ms: int = 0) -> bool:
        """Whether a way would carry something now, or for one that passes would have so long ago."""
        if way is CABLE:
            return self._agent.device.plugged
        assert way.contact is not None
        seen = contact.outlook(way.contact, self._now().utc_ms - late_ms)
        return seen is not None and seen.present is not None

    def planned(self, way: Way, *, late_ms: int = 0) -> bool:
        """Whether the plan that the device has, if it has one, says that a way is there."""
        seen = self._chooser.standings[way.name].outlook(self._now().utc_ms - late_ms)
        return seen is None or seen.present is not None

    @property
    def contacts(self) -> Contacts | None:
        """The plan by which it goes."""
        return self._chooser.standings[SKY.name].plan

    def plan(self, contacts: Contacts) -> None:
        """Go by another plan, and say what that changes."""
        self._world.trace.fault("contact plan taken", self._agent.name)
        before = self._told()
        self._chooser.planned(contacts)
        if self._uplink.online and self._told() != before:
            self.tell(again=True)
        self.look()

    def look(self) -> None:
        """Do what the chooser says, and look again when something may have changed."""
        now, chooser = self._now(), self._chooser
        gone = chooser.current
        if gone is not None and not self.there(gone) and gone is CABLE:
            self._world.trace.fault("cable lost", self._agent.name)
            chooser.lost(gone.name, now, self._world.random.randbytes)
            self._uplink.drop(will=self._world.chance(0.7))
        for way in chooser.probes(now):
            if self.there(way):
                chooser.answered(way.name, way.manner.latency_ms, now)
            else:
                chooser.probed_in_vain(way.name)
        self._take(now)
        self._looks += 1
        number = self._looks
        wait = min(_LATER_MS, max(SOON_MS, round(chooser.wait_s(now) * 1000)))
        self._world.clock.after(wait, self._agent, lambda: self._again(number))

    def cut(self) -> None:
        """The connection is gone, although the way is there."""
        if self.way is not None:
            self._chooser.lost(self.way.name, self._now(), self._world.random.randbytes)
        self._uplink.drop(will=self._world.chance(0.7))
        self.look()

    def tell(self, *, again: bool = False) -> None:
        """Say over which way the session came that begins, or how its windows have changed."""
        told = self._told()
        if self.way is None or told is None:
            return
        manner = self.way.manner
        self._agent.tell(events.WayTaken(self._agent.number(), told, manner.stretch, manner.thrifty, again))

    def _told(self) -> ways.Way | None:
        if self.way is None:
            return None
        standing = self._chooser.standings[self.way.name]
        return telling.told(standing, "", since=self._since, utc_ms=self._utc(), beat_ms=BEAT_MS)

    def _again(self, number: int) -> None:
        if number == self._looks:
            self.look()

    def _take(self, now: Now) -> None:
        chooser = self._chooser
        chosen = chooser.choose(now)
        if chosen is chooser.current:
            return
        if chooser.current is not None:
            self._world.trace.fault("window closed" if chosen is None else "way left", self._agent.name)
            chooser.left()
            self._uplink.drop(will=chosen is None)
        if chosen is None:
            return
        if not self.there(chosen):
            chooser.lost(chosen.name, now, self._world.random.randbytes)
            self._take(now)
            return
        chooser.connected(chosen.name, chosen.manner.latency_ms, now)
        self._since = self._utc()
        self._world.trace.fault(f"way taken: {chosen.name}", self._agent.name)
        self._uplink.connect()

    def _utc(self) -> Millis:
        return Millis(letters.START + self._world.clock.now)

    def _now(self) -> Now:
        return Now(self._world.clock.now / 1000, self._utc())
