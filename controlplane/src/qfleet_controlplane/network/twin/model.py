"""What the twin keeps, and what it is told of a network.

The state is plain data that JSON can hold: it is stored as it is, and a twin that was read back goes
on exactly as it would have. Times are seconds since the scenario's epoch, sizes bits.
"""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.api.network import LinkKind

AlarmKind: TypeAlias = Literal["qber", "empty", "missed"]
FaultKind: TypeAlias = Literal["failed", "intercepted"]


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """One time in which a link makes keys.

    ``bits`` are secret bits under a clear sky over the whole time, made evenly; ``cover`` says by which
    share of the time clouds hide the sky over ``site``. ``qber`` is that of the sifted key without anybody
    on the line.
    """

    number: int
    a: str
    b: str
    kind: LinkKind
    start_s: float
    end_s: float
    bits: float
    qber: float
    site: str = ""
    cover: float = 0.0


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """A demand: keys that two sites use up, in bits per second."""

    a: str
    b: str
    rate_bps: float
    priority: int = 0


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What the twin runs: supplies by start, demands by priority."""

    name: str
    duration_s: float
    supplies: tuple[Supply, ...]
    wants: tuple[Want, ...]
    capacity_bits: float = 1e9
    """Most that one store holds; what comes beyond it is thrown away and counted."""


class Store(msgspec.Struct, kw_only=True):
    """Keys that two nodes share and have not used."""

    a: str
    b: str
    level_bits: float = 0.0
    made_bits: float = 0.0
    used_bits: float = 0.0
    spilt_bits: float = 0.0


class Service(msgspec.Struct, kw_only=True):
    """How a demand fares. ``path`` is the last way its keys took; ``short_since`` when they ran out."""

    served_bits: float = 0.0
    missing_bits: float = 0.0
    path: tuple[str, ...] = ()
    short_since: float | None = None


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a link; ``share`` of its pulses is intercepted and sent on."""

    kind: FaultKind
    share: float = 1.0


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that whoever runs the network must know."""

    at_s: float
    kind: AlarmKind
    subject: str
    detail: str


class Twin(msgspec.Struct, kw_only=True):
    """A network as it is at ``at_s``."""

    seed: int
    at_s: float = 0.0
    begun: int = 0
    """How many supplies have begun."""
    running: dict[int, float] = {}
    """Numbers of the supplies that run, with the bits that each has made."""
    barred: set[int] = set()
    """Supplies that were ended because somebody was on the line."""
    stores: dict[str, Store] = {}
    services: list[Service] = []
    faults: dict[str, Fault] = {}
    alarms: list[Alarm] = []
    alarms_raised: int = 0
    failure: str = ""
    """Why it cannot go on; empty: it can."""


def pair(a: str, b: str) -> str:
    """Name the link or store between two nodes, whichever is said first."""
    return "|".join(sorted((a, b)))
