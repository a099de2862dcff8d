"""Asking a fleet for low states of a model, and reading them: annealing, or QAOA where the model is small."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from qfleet import (
    AnnealRequest,
    AnnealResultView,
    Coupling,
    Field,
    JobRequest,
    QaoaAnsatz,
    QuboCost,
    ResultView,
    VariationalRequest,
    VariationalResultView,
)
from qfleet_applications.errors import InvalidProblem, TooLarge, UnexpectedResult
from qfleet_applications.frame.report import QUANTUM, Kind
from qfleet_applications.qubo.model import Qubo

Method: TypeAlias = Literal["simulated", "path-integral", "tabu", "qaoa"]
METHODS: tuple[Method, ...] = get_args(Method)
LARGEST_QAOA = 24
"""Qubits of a QAOA state vector: more take hours on a small device."""
PART_QAOA = 16
"""Qubits of the parts of a larger problem, which QAOA answers in about a second."""
LARGEST_MODEL = 4000
"""Variables of an annealed model; tabu search takes no more."""
LARGEST_TERMS = 190_000
"""Coefficients of a model: what a request may carry, and ten states of which may be checked."""
_CHECKED = 2_000_000
"""Coefficients of all states that come back; each of these is checked."""
_QAOA_SHOTS = 4096
_QAOA_EVALUATIONS = 50


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard a fleet tries: ``reads`` runs of ``sweeps`` passes, or ``layers`` of QAOA from 2 starts.

    ``beta`` are the first and the last inverse temperature of simulated annealing, in the units of the model.
    """

    method: Method = "simulated"
    reads: int = 64
    sweeps: int = 1000
    layers: int = 2
    keep: int = 10
    beta: tuple[float, float] | None = None

    @property
    def described(self) -> str:
        """The method for people."""
        if self.method == "qaoa":
            return f"QAOA, {self.layers} layers, simulated"
        names = {"simulated": "simulated annealing", "path-integral": "path-integral annealing (simulated)"}
        return f"{names.get(self.method, 'tabu search')}, {self.reads} reads of {self.sweeps} sweeps"

    @property
    def kind(self) -> Kind:
        """Whether it works on quantum states."""
        return QUANTUM if self.method == "qaoa" else "classical"

    @property
    def nature(self) -> str:
        """What kind of method it is, said plainly."""
        if self.method == "qaoa":
            return "QAOA ran on simulated qubits, without noise."
        return (
            f"{self.described.split(',')[0].capitalize()} is a classical sampler of the model that a quantum "
            "annealer would take; what it finds shows nothing about quantum hardware."
        )

    @property
    def largest(self) -> int:
        """Most variables of a model that this method takes."""
        return LARGEST_QAOA if self.method == "qaoa" else LARGEST_MODEL

    @property
    def part(self) -> int:
        """Most variables of a part of a larger problem: what this method answers quickly."""
        return PART_QAOA if self.method == "qaoa" else LARGEST_MODEL


@dataclass(frozen=True, slots=True)
class State:
    """An assignment that came back, its energy (recomputed here), and how many reads or shots gave it."""

    bits: tuple[int, ...]
    energy: float
    count: int


def request(qubo: Qubo, effort: Effort, *, seed: int, name: str) -> JobRequest:
    """State a model as a job.

    Raises:
        InvalidProblem: the model has no variables.
        TooLarge: it has more than the method takes; the message says how many.
    """
    check(len(qubo), qubo.terms, effort, name)
    if effort.method == "qaoa":
        ansatz = QaoaAnsatz(layers=effort.layers)
        minimise = VariationalRequest(
            cost=_cost(qubo), ansatz=ansatz, starts=2, best=effort.keep, evaluations=_QAOA_EVALUATIONS
        )
        return JobRequest(kind="variational.minimise", name=name, work=minimise, seed=seed, shots=_QAOA_SHOTS)
    work = AnnealRequest(
        model=serialized(qubo),
        method=effort.method,
        reads=effort.reads,
        sweeps=effort.sweeps,
        keep=min(effort.keep, _CHECKED // max(1, qubo.terms)),
        beta_range=effort.beta if effort.method == "simulated" else None,
    )
    return JobRequest(kind="anneal.sample", name=name, work=work, seed=seed)


def check(variables: int, terms: int, effort: Effort, name: str) -> None:
    """Refuse a model that no device takes.

    Raises:
        InvalidProblem: it has no variables.
        TooLarge: it has too many of them, or of terms.
    """
    unit = "qubits" if effort.method == "qaoa" else "variables"
    if variables < 1:
        raise InvalidProblem(f"{name}: the model has no variables; nothing is left to decide")
    if variables > effort.largest:
        told = f"{name} needs {variables} {unit}, and {effort.method} takes at most {effort.largest}"
        hint = "give a smaller problem" + (", or anneal it" if effort.method == "qaoa" else "")
        raise TooLarge(told, qubits=variables, hint=hint)
    if terms > LARGEST_TERMS:
        told = f"{name} needs {variables} {unit} and {terms} coefficients; a request carries {LARGEST_TERMS}"
        raise TooLarge(told, qubits=variables, hint="give a smaller problem")


def serialized(qubo: Qubo) -> dict[str, Any]:
    """A model as dimod's ``BinaryQuadraticModel`` serializes itself; labels are the variables' numbers."""
    pairs = {pair: weight for pair, weight in qubo.quadratic.items() if weight}
    return {
        "type": "BinaryQuadraticModel",
        "version": {"bqm_schema": "3.0.0"},
        "use_bytes": False,
        "index_type": "int32",
        "bias_type": "float64",
        "num_variables": len(qubo),
        "num_interactions": len(pairs),
        "variable_labels": list(range(len(qubo))),
        "variable_type": "BINARY",
        "offset": qubo.offset,
        "info": {},
        "linear_biases": list(qubo.linear),
        "quadratic_biases": list(pairs.values()),
        "quadratic_head": [one for one, _ in pairs],
        "quadratic_tail": [other for _, other in pairs],
    }


def states(qubo: Qubo, view: ResultView) -> list[State]:
    """The lowest states of a result, ascending in energy.

    Raises:
        UnexpectedResult: the result is none of this model.
    """
    found = _found(qubo, view)
    if not found or any(len(bits) != len(qubo) for bits, _ in found):
        raise UnexpectedResult(f"asked for states of {len(qubo)} bits, got {type(view).__name__}")
    return sorted(
        (State(bits, qubo.energy(bits), count) for bits, count in found),
        key=lambda state: (state.energy, state.bits),
    )


def _cost(qubo: Qubo) -> QuboCost:
    """The cost in units of its largest coefficient, so that the angles of QAOA are of order 1."""
    unit = max(map(abs, (*qubo.linear, *qubo.quadratic.values()))) or 1.0
    return QuboCost(
        linear=tuple(Field(index, weight / unit) for index, weight in enumerate(qubo.linear)),
        quadratic=tuple(
            Coupling(one, other, weight / unit) for (one, other), weight in qubo.quadratic.items() if weight
        ),
        offset=qubo.offset / unit,
    )


def _found(qubo: Qubo, view: ResultView) -> Sequence[tuple[tuple[int, ...], int]]:
    if isinstance(view, AnnealResultView):
        place = {label: index for index, label in enumerate(view.variables)}
        order = [place.get(index, -1) for index in range(len(qubo))]
        if min(order, default=-1) < 0:
            raise UnexpectedResult("the states of the result do not have the variables of the model")
        return [(tuple(state.values[at] for at in order), state.reads) for state in view.states]
    if isinstance(view, VariationalResultView):
        # qubit 0 stands rightmost; the lowest string may have come from another start than the samples
        strings = {one.bits: one.count for one in (*view.samples, *filter(None, [view.lowest]))}
        return [(tuple(int(bit) for bit in reversed(bits)), count) for bits, count in strings.items()]
    raise UnexpectedResult(f"asked for low states of a model, got {type(view).__name__}")
