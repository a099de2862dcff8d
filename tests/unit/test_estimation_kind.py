"""How amplitude estimation is asked, planned, checked and shown."""

from io import StringIO
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import msgspec
import pytest
from rich.console import Console
from tests.unit import estimation_cases as cases

from qfleet import arrays, plots
from qfleet.render import results
from qfleet_agent.machine import work as machine_work
from qfleet_controlplane.compile.errors import ProgramRefused, RequestRefused
from qfleet_controlplane.planning import cost, kinds, merge
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_wire import api, codec, workload

PROBLEMS = tuple(
    api.AmplitudeProblem(program=cases.turned(chance), objective=(0,)) for chance in (0.1, 0.5, 0.8)
)
ASKED = cases.request(*PROBLEMS)
JOB = cases.specification(ASKED)
WHOLE = Slice(0, 3, 0, 0)
RESULT = cases.ran(JOB)
INPUT = f"{cases.HEADER} input float a; qubit q; ry(a) q;"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": 0.6}, "epsilon"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"alpha": 0.0}, "alpha"),
        ({"round_shots": 0}, "round_shots"),
    ],
)
def test_a_number_out_of_range_is_refused_with_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        cases.specification(cases.request(**fields))
    assert caught.value.field == f"work.{field}"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"program": " "}, "program"),
        ({"program": INPUT}, "program"),
        ({"parameters": {"a": 1.0}}, "program"),
        ({"objective": ()}, "objective"),
        ({"objective": (3,)}, "objective"),
        ({"objective": (0, 0)}, "objective"),
        ({"good": ()}, "good"),
        ({"good": ("11",)}, "good[0]"),
        ({"good": ("1", "x")}, "good[1]"),
    ],
)
def test_a_problem_asked_wrongly_is_refused_with_its_field(fields: dict[str, Any], field: str) -> None:
    whole: dict[str, Any] = {"program": cases.ENTANGLED, "objective": (0,)} | fields
    with pytest.raises(RequestRefused) as caught:
        cases.specification(cases.request(PROBLEMS[0], api.AmplitudeProblem(**whole)))
    assert caught.value.field == f"work.problems[1].{field}"
    assert caught.value.hint


def test_no_problems_and_a_program_that_measures_are_refused() -> None:
    none = api.JobRequest(kind="amplitude.estimate", work=api.AmplitudeRequest(problems=()))
    with pytest.raises(RequestRefused, match=r"work\.problems"):
        cases.specification(none)
    measuring = f"{cases.HEADER} qubit q; bit c; c = measure q;"
    with pytest.raises(ProgramRefused, match="gates alone"):
        cases.specification(cases.request(api.AmplitudeProblem(program=measuring, objective=(0,))))


def test_inputs_take_their_values_from_the_problem() -> None:
    problem = api.AmplitudeProblem(program=INPUT, objective=(0,), parameters={"a": 1.0})
    asked = cases.request(problem)
    found = cases.viewed(asked, cases.ran(cases.specification(asked))).problems[0]
    assert abs(found.estimate - 0.2298488) <= 0.01


def test_any_split_gives_the_same_answer() -> None:
    parts = [Slice(0, 1, 0, 0), Slice(1, 2, 0, 0)]
    done = [cases.ran(JOB, part) for part in parts]
    for part, result in zip(parts, done, strict=True):
        assert kinds.fault(JOB, part, result) is None
        assert len(codec.encode(result)) <= kinds.result_bytes(JOB, part)
    whole = cases.viewed(ASKED, RESULT)
    assert cases.viewed(ASKED, *done[::-1], done[0]).problems == whole.problems
    assert list(whole.problems) == [0, 1, 2]


def _changed(**fields: object) -> workload.AmplitudeResult:
    first, *rest = RESULT.items
    return workload.AmplitudeResult((msgspec.structs.replace(first, **fields), *rest))


FIRST = RESULT.items[0]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (workload.AmplitudeResult(RESULT.items[1:]), "do not cover"),
        (_changed(estimate=0.9), "no interval"),
        (_changed(upper=0.2), "too long"),
        (_changed(lower=0.5, estimate=0.5, upper=0.5), "does not hold"),
        (_changed(rounds=()), "no rounds"),
        (_changed(rounds=(workload.AmplitudeRound(0, 99, 9),)), "99 shots"),
        (_changed(rounds=(workload.AmplitudeRound(0, 100, 101),)), "101 hits"),
        (_changed(rounds=(*FIRST.rounds, workload.AmplitudeRound(1, 100, 5))), "the power 1 after"),
    ],
)
def test_a_result_that_its_rounds_do_not_allow_is_invalid(
    result: workload.AmplitudeResult, told: str
) -> None:
    fault = kinds.fault(JOB, WHOLE, result)
    assert fault is not None
    assert told in fault


def test_results_within_rounding_agree_and_others_do_not() -> None:
    assert kinds.differ(RESULT, _changed(lower=FIRST.lower + 1e-13)) is None
    assert "the lower of problem 0" in str(kinds.differ(RESULT, _changed(lower=FIRST.lower - 1e-4)))
    other = cases.ran(cases.specification(ASKED, seed=8))
    assert "the rounds of problem 0 differ" in str(kinds.differ(RESULT, other))
    with pytest.raises(merge.MergeConflict):
        cases.viewed(ASKED, RESULT, other)


def test_many_problems_on_wide_states_split_and_a_device_knows_their_width() -> None:
    wide = f"{cases.HEADER} qubit[18] q; " + "".join(f"ry(0.{n + 1}) q[{n}]; " for n in range(18))
    job = cases.specification(cases.request(*(api.AmplitudeProblem(program=wide, objective=(3,)),) * 8))
    plan = kinds.plan(job, Fleet(2, 2, kinds.rates(job, cost.DEFAULT)))
    assert len(plan.slices) == 8
    head = machine_work.head_of(kinds.encode(job, plan.slices[0]))
    assert (machine_work.kind_of(head), machine_work.qubits_of(head)) == ("amplitude.estimate", 18)
    assert kinds.memory_bytes(job) > 6 * 16 << 18


def test_the_terminal_shows_intervals() -> None:
    console = Console(width=100, file=StringIO(), color_system=None)
    console.print(results.result(cases.viewed(ASKED, RESULT), top=4, width=100))
    drawn = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert "interval at 0.95" in drawn
    assert f"{FIRST.estimate:.6f}" in drawn
    assert f"{FIRST.lower:.6f} … {FIRST.upper:.6f}" in drawn


def test_without_results_there_is_nothing_to_show() -> None:
    view = cases.viewed(ASKED)
    assert view.problems == {}
    full = cases.viewed(ASKED, RESULT)
    assert msgspec.json.decode(msgspec.json.encode(full), type=api.ResultView) == full


def test_a_program_that_cannot_be_read_is_refused_with_its_problem_and_place() -> None:
    wrong = api.AmplitudeProblem(program="OPENQASM 3.0;\nqubit q;\nhh q;", objective=(0,))
    with pytest.raises(ProgramRefused, match=r"work\.problems\[1\]\.program: ") as caught:
        cases.specification(cases.request(PROBLEMS[0], wrong))
    assert caught.value.line == 3


def test_estimates_become_arrays_and_a_plot() -> None:
    view = cases.viewed(ASKED, RESULT)
    found = arrays.of(view)
    assert found["problems"].tolist() == [0, 1, 2]
    assert found["intervals"].shape == (3, 2)
    assert (found["intervals"][:, 0] <= found["estimates"]).all()
    mpl.use("agg")
    axes = plots.draw(view)
    assert axes.get_ylabel() == "amplitude"
    plt.close("all")
