"""A desk that evaluates the pack's jobs by numpy, independently of any engine."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from qfleet import JobRequest, KernelRequest, ResultView
from qfleet_wire import api

_PAULIS = {
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.array([[1, 0], [0, -1]]),
}


def states(points: Any, *, entangled: bool) -> Any:
    """The ZZ map by its formula, exp(-iΣ φ Z) exp(-iΣ φ ZZ) H, twice; shape (n, 2^features)."""
    rows = np.asarray(points, dtype=float)
    number, width = rows.shape
    signs = 1 - 2 * ((np.arange(2**width)[:, None] >> np.arange(width)) & 1)
    phase = rows @ signs.T
    if entangled:
        for i, j in itertools.combinations(range(width), 2):
            phase += np.outer((np.pi - rows[:, i]) * (np.pi - rows[:, j]), signs[:, i] * signs[:, j])
    mixed = np.array([[1.0]])
    for _ in range(width):
        mixed = np.kron(mixed, np.array([[1, 1], [1, -1]]) / np.sqrt(2))
    turned = np.exp(-1j * phase)
    first = np.full((number, 2**width), 2 ** (-width / 2)) * turned
    return (first @ mixed) * turned


def fidelities(one: Any, other: Any, *, entangled: bool) -> Any:
    return np.abs(states(one, entangled=entangled) @ states(other, entangled=entangled).conj().T) ** 2


def expectations(points: Any) -> Any:
    """⟨X⟩, ⟨Y⟩, ⟨Z⟩ of each qubit; shape (n, 3 features)."""
    width = len(points[0])
    tensor = states(points, entangled=True).reshape((len(points), *(2,) * width))
    columns = []
    for qubit in range(width):
        # qubit 0 is the last axis
        split = np.moveaxis(tensor, width - qubit, 1).reshape(len(points), 2, -1)
        reduced = np.einsum("nak,nbk->nab", split, split.conj())
        columns += [np.einsum("nab,ba->n", reduced, pauli).real for pauli in _PAULIS.values()]
    return np.array(columns).T


class Exact:
    """Answers kernel and expectation jobs; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[JobRequest] = []

    def run(self, request: JobRequest, label: str = "") -> ResultView:
        return self.run_all((request,), label)[0]

    def run_all(self, requests: Sequence[JobRequest], label: str = "") -> tuple[ResultView, ...]:  # noqa: ARG002 - as a desk
        self.asked += requests
        return tuple(map(_answer, requests))


def _answer(request: JobRequest) -> ResultView:
    if isinstance(request.work, KernelRequest):
        entangled = request.work.feature_map is not None
        others = request.work.others or request.work.points
        matrix = fidelities(request.work.points, others, entangled=entangled)
        rows = tuple(map(tuple, matrix.tolist()))
        return api.KernelResultView(job="j", status="succeeded", seed=0, sources=(), shots=0, matrix=rows)
    points = [list(place.values()) for place in request.parameters]
    items = tuple(
        api.ExpectItemView({}, tuple(api.ValueView("", float(value), 0.0, exact=True) for value in row))
        for row in expectations(points)
    )
    return api.ExpectResultView("j", "succeeded", 0, items, ())
