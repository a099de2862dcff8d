"""Probes of other work than programs: real engines answer them right, and what is not right is found."""

import struct
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from scipy import stats  # type: ignore[import-untyped] # ships no types
from tests.unit.test_trust_probes import computed, secret

from qfleet_controlplane.planning import probes
from qfleet_controlplane.planning.probes import faults
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import submission
from qfleet_wire import api, codec, workload
from qfleet_wire.workload import annealing

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
SPINS = "# vartype=SPIN\n" + "\n".join(f"{number} {number} 0.3" for number in range(12))
BITS = SPINS.replace("SPIN", "BINARY")
QUBITS = tuple(api.DynamicsSubsystem(name) for name in "abc")
SOLVED: dict[str, Any] = {"subsystems": QUBITS, "observables": ("Z(a)",), "times": (0.0, 1.0)}
ROTATED = api.AmplitudeProblem(program=HEAD + "qubit[3] q; ry(0.4) q;", objective=(0,))
PROGRAM: dict[str, Any] = {"program": HEAD + "input float a; qubit[5] q; ry(a) q; cx q[0], q[1];"}

BY_ENERGY = ("simulated", "bits", "path-integral", "tabu")
WORKS: dict[str, dict[str, Any]] = {
    "sesolve": {"work": api.DynamicsRequest(**SOLVED, hamiltonian=(api.DynamicsTerm("X(a)"),))},
    "mesolve": {"work": api.DynamicsRequest(**SOLVED, collapse=(api.DynamicsCollapse("a(b)"),))},
    "mcsolve": {
        "work": api.DynamicsRequest(
            **SOLVED, collapse=(api.DynamicsCollapse("a(b)"),), method="mcsolve", trajectories=200
        )
    },
    "simulated": {"work": api.AnnealRequest(model=SPINS)},
    "bits": {"work": api.AnnealRequest(model=BITS, keep=2)},
    "path-integral": {"work": api.AnnealRequest(model=SPINS, method="path-integral", reads=10, sweeps=50)},
    "tabu": {"work": api.AnnealRequest(model=BITS, method="tabu", reads=40)},
    "estimate": {"work": api.AmplitudeRequest(problems=(ROTATED,))},
    "chernoff": {
        "work": api.AmplitudeRequest(problems=(ROTATED,), confidence="chernoff", round_shots=60, epsilon=1e-3)
    },
    "kernel": {"work": api.KernelRequest(points=((0.1, 0.2, 0.3),) * 2, feature_map=api.ZZFeatureMap())},
    "drawn kernel": {
        "work": api.KernelRequest(points=((0.1, 0.2),) * 2, feature_map=api.ZZFeatureMap()), "shots": 300,
    },
    "phi of three": {"work": api.PhiRequest(program=HEAD + "qubit[3] q; cx q[0], q[1];", state="000")},
    "phi of one": {"work": api.PhiRequest(program=HEAD + "qubit q; h q;", state="0")},
    "minimise": {**PROGRAM, "work": api.VariationalRequest(cost=api.PauliCost(sum="Z0 Z4"))},
    "cobyla": {
        **PROGRAM,
        "work": api.VariationalRequest(cost=api.PauliCost(sum="Z0 Z4"), optimiser="cobyla", evaluations=60),
    },
    "amplitudes": {"program": HEAD + "qubit[7] q; h q;", "bitstrings": ("0" * 7,)},
}  # fmt: skip


def parent(name: str) -> Specification:
    fields = WORKS[name]
    work = fields.get("work")
    kind = "circuit.amplitudes" if work is None else work.__struct_config__.tag
    return submission.specify(msgspec.convert({"kind": kind, **fields}, api.JobRequest), 5)


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("name", WORKS)
def test_a_real_engine_answers_every_probe_right(name: str, number: int) -> None:
    probe = probes.make(parent(name), secret(number))
    assert probe.probe
    assert probe.kind == parent(name).kind
    assert probe.capability == parent(name).capability
    assert probes.fault(probe, computed(probe)) is None


def lied(answer: Any) -> workload.WorkResult:
    """The same answer with one thing wrong in its last item."""
    change = msgspec.structs.replace
    *others, item = answer.items
    wrong = change(item, **LIES[type(answer)](item))
    return change(answer, items=(*others, wrong))  # type: ignore[no-any-return]  # what it was


LIES: dict[type, Callable[[Any], dict[str, Any]]] = {
    workload.DynamicsResult: lambda item: {
        "moments": tuple(
            msgspec.structs.replace(each, sums=tuple(0.8 * value for value in each.sums))
            for each in item.moments
        )
    },
    workload.AmplitudeResult: lambda item: {
        "rounds": tuple(
            workload.AmplitudeRound(each.power, each.shots, 0 if 2 * each.hits > each.shots else each.shots)
            for each in item.rounds
        )
    },
    workload.KernelResult: lambda item: {"values": tuple(0.5 * value for value in item.values)},
    workload.PhiResult: lambda item: {"phi": item.phi + 1e-3},
    workload.VariationalResult: lambda item: {"value": item.value - 1e-3},
    workload.PartResult: lambda item: {"amplitudes": struct.pack("<d", 0.75) + item.amplitudes[8:]},
}


@pytest.mark.parametrize("number", [7])
@pytest.mark.parametrize("name", [name for name in WORKS if name not in BY_ENERGY])
def test_a_lie_is_found(name: str, number: int) -> None:
    probe = probes.make(parent(name), secret(number))
    answer = computed(probe)
    found = probes.fault(probe, lied(answer))
    assert found is not None
    assert found.exact == (name not in {"mcsolve", "estimate", "chernoff", "drawn kernel"})


@pytest.mark.parametrize("name", BY_ENERGY)
def test_an_annealing_that_misses_the_planted_state_is_found(name: str) -> None:
    """The planted state but for one spin is a state, with its energy, of a model that has a lower one."""
    probe = probes.make(parent(name), secret(1))
    model = codec.decode(probe.problem, workload.AnnealSample).model
    (planted, *_) = planted_first(computed(probe))
    packed = bytes([planted[0] ^ 1]) + planted[1:]
    energy = annealing.energy_of(
        model, annealing.values_of(model, annealing.bits_of(packed, len(model.linear)))
    )
    level = workload.EnergyLevel(energy, probe.shots)
    told = workload.AnnealResult(0, probe.shots, (level,), (workload.LowState(energy, packed, probe.shots),))
    found = probes.fault(probe, told)
    assert found is not None
    assert not found.exact


def planted_first(answer: workload.WorkResult) -> list[bytes]:
    assert isinstance(answer, workload.AnnealResult)
    return [each.state for each in answer.states]


@pytest.mark.parametrize("name", BY_ENERGY)
def test_most_reads_find_what_was_planted(name: str) -> None:
    """More than half of them: that all of 32 miss it has a probability below 2.4e-10."""
    for number in range(6):
        probe = probes.make(parent(name), secret(100 + number))
        answer = computed(probe)
        assert isinstance(answer, workload.AnnealResult)
        assert probe.shots >= 32
        assert answer.states[0].reads > 0.5 * answer.reads


def test_every_kind_can_be_probed() -> None:
    covered = {parent(name).kind for name in WORKS} | {"circuit.sample", "circuit.expect", "probe.echo"}
    assert covered == set(get_args(api.JobKind))


@pytest.mark.parametrize(("shots", "chance"), [(20, 0.5), (100, 0.03), (1000, 0.5), (4, 1e-6)])
def test_a_bound_on_hits_holds_without_approximation(shots: int, chance: float) -> None:
    """Against the exact binomial distribution, for every number of hits."""
    for hits in range(shots + 1):
        below, above = (
            stats.binom.cdf(hits, shots, chance),
            stats.binom.sf(hits - 1, shots, chance),
        )
        for level in (1e-3, 1e-6, 1e-9):
            if faults.hits_differ(hits, shots, chance, level) is not None:
                assert min(below, above) <= level / 2 * (1 + 1e-9)
    assert faults.hits_differ(shots, shots, chance, 1e-3) is not None
