"""How annealing is planned, what makes a result invalid, and when two contradict each other."""

from io import StringIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import msgspec
import pytest
from rich.console import Console
from tests.unit import anneal_cases as cases

from qfleet import arrays, plots
from qfleet.render import results
from qfleet_controlplane.planning import cost, kinds, merge
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_wire import codec, workload

ASKED = cases.request(cases.model(10, "SPIN"), sweeps=2, keep=4)
JOB = cases.specification(ASKED)
PART = Slice(0, 1, 0, 40)
RESULT = cases.ran(JOB, PART)


def _changed(**fields: object) -> workload.AnnealResult:
    return msgspec.structs.replace(RESULT, **fields)


def _state(number: int, **fields: object) -> workload.AnnealResult:
    states = list(RESULT.states)
    states[number] = msgspec.structs.replace(states[number], **fields)
    return _changed(states=tuple(states))


def test_an_honest_result_is_valid_and_fits_its_room() -> None:
    assert len(RESULT.states) == 4 < len(RESULT.levels)
    assert kinds.fault(JOB, PART, RESULT) is None
    assert len(codec.encode(RESULT)) <= kinds.result_bytes(JOB, PART)


def _flipped() -> bytes:
    state = RESULT.states[0].state
    return bytes([state[0] ^ 1]) + state[1:]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (_changed(first_block=1), "from block 1"),
        (_changed(reads=39), "39 reads"),
        (_changed(levels=RESULT.levels[1:]), "do not count"),
        (_changed(levels=RESULT.levels[::-1]), "do not ascend"),
        (_state(0, state=_flipped()), "is said to have"),
        (_state(0, energy=RESULT.states[0].energy - 1e-9), "is said to have"),
        (_state(0, state=b"\x00"), "not of 10 variables"),
        (_state(0, state=b"\x00\xff"), "not of 10 variables"),
        (_state(0, reads=0), "never read"),
        (_state(0, reads=RESULT.states[0].reads + 1), "have states for"),
        (_changed(states=RESULT.states[::-1]), "do not ascend"),
        (_changed(states=RESULT.states[1:]), "have states for"),
        (_changed(states=()), "0 states"),
    ],
)
def test_a_result_that_does_not_fit_its_states_is_invalid(result: workload.AnnealResult, told: str) -> None:
    fault = kinds.fault(JOB, PART, result)
    assert fault is not None
    assert told in fault


def test_an_invented_ground_state_is_invalid() -> None:
    """A lower energy cannot be claimed without a state that has it."""
    lower = workload.EnergyLevel(RESULT.levels[0].energy - 1.0, 1)
    last = RESULT.levels[-1]
    levels = (lower, *RESULT.levels[:-1], msgspec.structs.replace(last, reads=last.reads - 1))
    levels = tuple(level for level in levels if level.reads)
    assert kinds.fault(JOB, PART, _changed(levels=levels)) is not None


def test_two_results_of_the_same_blocks_must_be_equal() -> None:
    with pytest.raises(merge.MergeConflict):
        cases.viewed(ASKED, RESULT, _state(0, reads=99))


def test_reads_of_other_seeds_agree_and_another_temperature_does_not() -> None:
    def reads(seed: int, **fields: object) -> workload.AnnealResult:
        asked = cases.request(cases.model(3, "SPIN"), reads=960, sweeps=5, **fields)
        job = msgspec.structs.replace(cases.specification(asked), seed=seed)
        return cases.ran(job, Slice(0, 1, 0, 960))

    warm = {"beta_range": (0.2, 0.2)}
    assert kinds.differ(reads(1, **warm), reads(2, **warm)) is None
    told = kinds.differ(reads(1, **warm), reads(1, beta_range=(0.6, 0.6)))
    assert told is not None
    assert "energies" in told


def test_long_work_splits_by_blocks_and_short_work_does_not() -> None:
    long = cases.specification(cases.request(cases.model(10, "SPIN"), reads=1000, sweeps=100_000))
    rates = kinds.rates(long, cost.DEFAULT)
    plan = kinds.plan(long, Fleet(2, 4, rates))
    assert len(plan.slices) == 16
    assert sum(part.shots for part in plan.slices) == 1000
    assert [part.first_block for part in plan.slices[:3]] == [0, 3, 7]
    assert "split by blocks of 16" in plan.sentences[0]
    short = kinds.plan(JOB, Fleet(2, 4, kinds.rates(JOB, cost.DEFAULT)))
    assert short.slices == (PART,)
    assert "cost more than it saves" in short.sentences[0]


def test_without_results_the_view_is_empty() -> None:
    view = cases.viewed(ASKED)
    assert (view.reads, view.states, view.energies) == (0, (), ())
    assert view.variables == tuple(range(10))


@pytest.mark.parametrize(("method", "told"), [("simulated", "simulated annealing"), ("tabu", "tabu search")])
def test_the_terminal_shows_states_and_energies(method: str, told: str) -> None:
    asked = cases.request(cases.model(3, "SPIN"), method=method, sweeps=1)
    view = cases.viewed(asked, cases.ran(cases.specification(asked), PART))
    console = Console(width=80, file=StringIO(), color_system=None)
    console.print(results.result(view, top=2, width=80))
    drawn = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert f"40 reads by {told}" in drawn
    assert "0, 1, 2" in drawn
    best = view.states[0]
    assert "".join("+" if value > 0 else "-" for value in best.values) in drawn
    assert "classical algorithms" in drawn


def test_states_and_energies_become_arrays_and_a_plot() -> None:
    view = cases.viewed(ASKED, RESULT)
    found = arrays.of(view)
    assert found["states"].shape == (4, 10)
    assert found["energies"].tolist() == [state.energy for state in view.states]
    assert found["level_reads"].sum() == 40
    mpl.use("agg")
    axes = plots.draw(view)
    assert axes.get_xlabel() == "energy"
    plt.close("all")
