"""What a scenario file may say: TOML tables as structs, an unknown key is an error.

Degrees, metres, kilometres, seconds and dB as the names say; latitudes and longitudes are WGS84, altitudes
above its ellipsoid. Parts that several sites or links share (detectors, sources, telescopes, transmitters)
stand in tables of their own and are named.
"""

import datetime as dt
from typing import Literal

import msgspec


class Detector(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A receiver's detectors. Rates are those of all detectors together; the defaults are silicon diodes'."""

    efficiency: float = 0.5
    dark_hz: float = 100.0
    window_ns: float = 2.0
    """A click counts when it falls into so long around a pulse."""
    dead_time_ns: float = 0.0
    afterpulsing: float = 0.0
    """Probability that a click is followed by a false one."""
    misalignment: float = 0.01
    """Share of signal clicks that fall to the wrong detector."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A sender. ``bb84``: three intensities and how often each is sent; ``bbm92``: pairs per pulse."""

    protocol: Literal["bb84", "bbm92"] = "bb84"
    rate_hz: float = 100e6
    intensities: tuple[float, float, float] = (0.8, 0.1, 0.0)
    probabilities: tuple[float, float, float] = (0.5, 0.25, 0.25)
    key_basis: float = 0.5
    """How often sender and receiver each choose the basis that makes the key."""
    pairs: float = 0.05
    """Mean number of pairs of a pulse (``bbm92``)."""
    block_s: float = 3600.0
    """A fibre's key is distilled from blocks of so long; a pass is one block."""


class Telescope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A ground station's receiver."""

    detector: str
    aperture_m: float = 1.0
    optics_efficiency: float = 0.16
    """From the aperture to the detector, which is not part of it."""
    background_hz: float = 50.0
    """Stray light at night that reaches the detectors, all together, where the site says nothing else."""
    zenith_loss_db: float = 1.5
    """Extinction of the clear atmosphere straight up."""
    min_elevation_deg: float = 10.0


class Transmitter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A satellite's sender."""

    source: str
    divergence_urad: float = 10.0
    """Full angle of the beam; ``profile`` says of what."""
    profile: Literal["flat-top", "gaussian"] = "flat-top"
    """``flat-top``: all light lies evenly in the angle; ``gaussian``: it is the 1/e² full angle."""
    pointing_urad: float = 1.0
    """Standard deviation of the pointing error on each axis."""
    optics_loss_db: float = 0.0


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place. Only a ``station`` has a telescope; ``fibre`` nodes and ``device`` sites have fibres alone."""

    name: str
    kind: Literal["station", "fibre", "device"]
    latitude_deg: float
    longitude_deg: float
    altitude_m: float = 0.0
    telescope: str | None = None
    background_hz: float | None = None
    """Stray light that reaches the detectors here at night, all together; None: what the telescope says."""
    device: str | None = None
    """The device of the fleet that stands here; it may enrol later."""


class Fibre(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A quantum link over fibre between two sites."""

    a: str
    b: str
    length_km: float
    source: str
    detector: str
    loss_db_per_km: float = 0.2
    extra_loss_db: float = 0.0


class Elements(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Mean elements at the scenario's epoch of a satellite that was generated, of no drag."""

    inclination_deg: float
    node_deg: float
    eccentricity: float
    perigee_deg: float
    anomaly_deg: float
    revolutions_per_day: float


class Satellite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A satellite by its two-line elements; only a constellation's have ``elements`` instead."""

    name: str
    transmitter: str
    tle: tuple[str, str] | None = None
    elements: Elements | None = None
    device: str | None = None
    """The device of the fleet that flies on it; it may enrol later."""
    max_age_days: float = 30.0
    """So far a time of the scenario may lie from the epoch of the ``tle``, about 1 km a day for a low orbit.

    Levit and Marshall, Adv. Space Res. 47, 1107 (2011): a fit that errs by 100 m more each day is ten times
    better than single elements with SGP4.
    """


class Constellation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Walker delta pattern ``inclination: satellites/planes/phasing`` of circular orbits."""

    name: str
    transmitter: str
    satellites: int
    planes: int
    phasing: int
    inclination_deg: float
    altitude_km: float


class Cover(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Clouds over a site: a share ``cover[n]`` from hour ``from_h[n]`` of the scenario on; none before."""

    site: str
    from_h: tuple[float, ...]
    cover: tuple[float, ...]


class GivenContact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A contact that the file gives: planned by somebody else, or measured. It goes before computed ones.

    ``start`` and ``end`` are seconds since the epoch, or instants with a zone. Of ``bits`` and ``rate_bps``
    at most one is given: secret key under a clear sky. Without, it is computed as for the link's other times.
    """

    a: str
    b: str
    start: float | dt.datetime
    end: float | dt.datetime
    bits: float | None = None
    rate_bps: float | None = None
    qber: float | None = None
    """Of the sifted key; where it is left out, 0 of a key that is given, else as it is computed."""
    basis: Literal["planned", "measured"] = "planned"
    """Clouds make a planned contact's key less likely; a measured one is what it is."""


class Demand(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys that two sites use up. Higher priorities are served first."""

    a: str
    b: str
    rate_bps: float
    priority: int = 0


class Repeaters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What nodes could do with entangled pairs over the scenario's fibres: none of it is needed for keys."""

    link_fidelity: float = 0.98
    """Of a pair that an attempt over one fibre leaves, as a Werner pair."""
    photon_efficiency: float = 0.5
    """Of emitting, coupling and detecting one photon."""
    swap_success: float = 0.9
    one_qubit: float = 1.0
    two_qubit: float = 0.995
    readout: float = 0.995
    rounds: int = 2
    """Most rounds of purification of a link."""
    final_rounds: int = 1
    """Most rounds between the two ends."""


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole scenario. ``epoch`` has a zone; ``hours`` is how long it lasts."""

    name: str
    title: str
    epoch: dt.datetime
    hours: float
    sites: tuple[Site, ...]
    fibres: tuple[Fibre, ...] = ()
    satellites: tuple[Satellite, ...] = ()
    constellations: tuple[Constellation, ...] = ()
    detectors: dict[str, Detector] = {}
    sources: dict[str, Source] = {}
    telescopes: dict[str, Telescope] = {}
    transmitters: dict[str, Transmitter] = {}
    weather: tuple[Cover, ...] = ()
    contacts: tuple[GivenContact, ...] = ()
    demands: tuple[Demand, ...] = ()
    repeaters: Repeaters = Repeaters()
    store_bits: float = 1e9
    """Most that a key store between two nodes holds."""

    @property
    def places(self) -> tuple[Site | Satellite, ...]:
        """All that has a name and makes keys: sites, then satellites."""
        return (*self.sites, *self.satellites)

    def seconds(self, at: float | dt.datetime) -> float:
        """Seconds since the epoch of a time that the file gives in either way; an instant has a zone."""
        return at if isinstance(at, float) else (at - self.epoch).total_seconds()

    @property
    def duration_s(self) -> float:
        """How long it lasts, in seconds."""
        return 3600.0 * self.hours
