"""The pack's rows of the table "quantum against classical": its usual data, with one seed."""

from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison
from qfleet_applications.healthcare import cohorts
from qfleet_applications.healthcare.features import FeatureStudy
from qfleet_applications.healthcare.screening import ScreenStudy
from qfleet_applications.healthcare.survival_study import SurvivalStudy

_KEY = bytes(32)
"""Comparisons name no record."""


def rows(desk: Runner) -> list[Comparison]:
    """Screening at 2 and 4 components, features, survival risk; each gives its main comparison."""
    cancer = cohorts.breast_cancer(_KEY)
    studies = (
        ScreenStudy(cancer, 2),
        ScreenStudy(cancer, 4),
        FeatureStudy(cancer),
        SurvivalStudy(cohorts.breast_cancer_survival(_KEY)),
    )
    return [study.conduct(desk).comparisons[0] for study in studies]
