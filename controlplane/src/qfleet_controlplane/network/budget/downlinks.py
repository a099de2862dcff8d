"""What passes of satellites over stations give: losses by range and elevation, and the key of whole passes.

A pass is one block: the counts of its steps are added, and the finite key is that of the sum. All passes of
one kind of transmitter over one kind of telescope are one call; steps that a pass does not have, or in which
it cannot be used (the sun is up), last 0 seconds.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from qfleet_controlplane.network.budget import atmosphere, beam, blocks, parts
from qfleet_controlplane.network.scenario import model
from qfleet_wire.qkd import bb84_finite, detection, quantities
from qfleet_wire.qkd.quantities import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Downlink:
    """One kind of link: what sends and what receives."""

    source: model.Source
    transmitter: model.Transmitter
    telescope: model.Telescope
    detector: model.Detector

    @property
    def ends(self) -> blocks.Ends:
        """What counts: on the ground behind the telescope's optics, on board (of pairs) without any."""
        ground = parts.receiver(
            self.detector,
            optics_efficiency=self.telescope.optics_efficiency,
            background_hz=self.telescope.background_hz,
        )
        return blocks.Ends(source=self.source, receiver=ground, partner=parts.receiver(self.detector))


@dataclass(frozen=True, slots=True)
class Losses:
    """Each loss on the way into the telescope in dB, all of one shape."""

    diffraction_db: Floats
    pointing_db: Floats
    atmosphere_db: Floats
    transmitter_db: Floats

    @property
    def total_db(self) -> Floats:
        """All of them together: the channel, without the receiver."""
        return self.diffraction_db + self.pointing_db + self.atmosphere_db + self.transmitter_db

    @property
    def transmittance(self) -> Floats:
        """The same as a share of the light."""
        through: Floats = 10.0 ** (-self.total_db / 10.0)
        return through


def named(
    scenario: model.Scenario, transmitter: str, telescope: str, *, background_hz: float | None = None
) -> Downlink:
    """The link of a transmitter and a telescope of a scenario, by their names.

    ``background_hz`` is the stray light of the site where the telescope stands; None: as the telescope says.
    """
    sends, receives = scenario.transmitters[transmitter], scenario.telescopes[telescope]
    if background_hz is not None:
        receives = msgspec.structs.replace(receives, background_hz=background_hz)
    return Downlink(
        source=scenario.sources[sends.source],
        transmitter=sends,
        telescope=receives,
        detector=scenario.detectors[receives.detector],
    )


def losses(link: Downlink, range_m: ArrayLike, elevation_rad: ArrayLike) -> Losses:
    """The losses of a cloudless channel at ranges and elevations of one shape.

    Raises:
        InvalidQuantity: Where a range is not over 0 or an elevation is none.
    """
    light, aperture = parts.beam(link.transmitter), link.telescope.aperture_m
    spread = beam.diffraction(light, range_m, aperture)
    return Losses(
        _db(spread),
        _db(beam.pointing(light, range_m, aperture)),
        atmosphere.extinction_db(elevation_rad, link.telescope.zenith_loss_db),
        np.full_like(spread, link.transmitter.optics_loss_db),
    )


def sifted(link: Downlink, range_m: ArrayLike, elevation_rad: ArrayLike) -> detection.Sifted:
    """Sifted rates and error rates under a clear night sky; raises as ``losses``."""
    return blocks.sifted(link.ends, losses(link, range_m, elevation_rad).transmittance)


def keys(
    link: Downlink,
    range_m: ArrayLike,
    elevation_rad: ArrayLike,
    *,
    seconds: ArrayLike,
    security: bb84_finite.Security | None = None,
) -> blocks.Block:
    """What each pass gives under a clear night sky, shape (P,).

    Args:
        link: What sends and receives.
        range_m: (P, T), of P passes with T steps each. elevation_rad: the same.
        seconds: (P, T), how long each step can be used, 0 where it cannot.
        security: ε_sec = 1e-9 and ε_cor = 1e-15 where not given.

    Raises:
        InvalidQuantity: Where a range, an elevation or a duration is none.
    """
    through = losses(link, range_m, elevation_rad).transmittance
    return blocks.keys(link.ends, through, seconds=seconds, security=security)


def _db(share: Floats) -> Floats:
    """A share as a loss; of a share that is too small for a number, the greatest loss that is one."""
    least = np.finfo(np.float64).tiny
    return np.asarray(-10.0 * np.log10(np.maximum(quantities.transmittance(share), least)), dtype=np.float64)
