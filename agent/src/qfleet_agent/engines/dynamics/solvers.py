"""The three solvers: they step from one asked time to the next and report the share that is done.

All integrate by Verner's explicit Runge–Kutta method of order 7(6) with dense output. A trajectory of
``mcsolve`` draws from a generator of its own, so that it is the same in any company.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines.dynamics import generator
from qfleet_agent.engines.dynamics.generator import Matrices
from qfleet_agent.engines.dynamics.library import qutip
from qfleet_agent.engines.errors import ProgramFailed
from qfleet_wire.workload.dynamics import System

Curves: TypeAlias = npt.NDArray[np.float64]
"""Means of observables over time, shape (observables, times)."""

_MOST_STEPS = 1_000_000_000
"""Steps between two asked times; what ends a task that takes too long is its time limit."""


class Deterministic:
    """``sesolve`` and ``mesolve``: one solution for each parameter point."""

    def __init__(self, system: System, matrices: Matrices) -> None:
        self._system, self._matrices = system, matrices

    def curves(self, parameters: Sequence[float], report: Callable[[float], None]) -> Curves:
        """Solve at a parameter point.

        Raises:
            ProgramFailed: a coefficient has no finite value, or the solver gives up.
        """
        system = self._system
        bound = self._matrices.bind(parameters)
        options = _options(system)
        if system.method == "sesolve":
            solver = qutip.SESolver(bound.hamiltonian, options=options)
            return _follow(solver, generator.ket(system, parameters), system, self._matrices, report)
        solver = qutip.MESolver(bound.hamiltonian, bound.jumps, options=options)
        return _follow(solver, generator.density(system, parameters), system, self._matrices, report)


class Trajectories:
    """``mcsolve`` at one parameter point."""

    def __init__(self, system: System, matrices: Matrices, parameters: Sequence[float]) -> None:
        self._system, self._matrices = system, matrices
        bound = matrices.bind(parameters)
        duration = system.times[-1] - system.times[0]
        # QuTiP finds a jump's time to 1e-6, whatever the unit of time: here it is relative to the whole.
        jumps = {"norm_t_tol": 1e-9 * duration, "norm_steps": 60}
        self._solver = qutip.MCSolver(bound.hamiltonian, bound.jumps, options=_options(system) | jumps)
        self._ket = generator.ket(system, parameters)

    def curves(self, seed: np.random.SeedSequence) -> Curves:
        """Follow one trajectory.

        Raises:
            ProgramFailed: as ``Deterministic.curves``.
        """
        return _follow(self._solver, self._ket, self._system, self._matrices, lambda _: None, seed=[seed])


def seeds(block_seed: int, count: int) -> list[np.random.SeedSequence]:
    """One seed for each trajectory of a block; the first ones do not depend on how many there are."""
    return np.random.SeedSequence(block_seed).spawn(count)


def _options(system: System) -> dict[str, Any]:
    options = {
        "method": "vern7",
        "rtol": system.rtol,
        "atol": system.atol,
        "nsteps": _MOST_STEPS,
        "progress_bar": "",
    }
    return options | ({"max_step": system.max_step} if system.max_step else {})


def _follow(
    solver: Any,
    state: Any,
    system: System,
    matrices: Matrices,
    report: Callable[[float], None],
    **start: Any,
) -> Curves:
    found = np.empty((len(matrices.observables), len(system.times)))
    found[:, 0] = _means(matrices, state)
    solver.start(state, system.times[0], **start)
    for number, t in enumerate(system.times[1:], 1):
        try:
            state = solver.step(t)
        except (RuntimeError, qutip.solver.IntegratorException) as error:
            hint = "give smaller tolerances, a smaller max_step, or a shorter time"
            raise ProgramFailed(f"the solver gave up before t = {t:g}: {error}; {hint}") from error
        found[:, number] = _means(matrices, state)
        report(number / (len(system.times) - 1))
    if not np.isfinite(found).all():
        raise ProgramFailed("the solution is not finite: the Hamiltonian is too large for its tolerances")
    return found


def _means(matrices: Matrices, state: Any) -> list[float]:
    return [float(np.real(qutip.expect(one, state))) for one in matrices.observables]
