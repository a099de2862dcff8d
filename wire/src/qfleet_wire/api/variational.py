"""``variational.minimise``: what is asked, and the answer.

A cost is a Pauli sum, a graph whose cut is sought, or a quadratic function of spins or bits.
"""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus
from qfleet_wire.workload.variational import Optimiser


class PauliCost(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="pauli"
):
    """The expectation value of a Pauli sum, such as ``"0.5*Z0 Z1 - X2"``."""

    sum: str


class Edge(msgspec.Struct, frozen=True, array_like=True):
    """An edge of a graph and its weight: ``[0, 1]`` or ``[0, 1, 2.5]``."""

    a: int
    b: int
    weight: float = 1.0


class CutCost(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="cut"
):
    """Minus the weight of the edges between the nodes that are 0 and those that are 1: the maximum cut."""

    edges: tuple[Edge, ...]


class Field(msgspec.Struct, frozen=True, array_like=True):
    """A variable and its linear coefficient: ``[0, -0.5]``."""

    variable: int
    coefficient: float


class Coupling(msgspec.Struct, frozen=True, array_like=True):
    """Two variables and their quadratic coefficient: ``[0, 1, 2.0]``."""

    a: int
    b: int
    coefficient: float


class IsingCost(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="type",
    tag="ising",
):
    """``offset`` + Σ h_i s_i + Σ J_ij s_i s_j, with spin +1 where a qubit is 0, -1 where it is 1."""

    linear: tuple[Field, ...] = ()
    quadratic: tuple[Coupling, ...] = ()
    offset: float = 0.0


class QuboCost(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="type",
    tag="qubo",
):
    """``offset`` + Σ a_i x_i + Σ b_ij x_i x_j, where x is what a qubit is, 0 or 1."""

    linear: tuple[Field, ...] = ()
    quadratic: tuple[Coupling, ...] = ()
    offset: float = 0.0


Cost: TypeAlias = PauliCost | CutCost | IsingCost | QuboCost


class QaoaAnsatz(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="qaoa"
):
    """QAOA (Farhi, Goldstone, Gutmann, arXiv:1411.4028): layers of exp(-iγC), then exp(-iβ ΣX).

    Parameters are ``gamma_1`` … and ``beta_1`` …, one pair for each layer.
    """

    layers: int = 1


class HardwareEfficientAnsatz(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="type",
    tag="hardware_efficient",
):
    """Rotations of every qubit, then ``depth`` times entangling gates and rotations again.

    After Kandala et al., Nature 549, 242 (2017). Parameters are ``theta_0`` …: layer by layer, qubit by
    qubit, in the order of ``rotations``. The pattern is a line (0-1, 1-2, …), a ring (the line closed) or
    full (each pair once). Without ``qubits`` the cost says how many there are.
    """

    rotations: tuple[Literal["rx", "ry", "rz"], ...] = ("ry",)
    entangler: Literal["linear", "ring", "full"] = "linear"
    gate: Literal["cx", "cz"] = "cx"
    depth: int = 1
    qubits: int | None = None


Ansatz: TypeAlias = QaoaAnsatz | HardwareEfficientAnsatz


class VariationalRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="variational.minimise",
):
    """Minimise ``cost`` over the parameters of an ansatz.

    Without an ``ansatz`` it is the job's ``program``, whose inputs are its parameters; those that ``fixed``
    names keep their value. The job's ``parameters`` are the points from which the first starts begin, the
    others' are drawn. Of a cost that is a sum of Z products, the job's ``shots`` (1,024 where it says none)
    are drawn at the end of each start, and the ``best`` strings of lowest cost are told.

    ``optimiser`` "auto" is L-BFGS-B wherever the cost is differentiable, else COBYLA.
    """

    cost: Cost
    ansatz: Ansatz | None = None
    starts: int | None = None
    optimiser: Literal["auto"] | Optimiser = "auto"
    evaluations: int = 500
    tolerance: float = 1e-9
    best: int = 10
    fixed: dict[str, float] = {}


class StringView(msgspec.Struct, frozen=True):
    """An outcome as bits (qubit 0 rightmost), how often it came, and its cost."""

    bits: str
    count: int
    cost: float


class StartView(msgspec.Struct, frozen=True):
    """Where a start led: the lowest value it saw, and its parameters.

    ``trace`` has the value at every ``every``-th evaluation, from the first on.
    """

    start: int
    value: float
    parameters: dict[str, float]
    evaluations: int
    converged: bool
    trace: tuple[float, ...]
    every: int


class VariationalResultView(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="variational.minimise"
):
    """Result of a job of this kind; the quantum states are simulated on the devices.

    ``value``, ``parameters`` and ``samples`` are those of the best start, which is ``start``; ``value`` is
    None while no start is done. ``lowest`` is the string of least cost over the samples of all starts.
    """

    job: str
    status: JobStatus
    seed: int
    sources: tuple[SourceView, ...]
    value: float | None
    parameters: dict[str, float]
    start: int | None
    starts: tuple[StartView, ...]
    samples: tuple[StringView, ...]
    lowest: StringView | None
