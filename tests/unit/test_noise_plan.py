"""How noisy jobs are planned: which method, by which devices, in which pieces, and what is said of it."""

import itertools
import math
from typing import Any

import msgspec
import pytest

from qfleet_agent.engines import noise_density
from qfleet_controlplane.planning import (
    kinds,
    methods,
    needs,
    noise_method,
    placement,
    plan,
    regions,
)
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import submission
from qfleet_wire import api, circuit, codec, noise_load, payloads, workload
from qfleet_wire.workload.noise import AfterGate, NoiseModel, Rules

MIB = 2**20
BOTH = ("circuit.sample", "circuit.sample/trajectories", "circuit.expect/trajectories")
QULACS = payloads.Engine("qulacs", "0.6", BOTH)
QUTIP = payloads.Engine("qutip", "5.3", ("circuit.sample/density", "circuit.expect/density"))


def device(*engines: payloads.Engine, memory: int = 640 * MIB) -> regions.DeviceClass:
    return regions.DeviceClass(
        engines=engines, workers=2, max_qubits=24, task_memory_bytes=memory, known=1, online=1
    )


def chain(qubits: int) -> str:
    head = f'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[{qubits}] q; bit[{qubits}] c; h q[0];\n'
    return head + f"for int i in [0:{qubits - 2}] {{ cx q[i], q[i + 1]; }} c = measure q;"


def specified(
    devices: tuple[regions.DeviceClass, ...] = (),
    *,
    qubits: int = 4,
    method: str = "auto",
    probability: float = 0.02,
    **fields: Any,
) -> Specification:
    rule = {"gate": "cx", "channel": "depolarising", "probability": probability}
    asked = {"kind": "circuit.sample", "program": chain(qubits), "shots": 50_000} | fields
    asked["noise"] = {"gates": [rule], "method": method}
    request = msgspec.convert(asked, api.JobRequest)
    return methods.choose(
        submission.specify(request, 1), [methods.Device(each, each.online > 0) for each in devices]
    )


def test_many_shots_of_few_qubits_are_drawn_from_a_density_matrix_and_few_are_run() -> None:
    assert specified(shots=1_000_000).method == "density"
    assert specified(shots=100).method == "trajectories"
    assert specified(qubits=16).method == "trajectories"


def test_the_cheaper_method_is_taken() -> None:
    for shots, qubits in itertools.product((100, 10_000, 1_000_000), (2, 6, 10)):
        chosen = specified(shots=shots, qubits=qubits)
        other = noise_method.by(
            msgspec.structs.replace(chosen, dynamic=False),
            "density" if chosen.method == "trajectories" else "trajectories",
        )
        assert noise_method.total_ms(chosen) <= noise_method.total_ms(other)


@pytest.mark.parametrize(
    "devices",
    [(device(QULACS),), (device(QULACS, QUTIP, memory=180 * MIB),)],
    ids=["without QuTiP", "with too little memory"],
)
def test_without_a_device_for_density_matrices_trajectories_are_run(
    devices: tuple[regions.DeviceClass, ...],
) -> None:
    assert specified((device(QULACS, QUTIP),), shots=1_000_000).method == "density"
    assert specified(devices, shots=1_000_000).method == "trajectories"
    assert specified(devices, shots=1_000_000, method="density").method == "density"  # and is refused later


def test_a_device_that_is_there_goes_before_a_better_one_that_is_not() -> None:
    away = msgspec.structs.replace(device(QULACS, QUTIP), online=0)
    assert specified((away, device(QULACS)), shots=1_000_000).method == "trajectories"
    assert specified((away,), shots=1_000_000).method == "density"


def test_exact_values_take_a_density_matrix_and_no_shots() -> None:
    job = specified(kind="circuit.expect", observables=["Z0"], shots=10_000_000, qubits=3)
    assert (job.method, job.shots, job.dynamic) == ("density", 0, False)
    averaged = specified(kind="circuit.expect", observables=["Z0"], shots=300, qubits=3)
    assert (averaged.method, averaged.shots, averaged.dynamic) == ("trajectories", 300, True)


def test_memory_is_that_of_the_engine_with_qutip() -> None:
    for qubits in (2, 8, 11):
        job = specified(qubits=qubits, method="density")
        assert kinds.memory_bytes(job) >= noise_density.needed(qubits)
        assert kinds.memory_bytes(job) < noise_density.needed(qubits) + MIB


def fleet(job: Specification) -> plan.Fleet:
    return plan.Fleet(2, 4, kinds.rates(job))


def test_trajectories_split_by_blocks_and_say_so() -> None:
    job = specified(qubits=14, shots=200_000)
    planned = kinds.plan(job, fleet(job))
    assert len(planned.slices) > 4
    assert all(part.shots % workload.SHOTS_PER_BLOCK == 0 for part in planned.slices[:-1])
    assert sum(part.shots for part in planned.slices) == 200_000
    first, second, *_ = planned.sentences
    assert first.startswith("Noise by trajectories, one for each of 200,000 shots: about ")
    assert first.endswith("A density matrix of 14 qubits has 4 GiB.")
    assert second.startswith(
        "A noisy program runs once per shot: its 200,000 shots are split by blocks of 1,024"
    )


def test_density_matrices_split_by_points_and_say_what_trajectories_would_take() -> None:
    head = 'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float theta;\nqubit[10] q; bit[10] c;'
    swept = head + "for int i in [0:8] { ry(theta) q[i]; cx q[i], q[i + 1]; } c = measure q;"
    points = [{"theta": 0.1 * number} for number in range(400)]
    job = specified(program=swept, parameters=points, shots=100_000)
    assert job.method == "density"
    planned = kinds.plan(job, fleet(job))
    assert 1 < len(planned.slices) <= 400
    assert all(part.shots == 100_000 for part in planned.slices)
    assert planned.sentences[0].startswith(
        "Noise by the density matrix of 1,024 × 1,024 elements, exactly: about "
    )
    assert "; trajectories would take about " in planned.sentences[0]


def test_the_work_carries_model_and_method() -> None:
    job = specified(method="trajectories", shots=3000)
    encoded = kinds.encode(job, plan.Slice(0, 1, 1, 1024))
    work = codec.decode(encoded, workload.CircuitSample)
    assert (work.method, work.noise) == ("trajectories", job.noise)
    assert work.noise is not None
    assert work.items == (workload.SampleItem(0, (), 1, 1024),)


def test_a_region_without_the_engine_is_not_used() -> None:
    job = specified(method="density")
    able = regions.RegionFacts(name="able", workers=2, devices=1, online=1, classes=(device(QULACS, QUTIP),))
    unable = regions.RegionFacts(name="unable", workers=2, devices=1, online=1, classes=(device(QULACS),))
    placed = placement.place(job, (able, unable), placement.Wishes())
    assert [share.region for share in placed.shares] == ["able"]
    assert any("no engine for circuit.sample/density" in sentence for sentence in placed.sentences)


def test_more_noise_leaves_shots_less_in_common() -> None:
    assert noise_load.unshared(0.0) == 0.0
    assert noise_load.unshared(1e-13) == pytest.approx(5e-14)
    assert noise_load.unshared(0.75) == pytest.approx(1 - (1 - math.exp(-0.75)) / 0.75)
    assert noise_load.unshared(1e9) == pytest.approx(1.0)
    quiet, loud = (kinds.rates(specified(method="trajectories", probability=p)) for p in (0.001, 0.5))
    assert quiet.shot_ms < loud.shot_ms


def test_gates_are_grouped_into_passes() -> None:
    """Each flip of a chain takes up the one-qubit gates before it; a wide gate and its noise stand alone."""
    cx = circuit.Gate("x", (1,), controls=(circuit.Control(0),))
    ccx = circuit.Gate("x", (2,), controls=(circuit.Control(0), circuit.Control(1)))
    gates = [circuit.Gate("h", (0,)), circuit.Gate("h", (2,)), cx, circuit.Gate("h", (1,)), ccx]
    assert [tuple(group) for group in noise_load.groups(gates)] == [
        ((2,), [1]),
        ((0, 1), [0, 2, 3]),
        ((0, 1, 2), [4]),
    ]
    model = NoiseModel((AfterGate("ccx", "depolarising", 0.1), AfterGate("h", "phase_damping", 0.1)))
    counted = noise_load.density(gates, Rules(model))
    assert (counted.passes, counted.parts) == (1 + 1 + 2 + 4, 5 + 1 + 3)


def test_requirements_name_the_method() -> None:
    lacking = needs.Requirement("circuit.sample/density", 4, 0)
    assert needs.lacks(lacking, device(QULACS)) == "no engine for circuit.sample/density"
