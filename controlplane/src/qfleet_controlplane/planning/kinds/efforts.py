"""What kinds have in common whose cost is told by a ``compile.effort.Effort``."""

from qfleet_controlplane.planning import cost
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import payloads


def rates(job: Specification, calibration: payloads.Calibration) -> cost.Rates:
    """Steps of so many elements, for each item and for each of its shots."""
    effort = job.effort
    step_ms = effort.elements * calibration.amplitude_ns * 1e-6 + calibration.gate_us * 1e-3
    return cost.Rates(cost.SETUP_MS + effort.item_steps * step_ms, effort.shot_steps * step_ms)


def memory_bytes(job: Specification) -> int:
    """Memory that a task needs: its own and what every task uses."""
    return cost.BASE_BYTES + job.effort.memory_bytes


def result_bytes(job: Specification, part: Slice) -> int:
    """Room for the results of the items, and of their shots."""
    effort = job.effort
    return 1024 + part.items * (effort.item_result_bytes + round(part.shots * effort.shot_result_bytes))
