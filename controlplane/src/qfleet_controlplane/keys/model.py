"""What the authority of keys knows: links, sessions, relays, alarms and stocks, as they are stored.

Nodes are places of the scenario, devices stand at them. Sizes are bits of key; instants milliseconds UTC.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from qfleet_controlplane.network.key_links import KeyLink
from qfleet_controlplane.network.twin.model import Fault
from qfleet_wire.key_orders import LinkStock, Role
from qfleet_wire.names import DeviceName, Millis

Status: TypeAlias = Literal["ordered", "key", "aborted", "expired"]

GRACE_MS: Final = 60_000
"""So long after an order is void its session may still end: what began in time is finished."""
FRESH_MS: Final = 300_000
"""A device that has told its stock in this time serves keys; they tell it every minute."""


class Rules(NamedTuple):
    """What the operator set. ``low_water_bits`` 0: no session begins by itself."""

    low_water_bits: int = 0
    session_s: float = 600.0
    path_s: float = 0.02


def simulated(said: Iterable[bool | None]) -> bool | None:
    """Whether anything of several is simulated: so it is if one of them is, and unknown if one is unknown."""
    found = set(said)
    if True in found:
        return True
    return None if None in found or not found else False


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What one end said of its session."""

    outcome: Literal["key", "aborted"]
    bits: int = 0
    sifted: int = 0
    error_rate: float = 0.0
    leak_bits: int = 0
    reason: str = ""
    seen: str = ""
    simulated: bool | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One session of a link. ``link`` is the pair of its nodes; Alice sends.

    ``busy`` is when the light that it takes has been sent: no other session of the link begins before.
    ``contact_s`` is the start of the contact that it uses up. ``failed`` counts the link's sessions in a row
    that gave no key, this one among them once it has ended. ``before`` is what was said last of the light of
    the link's earlier sessions.
    """

    name: str
    link: str
    devices: tuple[DeviceName, DeviceName]
    protocol: str
    created: Millis
    expires: Millis
    busy: Millis
    pulses: int
    who: str
    contact_s: float | None = None
    eavesdropper: str | None = None
    status: Status = "ordered"
    ended: Millis | None = None
    said: dict[Role, Ended] = {}
    reason: str = ""
    failed: int = 0
    before: bool | None = None

    @property
    def simulated(self) -> bool | None:
        """Whether its light was simulated, at either end; None while nobody has said so."""
        return simulated(one.simulated for one in self.said.values())

    @property
    def light(self) -> bool | None:
        """Whether the light of its link is simulated, as far as anybody has said up to this session."""
        return self.before if self.simulated is None else self.simulated

    @property
    def told(self) -> Ended:
        """What counts of what the ends said: a key where one says so, else what was seen, else the first."""
        said = sorted(self.said.values(), key=lambda one: (one.outcome != "key", not one.seen))
        return said[0] if said else Ended(outcome="aborted", reason=self.reason)


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """A key carried along ``route``, devices, over ``links``; ``size`` in bytes.

    ``replaces`` names the relay whose route was given up for this one's. ``simulated`` says whether the light
    of its links was, when it was ordered.
    """

    name: str
    route: tuple[DeviceName, ...]
    links: tuple[str, ...]
    size: int
    created: Millis
    expires: Millis
    who: str
    status: Status = "ordered"
    ended: Millis | None = None
    bits: int = 0
    reason: str = ""
    said: dict[str, Literal["key", "aborted"]] = {}
    replaces: str = ""
    simulated: bool | None = None

    @property
    def trusted(self) -> tuple[DeviceName, ...]:
        """The nodes between, which must be trusted."""
        return self.route[1:-1]


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something was seen on a link, or on the route of a relay where ``link`` names its devices.

    One of a link stands until ``cleared``; ``network`` is the number of the scenario in which the link was
    marked as broken.
    """

    name: str
    at: Millis
    link: str
    session: str
    seen: str
    action: str
    network: int = 0
    cleared: Millis | None = None
    simulated: bool | None = None


class Stocked(NamedTuple):
    """What a device said of its keys, by peer, and when."""

    at: Millis
    links: Mapping[DeviceName, LinkStock]


class Scene(NamedTuple):
    """The network as it is now. ``marking``: something was asked of the twin and is not done yet."""

    number: int = 0
    at_s: float = 0.0
    links: Mapping[str, KeyLink] = {}
    faults: Mapping[str, Fault] = {}
    marking: bool = False


@dataclass(slots=True)
class State:
    """All that a decision rests on. ``sessions`` and ``relays`` hold the open ones and those just asked for.

    ``latest`` is each link's latest session, ``alarms`` are those that stand, by link.
    """

    scene: Scene = field(default_factory=Scene)
    rules: Rules = field(default_factory=Rules)
    stocks: dict[DeviceName, Stocked] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    latest: dict[str, Session] = field(default_factory=dict)
    relays: dict[str, Relay] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)

    def open_session(self, link: str) -> Session | None:
        """The session of a link that has not ended."""
        return next((s for s in self.sessions.values() if s.link == link and s.status == "ordered"), None)

    def light(self, link: str) -> bool | None:
        """Whether the light of a link is simulated, as was said last; None: nobody has said so."""
        latest = self.latest.get(link)
        return None if latest is None else latest.light

    def stock(self, link: KeyLink, now: Millis) -> tuple[int, int] | None:
        """Bits that each end of a link may allot at least, and both together; None: an end says nothing."""
        ends = [self._stocked(*pair, now) for pair in (link.devices, link.devices[::-1])]
        known = [one for one in ends if one is not None]
        if len(known) < 2:
            return None
        return min(one.ours_bits for one in known), min(one.all_bits for one in known)

    def _stocked(self, device: DeviceName, peer: DeviceName, now: Millis) -> LinkStock | None:
        told = self.stocks.get(device)
        if told is None or now - told.at > FRESH_MS:
            return None
        return told.links.get(peer) or LinkStock(peer=peer, ours_bits=0, all_bits=0, used_bits=0)
