"""What this pack adds to the table "quantum against classical": its published problems, with one seed."""

from dataclasses import replace
from pathlib import Path

from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison
from qfleet_applications.frame.study import Study
from qfleet_applications.manufacturing import (
    files,
    maintain,
    planning,
    route,
    schedule,
    scheduling,
    touring,
)


def rows(desk: Runner) -> list[Comparison]:
    """Run the problems; each gives its main comparison."""
    return [study.conduct(desk).comparisons[0] for study in studies()]


def studies() -> list[Study]:
    """The job shops, the paths (five places on 16 qubits too) and the maintenance of this pack."""
    search, walk = scheduling.Search(schedule.EFFORT), touring.Walk(route.EFFORT)
    shops = [schedule.ScheduleStudy(files.shop(Path(name)), search) for name in files.SHOPS]
    paths = [route.RouteStudy(files.places(Path(name)), walk) for name in files.ROUTES]
    five = files.places(Path("burma14")).first(5)
    qubits = route.RouteStudy(five, touring.Walk(replace(route.EFFORT, method="qaoa"), rounds=0))
    plant = maintain.MaintainStudy(files.plant(None, None), planning.Rounds(maintain.EFFORT))
    return [*shops, *paths, qubits, plant]
