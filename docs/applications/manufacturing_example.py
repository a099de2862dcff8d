"""A job shop of one's own and the shortest path of a drill, on the fleet and by CP-SAT."""

from pathlib import Path

from qfleet import Fleet
from qfleet_applications.frame.desk import Desk
from qfleet_applications.manufacturing import files, route, schedule, scheduling, touring
from qfleet_applications.manufacturing.shop import Operation, Shop

bikes = Shop(
    "bikes",
    ("racer", "tourer", "tandem"),
    (
        (Operation("saw", 3), Operation("weld", 4), Operation("paint", 2)),
        (Operation("saw", 2), Operation("paint", 3), Operation("weld", 1)),
        (Operation("weld", 4), Operation("saw", 2), Operation("paint", 2)),
    ),
    unit="h",
)

with Fleet.from_configuration() as fleet:
    desk = Desk(fleet)
    made = schedule.ScheduleStudy(bikes, scheduling.Search(schedule.EFFORT, rounds=1)).conduct(desk)
    walk = touring.Walk(route.EFFORT, rounds=1)
    drilled = route.RouteStudy(files.places(Path("burma14")).first(8), walk).conduct(desk)
for report in (made, drilled):
    print(report.comparisons[0].sentence)
