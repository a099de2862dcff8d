"""The pass of Micius over Xinglong of which Liao et al., Nature 549, 43 (2017) report, from its elements."""

import datetime as dt

import numpy as np
import pytest

from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.orbits import frames
from qfleet_controlplane.network.orbits.clock import Epoch
from qfleet_controlplane.network.orbits.passes import find
from qfleet_controlplane.network.orbits.propagation import Orbits
from qfleet_controlplane.network.scenario.reading import read


def test_the_pass_over_xinglong_is_the_published_one() -> None:
    scenario = read(scenarios.text_of("micius"), "micius.toml")
    xinglong = [site for site in scenario.sites if site.name == "xinglong"]
    orbits = Orbits.of(scenario.satellites, Epoch.of(scenario.epoch))
    found = find(orbits, frames.Stations.of(xinglong), np.radians([10.0]), span_s=scenario.duration_s)
    evening = dt.timedelta(hours=16).total_seconds()
    (number,) = np.flatnonzero((found.rise_s > evening) & (found.rise_s < evening + 3600.0))
    assert found.rise_s[number] == pytest.approx(evening + 48 * 60 + 44, abs=0.5)
    assert found.set_s[number] == pytest.approx(evening + 55 * 60 + 41, abs=0.5)
    assert np.degrees(found.elevation_rad[number]) == pytest.approx(47.83, abs=0.01)
    assert found.range_km[number] == pytest.approx(645.4, abs=0.1)
