"""The skies of the figures of passes: which satellites over which stations; and, as a program, one search.

``python -m benchmarks.passes_sky NAME`` searches a day in a process of its own, so that the peak of its
memory is the search's, and prints what that took as JSON.
"""

import math
import resource
import sys
import time
from dataclasses import dataclass

import msgspec
import numpy as np

from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.orbits import passes
from qfleet_controlplane.network.orbits.clock import Epoch
from qfleet_controlplane.network.orbits.frames import Stations
from qfleet_controlplane.network.orbits.propagation import Orbits
from qfleet_controlplane.network.scenario import model, walker
from qfleet_controlplane.network.scenario.reading import read

DAY_S = 86_400.0
MASK_DEG = 10.0
_GOLDEN_RAD = math.pi * (3.0 - math.sqrt(5.0))


@dataclass(frozen=True, slots=True)
class Sky:
    """Satellites by their orbits, and the stations under them."""

    orbits: Orbits
    sites: tuple[model.Site, ...]

    def find(self) -> passes.Passes:
        """All passes of a day above 10 degrees, at the steps that the control plane takes."""
        masks = np.full(len(self.sites), math.radians(MASK_DEG))
        return passes.find(self.orbits, Stations.of(self.sites), masks, span_s=DAY_S)


class Cost(msgspec.Struct, frozen=True):
    """What a search took: seconds by the clock and of the processor, peak memory, and what it found."""

    wall_s: float
    processor_s: float
    peak_mb: float
    passes: int


def constellation() -> Sky:
    """The scenario that ships: 96 satellites over 24 stations."""
    scenario = read(scenarios.text_of("constellation"), "constellation.toml")
    stations = tuple(site for site in scenario.sites if site.kind == "station")
    return Sky(Orbits.of(scenario.satellites, Epoch.of(scenario.epoch)), stations)


def large() -> Sky:
    """1,000 satellites of a Walker delta 60°: 1000/40/1 at 600 km, over 100 stations evenly to ±60°."""
    pattern = model.Constellation(
        name="large", transmitter="any", satellites=1000, planes=40, phasing=1, inclination_deg=60.0,
        altitude_km=600.0,
    )  # fmt: skip
    sites = tuple(
        model.Site(
            name=f"station-{number}",
            kind="station",
            latitude_deg=math.degrees(math.asin(math.sin(math.radians(60.0)) * (2.0 * number - 99.0) / 99.0)),
            longitude_deg=math.degrees(math.remainder(number * _GOLDEN_RAD, 2.0 * math.pi)),
        )
        for number in range(100)
    )
    scenario = read(scenarios.text_of("constellation"), "constellation.toml")
    return Sky(Orbits.of(walker.satellites(pattern), Epoch.of(scenario.epoch)), sites)


SKIES = {"constellation": constellation, "large": large}


def main(name: str) -> int:
    """Search one sky and print the cost."""
    sky = SKIES[name]()
    wall, processor = time.perf_counter(), time.process_time()
    found = sky.find()
    cost = Cost(
        time.perf_counter() - wall,
        time.process_time() - processor,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
        len(found),
    )
    print(msgspec.json.encode(cost).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
