"""The runner of ``dynamics.solve``: checks what can be checked without QuTiP, then imports it and solves."""

from collections.abc import Callable

from qfleet_agent.engines.dynamics import room, validity
from qfleet_agent.engines.dynamics.samples import samples
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_wire import workload

__all__ = ["run", "samples", "warm"]


def run(work: workload.Work, *, budget: int, report: Callable[[float], None]) -> workload.DynamicsResult:
    """Solve each item of a work.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes, QuTiP included.
        WorkInvalid: it breaks a rule of the specification.
        ProgramFailed: a coefficient has no finite value, a rate is negative, or the solver gives up.
    """
    if not isinstance(work, workload.DynamicsSolve):
        raise WorkInvalid(f"{type(work).__name__} is no work for this engine")
    validity.check(work)
    room.check(work.system, budget)
    # QuTiP takes seconds and a hundred megabytes: what is refused above needs neither.
    from qfleet_agent.engines.dynamics import items  # noqa: PLC0415

    return items.solve(work, budget=budget, report=report)


def warm() -> None:
    """Import QuTiP; only measuring asks for it, else the first task does."""
    from qfleet_agent.engines.dynamics import items  # noqa: F401, PLC0415 - for what it imports
