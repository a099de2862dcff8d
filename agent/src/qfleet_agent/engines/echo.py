"""The engine that returns what it gets: for known-answer probes, and to measure all that is not work."""

from collections.abc import Callable

from qfleet_agent.engines.errors import WorkInvalid
from qfleet_wire import workload


def run(work: workload.Work, *, budget: int, report: Callable[[float], None]) -> workload.EchoResult:
    """Return the data of an echo."""
    del budget, report
    if not isinstance(work, workload.ProbeEcho):
        raise WorkInvalid(f"{type(work).__name__} is no work for this engine")
    return workload.EchoResult(work.data)


def warm() -> None:
    """Nothing takes time here."""
