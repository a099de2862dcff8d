"""Whole requests: what they compile to, and which field is refused why."""

import math

import msgspec
import pytest

from qfleet_controlplane.compile import errors, job
from qfleet_controlplane.compile.compiled import CompiledJob
from qfleet_controlplane.compile.job import compile_job
from qfleet_wire import api, circuit
from qfleet_wire.limits import LIMITS

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BELL = HEAD + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
SWEPT = HEAD + "input float theta; input int n; qubit[2] q; bit[2] c;"
SWEPT += "for int i in [0:n] { rx(theta) q[i]; } c = measure q;"
DYNAMIC = HEAD + "qubit q; bit c; h q; c = measure q; if (c) x q;"


def compiled(kind: str, program: str, **fields: object) -> CompiledJob:
    return compile_job(msgspec.convert({"kind": kind, "program": program, **fields}, api.JobRequest))


def test_a_sampling_job() -> None:
    done = compiled("circuit.sample", BELL, shots=1000)
    assert done.points == ((),)
    assert done.shots == 1000
    assert done.facts is not None
    assert (done.facts.qubits, done.facts.gates, done.facts.entangling) == (2, 2, 1)
    assert (done.facts.dynamic, done.facts.clifford, done.facts.output_bits) == (False, True, 2)


def test_inputs_that_differ_are_swept_and_others_bound() -> None:
    points = [{"theta": 0.1, "n": 1}, {"theta": 0.2, "n": 1}]
    done = compiled("circuit.sample", SWEPT, shots=10, parameters=points)
    assert done.points == ((0.1,), (0.2,))
    assert done.program is not None
    assert done.program.parameters == ("theta",)
    same = compiled("circuit.sample", SWEPT, shots=10, parameters=[{"theta": 0.1, "n": 1}] * 2)
    assert same.points == ((), ())
    assert same.program is not None
    assert same.program.parameters == ()


def test_expectations_of_static_programs_are_exact_and_ignore_final_measurements() -> None:
    done = compiled("circuit.expect", BELL, shots=500, observables=["ZZ", "X0 X1"])
    assert done.shots == 0
    assert [each.text for each in done.observables] == ["ZZ", "X0 X1"]


def test_expectations_of_dynamic_programs_are_sampled() -> None:
    assert compiled("circuit.expect", DYNAMIC, shots=500, observables=["Z"]).shots == 500


def test_echoes() -> None:
    done = compiled("probe.echo", "", items=3)
    assert done.program is None
    assert len(done.points) == 3


LONG = HEAD + "qubit q; bit c; for int i in [1:{}] {{ x q; }} c = measure q;"
ASKED = HEAD + "input int n; qubit q; bit c; for int i in [1:n] { x q; } c = measure q;"
IDLE = HEAD + (
    "qubit q; bit c; bit d; int n = 0; c = measure q; for int i in [1:10000000000] { if (c) { n += 1; } }"
    "if (n == 3) { x q; } d = measure q;"
)
PAIR = HEAD + "qubit[2] q; h q[0];"
ANGLE = HEAD + "input float a; qubit q; rx(a) q;"

REFUSED = [
    ("probe.echo", "", {"residency": ["EU", ""]}, "residency[1]", "is '', which is no tag"),
    ("circuit.sample", BELL, {}, "shots", "is 0"),
    ("circuit.sample", BELL, {"shots": -1}, "shots", "is -1"),
    ("circuit.sample", BELL, {"shots": LIMITS.shots + 1}, "shots", "shots in all"),
    ("circuit.sample", BELL, {"shots": 10, "observables": ["ZZ"]}, "observables", "circuit.sample"),
    ("circuit.sample", "", {"shots": 10}, "program", "is empty"),
    ("circuit.sample", HEAD + "qubit q; h q;", {"shots": 10}, "program", "returns no bits"),
    ("circuit.sample", HEAD + "qubit q; bit c; h q;", {"shots": 10}, "program", "measures nothing"),
    ("circuit.sample", BELL, {"shots": 10, "parameters": [{"x": 1}]}, "parameters[0].x", "no input"),
    ("circuit.sample", SWEPT, {"shots": 10}, "parameters", "no value for n, theta"),
    ("circuit.sample", SWEPT, {"shots": 10, "parameters": [{"n": 1}]}, "parameters[0]", "for theta"),
    (
        "circuit.sample",
        SWEPT,
        {"shots": 9, "parameters": [{"n": 1, "thata": 1}]},
        "parameters[0].thata",
        "no",
    ),
    ("circuit.sample", BELL, {"shots": 10, "max_attempts": 0}, "max_attempts", "is 0"),
    ("circuit.sample", BELL, {"shots": 10, "time_limit_s": 0}, "time_limit_s", "is 0"),
    ("circuit.sample", BELL, {"shots": 10, "lost_after_s": math.nan}, "lost_after_s", "is nan"),
    ("circuit.sample", BELL, {"shots": 10, "deadline_s": -3}, "deadline_s", "is -3"),
    ("circuit.sample", BELL, {"shots": 10, "seed": -1}, "seed", "is -1"),
    ("circuit.sample", BELL, {"shots": 10, "name": "n" * 201}, "name", "201"),
    ("circuit.expect", BELL, {}, "observables", "missing"),
    ("circuit.expect", BELL, {"observables": ["ZZ"], "shots": -1}, "shots", "is -1"),
    ("circuit.expect", DYNAMIC, {"observables": ["Z"]}, "shots", "dynamic"),
    ("circuit.expect", BELL, {"observables": ["ZZ"] * 10_001}, "observables", "10001"),
    ("circuit.sample", LONG.format(10**12), {"shots": 1}, "program", "through 2,000,000,000,002 statements"),
    ("circuit.sample", ASKED, {"shots": 1, "parameters": [{"n": 1e12}]}, "program", "in one shot"),
    ("circuit.sample", LONG.format(10**8), {"shots": 10**6}, "shots", "in each of 1,000,000 shots"),
    ("circuit.sample", IDLE, {"shots": 1}, "program", "in one shot"),
    ("circuit.sample", BELL, {"shots": 10, "noise": api.NoiseRequest()}, "noise", "is empty"),
    ("circuit.amplitudes", PAIR, {"bitstrings": ("01", "00", "01")}, "bitstrings[2]", "as is bitstrings[0]"),
    (
        "circuit.expect",
        ANGLE,
        {"observables": ["Z"], "parameters": [{"a": 1.0}], "gradient": ("a", "a")},
        "gradient[1]",
        "as is gradient[0]",
    ),
    ("probe.echo", "", {"items": 0}, "items", "is 0"),
    ("probe.echo", BELL, {}, "program", "is given for a probe.echo job"),
    ("anneal.sample", BELL, {}, "program", "is given for an anneal.sample job"),
]


@pytest.mark.parametrize(("kind", "program", "fields", "field", "says"), REFUSED)
def test_refusals_name_the_field(
    kind: str, program: str, fields: dict[str, object], field: str, says: str
) -> None:
    with pytest.raises(errors.RequestRefused) as caught:
        compiled(kind, program, **fields)
    assert caught.value.field == field
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_values_must_be_finite(value: float) -> None:
    request = api.JobRequest(
        kind="circuit.sample", program=SWEPT, shots=1, parameters=({"theta": value, "n": 1.0},)
    )
    with pytest.raises(errors.RequestRefused, match="finite"):
        compile_job(request)


def test_a_bound_is_told_in_full() -> None:
    with pytest.raises(errors.RequestRefused) as caught:
        compiled("circuit.sample", BELL, shots=10, seed=1 << 63)
    assert caught.value.hint == f"give a number from 0 to {(1 << 63) - 1}"


def test_a_misspelt_input_gets_the_nearest_name() -> None:
    with pytest.raises(errors.RequestRefused) as caught:
        compiled("circuit.sample", SWEPT, shots=1, parameters=[{"n": 1, "thata": 0.5}])
    assert caught.value.hint == "did you mean 'theta'?"


def test_an_integer_input_cannot_be_swept() -> None:
    points = [{"theta": 0.1, "n": 0}, {"theta": 0.1, "n": 1}]
    with pytest.raises(errors.ProgramRefused) as caught:
        compiled("circuit.sample", SWEPT, shots=1, parameters=points)
    assert "int input 'n' differs between parameter points" in caught.value.message
    assert "one job for each value" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "value"), [("int", 1.5), ("uint", -1), ("bool", 2), ("int[4]", 8), ("bit[2]", 4)]
)
def test_values_must_fit_their_inputs(kind: str, value: float) -> None:
    text = HEAD + f"input {kind} n; qubit q; bit c; c = measure q;"
    with pytest.raises(errors.ProgramRefused) as caught:
        compiled("circuit.sample", text, shots=1, parameters=[{"n": value}])
    assert (caught.value.line, caught.value.column) == (3, 1)


def test_an_observable_is_named_by_its_place_in_the_list() -> None:
    with pytest.raises(errors.ObservableRefused) as caught:
        compiled("circuit.expect", BELL, observables=["ZZ", "Z0 Q"])
    assert (caught.value.number, caught.value.column) == (1, 4)


def test_the_text_of_a_refusal_holds_the_place_and_the_hint() -> None:
    with pytest.raises(errors.ProgramRefused) as caught:
        compiled("circuit.sample", HEAD + "qubit q;\nhh q;", shots=1)
    assert str(caught.value) == "4:1: undefined gate 'hh' (did you mean 'h'?)"


def test_facts_of_a_dynamic_program() -> None:
    done = compiled(
        "circuit.sample",
        HEAD + "qubit[2] q; bit c; t q[0]; c = measure q[0]; if (c) { h q; x q[0]; } else { x q[0]; }"
        " while (c) { h q[0]; c = measure q[0]; }",
        shots=1,
    )
    assert done.facts is not None
    assert done.facts.dynamic
    assert not done.facts.static
    assert not done.facts.clifford
    assert done.facts.depth == 1
    assert done.facts.applications == 2 + 3 + 10 * 2


@pytest.mark.parametrize(
    ("gate", "clifford"),
    [
        ("s q[0];", True), ("t q[0];", False), ("pow(2) @ t q[0];", True), ("rx(pi/2) q[0];", True),
        ("rx(0.3) q[0];", False), ("cp(pi) q[0], q[1];", True), ("cp(pi/2) q[0], q[1];", False),
        ("ctrl @ y q[0], q[1];", True), ("ch q[0], q[1];", False), ("ccx q[0], q[1], q[2];", False),
        ("swap q[0], q[1];", True), ("cswap q[0], q[1], q[2];", False), ("pow(0.5) @ x q[0];", True),
        ("U(pi/2, 0, pi) q[0];", True), ("pow(0.5) @ z q[0];", True), ("negctrl @ gphase(pi/2) q[0];", True),
    ],
)  # fmt: skip
def test_clifford_gates_are_told(gate: str, *, clifford: bool) -> None:
    done = compiled("circuit.expect", HEAD + "qubit[3] q; " + gate, observables=["ZZZ"])
    assert done.facts is not None
    assert done.facts.clifford == clifford


def test_a_program_too_large_to_send_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "PROGRAM_BYTES", 10)
    with pytest.raises(errors.RequestRefused, match="bytes") as caught:
        compiled("circuit.sample", BELL, shots=1)
    assert caught.value.field == "program"


def test_every_compiled_statement_decodes_again() -> None:
    done = compiled("circuit.sample", SWEPT, shots=1, parameters=[{"theta": 1, "n": 1}, {"theta": 2, "n": 1}])
    data = msgspec.msgpack.encode(done.program)
    assert msgspec.msgpack.decode(data, type=circuit.Program) == done.program
