"""Generated constellations: Walker delta patterns (Walker, J. Br. Interplanet. Soc. 37, 559 (1984)).

``i: t/p/f`` has t satellites in p planes evenly about the equator, those of a plane evenly along it, and from
plane to plane an anomaly further on by 360° f / t.
"""

import math

from qfleet_controlplane.network.scenario.model import Constellation, Elements, Satellite

GRAVITY_KM3_S2 = 398_600.8
"""Of the Earth in WGS72, the set of constants that SGP4 uses."""
RADIUS_KM = 6378.135
DAY_S = 86_400.0


def satellites(made: Constellation) -> list[Satellite]:
    """Return the satellites of a constellation, named ``NAME-plane-place`` from 1."""
    each = made.satellites // made.planes
    axis_km = RADIUS_KM + made.altitude_km
    motion = DAY_S / (2 * math.pi * math.sqrt(axis_km**3 / GRAVITY_KM3_S2))
    return [
        Satellite(
            name=f"{made.name}-{plane + 1}-{place + 1}",
            transmitter=made.transmitter,
            elements=Elements(
                inclination_deg=made.inclination_deg,
                node_deg=360.0 * plane / made.planes,
                eccentricity=0.0,
                perigee_deg=0.0,
                anomaly_deg=(360.0 * place / each + 360.0 * made.phasing * plane / made.satellites) % 360.0,
                revolutions_per_day=motion,
            ),
        )
        for plane in range(made.planes)
        for place in range(each)
    ]
