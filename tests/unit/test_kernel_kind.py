"""Kernels in compiling and planning: blocks, refusals, results that are no answer, merging, the terminal."""

import math
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import msgspec
import numpy as np
import pytest
from rich.console import Console
from tests.unit import kernel_cases as cases
from tests.unit import workload_runs
from tests.unit.kernel_cases import points, request

from qfleet.render import results
from qfleet.result import Result
from qfleet_controlplane.compile import kernel_matrix
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.planning import cost, kinds, plan
from qfleet_controlplane.planning.merge import MergeConflict
from qfleet_controlplane.planning.plan import Slice
from qfleet_wire import api, workload

ASKED = request(points(8, 2), api.AngleFeatureMap(), job={"shots": 100})
JOB = workload_runs.specified(ASKED)
PART = Slice(0, 36, 0, 0)


def problem(rows: int, columns: int, size: int) -> kernel_matrix.KernelProblem:
    nothing = msgspec.Raw(b"\xc0")
    return kernel_matrix.KernelProblem(nothing, (), rows, columns, size, 0)


@pytest.mark.parametrize(("rows", "columns", "size"), [(7, 0, 3), (6, 0, 3), (5, 9, 4), (1, 0, 1), (4, 4, 9)])
def test_blocks_cover_every_entry_once(rows: int, columns: int, size: int) -> None:
    matrix = problem(rows, columns, size)
    seen: list[tuple[int, int]] = []
    for block in matrix.blocks:
        seen += [(row, column) for row in matrix.span(block.rows) for column in matrix.span(block.columns)]
    if columns:
        assert sorted(seen) == [(row, column) for row in range(rows) for column in range(columns)]
    else:
        assert {pair for row, column in seen for pair in ((row, column), (column, row))} == {
            (row, column) for row in range(rows) for column in range(rows)
        }
    assert len(seen) == len(set(seen))
    assert [block.index for block in matrix.blocks] == list(range(len(matrix.blocks)))


@pytest.mark.parametrize(
    ("count", "qubits", "size"), [(1, 2, 1), (100, 2, 13), (5000, 2, 64), (100, 20, 8), (100, 24, 1)]
)
def test_groups_fit_memory_and_leave_something_for_several_devices(
    count: int, qubits: int, size: int
) -> None:
    assert kernel_matrix._size(count, qubits) == size


def test_a_task_carries_the_points_of_its_blocks_only() -> None:
    work: workload.Work = msgspec.msgpack.decode(kinds.encode(JOB, Slice(0, 2, 0, 0)), type=workload.Work)
    assert isinstance(work, workload.KernelMatrix)
    assert [group.number for group in work.groups] == [0, 1]
    assert work.groups[1].points == (points(8, 2)[1],)
    assert (work.shots, work.seed) == (100, 1)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"data": ()}, "work.points", "are none"),
    ({"data": ((1.0, 2.0), (1.0,))}, "work.points[1]", "has 1 numbers"),
    ({"others": ((1.0,),)}, "work.others[0]", "has 1 numbers"),
    ({"data": ((1.0, math.nan),)}, "work.points[0][1]", "is nan"),
    ({"others": ((1.0, math.inf),)}, "work.others[0][1]", "is inf"),
    ({"data": ((),)}, "work.points[0]", "has 0 numbers"),
    ({"data": ((1.0,) * 65,)}, "work.points[0]", "has 65 numbers"),
    ({"data": ((1.0,),) * 2001}, "work.points", "make 4004001 entries"),
    ({"feature_map": None}, "work.feature_map", "is missing"),
    ({"feature_map": api.ZZFeatureMap(repetitions=0)}, "work.feature_map.repetitions", "is 0"),
    ({"job": {"program": cases.OWN}}, "program", "is given"),
    ({"job": {"shots": -1}}, "shots", "is -1"),
    ({"job": {"parameters": ({"a": 1.0},)}}, "parameters", "is given"),
    ({"job": {"observables": ("Z0",)}}, "observables", "is given"),
    ({"data": ((1.0,),), "feature_map": None, "job": {"program": cases.OWN}}, "work.points[0]", "2 inputs"),
    (
        {"feature_map": None, "job": {"program": cases.OWN + "reset q[0];"}},
        "program",
        "outcomes that steer it",
    ),
]


@pytest.mark.parametrize(("change", "field", "words"), REFUSED, ids=[f"{f}: {w}" for _, f, w in REFUSED])
def test_wrong_requests_are_refused_with_their_field(change: dict[str, Any], field: str, words: str) -> None:
    fields: dict[str, Any] = {"data": points(3, 2), "feature_map": api.AngleFeatureMap()}
    with pytest.raises(RequestRefused) as refused:
        workload_runs.specified(request(**(fields | change)))
    assert refused.value.field == field
    assert words in refused.value.message
    assert refused.value.hint


@pytest.fixture(scope="module")
def honest() -> workload.KernelResult:
    """What an honest device answers."""
    result = workload_runs.answer(JOB, PART)
    assert isinstance(result, workload.KernelResult)
    assert kinds.fault(JOB, PART, result) is None
    return result


def changed(result: workload.KernelResult, **fields: Any) -> workload.KernelResult:
    """The result with its first block altered."""
    first, *others = result.items
    return workload.KernelResult((msgspec.structs.replace(first, **fields), *others))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"index": 99}, "do not cover"),
        ({"values": (1.0, 1.0)}, "2 entries instead of 1 × 1"),
        ({"values": (1.5,)}, "no fidelity"),
        ({"values": (math.nan,)}, "no fidelity"),
        ({"values": (0.005,)}, "no share of 100 shots"),
        ({"values": (0.5,)}, "not itself"),
    ],
)
def test_what_is_no_answer_is_told(honest: workload.KernelResult, fields: dict[str, Any], words: str) -> None:
    found = kinds.fault(JOB, PART, changed(honest, **fields))
    assert found is not None
    assert words in found


def test_a_block_that_is_not_symmetric_is_told() -> None:
    job = workload_runs.specified(request(points(16, 2), api.AngleFeatureMap()))
    part = Slice(0, 1, 0, 0)
    lied = workload.KernelResult((workload.KernelValues(0, (1.0, 0.5, 0.25, 1.0)),))
    assert kinds.fault(job, part, lied) == "block 0 is not symmetric"


def test_honest_results_agree_and_those_of_liars_do_not(honest: workload.KernelResult) -> None:
    assert kinds.differ(honest, changed(honest, values=(1.0 - 1e-12,))) is None
    found = kinds.differ(honest, changed(honest, values=(0.99,)))
    assert found is not None
    assert "block 0 differs" in found
    assert kinds.differ(honest, workload.KernelResult(honest.items[1:])) is not None
    assert kinds.differ(honest, changed(honest, values=())) is not None


def test_what_is_not_done_is_not_told(honest: workload.KernelResult) -> None:
    view = workload_runs.shown(ASKED, JOB, (workload.KernelResult(honest.items[:2]),))
    assert isinstance(view, api.KernelResultView)
    assert view.matrix[0][:3] == (1.0, honest.items[1].values[0], None)
    assert view.matrix[1][:2] == (honest.items[1].values[0], None)
    with pytest.raises(MergeConflict, match="block 0"):
        workload_runs.shown(ASKED, JOB, (honest, changed(honest, values=(0.5,))))


def test_the_plan_says_what_a_block_takes() -> None:
    told = kinds.plan(JOB, plan.Fleet(1, 1, cost.Rates(1.0, 0.0))).sentences[0]
    assert (
        "Kernel matrix of 8 × 8 points on 2 qubits, 100 shots for each entry, in blocks of up to 1 × 1"
        in told
    )
    assert kinds.useful_memory_bytes(JOB) - kinds.memory_bytes(JOB) == 8 * 16 * 4


def test_the_terminal_shows_a_corner(honest: workload.KernelResult) -> None:
    drawn = _drawn(workload_runs.shown(ASKED, JOB, (honest,)), top=3)
    assert "kernel matrix of 8 × 8 entries, 100 shots for each entry" in drawn
    assert "1.00000" in drawn
    assert "… 55 more entries" in drawn
    assert "no results" in _drawn(workload_runs.shown(ASKED, JOB, ()), top=3)


def test_a_kernel_becomes_an_array_and_an_image(honest: workload.KernelResult) -> None:
    mpl.use("agg")
    result = Result(workload_runs.shown(ASKED, JOB, (workload.KernelResult(honest.items[:2]),)))
    found = result.arrays()["matrix"]
    assert found.shape == (8, 8)
    assert np.count_nonzero(~np.isnan(found)) == 3
    axes = result.plot()
    (image,) = axes.images
    assert image.get_clim() == (0.0, 1.0)
    plt.close("all")


def _drawn(view: api.ResultView, *, top: int) -> str:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(results.result(view, top=top, width=100))
    return captured.get()
