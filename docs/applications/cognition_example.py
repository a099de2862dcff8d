"""Your own survey, asked in both orders: is it a quantum one?"""

from qfleet import Fleet
from qfleet_applications.cognition.order_study import OrderStudy
from qfleet_applications.cognition.orders import Survey, qq, similarity
from qfleet_applications.frame.carrying import conduct
from qfleet_applications.frame.desk import Desk

survey = Survey(
    "Clinton and Gore",
    "Is Clinton honest?",
    "Is Gore honest?",
    ab=(219, 20, 79, 129),  # yes-yes, yes-no, no-yes, no-no; Clinton was asked first
    ba=(243, 86, 11, 92),  # Gore was asked first, and his answer goes first
)
print(f"q = {qq(survey).q:.4f}, z = {qq(survey).z:.3f}, similarity {similarity(survey):.4f}")

with Fleet.from_configuration() as fleet:
    report = conduct(OrderStudy(survey, seed=0, source="this file"), Desk(fleet))
for comparison in report.comparisons:
    print(comparison.sentence)
