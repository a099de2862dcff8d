"""What is timed of this engine: a qubit and driven modes, each with its evaluations of the generator counted.

The counts were taken from the solver; they hardly depend on the machine.
"""

from collections.abc import Iterator

from qfleet_agent.engines.timing import Sample
from qfleet_wire import costs, workload
from qfleet_wire.workload import dynamics
from qfleet_wire.workload.dynamics import Factor, Preparation, Product, Subsystem, System, Term

KINDS = ("dynamics.solve",)
MODES = ((300, 12.0, 589), (6_000, 12.0, 549))
"""Levels, time, and evaluations of the generator."""
QUBIT_TIME, QUBIT_EVALUATIONS = 100.0, 2259


def samples() -> Iterator[Sample]:
    """Closed systems of growing size, of which only the end is asked for."""
    flip = Term((Product(1.0, 0.0, (Factor(0, "X"),)),))
    yield _sample(Subsystem("qubit", 2), flip, (2, QUBIT_TIME, QUBIT_EVALUATIONS))
    drive = Term(tuple(Product(1.0, 0.0, (Factor(0, symbol),)) for symbol in ("a", "adag")))
    for levels, duration, evaluations in MODES:
        entries = 2 * (levels - 1)
        yield _sample(Subsystem("mode", levels), drive, (entries, duration, evaluations))


def _sample(subsystem: Subsystem, term: Term, counted: tuple[int, float, int]) -> Sample:
    entries, duration, evaluations = counted
    symbol: dynamics.Symbol = "n"
    system = System(
        subsystems=(subsystem,),
        initial=(Preparation(),),
        hamiltonian=(term,),
        jumps=(),
        observables=(dynamics.Measured("n", (Product(1.0, 0.0, (Factor(0, symbol),)),)),),
        times=(0.0, duration),
        method="sesolve",
    )
    work = workload.DynamicsSolve(system, 1, (workload.ExpectItem(0, ()),))
    elements = dynamics.elements("sesolve", subsystem.levels, entries, ())
    passes = evaluations + dynamics.SETUP / (elements + dynamics.EVALUATION)
    load = costs.Load(items=1.0, steps=passes, passes=passes)
    return Sample("pass", work, load, elements, KINDS)
