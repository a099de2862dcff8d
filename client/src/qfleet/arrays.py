"""Results as numpy arrays, by kind. Imported only when somebody asks for arrays."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qfleet import errors
from qfleet_wire import api

Arrays = dict[str, npt.NDArray[Any]]


def of(view: api.ResultView) -> Arrays:
    """The arrays of a result, by name.

    Raises:
        UserError: a result of this kind has none.
    """
    maker = _MAKERS.get(type(view))
    if maker is None:
        raise errors.UserError(f"a {type(view).__name__} has no arrays")
    return maker(view)


def _sampled(view: api.SampleResultView) -> Arrays:
    """``outcomes`` (k,) of str, ascending; ``counts`` (points, k); ``parameters`` (points, inputs)."""
    outcomes = sorted({outcome for item in view.items for outcome in item.counts})
    counts = [[item.counts.get(outcome, 0) for outcome in outcomes] for item in view.items]
    return {
        "outcomes": np.array(outcomes, np.str_),
        "counts": np.array(counts, np.int64).reshape(len(view.items), len(outcomes)),
        "parameters": _parameters([item.parameters for item in view.items]),
    }


def _expected(view: api.ExpectResultView) -> Arrays:
    """``values`` and ``standard_errors`` (points, observables); ``parameters`` (points, inputs)."""
    return {
        "values": np.array([[value.value for value in item.values] for item in view.items], np.float64),
        "standard_errors": np.array(
            [[value.standard_error for value in item.values] for item in view.items], np.float64
        ),
        "parameters": _parameters([item.parameters for item in view.items]),
    }


def _amplitudes(view: api.AmplitudesResultView) -> Arrays:
    """``amplitudes`` (points, bit strings), complex; ``bitstrings`` (k,) of str; ``parameters`` as above."""
    values = [[complex(each.real, each.imaginary) for each in item.amplitudes] for item in view.items]
    return {
        "amplitudes": np.array(values, np.complex128),
        "bitstrings": np.array([each.bitstring for each in view.items[0].amplitudes] if view.items else []),
        "parameters": _parameters([item.parameters for item in view.items]),
    }


def _solved(view: api.DynamicsResultView) -> Arrays:
    """``times`` (t,); ``values``, ``standard_errors`` (points, observables, t); ``parameters``."""
    curves = [item.curves for item in view.items]
    return {
        "times": np.array(view.times, np.float64),
        "values": np.array([[curve.values for curve in each] for each in curves], np.float64),
        "standard_errors": np.array(
            [[curve.standard_errors for curve in each] for each in curves], np.float64
        ),
        "parameters": _parameters([item.parameters for item in view.items]),
    }


def _minimised(view: api.VariationalResultView) -> Arrays:
    """``values`` (starts,); ``parameters`` (starts, parameters); ``traces`` (starts, longest) end in NaN.

    Of the best start's strings ``outcomes`` (k,) of str, ``costs`` and ``counts`` (k,).
    """
    longest = max((len(start.trace) for start in view.starts), default=0)
    traces = np.full((len(view.starts), longest), np.nan)
    for row, start in zip(traces, view.starts, strict=True):
        row[: len(start.trace)] = start.trace
    return {
        "values": np.array([start.value for start in view.starts], np.float64),
        "parameters": _parameters([start.parameters for start in view.starts]),
        "traces": traces,
        "outcomes": np.array([sample.bits for sample in view.samples], np.str_),
        "costs": np.array([sample.cost for sample in view.samples], np.float64),
        "counts": np.array([sample.count for sample in view.samples], np.int64),
    }


def _kernel(view: api.KernelResultView) -> Arrays:
    """``matrix`` (points, points or others), NaN where it is not done."""
    return {"matrix": np.array(view.matrix, np.float64)}


def _annealed(view: api.AnnealResultView) -> Arrays:
    """``states`` (k, variables), ``energies``, ``reads`` (k,); all ``levels``, ``level_reads``."""
    return {
        "states": np.array([state.values for state in view.states], np.int8).reshape(
            len(view.states), len(view.variables)
        ),
        "energies": np.array([state.energy for state in view.states], np.float64),
        "reads": np.array([state.reads for state in view.states], np.int64),
        "levels": np.array([level.energy for level in view.energies], np.float64),
        "level_reads": np.array([level.reads for level in view.energies], np.int64),
    }


def _estimated(view: api.AmplitudeResultView) -> Arrays:
    """``problems``, ``estimates`` and ``oracle_calls`` (k,); ``intervals`` (k, 2)."""
    found = view.problems.values()
    return {
        "problems": np.array(list(view.problems), np.int64),
        "estimates": np.array([one.estimate for one in found], np.float64),
        "intervals": np.array([one.interval for one in found], np.float64).reshape(len(found), 2),
        "oracle_calls": np.array([one.oracle_calls for one in found], np.int64),
    }


def _integrated(view: api.PhiResultView) -> Arrays:
    """``causes`` and ``effects``: φ over [mechanism, purview], the bits of an index naming qubits.

    Shape (2^qubits, 2^qubits); NaN where nothing was evaluated.
    """
    size = 1 << view.qubits
    found = {name: np.full((size, size), np.nan) for name in ("cause", "effect")}
    for one in view.distinctions:
        row = sum(1 << qubit for qubit in one.mechanism)
        for each in one.purviews:
            found[one.direction][row, sum(1 << qubit for qubit in each.purview)] = each.phi
    return {"causes": found["cause"], "effects": found["effect"]}


def _parameters(points: Sequence[dict[str, float]]) -> npt.NDArray[np.float64]:
    """Inputs in the order of their names' first point, shape (points, inputs)."""
    names = list(points[0]) if points else []
    return np.array([[point[name] for name in names] for point in points], np.float64).reshape(
        len(points), len(names)
    )


_MAKERS: dict[type[api.ResultView], Callable[[Any], Arrays]] = {
    api.SampleResultView: _sampled,
    api.ExpectResultView: _expected,
    api.AmplitudesResultView: _amplitudes,
    api.DynamicsResultView: _solved,
    api.VariationalResultView: _minimised,
    api.KernelResultView: _kernel,
    api.AnnealResultView: _annealed,
    api.AmplitudeResultView: _estimated,
    api.PhiResultView: _integrated,
}
