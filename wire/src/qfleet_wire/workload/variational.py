"""``variational.minimise``: minimise a cost over the parameters of an ansatz.

An item is a start: a first point and the optimiser's whole run from there, on one device. Its random
numbers come from ``block_seed(seed, start, block)``: block 0 draws the first point where none is given,
the blocks from 1 on draw the shots of the sample at its end.
"""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.circuit import Program
from qfleet_wire.workload.circuits import Observable

Optimiser: TypeAlias = Literal["l-bfgs-b", "cobyla", "nelder-mead"]
"""The first needs gradients, which are exact; the others compare values."""

TRACE = 512
"""Most values that a start's history keeps."""


class MinimiseStart(msgspec.Struct, frozen=True, omit_defaults=True):
    """One start; ``point`` has a value for each parameter, or is empty where it is drawn."""

    index: int
    point: tuple[float, ...] = ()


class VariationalMinimise(msgspec.Struct, frozen=True, omit_defaults=True, tag="variational.minimise"):
    """Minimise the expectation value of ``cost``, a Pauli sum, in the state of an ansatz.

    With a ``program`` (static) its parameters are varied. Without one the ansatz is QAOA: ``cost`` C has
    letters Z alone, the state begins as |+…+⟩, and each of ``layers`` layers applies exp(-iγC), then
    exp(-iβ ΣX); parameters are all γ, then all β. A run ends when the optimiser finds no more than
    ``tolerance`` to gain, or after ``evaluations`` evaluations (a gradient and its value are one).
    ``shots`` are drawn from the best state, of which the ``best`` outcomes of lowest cost come back.
    """

    seed: int
    qubits: int
    cost: Observable
    items: tuple[MinimiseStart, ...]
    optimiser: Optimiser
    evaluations: int
    tolerance: float
    program: Program | None = None
    layers: int = 0
    shots: int = 0
    best: int = 0


class SampledString(msgspec.Struct, frozen=True, array_like=True):
    """An outcome (qubit q is bit q), how often it came, and its cost."""

    outcome: int
    count: int
    cost: float


class MinimisedStart(msgspec.Struct, frozen=True):
    """Where a start led: the best ``value`` of the cost that was seen, and its ``parameters``.

    ``trace`` holds the value of every ``every``-th evaluation from the first on, at most ``TRACE``;
    ``converged`` tells whether the optimiser ended by itself. ``samples`` are in order of cost.
    """

    index: int
    value: float
    parameters: tuple[float, ...]
    evaluations: int
    converged: bool
    trace: tuple[float, ...]
    every: int
    samples: tuple[SampledString, ...] = ()


class VariationalResult(msgspec.Struct, frozen=True, tag="variational.minimise"):
    """Answer to ``VariationalMinimise``."""

    items: tuple[MinimisedStart, ...]
