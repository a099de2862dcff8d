"""``dynamics.solve``: solve an open or closed quantum system in time.

Operators are sums of products of named operators, each of one subsystem; they are expanded once, at
submission. The basis of a subsystem has its levels in ascending order: |0>, |1> of a qubit, photon numbers
of a mode, m = j, j-1, … -j of a spin. The first subsystem is the leftmost factor of a tensor product.
"""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.workload.circuits import ExpectItem, ExpectValues
from qfleet_wire.workload.formula import ONE, Formula, Number

TRAJECTORIES_PER_BLOCK = 32
"""A block's trajectories share one ``block_seed``; each has a child of that seed of its own."""

SubsystemKind = Literal["qubit", "mode", "spin"]
DynamicsMethod = Literal["sesolve", "mesolve", "mcsolve"]
"""Schrödinger equation, Lindblad master equation, Monte Carlo wave functions (quantum jumps)."""

Symbol = Literal["I", "X", "Y", "Z", "a", "adag", "n", "P", "Jx", "Jy", "Jz", "Jp", "Jm"]
"""``a`` lowers a level and ``adag`` raises it, a|k> = √k |k-1>; ``n`` = adag a; ``P`` projects on a level.
``Jx`` … are a spin's components and ladder operators, ħ = 1."""

Prepared = Literal["level", "+", "-", "+i", "-i", "coherent", "thermal"]
"""A level; an eigenstate of X or Y; a coherent state of amplitude ``value``; a thermal state of ``value``
quanta on average. The last two are cut off at the mode's levels and normalised."""


class Subsystem(msgspec.Struct, frozen=True, array_like=True):
    """One part of the system and the dimension of its space."""

    kind: SubsystemKind
    levels: int


class Factor(msgspec.Struct, frozen=True, array_like=True):
    """A named operator of one subsystem; ``level`` only of a projector."""

    subsystem: int
    symbol: Symbol
    level: int = 0


class Product(msgspec.Struct, frozen=True, array_like=True):
    """A number times a product of operators, the leftmost first."""

    real: float
    imaginary: float
    factors: tuple[Factor, ...]


Operator: TypeAlias = tuple[Product, ...]
"""A sum of products."""


class Term(msgspec.Struct, frozen=True, array_like=True):
    """An operator times a formula: of a Hamiltonian its coefficient, of a jump operator its rate ≥ 0."""

    operator: Operator
    coefficient: Formula = ONE


class Preparation(msgspec.Struct, frozen=True, array_like=True):
    """How a subsystem begins."""

    kind: Prepared = "level"
    level: int = 0
    value: Formula = Number(0.0)


class Measured(msgspec.Struct, frozen=True, array_like=True):
    """A Hermitian operator whose mean is asked for; ``text`` is how the user wrote it."""

    text: str
    operator: Operator


class System(msgspec.Struct, frozen=True, kw_only=True):
    """What is solved. ``times`` ascend; the evolution begins at the first.

    ``initial`` has one entry for each subsystem. A jump operator is √rate × operator. ``parameters``
    names the entries of the vector that each item binds. ``max_step`` bounds the solver's steps, 0: it
    chooses.
    """

    subsystems: tuple[Subsystem, ...]
    initial: tuple[Preparation, ...]
    hamiltonian: tuple[Term, ...]
    jumps: tuple[Term, ...]
    observables: tuple[Measured, ...]
    times: tuple[float, ...]
    method: DynamicsMethod
    parameters: tuple[str, ...] = ()
    rtol: float = 1e-6
    atol: float = 1e-8
    max_step: float = 0.0


ENGINE_BYTES = 128 * 1024 * 1024
"""What QuTiP and SciPy take when a task imports them: 75 MiB measured, 105 MiB where it finds Matplotlib."""
EVALUATION = 1_000.0
"""What an evaluation of a generator costs beside its numbers, as so many numbers: calls from Python."""
ENTRY, STATE = 1.5, 10.0
"""What an entry of the generator and a number of the state cost in an evaluation."""
SETUP = 2_000_000.0
"""Building the solver for a point, as so many numbers."""
PASSES = 24
"""State vectors that a Runge–Kutta method of order 7 with interpolation holds, and copies."""
_NUMBER_BYTES = 16
_ENTRY_BYTES = 24
"""An entry of a sparse matrix: a complex double and its column."""
_COPIES = 2
"""Of a generator while it is built: parts, sum, and the sum times -i."""


def state_entries(method: DynamicsMethod, dimension: int) -> int:
    """Numbers of a state: of a vector, or of a density matrix."""
    return dimension**2 if method == "mesolve" else dimension


def generator_entries(
    method: DynamicsMethod, dimension: int, hamiltonian: int, jumps: tuple[int, ...]
) -> int:
    """Entries of what a state is multiplied by in each step.

    ``hamiltonian`` and ``jumps`` are entries of H and of each jump operator C. The superoperator has H and
    the decay on both sides, and C ρ C† for each jump.
    """
    if method != "mesolve":
        return hamiltonian + sum(jumps)
    both_sides = 2 * dimension * (hamiltonian + sum(jumps))
    return min(both_sides + sum(jump**2 for jump in jumps), dimension**4)


def elements(
    method: DynamicsMethod, dimension: int, hamiltonian: int, jumps: tuple[int, ...], moving: int = 0
) -> float:
    """What an evaluation costs, as so many numbers; ``moving`` coefficients depend on time."""
    entries = generator_entries(method, dimension, hamiltonian, jumps)
    return EVALUATION * (1 + moving) + ENTRY * entries + STATE * state_entries(method, dimension)


def memory_bytes(
    method: DynamicsMethod, dimension: int, hamiltonian: int, jumps: tuple[int, ...], observables: int
) -> int:
    """Memory that a task needs for a system: engine, states, generator and observables."""
    states = PASSES * _NUMBER_BYTES * state_entries(method, dimension)
    generator = _COPIES * generator_entries(method, dimension, hamiltonian, jumps)
    matrices = generator + 2 * (hamiltonian + sum(jumps)) + observables
    return ENGINE_BYTES + states + _ENTRY_BYTES * matrices


class DynamicsSolve(msgspec.Struct, frozen=True, tag="dynamics.solve"):
    """Solve a system at each item's parameter point; an item's ``shots`` are trajectories, 0 if exact."""

    system: System
    seed: int
    items: tuple[ExpectItem, ...]


class DynamicsResult(msgspec.Struct, frozen=True, tag="dynamics.solve"):
    """Answer to ``DynamicsSolve``.

    A block's sums have one column for each observable and time, the times of the first observable first.
    """

    items: tuple[ExpectValues, ...]
