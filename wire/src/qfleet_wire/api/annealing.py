"""``anneal.sample``: what is asked, and the answer."""

from typing import Any, Literal, TypeAlias

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus

Label: TypeAlias = str | int | float | tuple[str | int | float, ...]
"""The name of a variable, as ``dimod`` has it."""


class AnnealRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="anneal.sample",
):
    """Sample low-energy states of a binary quadratic model.

    ``model`` is what ``dimod``'s ``BinaryQuadraticModel.to_serializable()`` returns, or text in its
    COOrdinate format with a header ``# vartype=SPIN`` or ``# vartype=BINARY``. Each of the ``reads`` is
    a run of the method over ``sweeps`` passes; the ``keep`` lowest distinct states come back.

    ``beta_range`` (simulated annealing) are the first and the last inverse temperature. ``beta`` and
    ``transverse_field`` (path-integral annealing) are the inverse temperature and the field at the beginning.
    All are in the units of the model's biases; what is left out is chosen from the biases.
    """

    model: dict[str, Any] | str
    method: Literal["simulated", "path-integral", "tabu"] = "simulated"
    reads: int = 100
    sweeps: int = 1000
    keep: int = 10
    beta_range: tuple[float, float] | None = None
    beta: float | None = None
    transverse_field: float | None = None


class EnergyView(msgspec.Struct, frozen=True):
    """How many reads ended with exactly this energy."""

    energy: float
    reads: int


class StateView(msgspec.Struct, frozen=True):
    """A state: values in the order of the result's ``variables``, and how many reads ended in it."""

    energy: float
    reads: int
    values: tuple[int, ...]


class AnnealResultView(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="anneal.sample"):
    """Result of an annealing job: the lowest states found, and the energies of all reads, both ascending.

    Energies are those of the model as it was asked, recomputed from the states by the control plane.
    """

    job: str
    status: JobStatus
    seed: int
    method: str
    variable_type: str
    variables: tuple[Label, ...]
    reads: int
    states: tuple[StateView, ...]
    energies: tuple[EnergyView, ...]
    sources: tuple[SourceView, ...]
