"""The estimator primitive: expectation values, exact wherever the circuit has no mid-circuit measurement."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from qiskit.primitives import BaseEstimatorV2, DataBin, EstimatorPubLike, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable

from qfleet import errors, futures
from qfleet.fleet import Fleet
from qfleet.qiskit import programs
from qfleet.qiskit.jobs import PrimitivesJob
from qfleet.result import Result
from qfleet_wire import api

_PAULIS = frozenset("IXYZ")
_SINGLE_SHARE = 0.5
"""One job evaluates all observables at all points if at least this share of the pairs was asked for."""


class FleetEstimator(BaseEstimatorV2):
    """Evaluates observables on a fleet.

    A circuit without mid-circuit measurement is evaluated exactly, whatever the precision, and its
    standard errors are 0. Another one is run for about 1/precision² shots. ``options`` as in
    ``FleetSampler``.
    """

    def __init__(
        self,
        fleet: Fleet | None = None,
        *,
        default_precision: float = 1 / 64,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        self._fleet = fleet or Fleet.from_configuration()
        self._default_precision = default_precision
        self._seed = seed
        self._options = options

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> PrimitivesJob:
        """Submit the jobs of all pubs, one for each unless that evaluated much that nobody asked for.

        Raises:
            UserError: an observable is not Hermitian, or a circuit cannot be written as OpenQASM.
        """
        default = self._default_precision if precision is None else precision
        given = [EstimatorPub.coerce(pub, default) for pub in pubs]
        parts = [part for pub in given for part in _parts(pub)]
        submitted = [
            futures.submit(part.request, fleet=self._fleet, seed=self._seed, **self._options)
            for part in parts
        ]

        def assemble(results: list[Result]) -> PrimitiveResult[PubResult]:
            found = list(zip(parts, results, strict=True))
            return PrimitiveResult(
                [_pub_result(pub, [(p, r) for p, r in found if p.pub is pub]) for pub in given],
                metadata={"version": 2},
            )

        return PrimitivesJob(submitted, assemble)


class _Part(NamedTuple):
    """A job for a pub: which entries of its result have which observable at which point of the job."""

    pub: EstimatorPub
    request: api.JobRequest
    entries: tuple[tuple[tuple[int, ...], int, int], ...]


class _Wanted(NamedTuple):
    """An entry of the result, and the numbers of its observable and its point."""

    place: tuple[int, ...]
    observable: int
    point: int


def _parts(pub: EstimatorPub) -> list[_Part]:
    program = programs.export(pub.circuit)
    values = pub.parameter_values.as_array(pub.circuit.parameters).reshape(
        math.prod(pub.parameter_values.shape), len(program.inputs)
    )
    observables = (
        [_text(each) for each in pub.observables.ravel().tolist()]
        if pub.observables.shape
        else [_text(pub.observables.tolist())]
    )
    wanted = _wanted(pub)
    everything = len({entry.observable for entry in wanted}) * len({entry.point for entry in wanted})
    if len(wanted) >= _SINGLE_SHARE * everything:
        groups = [wanted]
    else:
        groups = [[e for e in wanted if e.observable == n] for n in range(len(observables))]
    return [_part(pub, program, (values, observables), group) for group in groups if group]


def _wanted(pub: EstimatorPub) -> list[_Wanted]:
    """Pair observables and points by the rules of broadcasting."""
    shape = pub.parameter_values.shape
    numbers = np.arange(math.prod(shape)).reshape(shape)
    which = np.arange(math.prod(pub.observables.shape)).reshape(pub.observables.shape)
    point, observable = np.broadcast_arrays(numbers, which)
    return [_Wanted(index, int(observable[index]), int(point[index])) for index in np.ndindex(*point.shape)]


def _part(
    pub: EstimatorPub,
    program: programs.Exported,
    tables: tuple[np.ndarray, list[str]],
    wanted: list[_Wanted],
) -> _Part:
    values, observables = tables
    points = sorted({entry.point for entry in wanted})
    columns = sorted({entry.observable for entry in wanted})
    request = api.JobRequest(
        kind="circuit.expect",
        name=pub.circuit.name,
        program=program.text,
        observables=tuple(observables[column] for column in columns),
        parameters=programs.points(program.inputs, values[points]),
        shots=_shots(pub.precision) if _is_dynamic(pub) else 0,
    )
    entries = tuple((e.place, points.index(e.point), columns.index(e.observable)) for e in wanted)
    return _Part(pub, request, entries)


def _pub_result(pub: EstimatorPub, parts: list[tuple[_Part, Result]]) -> PubResult:
    evs, stds = np.zeros(pub.shape), np.zeros(pub.shape)
    for part, result in parts:
        view = result.view
        assert isinstance(view, api.ExpectResultView)
        for index, point, column in part.entries:
            value = view.items[point].values[column]
            evs[index], stds[index] = value.value, value.standard_error
    metadata = {
        "target_precision": pub.precision,
        "circuit_metadata": pub.circuit.metadata,
        "jobs": [result.view.job for _, result in parts],
    }
    return PubResult(DataBin(evs=evs, stds=stds, shape=pub.shape), metadata=metadata)


def _text(observable: Mapping[str, complex]) -> str:
    """Write an observable as a sum of labels; projectors are put in terms of Paulis."""
    terms = dict(observable)
    if any(not _PAULIS.issuperset(label) for label in terms):
        summed = SparseObservable.from_list(list(terms.items())).as_paulis()
        width = summed.num_qubits
        terms = {}
        for term in summed:
            label = term.pauli_base().to_label() if width else ""
            terms[label] = terms.get(label, 0.0) + term.coeff
    for label, coefficient in terms.items():
        if abs(complex(coefficient).imag) > 0:
            raise errors.UserError(
                f"the coefficient {coefficient} of {label} is not real", hint="observables must be Hermitian"
            )
    return " + ".join(f"{complex(value).real!r}*{label}" for label, value in terms.items()).replace(
        "+ -", "- "
    )


def _is_dynamic(pub: EstimatorPub) -> bool:
    names = set(pub.circuit.count_ops())
    return not names.isdisjoint({"measure", "reset", *programs.CONTROL_FLOW})


def _shots(precision: float) -> int:
    return math.ceil(1.0 / precision**2) if precision > 0 else 4096
