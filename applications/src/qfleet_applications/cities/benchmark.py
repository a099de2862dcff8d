"""What this pack adds to the table "quantum against classical": its bundled problems, with one seed."""

from typing import Any

from qfleet_applications.cities import charging, files, grid, sensors, traffic
from qfleet_applications.cities.problem import ProblemStudy
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison


def rows(desk: Runner) -> list[Comparison]:
    """Run the problems; each gives its main comparison."""
    return [study.conduct(desk).comparisons[0] for study in studies()]


def studies() -> list[ProblemStudy[Any]]:
    """Traffic, chargers, units and sensors as they are bundled."""
    roads, wanted = files.charging(None, None)
    chargers = charging.Charging(roads, wanted, 4)
    return [
        ProblemStudy(traffic.Traffic(*files.traffic(None, None)), traffic.EFFORT),
        ProblemStudy(chargers, charging.EFFORT),
        ProblemStudy(files.grid(None, None, 10), grid.EFFORT),
        ProblemStudy(sensors.Sensors(roads, (1.0,) * len(roads.nodes)), sensors.EFFORT),
    ]
