"""What kinds have in common whose cost is told by a ``compile.effort.Effort``."""

from qfleet_controlplane.planning import cost
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import costs, payloads


def rates(job: Specification, calibration: payloads.Calibration) -> cost.Rates:
    """Steps of so many elements, for each item and for each of its shots."""
    effort = job.effort

    def time_ms(load: costs.Load) -> float:
        return costs.milliseconds(load, effort.elements, calibration)

    passes = effort.item_steps if effort.item_passes is None else effort.item_passes
    item = costs.Load(items=1.0, parts=effort.item_parts, steps=effort.item_steps, passes=passes)
    shot = costs.Load(steps=effort.shot_steps, passes=effort.shot_steps)
    return cost.Rates(cost.SETUP_MS + time_ms(item), time_ms(shot))


def memory_bytes(job: Specification) -> int:
    """Memory that a task needs: its own and what every task uses."""
    return cost.BASE_BYTES + job.effort.memory_bytes


def result_bytes(job: Specification, part: Slice) -> int:
    """Room for the results of the items, and of their shots."""
    effort = job.effort
    return 1024 + part.items * (effort.item_result_bytes + round(part.shots * effort.shot_result_bytes))
