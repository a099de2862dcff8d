"""Jobs of ``variational.minimise``, and what they must give by other ways."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.unit import workload_runs

from qfleet_wire import api

PAULI: dict[str, npt.NDArray[Any]] = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}
PETERSEN = [
    *((node, (node + 1) % 5) for node in range(5)),
    *((node, node + 5) for node in range(5)),
    *((5 + node, 5 + (node + 2) % 5) for node in range(5)),
]


def ring(nodes: int) -> api.CutCost:
    """The cut of a ring."""
    return api.CutCost(edges=tuple(api.Edge(node, (node + 1) % nodes) for node in range(nodes)))


def request(
    cost: Any, ansatz: Any = None, *, job: dict[str, Any] | None = None, **work: Any
) -> api.JobRequest:
    """Ask for a minimisation; ``job`` are fields of the job, others of its work."""
    asked = api.VariationalRequest(cost=cost, ansatz=ansatz, **work)
    return api.JobRequest(kind="variational.minimise", work=asked, **({"seed": 1} | (job or {})))


def minimised(asked: api.JobRequest, *, tasks: int = 1) -> api.VariationalResultView:
    """Run a job and return what people see."""
    view = workload_runs.run(asked, tasks=tasks).view
    assert isinstance(view, api.VariationalResultView)
    return view


def matrix(terms: Sequence[tuple[float, str]]) -> npt.NDArray[np.complex128]:
    """A Pauli sum of dense labels (qubit 0 rightmost) as a matrix."""
    parts = [
        coefficient * functools.reduce(np.kron, [PAULI[letter] for letter in label])
        for coefficient, label in terms
    ]
    total: npt.NDArray[np.complex128] = np.sum(parts, axis=0)
    return total


def diagonal(size: int, value: Any) -> npt.NDArray[np.float64]:
    """A function of bits (x[0] of qubit 0) in every basis state, one by one."""
    return np.array([value([index >> qubit & 1 for qubit in range(size)]) for index in range(1 << size)])


def qaoa_mean(costs: npt.NDArray[np.float64], gammas: Sequence[float], betas: Sequence[float]) -> float:
    """⟨C⟩ in QAOA's state by plain vectors: a phase for each state, and a rotation for each qubit."""
    state = np.full(len(costs), 1 / math.sqrt(len(costs)), complex)
    index = np.arange(len(costs))
    for gamma, beta in zip(gammas, betas, strict=True):
        state = state * np.exp(-1j * gamma * costs)
        for qubit in range(len(costs).bit_length() - 1):
            state = math.cos(beta) * state - 1j * math.sin(beta) * state[index ^ (1 << qubit)]
    return float(costs @ np.abs(state) ** 2)
