"""Annealing from request to view, against an exact solver that knows nothing of qfleet."""

import numpy as np
import pytest
from tests.unit import anneal_cases as cases

from qfleet_agent.engines import annealing
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_controlplane.planning import kinds
from qfleet_controlplane.planning.plan import Slice
from qfleet_wire import codec, workload

WHOLE = Slice(0, 1, 0, 40)


@pytest.mark.parametrize("kind", ["SPIN", "BINARY"])
@pytest.mark.parametrize("method", ["simulated", "path-integral", "tabu"])
def test_every_method_finds_the_ground_state_of_the_exact_solver(method: str, kind: str) -> None:
    bqm = cases.model(12, kind, seed=3)
    asked = cases.request(bqm, method=method)
    view = cases.viewed(asked, cases.ran(cases.specification(asked), WHOLE))
    exact = cases.exact(bqm).first
    best = view.states[0]
    assert dict(zip(view.variables, best.values, strict=True)) == dict(exact.sample)
    assert best.energy == pytest.approx(exact.energy, abs=1e-9)
    assert view.reads == 40 == sum(level.reads for level in view.energies)
    assert best.reads == view.energies[0].reads


def test_all_states_of_a_small_model_are_found_with_their_energies() -> None:
    bqm = cases.model(3, "BINARY")
    asked = cases.request(bqm, reads=4000, sweeps=1, keep=8, beta_range=(1e-9, 1e-9))
    view = cases.viewed(asked, cases.ran(cases.specification(asked), Slice(0, 1, 0, 4000)))
    exact = cases.exact(bqm)
    assert [state.energy for state in view.states] == pytest.approx(sorted(exact.record.energy), abs=1e-12)
    for state in view.states:
        assert state.energy == pytest.approx(bqm.energy(dict(enumerate(state.values))), abs=1e-12)


def test_sixteen_spins_by_brute_force() -> None:
    bqm = cases.model(16, "SPIN", seed=5)
    asked = cases.request(bqm, reads=64, sweeps=300)
    view = cases.viewed(asked, cases.ran(cases.specification(asked), Slice(0, 1, 0, 64)))
    spins = 1.0 - 2.0 * (np.arange(1 << 16)[:, None] >> np.arange(16) & 1)
    coupled = np.zeros((16, 16))
    for (one, other), bias in bqm.quadratic.items():
        coupled[one, other] = bias
    field = np.array([bqm.linear[spin] for spin in range(16)])
    energies = np.einsum("si,ij,sj->s", spins, coupled, spins, optimize=True) + spins @ field + 0.25
    assert view.states[0].energy == pytest.approx(energies.min(), abs=1e-9)
    assert view.states[0].values == tuple(spins[energies.argmin()])


@pytest.mark.parametrize("method", ["simulated", "path-integral", "tabu"])
def test_any_split_at_blocks_gives_the_same_answer(method: str) -> None:
    asked = cases.request(cases.model(14, "SPIN"), method=method, sweeps=3, keep=5)
    job = cases.specification(asked)
    whole = cases.viewed(asked, cases.ran(job, WHOLE))
    parts = [Slice(0, 1, 2, 8), Slice(0, 1, 0, 16), Slice(0, 1, 1, 16)]
    results = [cases.ran(job, part) for part in parts]
    assert all(kinds.fault(job, *pair) is None for pair in zip(parts, results, strict=True))
    for order in (results, results[::-1], [*results, results[0]]):
        view = cases.viewed(asked, *order)
        assert (view.states, view.energies, view.reads) == (whole.states, whole.energies, 40)
    assert len(whole.energies) > 5 == len(whole.states)


def test_the_transverse_field_takes_part() -> None:
    bqm = cases.model(14, "SPIN")
    fields = (0.01, 5.0)
    views = [
        cases.viewed(asked, cases.ran(cases.specification(asked), WHOLE))
        for field in fields
        for asked in [cases.request(bqm, method="path-integral", beta=1.0, transverse_field=field, sweeps=10)]
    ]
    assert views[0].energies != views[1].energies


def _work(**fields: object) -> workload.AnnealSample:
    model = workload.QuadraticModel("SPIN", (0.0, 0.0), (0,), (1,), (1.0,))
    base: dict[str, object] = {
        "model": model,
        "seed": 1,
        "items": (workload.AnnealItem(0, 1),),
        "sampler": "simulated",
        "sweeps": 1,
        "keep": 1,
    }
    return workload.AnnealSample(**base | fields)  # type: ignore[arg-type] # fields vary


@pytest.mark.parametrize(
    "work",
    [
        workload.ProbeEcho(),
        _work(items=()),
        _work(sweeps=0),
        _work(model=workload.QuadraticModel("SPIN", (), (), (), ())),
        _work(model=workload.QuadraticModel("SPIN", (0.0,), (0,), (1,), (1.0,))),
        _work(model=workload.QuadraticModel("SPIN", (0.0, 0.0), (0,), (1,), ())),
    ],
)
def test_a_work_without_meaning_is_refused(work: workload.Work) -> None:
    with pytest.raises(WorkInvalid):
        annealing.run(work, budget=cases.BUDGET, report=lambda _: None)


def test_a_model_that_does_not_fit_is_refused_with_numbers() -> None:
    many = 10_000
    model = workload.QuadraticModel("SPIN", (0.5,) * many, (), (), ())
    with pytest.raises(MemoryShort, match="needs 3816 MiB and the task may use 1024 MiB"):
        annealing.run(_work(model=model, sampler="tabu"), budget=cases.BUDGET, report=lambda _: None)


def test_an_energy_is_rounded_once() -> None:
    """0.1 ten times is 1 when it is rounded once, and 0.9999999999999999 when after each addition."""
    model = workload.QuadraticModel("BINARY", (0.1,) * 10, (), (), ())
    work = _work(model=model, sampler="tabu", sweeps=10)
    result = annealing.run(
        codec.decode(codec.encode(work), workload.AnnealSample), budget=cases.BUDGET, report=lambda _: None
    )
    assert result.states[0].energy == 0.0
    assert workload.annealing.energy_of(model, [1] * 10) == 1.0
