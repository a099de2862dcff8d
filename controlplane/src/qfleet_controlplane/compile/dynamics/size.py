"""What solving a system costs: entries of its generator, evaluations of it, memory.

The generator is -iH of a state vector (d numbers), or the Lindblad superoperator of a density matrix (d²
numbers). An explicit Runge–Kutta method must take steps that keep it stable at the generator's norm ρ, and
steps that follow the motion of what is occupied, of rate σ: evaluations over a time T are the larger of
``STABLE`` ρT and ``ACCURATE`` σT. Terms move a state in many directions, so σ adds them up in squares;
a mode counts up to the levels that its initial state reaches. All figures were measured with chains of 1
to 14 qubits and a qubit in a mode of 20 to 200 levels, closed, damped and driven, and are right within a
factor of about 2; how fast a coefficient itself oscillates is not looked at.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from qfleet_controlplane.compile.dynamics import hermitian
from qfleet_controlplane.compile.dynamics.hermitian import Key
from qfleet_controlplane.compile.dynamics.operators import Space
from qfleet_controlplane.compile.effort import Effort
from qfleet_wire.workload import dynamics, formula
from qfleet_wire.workload.dynamics import Operator, System, Term

STABLE = 2.3
"""Evaluations for each unit of ρT."""
ACCURATE = 47.0
"""Evaluations for each unit of σT at a relative tolerance of 1e-6; its seventh root counts."""
OUTPUT, MEAN = 40_000.0, 12_000.0
"""What an asked time costs, and each observable there."""
_ORDER = 7


class Weights(NamedTuple):
    """Mean absolute values of the coefficients and rates, over sampled times and points."""

    hamiltonian: tuple[float, ...]
    jumps: tuple[float, ...]


def entries(operators: Iterable[Operator], space: Space) -> int:
    """Entries of a sum of operators that may differ from 0; places of equal form are counted once."""
    forms: set[tuple[object, ...]] = set()
    count = 0
    for operator in operators:
        for part in hermitian.parts(operator, space):
            places, number = _places(part.key, space)
            if places not in forms:
                forms.add(places)
                count += number
    return min(count, space.dimension**2)


def memory_bytes(system: System, space: Space) -> int:
    """Memory that a task needs for the solver, the engine itself included."""
    return dynamics.memory_bytes(
        system.method,
        space.dimension,
        entries((term.operator for term in system.hamiltonian), space),
        tuple(entries((term.operator,), space) for term in system.jumps),
        sum(entries((each.operator,), space) for each in system.observables),
    )


def effort(system: System, space: Space, weights: Weights) -> Effort:
    """What a point costs, or each of its trajectories."""
    hamiltonian = entries((term.operator for term in system.hamiltonian), space)
    jumps = tuple(entries((term.operator,), space) for term in system.jumps)
    formulas = {term.coefficient for term in (*system.hamiltonian, *system.jumps)}
    moving = sum(1 for one in formulas if not formula.is_steady(one))
    elements = dynamics.elements(system.method, space.dimension, hamiltonian, jumps, moving)
    outputs = len(system.times) * (OUTPUT + MEAN * len(system.observables))
    # A step also costs a device's time for a call, which this many numbers stand for.
    step = elements + dynamics.EVALUATION
    steps = evaluations(system, space, weights) + outputs / step
    sampled = system.method == "mcsolve"
    return Effort(
        item_steps=dynamics.SETUP / step + (0.0 if sampled else steps),
        shot_steps=steps if sampled else 0.0,
        elements=elements,
        memory_bytes=memory_bytes(system, space),
    )


def evaluations(system: System, space: Space, weights: Weights) -> float:
    """How often a solver evaluates the generator over the whole time."""
    occupied = _occupied(system)
    # A commutator turns twice as fast as a vector; a jump damps both sides, or the norm of a vector.
    turn, damp = (2.0, 2.0) if system.method == "mesolve" else (1.0, 0.5)
    norms: list[float] = []
    rates: list[float] = []
    terms: tuple[tuple[tuple[Term, ...], tuple[float, ...], float, int], ...] = (
        (system.hamiltonian, weights.hamiltonian, turn, 1),
        (system.jumps, weights.jumps, damp, 2),
    )
    for group, sizes, factor, power in terms:
        for term, size in zip(group, sizes, strict=True):
            for part in hermitian.parts(term.operator, space):
                if part.key:
                    scale = factor * size * abs(part.scale) ** power
                    norms.append(scale * math.prod(one.norm() for one in part.key) ** power)
                    reached = math.prod(one.norm(occupied[one.subsystem]) for one in part.key)
                    rates.append(scale * reached**power)
    duration = system.times[-1] - system.times[0]
    finer = (1e-6 / system.rtol) ** (1 / _ORDER)
    needed: float = max(STABLE * math.fsum(norms), ACCURATE * finer * math.hypot(*rates)) * duration
    return max(needed, duration * 10 / system.max_step) if system.max_step else needed


def _occupied(system: System) -> list[int]:
    """The highest level of each subsystem that its initial state reaches; of a mode, and a bit more."""
    found = []
    for preparation, subsystem in zip(system.initial, system.subsystems, strict=True):
        if subsystem.kind != "mode":
            found.append(subsystem.levels - 1)
            continue
        value = preparation.value
        size = abs(complex(value.real, value.imaginary)) if isinstance(value, formula.Number) else 2.0
        mean = size**2 if preparation.kind == "coherent" else size + preparation.level
        found.append(min(subsystem.levels - 1, math.ceil(mean + 2 * math.sqrt(mean) + 1)))
    return found


def _places(key: Key, space: Space) -> tuple[tuple[object, ...], int]:
    """Name the places where a tensor product has entries, all diagonals alike, and count them."""
    known = {one.subsystem: one.places for one in key}
    names: list[object] = []
    count = 1
    for index, subsystem in enumerate(space.subsystems):
        places = known.get(index)
        if places is None or all(row == column for row, column in places):
            names.append("diagonal")
            count *= subsystem.levels
        else:
            names.append(places)
            count *= len(places)
    return tuple(names), count
