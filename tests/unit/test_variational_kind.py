"""Minimisations in planning: slices, results that are no answer, disagreement, merging, and the terminal."""

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import msgspec
import numpy as np
import pytest
from rich.console import Console
from tests.unit import variational_cases as cases
from tests.unit import workload_runs
from tests.unit.variational_cases import request

from qfleet.render import results, variational
from qfleet.result import Result
from qfleet_controlplane.planning import cost, kinds, plan
from qfleet_controlplane.planning.merge import MergeConflict
from qfleet_controlplane.planning.plan import Slice
from qfleet_wire import api, workload

ASKED = request(cases.ring(4), api.QaoaAnsatz(), starts=2, job={"shots": 100})
JOB = workload_runs.specified(ASKED)
PART = Slice(0, 2, 0, 0)


@pytest.fixture(scope="module")
def honest() -> workload.VariationalResult:
    """What an honest device answers."""
    result = workload_runs.answer(JOB, PART)
    assert isinstance(result, workload.VariationalResult)
    assert kinds.fault(JOB, PART, result) is None
    return result


def changed(result: workload.VariationalResult, **fields: Any) -> workload.VariationalResult:
    """The result with its first start altered."""
    first, *others = result.items
    return workload.VariationalResult((msgspec.structs.replace(first, **fields), *others))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"index": 5}, "do not cover"),
        ({"parameters": (1.0,)}, "1 parameters instead of 2"),
        ({"value": -5.0}, "history down to"),
        ({"value": float("nan")}, "not finite"),
        ({"trace": (-1.0,)}, "history of 1 values"),
        ({"evaluations": 501}, "501 evaluations"),
        ({"value": -4.5, "trace": (-4.5,), "evaluations": 1}, "no state has one"),
        ({"samples": ()}, "tells 0 strings"),
        ({"samples": (workload.SampledString(0, 100, -4.0),)}, "the cost -4.0, not 0.0"),
        ({"samples": (workload.SampledString(5, 101, -4.0),)}, "more than 100 shots"),
        ({"samples": (workload.SampledString(16, 1, -4.0),)}, "the outcome 16"),
        (
            {"samples": (workload.SampledString(0, 1, 0.0), workload.SampledString(5, 1, -4.0))},
            "out of order",
        ),
    ],
)
def test_what_is_no_answer_is_told(
    honest: workload.VariationalResult, fields: dict[str, Any], words: str
) -> None:
    found = kinds.fault(JOB, PART, changed(honest, **fields))
    assert found is not None
    assert words in found


def test_honest_runs_agree_and_those_of_liars_do_not(honest: workload.VariationalResult) -> None:
    first = honest.items[0]
    rounded = tuple(value * (1 + 1e-13) for value in first.trace)
    assert kinds.differ(honest, changed(honest, trace=rounded, value=min(rounded))) is None
    lied = (first.trace[0] + 1e-3, *first.trace[1:])
    found = kinds.differ(honest, changed(honest, trace=lied))
    assert found is not None
    assert "evaluation 1 of start 0 differs" in found
    better = changed(honest, value=first.value - 0.1, trace=(*first.trace[:-1], first.value - 0.1))
    assert kinds.differ(honest, better) is not None
    assert kinds.differ(honest, workload.VariationalResult(honest.items[1:])) is not None


def test_starts_merge_in_any_order_and_a_contradiction_is_told(honest: workload.VariationalResult) -> None:
    one, two = (workload.VariationalResult((item,)) for item in honest.items)
    merged = workload_runs.shown(ASKED, JOB, (one, two, two))
    assert workload_runs.shown(ASKED, JOB, (two, one, two)) == merged
    with pytest.raises(MergeConflict, match="start 0"):
        workload_runs.shown(ASKED, JOB, (one, changed(one, value=-3.5)))


def test_the_best_start_is_shown_with_its_strings(honest: workload.VariationalResult) -> None:
    worse = changed(honest, value=-1.0, trace=(-1.0,), evaluations=1)
    view = workload_runs.shown(ASKED, JOB, (worse,))
    assert isinstance(view, api.VariationalResultView)
    assert (view.start, view.value) == (1, honest.items[1].value)
    assert view.parameters == dict(zip(("gamma_1", "beta_1"), honest.items[1].parameters, strict=True))
    assert [sample.cost for sample in view.samples] == [sample.cost for sample in honest.items[1].samples]
    assert view.samples[0].bits in {"0101", "1010"}
    assert view.lowest is not None
    assert view.lowest.cost == -4.0


def test_no_start_is_no_value() -> None:
    view = workload_runs.shown(ASKED, JOB, ())
    assert isinstance(view, api.VariationalResultView)
    assert (view.value, view.starts, view.lowest) == (None, (), None)
    assert "no results" in _drawn(view)


def test_the_plan_says_what_a_start_takes() -> None:
    ran = workload_runs.run(ASKED, tasks=2)
    assert [part.items for part in ran.parts] == [1, 1]
    told = kinds.plan(JOB, plan.Fleet(1, 1, cost.Rates(1.0, 0.0)))
    assert "1 layer of QAOA on 4 qubits with 2 parameters, minimised by l-bfgs-b" in told.sentences[0]


def test_the_terminal_shows_starts_and_strings(honest: workload.VariationalResult) -> None:
    drawn = _drawn(workload_runs.shown(ASKED, JOB, (honest,)))
    assert "lowest value -3" in drawn
    assert "gamma_1 = " in drawn
    assert "converged" in drawn
    assert "0101" in drawn
    assert "lowest cost of a string -4" in drawn


def test_starts_become_arrays_and_a_plot(honest: workload.VariationalResult) -> None:
    mpl.use("agg")
    result = Result(workload_runs.shown(ASKED, JOB, (honest,)))
    found = result.arrays()
    assert found["values"].tolist() == [item.value for item in honest.items]
    assert found["parameters"].tolist() == [list(item.parameters) for item in honest.items]
    assert np.nanmin(found["traces"], axis=1).tolist() == found["values"].tolist()
    assert found["costs"][0] == -4.0
    assert found["counts"].sum() <= 100
    axes = result.plot()
    drawn = [np.asarray(line.get_ydata()).tolist() for line in axes.lines]
    assert drawn == [list(item.trace) for item in honest.items]
    plt.close("all")


def test_a_curve_falls_with_the_values() -> None:
    assert variational.curve([3.0, 2.0, 1.0]) == "█▅▁" or variational.curve([3.0, 2.0, 1.0]) == "█▄▁"
    assert variational.curve([1.0]) == "▁"
    assert len(variational.curve(list(range(512)), 30)) == 30


def _drawn(view: api.ResultView) -> str:
    console = Console(width=100, record=True, file=None)
    with console.capture() as captured:
        console.print(results.result(view, top=8, width=100))
    return captured.get()
