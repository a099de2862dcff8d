"""How dynamics is planned, merged, checked and drawn."""

import itertools
from io import StringIO
from typing import Any

import matplotlib.pyplot as plt
import msgspec
import numpy as np
import pytest
from rich.console import Console
from tests.unit import dynamics_cases as cases

from qfleet import arrays, plots
from qfleet.render import dynamics as drawing
from qfleet.render import results
from qfleet_controlplane.planning import cost, kinds, merge
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_wire import api, codec, workload

T, C = cases.TERM, cases.COLLAPSE
JUMPING: dict[str, Any] = {
    "hamiltonian": (T("X(q)", "w"),),
    "collapse": (C("a(q)", "0.5"),),
    "initial": {"q": "1"},
    "observables": ("Z(q)", "Y(q)"),
    "times": (0.0, 1.0, 2.0),
    "method": "mcsolve",
    "trajectories": 108,
    "parameters": ({"w": 0.5}, {"w": 1.5}),
}
JOB = cases.specification(**JUMPING)
SWEEP = cases.specification(
    hamiltonian=(T("X(q)", "w"),), times=(0.0, 1.0), parameters=({"w": 0.5}, {"w": 1.0}, {"w": 1.5})
)
WHOLE = cases.ran(JOB)


def fleet(job: Any, item_ms: float, shot_ms: float, workers: int = 4) -> Fleet:
    del job
    return Fleet(2, workers, cost.Rates(item_ms, shot_ms))


def test_trajectories_merge_to_the_same_bits_however_they_were_split() -> None:
    whole = cases.viewed(JOB, WHOLE)
    splits = (
        [Slice(item, 1, 0, 108) for item in (0, 1)],
        [Slice(0, 2, 0, 64), Slice(0, 2, 2, 44)],
        [
            Slice(item, 1, block, min(32, 108 - 32 * block))
            for item, block in itertools.product((1, 0), (3, 0, 2, 1))
        ],
    )
    for parts in splits:
        found = cases.viewed(JOB, *(cases.ran(JOB, part) for part in parts))
        assert found.items == whole.items


def test_the_mean_and_its_error_are_those_of_all_trajectories() -> None:
    """Blocks are summed exactly: what is shown is the plain mean and s/√n over single trajectories."""
    single = [cases.ran(msgspec.structs.replace(JOB, shots=n), Slice(0, 1, 0, n)) for n in range(1, 33)]
    sums = np.array([result.items[0].moments[0].sums for result in single])
    values = np.diff(sums, axis=0, prepend=0.0)
    (moments,) = single[-1].items[0].moments
    assert moments == WHOLE.items[0].moments[0]
    shown = merge.values(single[-1:])[0]
    assert np.allclose([one.mean for one in shown], values.mean(axis=0), rtol=0, atol=1e-12)
    spread = values.std(axis=0, ddof=1) / np.sqrt(32)
    assert np.allclose([one.standard_error for one in shown], spread, rtol=0, atol=1e-7)


def test_another_seed_draws_other_trajectories() -> None:
    other = cases.ran(cases.specification(seed=8, **JUMPING))
    assert other != WHOLE
    assert kinds.differ(other, WHOLE) is None


def test_a_wrong_result_contradicts_an_honest_one() -> None:
    item = WHOLE.items[0]
    wrong = [
        msgspec.structs.replace(one, sums=tuple(value + 0.5 * one.shots for value in one.sums))
        for one in item.moments
    ]
    lie = workload.DynamicsResult((msgspec.structs.replace(item, moments=tuple(wrong)), *WHOLE.items[1:]))
    assert "values of item 0 differ" in str(kinds.differ(WHOLE, lie))


def test_long_trajectories_are_split_by_blocks_and_short_ones_are_not() -> None:
    planned = kinds.plan(JOB, fleet(JOB, 1.0, 50.0))
    assert {part.shots for part in planned.slices} == {32, 12}
    assert [part.first_block for part in planned.slices] == [0, 1, 2, 3] * 2
    assert any("108 are split by blocks of 32 into 4 pieces for each" in told for told in planned.sentences)
    whole = kinds.plan(JOB, fleet(JOB, 1.0, 0.01))
    assert whole.slices == (Slice(0, 2, 0, 108),)
    assert any("trajectories stay together" in told for told in whole.sentences)


def test_a_sweep_is_split_by_points() -> None:
    planned = kinds.plan(SWEEP, fleet(SWEEP, 500.0, 0.0))
    assert planned.slices == tuple(Slice(item, 1, 0, 0) for item in range(3))
    assert planned.sentences[0].startswith("sesolve in a space of dimension 2, 2 times: about 500 ms")
    parts = [cases.ran(SWEEP, part) for part in planned.slices]
    assert cases.viewed(SWEEP, *parts[::-1]).items == cases.viewed(SWEEP, cases.ran(SWEEP)).items


def test_a_larger_system_costs_more_time_and_memory() -> None:
    def effort(qubits: int, method: Any) -> Any:
        return cases.specification(
            subsystems=tuple(cases.SUBSYSTEM(f"q{n}") for n in range(qubits)),
            hamiltonian=tuple(T(f"X(q{n})*X(q{n + 1})") for n in range(qubits - 1)),
            collapse=(C("a(q0)"),),
            observables=("Z(q0)",),
            times=api.DynamicsGrid(10.0),
            method=method,
            trajectories=100 if method == "mcsolve" else 0,
        )

    small, large, vectors = effort(3, "mesolve"), effort(7, "mesolve"), effort(7, "mcsolve")
    assert kinds.rates(large).item_ms > 20 * kinds.rates(small).item_ms
    assert kinds.rates(vectors).shot_ms < kinds.rates(large).item_ms
    assert kinds.memory_bytes(small) > 144 << 20  # QuTiP's own
    # 24 density matrices of 2^14 complex doubles, and more for the generator
    assert kinds.memory_bytes(large) - kinds.memory_bytes(small) > 24 * 16 << 14


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"block": 5}, "does not cover"),
        ({"shots": 31}, "does not cover"),
        ({"sums": (0.0,)}, "has 1 values for 6 observables"),
        ({"squares": ()}, "for 6 observables"),
        ({"sums": (float("nan"),) * 6}, "not finite"),
    ],
)
def test_a_result_that_answers_something_else_is_invalid(changes: dict[str, Any], told: str) -> None:
    first = WHOLE.items[0]
    moments = (msgspec.structs.replace(first.moments[0], **changes), *first.moments[1:])
    wrong = workload.DynamicsResult((msgspec.structs.replace(first, moments=moments), WHOLE.items[1]))
    assert told in str(kinds.fault(JOB, Slice(0, 2, 0, 108), wrong))
    missing = workload.DynamicsResult(WHOLE.items[:1])
    assert "do not cover" in str(kinds.fault(JOB, Slice(0, 2, 0, 108), missing))


def test_a_part_of_the_trajectories_is_shown_with_its_own_errors() -> None:
    part = cases.viewed(JOB, cases.ran(JOB, Slice(0, 1, 1, 32)))
    assert [item.trajectories for item in part.items] == [32]
    alone = cases.viewed(JOB, cases.ran(msgspec.structs.replace(JOB, shots=33), Slice(0, 1, 1, 1)))
    assert alone.items == ()
    assert cases.viewed(JOB).items == ()


def test_the_view_survives_json_and_becomes_arrays_and_a_plot() -> None:
    view = cases.viewed(JOB, WHOLE)
    again = msgspec.json.decode(msgspec.json.encode(view), type=api.ResultView)
    assert again == view
    assert view.items[1].parameters == {"w": 1.5}
    found = arrays.of(view)
    assert found["values"].shape == found["standard_errors"].shape == (2, 2, 3)
    assert list(found["times"]) == [0.0, 1.0, 2.0]
    axes = plots.draw(view)
    assert len(axes.containers) == 4
    plt.close(axes.figure)  # type: ignore[arg-type] # a figure of its own, not a part of one


def test_curves_are_drawn_for_a_terminal() -> None:
    text = StringIO()
    view = cases.viewed(JOB, WHOLE)
    Console(file=text, width=100).print(results.result(view, top=2, width=100))
    lines = text.getvalue().splitlines()
    assert lines[0] == "108 trajectories at w = 0.5"
    assert lines[1].startswith("Z(q)")
    assert "▁" in lines[1]
    assert "█" in lines[1]
    assert any("±" in line for line in lines)
    assert sum(line.strip().startswith("2  ") for line in lines) == 2  # the last time of each point
    assert "simulated by classical processors" in lines[-1]


def test_a_line_spans_lowest_to_highest() -> None:
    assert drawing.line([0.0, 0.5, 1.0], 10) == "▁▅█"
    assert drawing.line([2.0, 2.0], 10) == "▁▁"
    assert len(drawing.line([float(k) for k in range(1000)], 60)) == 60
    assert drawing.spread(5, 3) == [0, 2, 4]
    assert drawing.spread(3, 1) == [0]


def test_a_task_carries_its_points_only() -> None:
    raw = kinds.encode(SWEEP, Slice(1, 2, 0, 0))
    work: Any = codec.decode(raw, workload.DynamicsSolve)
    assert [item.parameters for item in work.items] == [(1.0,), (1.5,)]
    assert [item.index for item in work.items] == [1, 2]
