"""Where kernels are computed: on the fleet, or on the machine where the data lie (``site``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qfleet import ExpectResultView, JobRequest, KernelResultView, ResultView
from qfleet_applications.errors import UnexpectedResult
from qfleet_applications.frame.desk import Runner, expect
from qfleet_applications.healthcare import feature_maps
from qfleet_applications.healthcare.feature_maps import Floats, Map


class Kernels(Protocol):
    """Evaluates kernels of sets of points; each set has the shape (n, features)."""

    def fidelities(self, sets: Sequence[Floats], feature_map: Map) -> list[Floats]:
        """For each set the matrix (n, n) of |⟨φ(x)|φ(y)⟩|²."""

    def projections(self, sets: Sequence[Floats]) -> list[Floats]:
        """For each set the Pauli expectations (n, 3 features) of the qubits in the ZZ states."""


@dataclass(frozen=True, slots=True)
class FleetKernels:
    """Kernels as jobs: the points are sent to the fleet."""

    desk: Runner
    seed: int

    def fidelities(self, sets: Sequence[Floats], feature_map: Map) -> list[Floats]:
        """For each set the matrix (n, n) of |⟨φ(x)|φ(y)⟩|²; a job for each set."""
        asked = [feature_maps.kernel(points, feature_map, seed=self.seed) for points in sets]
        return [
            _whole([list(row) for row in expect(view, KernelResultView).matrix], (len(points), len(points)))
            for points, view in zip(sets, self._run(asked), strict=True)
        ]

    def projections(self, sets: Sequence[Floats]) -> list[Floats]:
        """For each set the Pauli expectations (n, 3 features); a job for each set."""
        asked = [feature_maps.projections(points, seed=self.seed) for points in sets]
        found = []
        for points, view in zip(sets, self._run(asked), strict=True):
            items = expect(view, ExpectResultView).items
            values = [[one.value for one in item.values] for item in items]
            found.append(_whole(values, (len(points), 3 * points.shape[1])))
        return found

    def _run(self, asked: Sequence[JobRequest]) -> Sequence[ResultView]:
        return self.desk.run_all(asked, asked[0].name) if asked else ()


def _whole(rows: Sequence[Sequence[float | None]], shape: tuple[int, int]) -> Floats:
    matrix = np.array(rows, dtype=float)
    if matrix.shape != shape or not np.isfinite(matrix).all():
        raise UnexpectedResult(f"a kernel of shape {shape} was asked for, and is not whole")
    return matrix
