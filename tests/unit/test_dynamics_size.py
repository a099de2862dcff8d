"""What planning thinks that a solution costs, against what the solver does."""

from typing import Any

import pytest
from tests.unit import dynamics_cases as cases

from qfleet_agent.engines import execution, timing
from qfleet_agent.engines.dynamics import generator, runner, samples
from qfleet_agent.engines.dynamics.library import qutip
from qfleet_controlplane.compile.dynamics import points, sampling, size, space
from qfleet_controlplane.planning import kinds
from qfleet_wire import api, codec
from qfleet_wire.workload import dynamics, formula_values
from qfleet_wire.workload.dynamics import System
from qfleet_wire.workload.formula_values import Evaluator

Q, T, C = cases.SUBSYSTEM, cases.TERM, cases.COLLAPSE


def chain(qubits: int, rate: str = "") -> dict[str, Any]:
    names = [f"q{number}" for number in range(qubits)]
    return {
        "subsystems": tuple(Q(name) for name in names),
        "hamiltonian": (
            *(T(f"Z(q{number})*Z(q{number + 1})") for number in range(qubits - 1)),
            T(" + ".join(f"X({name})" for name in names), "0.9 + 0*t"),
        ),
        "collapse": tuple(C(f"a({name})", rate) for name in names) if rate else (),
        "observables": ("Z(q0)",),
        "times": api.DynamicsGrid(10.0, points=21),
    }


def cavity(levels: int, rate: str = "") -> dict[str, Any]:
    return {
        "subsystems": (Q("q"), Q("c", "mode", levels=levels)),
        "hamiltonian": (T("n(c)", "1 + 0*t"), T("n(q)"), T("adag(c)*a(q) + a(c)*adag(q)", "0.3")),
        "collapse": (C("a(c)", rate),) if rate else (),
        "initial": {"q": "1", "c": "coherent(1)"},
        "observables": ("n(c)",),
        "times": api.DynamicsGrid(20.0, points=21),
    }


SYSTEMS: dict[str, dict[str, Any]] = {
    "a closed chain": chain(5),
    "a damped chain": chain(3, "0.1"),
    "trajectories of a chain": chain(4, "0.1") | {"method": "mcsolve", "trajectories": 2},
    "a closed cavity": cavity(20),
    "a large cavity": cavity(150),
    "a damped cavity": cavity(20, "0.05"),
    "short steps": chain(1) | {"max_step": 0.01},
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_evaluations_are_estimated_within_a_factor_of_four(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = SYSTEMS[name]
    counted = [0]
    genuine = formula_values.evaluator

    def counting(one: Any, parameters: Any) -> Evaluator:
        inner = genuine(one, parameters)

        def value(t: float) -> Any:
            counted[0] += 1
            return inner(t)

        return value

    monkeypatch.setattr(formula_values, "evaluator", counting)
    job = cases.specification(**work)
    counted[0] = 0
    cases.ran(job)
    request: Any = cases.asked(**work).work
    declared, given = space.declared(request), points.given(request)
    system = codec.decode(job.problem, System)
    weights = sampling.check(system, declared.names, given)
    done = counted[0] / max(1, job.shots)
    assert done > 100, "only formulas of the time are asked in each evaluation"
    assert 0.25 < size.evaluations(system, declared, weights) / done < 4.0


def test_a_device_measures_what_solving_takes_there() -> None:
    asked = timing.Timing("qutip", ("dynamics.solve",), 1500.0)
    (found,) = execution.measure(asked, memory_bytes=256 << 20).calibrations
    assert found.kinds == ("dynamics.solve",)
    assert len(found.curve) >= 2
    assert all(0.0 < microseconds < 1e5 for _, microseconds in found.curve)
    job = cases.specification(**chain(6))
    assert 0.1 < kinds.rates(job, found).item_ms < 30_000


@pytest.mark.parametrize("sample", list(samples.samples()), ids=lambda sample: f"{sample.elements:.0f}")
def test_the_evaluations_of_the_samples_are_as_counted(sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = [0]
    genuine = generator.Matrices.bind

    def counting(t: float) -> float:
        del t
        counted[0] += 1
        return 1.0

    def bind(self: generator.Matrices, parameters: Any) -> generator.Generator:
        made = genuine(self, parameters)
        seen = qutip.QobjEvo([[1e-9 * made.hamiltonian(0.0), qutip.coefficient(counting)]])
        return generator.Generator(made.hamiltonian + seen, made.jumps)

    monkeypatch.setattr(generator.Matrices, "bind", bind)
    runner.run(sample.work, budget=cases.BUDGET, report=lambda _: None)
    setup = dynamics.SETUP / (sample.elements + dynamics.EVALUATION)
    assert counted[0] == pytest.approx(sample.load.passes - setup, rel=0.1)
