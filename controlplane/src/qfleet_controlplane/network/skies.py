"""What satellites and stations of a scenario see of each other: passes, and the keys of passes.

A pass is one block of key, counted at the middles of equal parts of it; parts in which the station's sky is
not dark count nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qfleet_controlplane.network.budget import downlinks
from qfleet_controlplane.network.orbits import frames, sun
from qfleet_controlplane.network.orbits.arrays import Bools, Floats, Indices
from qfleet_controlplane.network.orbits.clock import Epoch
from qfleet_controlplane.network.orbits.passes import Passes, find
from qfleet_controlplane.network.orbits.propagation import Orbits
from qfleet_controlplane.network.scenario.model import Scenario, Site

PARTS = 32
"""Of a pass; of one of seven minutes each lasts 13 s."""
_AT_ONCE = 20_000
"""Passes whose parts are computed together, to bound memory."""


@dataclass(frozen=True, slots=True)
class Skies:
    """The stations of a scenario, and its satellites over them."""

    scenario: Scenario
    stations: list[Site]
    orbits: Orbits
    places: frames.Stations

    @classmethod
    def of(cls, scenario: Scenario) -> "Skies":
        """Raises ``OrbitFailed`` where a satellite's elements cannot be used."""
        stations = [site for site in scenario.sites if site.telescope is not None]
        orbits = Orbits.of(scenario.satellites, Epoch.of(scenario.epoch))
        return cls(scenario, stations, orbits, frames.Stations.of(stations))

    def passes(self) -> Passes:
        """All passes above the stations' masks; raises ``OrbitFailed``."""
        kinds = self.scenario.telescopes
        masks = np.radians([kinds[str(site.telescope)].min_elevation_deg for site in self.stations])
        return find(self.orbits, self.places, masks, span_s=self.scenario.duration_s)

    def keys(self, found: Passes) -> tuple[Floats, Floats]:
        """Bits and QBER of passes, or of parts of passes, under a clear sky."""
        bits, qber = np.zeros(len(found)), np.zeros(len(found))
        for first in range(0, len(found), _AT_ONCE):
            some = np.arange(first, min(first + _AT_ONCE, len(found)))
            bits[some], qber[some] = self._keys(found, some)
        return bits, qber

    def at_culmination(self, found: Passes) -> tuple[Bools, Bools]:
        """Whether it is night at each culmination, and whether the satellite is in the sun."""
        at_s = found.culmination_s[:, None]
        towards = sun.direction(self.orbits.epoch.days_since_j2000(at_s))
        night = _is_dark(self.places.at(found.station), towards, self.orbits.epoch.sidereal_rad(at_s))
        return night[:, 0], sun.is_sunlit(self.orbits.positions(found.satellite, at_s), towards)[:, 0]

    def light(self, one: Passes, link: downlinks.Downlink) -> tuple[Floats, Floats]:
        """Transmittance (T,) of the parts of one pass under a clear sky, and their usable seconds (T,)."""
        looks, seconds = self._parts(one, np.arange(1))
        losses = downlinks.losses(link, 1000.0 * looks.range_km[0], looks.elevation_rad[0])
        return losses.transmittance, seconds[0]

    def _parts(self, found: Passes, some: Indices) -> tuple[frames.Look, Floats]:
        """Where the satellites of some passes stand in the middle of each part, and its usable seconds."""
        spans = (found.set_s - found.rise_s)[some]
        at_s = found.rise_s[some][:, None] + spans[:, None] * (np.arange(PARTS) + 0.5) / PARTS
        epoch = self.orbits.epoch
        angle = epoch.sidereal_rad(at_s)
        here = self.places.at(found.station[some])
        position = frames.turned(self.orbits.positions(found.satellite[some], at_s), angle)
        dark = _is_dark(here, sun.direction(epoch.days_since_j2000(at_s)), angle)
        return frames.look(here, position), np.where(dark, spans[:, None] / PARTS, 0.0)

    def _keys(self, found: Passes, some: Indices) -> tuple[Floats, Floats]:
        looks, seconds = self._parts(found, some)
        bits, qber = np.zeros(len(some)), np.zeros(len(some))
        for link, mine in self._kinds(found, some):
            # Where the whole pass lies in daylight there is nothing to compute.
            used = mine[seconds[mine].any(axis=1)]
            if len(used):
                block = downlinks.keys(
                    link, 1000.0 * looks.range_km[used], looks.elevation_rad[used], seconds=seconds[used]
                )
                bits[used], qber[used] = block.bits, block.qber
        return bits, qber

    def _kinds(self, found: Passes, some: Indices) -> Iterator[tuple[downlinks.Downlink, Indices]]:
        """The kinds of link among some passes, each with the positions of its own."""
        senders = [one.transmitter for one in self.scenario.satellites]
        receivers = [(str(one.telescope), one.background_hz) for one in self.stations]
        pairs = [(senders[found.satellite[n]], receivers[found.station[n]]) for n in some]
        for kind in dict.fromkeys(pairs):
            mine = np.array([place for place, pair in enumerate(pairs) if pair == kind])
            sender, (telescope, background_hz) = kind
            yield downlinks.named(self.scenario, sender, telescope, background_hz=background_hz), mine


def _is_dark(places: frames.Stations, towards: Floats, angle: Floats) -> Bools:
    """Whether it is night at N stations at times (N, T)."""
    risen = sun.elevation_rad(places.up[:, None, :], frames.turned(towards, angle))
    dark: Bools = risen < sun.NIGHT_RAD
    return dark
