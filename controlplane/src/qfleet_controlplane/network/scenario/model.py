"""The structs of a scenario, as its TOML file says them.

Angles are degrees, as people write them; times are hours since ``epoch`` in the file and seconds since it
in all computations. What is used by several links (telescopes, detectors, sources, transmitters) stands once
in a named table and is referred to by its name. ``reading`` checks what types cannot: ranges, names,
checksums.
"""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec

Kind = Literal["station", "fibre node", "device"]
Profile = Literal["flat-top", "gaussian"]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Pair: TypeAlias = tuple[str, str]


class Detector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receiver's detectors of one basis together. ``gate_s`` is the time window around each pulse."""

    efficiency: float
    dark_counts_hz: float
    gate_s: float
    dead_time_s: float = 0.0
    afterpulsing: float = 0.0


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source of decoy-state BB84: three intensities, how often each, how often the key basis."""

    pulses_hz: float
    intensities: tuple[float, float, float]
    probabilities: tuple[float, float, float]
    key_basis: float = 0.5
    misalignment: float = 0.01
    wavelength_nm: float = 850.0


class Transmitter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A satellite's optics: the far-field beam and how well it points.

    ``divergence_urad`` is a full angle: of the cone that holds all light where ``profile`` is flat-top, of
    the 1/e² width of the intensity where it is gaussian. ``jitter_urad`` is the standard deviation of the
    pointing error on each axis.
    """

    divergence_urad: float
    profile: Profile
    jitter_urad: float = 0.0
    optics_efficiency: float = 1.0


class Telescope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ground receiver. ``optics_efficiency`` is everything from the aperture to the detector.

    ``zenith_transmittance`` is that of the clear atmosphere straight up. The sky's light reaches the detector
    through ``field_of_view_urad`` (a full angle) and ``filter_nm`` (bandwidth); ``sky_radiance`` is the night
    sky's, in W m⁻² sr⁻¹ nm⁻¹.
    """

    aperture_m: float
    optics_efficiency: float
    detector: str
    obscuration_m: float = 0.0
    zenith_transmittance: float = 0.7
    field_of_view_urad: float = 0.0
    filter_nm: float = 0.0
    sky_radiance: float = 0.0


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place on the ground: geodetic latitude and east longitude of WGS84, altitude over its ellipsoid.

    A station has a telescope and sees satellites above ``elevation_mask_deg``; a fibre node has none; a
    device only asks for keys.
    """

    name: str
    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    kind: Kind = "station"
    telescope: str | None = None
    elevation_mask_deg: float = 10.0


class Fibre(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fibre between two sites: its loss, and what sends and counts at its ends."""

    a: str
    b: str
    length_km: float
    source: str
    detector: str
    loss_db_per_km: float = 0.2
    extra_loss_db: float = 0.0
    protocol: Literal["decoy-bb84"] = "decoy-bb84"


class Satellite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A satellite with its two-line elements and what it sends with."""

    name: str
    tle: Pair
    transmitter: str
    source: str


class Constellation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Walker delta i:t/p/f of circular orbits: ``satellites`` in ``planes``, shifted by ``phasing``.

    Its satellites are named ``NAME-PLANE-PLACE``, both from 1.
    """

    name: str
    satellites: int
    planes: int
    phasing: int
    altitude_km: float
    inclination_deg: float
    transmitter: str
    source: str
    first_node_deg: float = 0.0


class Weather(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cloud cover over a site: ``cloud_cover[i]`` (0 to 1) holds from ``from_h[i]`` until the next.

    Before the first it is as at the first; a site without weather is clear.
    """

    site: str
    from_h: tuple[float, ...]
    cloud_cover: tuple[float, ...]


class Demand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Key wanted between two sites, in bits per day; the greatest ``priority`` is served first."""

    a: str
    b: str
    bits_per_day: float
    priority: int = 0


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole scenario as it stands in its file; ``satellites`` are only those with elements of their own.

    ``reading.fleet`` gives them together with those of the constellations.
    """

    name: str
    epoch: Instant
    duration_h: float = 24.0
    title: str = ""
    sites: tuple[Site, ...] = ()
    fibres: tuple[Fibre, ...] = ()
    satellites: tuple[Satellite, ...] = ()
    constellations: tuple[Constellation, ...] = ()
    weather: tuple[Weather, ...] = ()
    demands: tuple[Demand, ...] = ()
    telescopes: dict[str, Telescope] = {}
    transmitters: dict[str, Transmitter] = {}
    detectors: dict[str, Detector] = {}
    sources: dict[str, Source] = {}

    @property
    def duration_s(self) -> float:
        """How long the scenario lasts, in seconds."""
        return self.duration_h * 3600.0

    def site(self, name: str) -> Site:
        """The site of that name; a scenario that was read has it, if something in it refers to it."""
        return next(site for site in self.sites if site.name == name)
