"""The pack's rows of the table "quantum against classical"."""

from pathlib import Path

from qfleet_applications.cognition import disjunctions, mechanisms, orders
from qfleet_applications.cognition.disjunction_study import DisjunctionStudy
from qfleet_applications.cognition.integrated_study import IntegratedStudy
from qfleet_applications.cognition.order_study import OrderStudy
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison

_DATA = Path(__file__).with_name("data")


def rows(desk: Runner) -> list[Comparison]:
    """Every comparison of the bundled data."""
    studies = (
        OrderStudy(orders.load(_DATA / "orders.csv")[0], 0, "orders.csv"),
        DisjunctionStudy(disjunctions.load(_DATA / "disjunctions.csv"), "disjunctions.csv"),
        IntegratedStudy("cnot", mechanisms.gate("cnot"), "10"),
        IntegratedStudy("toffoli", mechanisms.gate("toffoli"), "110"),
    )
    return [one for study in studies for one in study.conduct(desk).comparisons]
