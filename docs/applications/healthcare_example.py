"""Screen biopsies with a quantum kernel, beside classical methods on the same folds."""

import secrets

from qfleet import Fleet
from qfleet_applications.frame.carrying import conduct
from qfleet_applications.frame.desk import Desk
from qfleet_applications.healthcare import cohorts
from qfleet_applications.healthcare.screening import ScreenStudy

key = secrets.token_bytes(32)  # of the pseudonyms; keep it here if you must find records again
cohort = cohorts.breast_cancer(key).part(100, seed=0)
study = ScreenStudy(cohort, components=2)  # placement="data-local" computes here and sends nothing

with Fleet.from_configuration() as fleet:
    report = conduct(study, Desk(fleet))
for comparison in report.comparisons:
    print(comparison.sentence)
print(report.notes[0])
