"""Noise in requests: what it compiles to, what observables become, and which field is refused why."""

import math
from typing import Any

import msgspec
import pytest

from qfleet_controlplane.compile import noise
from qfleet_controlplane.compile.compiled import CompiledJob
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.compile.job import compile_job
from qfleet_wire import api, circuit, workload
from qfleet_wire.noise import GateNoise, Noise, QubitNoise
from qfleet_wire.profile import parse_profile
from qfleet_wire.workload.noise import AfterGate, Applied, Misread, NoiseModel, OnQubit, Rules, gate_name

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BELL = HEAD + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
DYNAMIC = HEAD + "qubit q; bit c; h q; c = measure q; if (c) x q;"
WIDE = HEAD + "qubit[13] q; bit[13] c; h q; c = measure q;"
CX = {"gate": "cx", "channel": "depolarising", "probability": 0.01}
SOME = {"qubits": [{"qubit": 0, "channel": "phase_damping", "probability": 0.01}]}


def compiled(rules: dict[str, Any], program: str = BELL, **fields: Any) -> CompiledJob:
    asked = {"kind": "circuit.sample", "shots": 1000} | fields
    if asked["kind"] == "circuit.expect":
        asked.setdefault("observables", ["Z0 Z1" if "q[1]" in program else "Z0"])
    return compile_job(msgspec.convert(asked | {"program": program, "noise": rules}, api.JobRequest))


def model_of(rules: dict[str, Any], **fields: Any) -> NoiseModel:
    found = compiled(rules, **fields).noise
    assert found is not None
    return found.model


def test_rules_get_the_names_of_compiled_gates() -> None:
    gates = [
        CX,
        CX | {"gate": "CNOT", "qubits": [1, 0]},
        {"gate": "u3", "channel": "amplitude_damping", "probability": 1},
    ]
    qubits = [
        {"qubit": 1, "channel": "phase_damping", "probability": 0.5},
        {"qubit": 0, "channel": "phase_damping", "probability": 0},
    ]
    readout = [
        {"probabilities": [[0.9, 0.1], [0.2, 0.8]]},
        {"qubit": 1, "probabilities": [[1, 0], [0.5, 0.5]]},
    ]
    assert model_of({"gates": gates, "qubits": qubits, "readout": readout}) == NoiseModel(
        (
            AfterGate("cx", "depolarising", 0.01),
            AfterGate("cx", "depolarising", 0.01, (1, 0)),
            AfterGate("u", "amplitude_damping", 1.0),
        ),
        (OnQubit(1, "phase_damping", 0.5),),
        (Misread(0, 0.1, 0.2), Misread(1, 0.0, 0.5)),
    )


def test_a_rule_for_these_qubits_goes_before_one_for_all() -> None:
    everywhere, here = AfterGate("cx", "depolarising", 0.1), AfterGate("cx", "phase_damping", 0.2, (0, 1))
    rules = Rules(NoiseModel((everywhere, here), (OnQubit(1, "amplitude_damping", 0.3),)))
    cx = circuit.Gate("x", (1,), controls=(circuit.Control(0),))
    last = Applied("amplitude_damping", 0.3, (1,))
    assert rules.after(cx) == (
        Applied("phase_damping", 0.2, (0,)),
        Applied("phase_damping", 0.2, (1,)),
        last,
    )
    turned = circuit.Gate("x", (0,), controls=(circuit.Control(1, 0),))
    assert rules.after(turned) == (Applied("depolarising", 0.1, (1, 0)), last)
    assert rules.after(circuit.Gate("x", (0,))) == ()


def test_gates_are_named_by_their_controls_and_base() -> None:
    one, two = (circuit.Control(3),), (circuit.Control(3), circuit.Control(4))
    assert gate_name(circuit.Gate("swap", (0, 1), controls=one)) == "cswap"
    assert gate_name(circuit.Gate("x", (0,), controls=two, power=0.5)) == "ccx"
    turn = (circuit.Constant(1.0),)
    assert [gate_name(circuit.Gate("gphase", (), turn, each)) for each in ((), one, two)] == ["", "p", "cp"]


@pytest.mark.parametrize(
    ("fields", "methods"),
    [
        ({}, ("density", "trajectories")),
        ({"kind": "circuit.expect", "shots": 0}, ("density",)),
        ({"kind": "circuit.expect"}, ("density", "trajectories")),
        ({"program": DYNAMIC}, ("trajectories",)),
        ({"program": WIDE}, ("trajectories",)),
        ({"rules": SOME | {"method": "density"}}, ("density",)),
        ({"rules": SOME | {"method": "trajectories"}}, ("trajectories",)),
    ],
)
def test_the_methods_that_can_serve_a_request(fields: dict[str, Any], methods: tuple[str, ...]) -> None:
    found = compiled(**({"rules": SOME} | fields)).noise
    assert found is not None
    assert found.effort.methods == methods


READ = {"readout": [{"qubit": 0, "probabilities": [[0.9, 0.1], [0.2, 0.8]]}]}
"""Of qubit 0: (1 - a - b) σ + (b - a) 1 = 0.7 σ + 0.1."""


def test_observables_become_what_is_read() -> None:
    job = compiled(READ, kind="circuit.expect", observables=["2*Z0 Z1 + X0", "Z1", "0.5*Z1 + Y0 Z1"])
    terms = [{term.paulis: term.coefficient for term in each.terms} for each in job.observables]
    both, first = (("Z", 0), ("Z", 1)), (("X", 0),)
    assert terms[0] == pytest.approx({both: 1.4, (("Z", 1),): 0.2, first: 0.7, (): 0.1})
    assert terms[1] == {(("Z", 1),): 1.0}
    assert terms[2] == pytest.approx({(("Z", 1),): 0.6, (("Y", 0), ("Z", 1)): 0.7})
    assert [each.text for each in job.observables] == ["2*Z0 Z1 + X0", "Z1", "0.5*Z1 + Y0 Z1"]


def gate(**changes: Any) -> dict[str, Any]:
    return {"gates": [CX, CX, CX | changes]}


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (gate(probability=1.5), {}, "noise.gates[2].probability", "is 1.5"),
    (gate(probability=-0.1), {}, "noise.gates[2].probability", "is -0.1"),
    (gate(probability=math.nan), {}, "noise.gates[2].probability", "is nan"),
    (gate(gate="xc"), {}, "noise.gates[2].gate", "'xc', which is no gate"),
    (gate(gate="cxx"), {}, "noise.gates[2].gate", "did you mean 'cx'"),
    (gate(gate="gphase"), {}, "noise.gates[2].gate", "no gate"),
    (gate(channel="depolarizing"), {}, "noise.gates[2].channel", "did you mean 'depolarising'"),
    (gate(qubits=[0]), {}, "noise.gates[2].qubits", "cx acts on 2"),
    (gate(qubits=[1, 1]), {}, "noise.gates[2].qubits", "all different"),
    (gate(qubits=[0, 2]), {}, "noise.gates[2].qubits[1]", "is 2 (the program has qubits 0 to 1)"),
    (
        {"qubits": [{"qubit": 5, "channel": "depolarising", "probability": 0}]},
        {},
        "noise.qubits[0].qubit",
        "5",
    ),
    (
        {"qubits": [{"qubit": 0, "channel": "noise", "probability": 0}]},
        {},
        "noise.qubits[0].channel",
        "channels are depolarising, amplitude_damping, phase_damping",
    ),
    (
        {"readout": [{"probabilities": [[0.9, 0.1], [0.2, 0.7]]}]},
        {},
        "noise.readout[0].probabilities[1]",
        "sums to 0.9",
    ),
    (
        {"readout": [{"probabilities": [[1.1, -0.1], [0, 1]]}]},
        {},
        "noise.readout[0].probabilities[0][0]",
        "is 1.1",
    ),
    ({"readout": [{"probabilities": [[1.0, 0.0]]}]}, {}, "noise.readout[0].probabilities", "has 1 rows"),
    (
        {"readout": [{"probabilities": [[1, 0], [0, 1]]}] * 2},
        {},
        "noise.readout[1]",
        "second one for all qubits",
    ),
    (
        {"readout": [{"qubit": 2, "probabilities": [[1, 0], [0, 1]]}]},
        {},
        "noise.readout[0].qubit",
        "is 2 (the program has qubits 0 to 1)",
    ),
    (SOME | {"method": "density"}, {"program": DYNAMIC}, "noise.method", "measures or resets in mid-course"),
    (
        SOME | {"method": "density"},
        {"program": WIDE},
        "noise.method",
        "of 13 qubits has 16 × 4^13 bytes, 1 GiB; 12 qubits are the most",
    ),
    (
        SOME | {"method": "trajectories"},
        {"kind": "circuit.expect", "shots": 0},
        "noise.method",
        "averaged over shots",
    ),
    (SOME, {"kind": "circuit.expect", "shots": 0, "program": WIDE}, "shots", "give shots: values are then"),
    (SOME, {"kind": "circuit.expect", "shots": 200_000_000}, "shots", "200000000 shots in all"),
    ({"gates": [CX]}, {"kind": "circuit.expect", "gradient": True}, "gradient", "of a noisy program"),
    ({"profile": "nothing"}, {}, "noise.profile", "carries no noise (profiles that do: calm)"),
    ({"profile": "calm", "gates": [CX]}, {}, "noise.profile", "rules are given beside it"),
    (
        {"readout": [{"probabilities": [[0.9, 0.1], [0.2, 0.8]]}]},
        {"kind": "circuit.expect", "program": WIDE, "observables": ["Z" * 13]},
        "observables[0]",
        "more than 4,096 products",
    ),
    (
        SOME,
        {"program": HEAD + "qubit q; bit[63] c; for int i in [0:62] { c[i] = measure q; }"},
        "noise",
        "ends with 63 measurements",
    ),
]
CALM = Noise(gates=(GateNoise(gate="cx", channel="depolarising", probability=0.02, qubits=(3, 4)),))


@pytest.mark.parametrize(("rules", "fields", "field", "message"), REFUSED)
def test_a_refusal_names_the_field(
    rules: dict[str, Any], fields: dict[str, Any], field: str, message: str
) -> None:
    asked = {"kind": "circuit.sample", "shots": 1000, "program": BELL} | fields
    if asked["kind"] == "circuit.expect":
        asked.setdefault("observables", ["Z0"])
    request = msgspec.convert(asked | {"noise": rules}, api.JobRequest)
    with pytest.raises(RequestRefused) as refused:
        compile_job(noise.resolved(request, {"calm": CALM}))
    assert refused.value.field == field
    assert message in str(refused.value)


def test_noise_is_for_programs() -> None:
    request = msgspec.convert({"kind": "probe.echo", "noise": {}}, api.JobRequest)
    with pytest.raises(RequestRefused, match=r"noise is given for a probe\.echo job"):
        compile_job(request)


def profile(text: str) -> Noise | None:
    head = 'name = "a"\nversion = 1\ndescription = "a"\nengines = []\n[recognise]\n[budget]\nworkers = 1\n'
    numbers = "task_memory_mib = 1\nmax_qubits = 1\nmax_shots = 1\ntask_seconds = 1\ndisk_mib = 1\n"
    return parse_profile(head + numbers + "disk_reserve_mib = 1\n" + text, source="a.toml").noise


def test_a_profile_may_carry_noise_and_name_more_qubits_than_a_program_has() -> None:
    assert profile("") is None
    text = """
        [[noise.gates]]
        gate = "cx"
        channel = "depolarising"
        probability = 0.02
        qubits = [3, 4]

        [[noise.qubits]]
        qubit = 1
        channel = "phase_damping"
        probability = 0.1
    """
    found = profile(text)
    damping = QubitNoise(qubit=1, channel="phase_damping", probability=0.1)
    assert found == Noise(gates=CALM.gates, qubits=(damping,))
    asked = {"kind": "circuit.sample", "shots": 10, "program": BELL, "noise": {"profile": "a"}}
    job = compile_job(noise.resolved(msgspec.convert(asked, api.JobRequest), {"a": found}))
    assert job.noise is not None
    assert job.noise.model == NoiseModel((), (OnQubit(1, "phase_damping", 0.1),))


def test_a_job_without_noise_is_left_alone() -> None:
    request = msgspec.convert({"kind": "circuit.sample", "shots": 9, "program": BELL}, api.JobRequest)
    assert noise.resolved(request, {}) is request
    job = compile_job(request)
    assert job.noise is None
    assert isinstance(job.observables, tuple)
    assert workload.capability(job.kind) == "circuit.sample"
