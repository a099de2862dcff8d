"""The quantum network: what is asked of its twin and what it answers.

Everything here is simulated: positions follow from orbits, key lengths from link budgets and finite-key
bounds, stores from the twin. ``basis`` says so in every answer. Times ending in ``_s`` are seconds since
the scenario's epoch; sizes are bits of secret key.
"""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.names import Millis

Basis: TypeAlias = Literal["measured", "simulated"]
NetworkFault: TypeAlias = Literal["failed", "intercepted", "none"]
LinkKind: TypeAlias = Literal["satellite", "fibre", "air"]
"""``air``: light between two places on the ground. Nobody computes it; a scenario gives its contacts."""
Origin: TypeAlias = Literal["computed", "planned", "measured"]
SimulationStatus: TypeAlias = Literal["stopped", "running", "ended", "failed"]

MOST_LISTED = 10_000
"""Passes or contacts of one answer."""
LONGEST_TEXT = 4 * 1024 * 1024
"""Most characters of a scenario."""


class ScenarioRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Load a scenario: one that ships, by ``name``, or the ``text`` of a TOML file called ``source``."""

    name: str = ""
    text: str = ""
    source: str = "scenario"


class ShippedScenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that comes with the control plane."""

    name: str
    title: str


class ScenarioText(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario as it was written: the ``text`` of a TOML file called ``source``."""

    source: str
    text: str


class NetworkSiteView(msgspec.Struct, frozen=True, kw_only=True):
    """A site: WGS84 degrees, metres above the ellipsoid."""

    name: str
    kind: str
    latitude_deg: float
    longitude_deg: float
    altitude_m: float


class NetworkLinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A fibre: loss in dB, QBER, secret rate by the finite-key bound, and the PLOB bound beside it."""

    a: str
    b: str
    length_km: float
    loss_db: float
    qber: float
    secret_bps: float
    plob_bps: float


class SeatView(msgspec.Struct, frozen=True, kw_only=True):
    """A device that the scenario puts at a site or on a satellite; ``enrolled``: the fleet knows it."""

    node: str
    device: str
    enrolled: bool


class NetworkView(msgspec.Struct, frozen=True, kw_only=True):
    """The scenario that is loaded. ``epoch`` and ``loaded`` are instants in milliseconds UTC."""

    name: str
    title: str
    epoch: Millis
    duration_s: float
    loaded: Millis
    sites: tuple[NetworkSiteView, ...]
    fibres: tuple[NetworkLinkView, ...]
    satellites: tuple[str, ...]
    demands: int
    passes: int
    contacts: int
    expected_bits: float
    devices: tuple[SeatView, ...] = ()
    basis: Basis = "simulated"


class PassView(msgspec.Struct, frozen=True, kw_only=True):
    """A satellite above a site's mask; ``night`` at the site and ``sunlit`` are those of the culmination.

    ``bits`` are what the pass gives under a clear sky, 0 where the link cannot be used.
    """

    satellite: str
    site: str
    rise_s: float
    culmination_s: float
    set_s: float
    elevation_deg: float
    range_km: float
    night: bool
    sunlit: bool
    bits: float


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which two nodes make keys.

    ``clear_bits`` come under a clear sky; ``expected_bits`` with a share ``cover`` of clouds over ``site``.
    ``origin`` says whether it follows from orbits and links, or stands so in the scenario.
    """

    number: int
    a: str
    b: str
    kind: LinkKind
    start_s: float
    end_s: float
    expected_bits: float
    clear_bits: float
    qber: float = 0.0
    site: str = ""
    cover: float = 0.0
    origin: Origin = "computed"


class PassesView(msgspec.Struct, frozen=True, kw_only=True):
    """Passes by rise; ``total`` counts those that were left off too."""

    passes: tuple[PassView, ...]
    total: int
    epoch: Millis
    basis: Basis = "simulated"


class ContactsView(msgspec.Struct, frozen=True, kw_only=True):
    """Contacts by start; ``total`` counts those that were left off too."""

    contacts: tuple[ContactView, ...]
    total: int
    epoch: Millis
    basis: Basis = "simulated"


class RouteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ask how ``bits`` of key come from ``a`` to ``b``, from ``at_s`` on, in up to so many ways."""

    a: str
    b: str
    bits: float
    at_s: float = 0.0
    alternatives: int = 3


class HopView(msgspec.Struct, frozen=True, kw_only=True):
    """One contact of a route, in the direction in which the key goes."""

    contact: int
    sender: str
    receiver: str
    kind: LinkKind
    start_s: float
    end_s: float


class RouteView(msgspec.Struct, frozen=True, kw_only=True):
    """A way over trusted nodes: the key is at the far end at ``arrival_s``; ``bits`` is what still fits."""

    arrival_s: float
    ends_s: float
    bits: float
    hops: tuple[HopView, ...]


class RoutesView(msgspec.Struct, frozen=True, kw_only=True):
    """Routes, the best first; ``reason`` says why there is none."""

    routes: tuple[RouteView, ...]
    reason: str
    epoch: Millis
    basis: Basis = "simulated"


class EntanglementRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ask which ways deliver most entangled pairs of at least this fidelity."""

    a: str
    b: str
    fidelity: float
    alternatives: int = 3


class EntangledPathView(msgspec.Struct, frozen=True, kw_only=True):
    """A way of swaps: pairs a second, their fidelity, and the rounds of purification of links and ends."""

    nodes: tuple[str, ...]
    rate_hz: float
    fidelity: float
    link_rounds: tuple[int, ...]
    final_rounds: int


class EntanglementView(msgspec.Struct, frozen=True, kw_only=True):
    """Ways in order of rate."""

    paths: tuple[EntangledPathView, ...]
    basis: Basis = "simulated"


class DemandView(msgspec.Struct, frozen=True, kw_only=True):
    """What of one demand the plan serves over the whole scenario, and over how many routes."""

    a: str
    b: str
    asked_bits: float
    booked_bits: float
    routes: int
    last_arrival_s: float | None
    reason: str = ""


class KeyPlanView(msgspec.Struct, frozen=True, kw_only=True):
    """All demands of the scenario booked one after another, the most urgent first."""

    demands: tuple[DemandView, ...]
    contacts_used: int
    booked_share: float
    epoch: Millis
    basis: Basis = "simulated"


class SimulationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Run the twin ``speed`` times as fast as the clock; ``restart`` begins again at the epoch."""

    speed: float = 600.0
    seed: int = 0
    restart: bool = False


class FaultRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Let a link fail, let ``share`` of its pulses be intercepted, or mend it (``none``)."""

    a: str
    b: str
    fault: NetworkFault
    share: float = 1.0


class KeyStoreView(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that two nodes share."""

    a: str
    b: str
    level_bits: float
    made_bits: float
    used_bits: float


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """How a demand fares; ``path`` is the way that its keys take now."""

    a: str
    b: str
    rate_bps: float
    served_bits: float
    missing_bits: float
    path: tuple[str, ...]
    short: bool


class NetworkAlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that whoever runs the network must know."""

    at_s: float
    kind: Literal["qber", "empty", "missed"]
    subject: str
    detail: str


class FaultView(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a link."""

    a: str
    b: str
    fault: NetworkFault
    share: float


class TwinView(msgspec.Struct, frozen=True, kw_only=True):
    """The network as it runs; ``failure`` says why it does not go on, where it does not."""

    name: str
    status: SimulationStatus
    speed: float
    seed: int
    epoch: Millis
    at_s: float
    duration_s: float
    contacts_running: int
    stores: tuple[KeyStoreView, ...]
    services: tuple[ServiceView, ...]
    faults: tuple[FaultView, ...]
    alarms: tuple[NetworkAlarmView, ...]
    alarms_raised: int
    failure: str = ""
    basis: Basis = "simulated"
