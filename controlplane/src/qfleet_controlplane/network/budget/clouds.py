"""What the weather takes away: the probability that clouds hide the satellite, by site and time.

Cloud cover is taken as the probability that the line of sight is blocked, as availability studies of optical
ground stations do (Fuchs, Moll, J. Opt. Commun. Netw. 7, 1148 (2015)); a blocked line gives no key, whatever
the elevation. A pass lasts minutes and clouds last longer, so a pass is taken to be clear or lost as a whole:
its expected key is the share ``1 - cover`` of the clear one, not the key of a thinner beam.
"""

from itertools import pairwise

from qfleet_controlplane.network.scenario import model

_HOUR_S = 3600.0


def cover(scenario: model.Scenario, site: str, start_s: float, end_s: float) -> float:
    """The mean cover (0 to 1) over a site between two times; 0 where no weather is told."""
    told = next((one for one in scenario.weather if one.site == site), None)
    if told is None:
        return 0.0
    if end_s <= start_s:
        return _at(told, start_s)
    edges = [start_s, *(h * _HOUR_S for h in told.from_h if start_s < h * _HOUR_S < end_s), end_s]
    parts = pairwise(edges)
    return sum(_at(told, a) * (b - a) for a, b in parts) / (end_s - start_s)


def _at(told: model.Cover, at_s: float) -> float:
    begun = [value for hour, value in zip(told.from_h, told.cover, strict=True) if hour * _HOUR_S <= at_s]
    return begun[-1] if begun else 0.0
