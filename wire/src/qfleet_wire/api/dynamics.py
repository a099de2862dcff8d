"""``dynamics.solve``: what is asked, and the answer."""

from typing import Literal

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus


class DynamicsSubsystem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the system, by which operators name it.

    A ``mode`` says how many ``levels`` (Fock states) are kept, a ``spin`` its quantum number ``j``.
    """

    name: str
    kind: Literal["qubit", "mode", "spin"] = "qubit"
    levels: int = 0
    j: float = 0.0


class DynamicsTerm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A term of the Hamiltonian, coefficient × operator; ``add_adjoint`` adds its Hermitian conjugate."""

    operator: str
    coefficient: str = "1"
    add_adjoint: bool = False


class DynamicsCollapse(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A jump operator √rate × operator."""

    operator: str
    rate: str = "1"


class DynamicsGrid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """``points`` times, evenly spaced from ``start`` to ``stop``, both included."""

    stop: float
    points: int = 101
    start: float = 0.0


class DynamicsRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="dynamics.solve",
):
    """Solve an open or closed quantum system in time, ħ = 1.

    Operators are sums of products such as ``"adag(c)*a(q) + a(c)*adag(q)"``; coefficients and rates are
    formulas of the time ``t`` and of parameters, such as ``"0.5*omega*cos(nu*t)"``. ``constants`` holds
    values for all points, ``parameters`` one mapping of names to values for each point.

    ``initial`` says how a subsystem begins (``"1"``, ``"+"``, ``"coherent(2)"``); others begin at level 0.
    ``method`` is chosen where it is left out: ``sesolve`` for a closed system, else ``mesolve``.
    ``trajectories`` is for ``mcsolve``. ``rtol`` and ``atol`` bound the solver's error in each step,
    ``max_step`` (0: none) its steps.
    """

    subsystems: tuple[DynamicsSubsystem, ...]
    hamiltonian: tuple[DynamicsTerm, ...] = ()
    collapse: tuple[DynamicsCollapse, ...] = ()
    initial: dict[str, str] = {}
    observables: tuple[str, ...]
    times: tuple[float, ...] | DynamicsGrid
    method: Literal["sesolve", "mesolve", "mcsolve"] | None = None
    trajectories: int = 0
    constants: dict[str, float] = {}
    parameters: tuple[dict[str, float], ...] = ()
    rtol: float = 1e-6
    atol: float = 1e-8
    max_step: float = 0.0


class DynamicsCurve(msgspec.Struct, frozen=True):
    """The mean of an observable at each time, and its standard errors; those are 0 if ``exact``.

    ``exact`` means without sampling: to the solver's tolerances.
    """

    observable: str
    values: tuple[float, ...]
    standard_errors: tuple[float, ...]
    exact: bool


class DynamicsItemView(msgspec.Struct, frozen=True):
    """One parameter point; ``trajectories`` counts those that the means are of, 0 if exact."""

    parameters: dict[str, float]
    trajectories: int
    curves: tuple[DynamicsCurve, ...]


class DynamicsResultView(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="dynamics.solve"):
    """Result of a job of this kind. The quantum state is simulated on the devices."""

    job: str
    status: JobStatus
    seed: int
    times: tuple[float, ...]
    items: tuple[DynamicsItemView, ...]
    sources: tuple[SourceView, ...]
