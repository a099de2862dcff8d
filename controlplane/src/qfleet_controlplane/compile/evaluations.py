"""What a start of the variational workload costs, counted as ``costs.Load`` counts.

Evaluations until an optimiser ends are typical ones, of QAOA on random graphs and of hardware-efficient
ansätze on spin chains; a start may need a few times more or less. The weights were measured on x86-64 against
the calibration of the same machine. What Python does is counted in parts, as what prepares gates: a step is
a gate's own time on the smallest state, a hundred times less.
"""

from qfleet_controlplane.compile.facts import facts_of
from qfleet_wire import workload
from qfleet_wire.costs import Load

_OVERHEAD = {"l-bfgs-b": 8.0, "cobyla": 85.0, "nelder-mead": 3.0}
"""Parts that an optimiser takes for itself at each evaluation; COBYLA is written in Python."""
_MIXER = 0.55
"""Passes of a mixer for each qubit; half as many where flipping all bits changes nothing."""
_QAOA_GRADIENT = 3.7
"""Passes of a value and its gradient, in those of a value."""


def of_start(base: workload.VariationalMinimise, parameters: int) -> Load:
    """Count one start: as many evaluations as are typical, none over the cap."""
    gradient = base.optimiser == "l-bfgs-b"
    each = _qaoa(base, gradient=gradient) if base.program is None else _program(base, gradient=gradient)
    whole = each + Load(parts=_OVERHEAD[base.optimiser])
    return whole * min(base.evaluations, typical(base, parameters))


def typical(base: workload.VariationalMinimise, parameters: int) -> float:
    """Return after how many evaluations an optimiser ends."""
    match base.optimiser:
        case "l-bfgs-b":
            return 5.0 + (3.5 if base.program is None else 12.0) * parameters
        case "cobyla":
            return 75.0 * parameters
        case "nelder-mead":
            return 80.0 * parameters


def _qaoa(base: workload.VariationalMinimise, *, gradient: bool) -> Load:
    even = all(len(term.paulis) % 2 == 0 for term in base.cost.terms)
    mixer = _MIXER * base.qubits * (0.5 if even else 1.0)
    passes = (mixer + 0.5) * base.layers
    if gradient:
        return Load(parts=3.0 + 3.0 * base.layers, passes=_QAOA_GRADIENT * passes)
    return Load(parts=1.2 + 1.2 * base.layers, passes=passes)


def _program(base: workload.VariationalMinimise, *, gradient: bool) -> Load:
    """The evolution, forth and perhaps back, and the cost: its Z products at once, others one by one."""
    gates = 0 if base.program is None else facts_of(base.program).gates
    others = sum(any(letter != "Z" for letter, _ in term.paulis) for term in base.cost.terms)
    some = others < len(base.cost.terms)
    if gradient:
        return Load(parts=3.0 + 0.2 * gates, passes=2.0 * gates + 3.0 * others + (18.0 if some else 0.0))
    return Load(parts=2.5 + 0.05 * gates, passes=0.5 * gates + 3.0 * others + (2.5 if some else 0.0))
