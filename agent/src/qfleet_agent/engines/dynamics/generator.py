"""A system at one parameter point in QuTiP's form.

Terms that do not depend on time are added up once; the others are grouped by their coefficient, so that
the solver multiplies by few matrices.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from qfleet_agent.engines.dynamics import operators, room
from qfleet_agent.engines.dynamics.library import qutip
from qfleet_agent.engines.dynamics.operators import Matrix
from qfleet_agent.engines.errors import ProgramFailed
from qfleet_wire.workload import formula_values
from qfleet_wire.workload.dynamics import System
from qfleet_wire.workload.formula import Formula, is_steady


class Matrices:
    """The matrices of a system, the same for all parameter points.

    Raises:
        MemoryShort: generator and states do not fit into ``budget`` bytes.
    """

    def __init__(self, system: System, budget: int) -> None:
        self._system = system
        self._grouped: dict[Formula, Matrix] = {}
        for term in system.hamiltonian:
            one = operators.matrix(term.operator, system.subsystems)
            known = self._grouped.get(term.coefficient)
            self._grouped[term.coefficient] = one if known is None else known + one
        self._jumps = [operators.matrix(term.operator, system.subsystems) for term in system.jumps]
        self.observables = [
            _quantum(operators.matrix(each.operator, system.subsystems), system)
            for each in system.observables
        ]
        room.check(
            system,
            budget,
            hamiltonian=sum(one.nnz for one in self._grouped.values()),
            jumps=tuple(one.nnz for one in self._jumps),
            observables=sum(each.data.as_scipy().nnz for each in self.observables),
        )

    def bind(self, parameters: Sequence[float]) -> "Generator":
        """Return Hamiltonian and jump operators at a parameter point.

        Raises:
            ProgramFailed: a coefficient that does not depend on time is not finite, or a rate negative.
        """
        dimension = math.prod(each.levels for each in self._system.subsystems)
        steady = operators.matrix((), self._system.subsystems)
        moving: list[Any] = []
        for one, matrix in self._grouped.items():
            value = _finite(one, parameters, "a coefficient of the Hamiltonian")
            if is_steady(one):
                steady = steady + value(0.0) * matrix
            else:
                moving.append([_quantum(matrix, self._system), qutip.coefficient(value)])
        assert steady.shape == (dimension, dimension), "terms act on the whole space"
        hamiltonian = qutip.QobjEvo([_quantum(steady, self._system), *moving])
        return Generator(hamiltonian, [self._jump(number, parameters) for number in range(len(self._jumps))])

    def _jump(self, number: int, parameters: Sequence[float]) -> Any:
        one = self._system.jumps[number].coefficient
        rate = _finite(one, parameters, f"rate {number}")
        root = _root(rate, number)
        matrix = self._jumps[number]
        if is_steady(one):
            return qutip.QobjEvo(_quantum(root(0.0) * matrix, self._system))
        return qutip.QobjEvo([[_quantum(matrix, self._system), qutip.coefficient(root)]])


class Generator(NamedTuple):
    """What drives a system at one parameter point, as ``qutip.QobjEvo``."""

    hamiltonian: Any
    jumps: list[Any]


def ket(system: System, parameters: Sequence[float]) -> Any:
    """The state vector at the beginning."""
    levels = [each.levels for each in system.subsystems]
    return qutip.Qobj(operators.initial_vector(system, parameters), dims=[levels, [1] * len(levels)])


def density(system: System, parameters: Sequence[float]) -> Any:
    """The density matrix at the beginning."""
    levels = [each.levels for each in system.subsystems]
    return qutip.Qobj(operators.initial_matrix(system, parameters), dims=[levels, levels])


def _quantum(matrix: Matrix, system: System) -> Any:
    levels = [each.levels for each in system.subsystems]
    return qutip.Qobj(matrix.tocsr(), dims=[levels, levels])


def _finite(one: Formula, parameters: Sequence[float], what: str) -> Callable[[float], Any]:
    inner = formula_values.evaluator(one, parameters)

    def value(t: float) -> Any:
        try:
            return inner(t)
        except ValueError as error:
            raise ProgramFailed(f"{what} {error}: choose times or parameters where it is finite") from error

    return value


def _root(rate: Callable[[float], Any], number: int) -> Callable[[float], float]:
    def root(t: float) -> float:
        value = rate(t)
        if isinstance(value, complex) or value < 0.0:
            raise ProgramFailed(f"rate {number} is {value:g} at t = {t:g}: a rate is 0 or more")
        return math.sqrt(value)

    return root
