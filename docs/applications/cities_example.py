"""Sensors for a small quarter, by QAOA on seven qubits and by HiGHS, and chargers by annealing."""

from qfleet import Fleet
from qfleet_applications.cities import charging, files
from qfleet_applications.cities.problem import ProblemStudy
from qfleet_applications.cities.roads import Road, Roads
from qfleet_applications.cities.sensors import Sensors
from qfleet_applications.frame.desk import Desk
from qfleet_applications.qubo.sampling import Effort

ends = map(str.split, ["a b", "b c", "c d", "d e", "e f", "f g", "g a", "a d", "b e"])
quarter = Roads("a quarter", tuple(Road(one, other, 500.0, 2.0) for one, other in ends))
watched = ProblemStudy(Sensors(quarter, (1.0,) * 7), Effort(method="qaoa", layers=2))

city, demand = files.charging(None, None)
charged = ProblemStudy(charging.Charging(city, demand, chargers=3), charging.EFFORT)

with Fleet.from_configuration() as fleet:
    for study in (watched, charged):
        report = study.conduct(Desk(fleet))
        print(report.comparisons[0].sentence)
        print(report.tables[0].rows[0])
