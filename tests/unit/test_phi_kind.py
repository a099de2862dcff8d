"""How integrated information is asked, planned, checked and shown."""

from io import StringIO
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import msgspec
import pytest
from rich.console import Console
from tests.unit import phi_cases as cases

from qfleet import arrays, plots
from qfleet.render import results
from qfleet_agent.machine import work as machine_work
from qfleet_controlplane.compile.errors import ProgramRefused, RequestRefused
from qfleet_controlplane.planning import cost, kinds, merge
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_wire import api, codec, workload

IDENTITY = ((1.0, 0.0), (0.0, 1.0))
ASKED = cases.request()
JOB = cases.specification(ASKED)
WHOLE = Slice(0, JOB.items, 0, 0)
RESULT = cases.ran(JOB)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"program": ""}, "unitary"),
        ({"unitary": IDENTITY}, "unitary"),
        ({"program": "", "unitary": ((1.0, 0.0), (0.0,)), "state": "0"}, "unitary[1]"),
        ({"program": "", "unitary": ((1.0, 0.0), (1.0, 0.0)), "state": "0"}, "unitary"),
        ({"program": "", "unitary": ((1.0, 0.0), (0.0, float("nan"))), "state": "0"}, "unitary[1][1]"),
        ({"program": "", "unitary": ((1.0,),), "state": "0"}, "unitary"),
        ({"program": f"{cases.HEADER} qubit[4] q;"}, "program"),
        ({"program": f"{cases.HEADER} input float a; qubit q; rx(a) q;", "state": "0"}, "program"),
        ({"state": ""}, "density"),
        ({"state": "10", "amplitudes": (1.0, 0.0, 0.0, 0.0)}, "amplitudes"),
        ({"state": "1"}, "state"),
        ({"state": "1x"}, "state"),
        ({"amplitudes": (1.0, 1.0, 0.0, 0.0)}, "amplitudes"),
        ({"amplitudes": (1.0, 0.0)}, "amplitudes"),
        ({"amplitudes": (1.0, float("inf"), 0.0, 0.0)}, "amplitudes[1]"),
        ({"amplitudes": (1e308, (1e308, 1.7e308), 0.0, 0.0)}, "amplitudes"),
        ({"density": ((0.5, 0.0), (0.0, 0.5))}, "density"),
        ({"density": ((0.5, 0.5), (0.0, 0.5)), "program": "", "unitary": IDENTITY}, "density"),
        ({"density": ((0.5, 0.0), (0.0, 0.4)), "program": "", "unitary": IDENTITY}, "density"),
        ({"density": ((0.5, 0.9), (0.9, 0.5)), "program": "", "unitary": IDENTITY}, "density"),
        ({"preparation": cases.GHZ}, "preparation"),
        ({"mechanisms": ((),)}, "mechanisms[0]"),
        ({"mechanisms": ((0,), (2,))}, "mechanisms[1]"),
        ({"mechanisms": ((0, 1), (1, 0))}, "mechanisms[1]"),
        ({"purviews": ((0, 0),)}, "purviews[0]"),
        ({"directions": ("cause", "cause")}, "directions"),
    ],
)
def test_what_is_asked_wrongly_is_refused_with_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        cases.specification(cases.request(**fields))
    assert caught.value.field == f"work.{field}"
    assert caught.value.hint


def test_a_step_that_measures_is_refused() -> None:
    with pytest.raises(ProgramRefused, match="gates alone"):
        cases.specification(cases.request(program=f"{cases.HEADER} qubit[2] q; bit b; b = measure q[0];"))


def test_states_can_be_given_in_four_ways() -> None:
    plus_right = {
        "state": "+r",
        "preparation": f"{cases.HEADER} qubit[2] q; h q[0]; h q[1]; s q[1];",
        "amplitudes": (0.5, (0.0, 0.5), 0.5, (0.0, 0.5)),
        "density": (
            (0.25, (0.0, -0.25), 0.25, (0.0, -0.25)),
            ((0.0, 0.25), 0.25, (0.0, 0.25), 0.25),
            (0.25, (0.0, -0.25), 0.25, (0.0, -0.25)),
            ((0.0, 0.25), 0.25, (0.0, 0.25), 0.25),
        ),
    }
    tables = [
        [cases.table(view, direction) for direction in ("cause", "effect")]
        for name, value in plus_right.items()
        for view in [cases.answer(**{name: value})]
    ]
    assert tables[0] == tables[1] == tables[2] == tables[3]
    assert tables[0][0]


def test_chosen_mechanisms_purviews_and_directions_alone_are_evaluated() -> None:
    view = cases.answer(mechanisms=((1, 0),), purviews=((1,), (0, 1)), directions=("effect",))
    (one,) = view.distinctions
    assert (one.direction, one.mechanism) == ("effect", (0, 1))
    assert [each.purview for each in one.purviews] == [(1,), (0, 1)]


def test_causes_are_of_the_state_after_the_step_unless_told() -> None:
    """CNOT brings |+0⟩ to a Bell state, whose parts say nothing alone; those of |+0⟩ do."""
    after, before = (cases.answer(state="+0", cause_of=which) for which in ("output", "input"))
    assert ("A", "A") not in cases.table(after, "cause")
    assert cases.table(before, "cause") != cases.table(after, "cause")
    assert cases.table(before, "effect") == cases.table(after, "effect")


def test_any_split_gives_the_same_answer() -> None:
    parts = [Slice(0, 5, 0, 0), Slice(5, 13, 0, 0)]
    results = [cases.ran(JOB, part) for part in parts]
    for part, result in zip(parts, results, strict=True):
        assert kinds.fault(JOB, part, result) is None
        assert len(codec.encode(result)) <= kinds.result_bytes(JOB, part)
    whole = cases.viewed(ASKED, RESULT)
    assert cases.viewed(ASKED, *results[::-1], results[0]) == msgspec.structs.replace(
        whole, sources=cases.viewed(ASKED, *results[::-1], results[0]).sources
    )


def _changed(index: int, **fields: object) -> workload.PhiResult:
    items = list(RESULT.items)
    items[index] = msgspec.structs.replace(items[index], **fields)
    return workload.PhiResult(tuple(items))


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (workload.PhiResult(RESULT.items[:-1]), "do not cover"),
        (_changed(0, phi=1.1), "allows at most"),
        (_changed(0, phi=-0.1), "allows at most"),
        (_changed(0, phi=float("nan")), "allows at most"),
        (_changed(0, information=1.5), "bits of information"),
        (_changed(0, partition=(((0,), ()),)), "other qubits"),
        (_changed(0, partition=(((0,), (0,)),)), "takes nothing apart"),
    ],
)
def test_a_result_that_cannot_be_is_invalid(result: workload.PhiResult, told: str) -> None:
    fault = kinds.fault(JOB, WHOLE, result)
    assert fault is not None
    assert told in fault


def test_results_within_rounding_agree_and_others_do_not() -> None:
    assert kinds.differ(RESULT, _changed(0, phi=RESULT.items[0].phi + 1e-12)) is None
    assert "phi of item 0 differs" in str(kinds.differ(RESULT, _changed(0, phi=0.5)))
    with pytest.raises(merge.MergeConflict):
        cases.viewed(ASKED, RESULT, _changed(0, phi=0.5))


def test_a_system_of_two_qubits_stays_whole() -> None:
    plan = kinds.plan(JOB, Fleet(2, 4, kinds.rates(JOB, cost.DEFAULT)))
    assert plan.slices == (Slice(0, 18, 0, 0),)
    assert "18 repertoires" in plan.sentences[0]


def test_the_terminal_shows_distinctions_by_letters() -> None:
    console = Console(width=100, file=StringIO(), color_system=None)
    console.print(results.result(cases.viewed(ASKED, RESULT), top=4, width=100))
    drawn = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert "A→A × B→∅ × ∅→B" in drawn
    assert "0.500000" in drawn
    assert "1 more can be taken apart" in drawn


def test_without_results_there_is_nothing_to_show() -> None:
    view = cases.viewed(ASKED)
    assert view.distinctions == ()
    assert msgspec.json.decode(msgspec.json.encode(view), type=api.ResultView) == view


def test_a_device_reads_the_head_of_the_work() -> None:
    head = machine_work.head_of(kinds.encode(JOB, WHOLE))
    assert (machine_work.kind_of(head), machine_work.shots_of(head)) == ("iit.phi", 0)


def test_phi_becomes_arrays_and_a_plot() -> None:
    view = cases.viewed(ASKED, RESULT)
    found = arrays.of(view)
    assert found["causes"][0b10, 0b11] == pytest.approx(0.5)
    assert found["effects"][0b01, 0b01] == pytest.approx(1.0)
    assert found["effects"][0b10, 0b11] == 0.0
    mpl.use("agg")
    axes = plots.draw(view)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["A", "B", "AB"]
    plt.close("all")
