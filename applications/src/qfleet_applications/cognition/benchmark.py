"""The pack's rows of the table "quantum against classical"."""

from pathlib import Path

from qfleet_applications.cognition import disjunctions, mechanisms, orders
from qfleet_applications.cognition.disjunction_study import DisjunctionStudy
from qfleet_applications.cognition.integrated_study import IntegratedStudy
from qfleet_applications.cognition.order_study import OrderStudy
from qfleet_applications.cognition.order_surveys import SurveysStudy
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison

_DATA = Path(__file__).with_name("data")
_EXPERIMENTS = ("gamble, Tversky 1992", "dilemma, Shafir 1992", "gamble, Ziano 2021")
"""The two that the theory was made for, and the largest replication between people."""


def rows(desk: Runner) -> list[Comparison]:
    """Comparisons of the bundled data: one survey and all, three experiments, two mechanisms."""
    surveys = orders.load(_DATA / "orders.csv")
    experiments = disjunctions.load(_DATA / "disjunctions.csv")
    chosen = tuple(one for one in experiments if one.name in _EXPERIMENTS)
    studies = (
        OrderStudy(surveys[0], 0, "orders.csv"),
        SurveysStudy(surveys, 0, "orders.csv"),
        DisjunctionStudy(chosen, "disjunctions.csv"),
        IntegratedStudy("cnot", mechanisms.gate("cnot"), "10"),
        IntegratedStudy("toffoli", mechanisms.gate("toffoli"), "110"),
    )
    return [one for study in studies for one in study.conduct(desk).comparisons]
