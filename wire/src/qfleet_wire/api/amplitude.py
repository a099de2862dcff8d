"""``amplitude.estimate``: what is asked, and the answer."""

from typing import Literal

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus


class AmplitudeProblem(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """The probability of a good outcome of a state.

    ``program`` is OpenQASM 2 or 3 text that prepares the state from |0…0⟩ by gates alone; ``parameters``
    gives its inputs their values. ``objective`` are the qubits that decide, by number; ``good`` are their
    good outcomes, the first objective rightmost, all ones where it is left out.
    """

    program: str
    objective: tuple[int, ...]
    good: tuple[str, ...] | None = None
    parameters: dict[str, float] = {}


class AmplitudeRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="amplitude.estimate",
):
    """Estimate amplitudes by iterative amplitude estimation, to ± ``epsilon`` with confidence 1 - ``alpha``.

    A round draws ``round_shots`` shots; ``confidence`` is the kind of interval that is put around them.
    """

    problems: tuple[AmplitudeProblem, ...]
    epsilon: float = 0.01
    alpha: float = 0.05
    round_shots: int = 100
    confidence: Literal["clopper-pearson", "chernoff"] = "clopper-pearson"


class RoundView(msgspec.Struct, frozen=True):
    """One round: the power of the Grover operator, and how many of its shots were good."""

    power: int
    shots: int
    hits: int


class EstimateView(msgspec.Struct, frozen=True):
    """The estimate of one problem, in the middle of its interval.

    ``oracle_calls`` counts applications of the Grover operator: power × shots over all rounds.
    """

    estimate: float
    interval: tuple[float, float]
    oracle_calls: int
    rounds: tuple[RoundView, ...]


class AmplitudeResultView(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="amplitude.estimate"
):
    """Result of an amplitude-estimation job; ``problems`` has one entry for each that is done, by number."""

    job: str
    status: JobStatus
    seed: int
    epsilon: float
    alpha: float
    problems: dict[int, EstimateView]
    sources: tuple[SourceView, ...]
