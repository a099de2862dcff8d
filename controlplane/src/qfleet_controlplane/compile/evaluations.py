"""What a start of the variational workload costs, counted as ``costs.Load`` counts.

Evaluations until an optimiser ends are typical ones, of QAOA on random graphs and of hardware-efficient
ansätze on spin chains; a start may need a few times more or less. The weights were measured on x86-64 against
the gates that the same machine was calibrated with.
"""

from qfleet_controlplane.compile.facts import facts_of
from qfleet_wire import workload
from qfleet_wire.costs import Load

_OVERHEAD = {"l-bfgs-b": 15.0, "cobyla": 180.0, "nelder-mead": 3.0}
"""Steps that an optimiser takes for itself at each evaluation; COBYLA is written in Python."""
_MIXER = 0.55
"""Passes of a mixer for each qubit; half as many where flipping all bits changes nothing."""
_QAOA_GRADIENT = 3.7
"""A value and its gradient, in values."""


def of_start(base: workload.VariationalMinimise, parameters: int) -> Load:
    """Count one start: as many evaluations as are typical, none over the cap."""
    gradient = base.optimiser == "l-bfgs-b"
    each = _qaoa(base, gradient=gradient) if base.program is None else _program(base, gradient=gradient)
    whole = each + Load(steps=_OVERHEAD[base.optimiser])
    return whole * min(base.evaluations, typical(base.optimiser, parameters))


def typical(optimiser: workload.Optimiser, parameters: int) -> float:
    """Return after how many evaluations an optimiser ends."""
    match optimiser:
        case "l-bfgs-b":
            return 5.0 + 3.5 * parameters
        case "cobyla":
            return 40.0 * parameters
        case "nelder-mead":
            return 80.0 * parameters


def _qaoa(base: workload.VariationalMinimise, *, gradient: bool) -> Load:
    even = all(len(term.paulis) % 2 == 0 for term in base.cost.terms)
    mixer = _MIXER * base.qubits * (0.5 if even else 1.0)
    value = Load(steps=4.0, passes=mixer + 0.5) * base.layers
    return value * _QAOA_GRADIENT if gradient else value


def _program(base: workload.VariationalMinimise, *, gradient: bool) -> Load:
    """The evolution, forth and perhaps back, and the cost: its Z products at once, others one by one."""
    gates = 0 if base.program is None else facts_of(base.program).gates
    others = sum(any(letter != "Z" for letter, _ in term.paulis) for term in base.cost.terms)
    some = others < len(base.cost.terms)
    if gradient:
        return Load(steps=1.5 * gates, passes=2.0 * gates + 3.0 * others + (18.0 if some else 0.0))
    return Load(steps=0.3 * gates, passes=0.5 * gates + 3.0 * others + (2.5 if some else 0.0))
