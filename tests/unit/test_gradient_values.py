"""Gradients by parameter shift, through planning and the engine, against finite differences and Qiskit."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit import engine_reference as reference
from tests.unit.planner_cases import devices

from qfleet_agent.engines import execution
from qfleet_controlplane.compile import observables
from qfleet_controlplane.compile.errors import ProgramRefused, RequestRefused
from qfleet_controlplane.compile.program import compile_program
from qfleet_controlplane.planning import kinds, methods, views
from qfleet_controlplane.planning.plan import Fleet
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import submission
from qfleet_wire import api, codec, payloads, workload

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
INPUTS = "input float a;\ninput float b;\nqubit[3] q;\n"
OBSERVED = ("Z0", "0.5*X0 Y1 - Z1 Z2 + 0.25", "Y2")
POINTS = ({"a": 0.3, "b": -1.1}, {"a": 2.0, "b": 0.6})


def answered(
    request: api.JobRequest, workers: int = 3, known: submission.Known = submission.NOTHING
) -> tuple[api.ExpectResultView, Specification]:
    """Plan a job, run its tasks one by one, and merge them."""
    job = methods.choose(submission.specify(request, 1, known), [])
    results = []
    for part in kinds.plan(job, Fleet(1, workers, kinds.rates(job))).slices:
        work: workload.Work = codec.decode(kinds.encode(job, part), workload.Work)  # type: ignore[arg-type] # a union
        result = execution.execute(work, budget=1 << 28, report=lambda _: None)
        assert kinds.fault(job, part, result) is None
        results.append(views.Counted(result, "d", "e", "1", 1.0))
    shown = kinds.view(views.Heading("j", "succeeded", request), job, results[::-1])
    assert isinstance(shown, api.ExpectResultView)
    return shown, job


def asked(body: str, **changes: object) -> api.JobRequest:
    usual = {
        "kind": "circuit.expect",
        "program": HEAD + INPUTS + body,
        "observables": OBSERVED,
        "parameters": POINTS,
        "gradient": True,
    }
    return msgspec.convert(usual | changes, api.JobRequest)


def dense(body: str, names: Sequence[str] = ("a", "b")) -> Callable[[Sequence[float]], list[float]]:
    """Values of the observables by whole matrices, at a point."""
    program = compile_program(HEAD + INPUTS + body, swept=names)
    parsed = [observables.parse_observable(text, 3) for text in OBSERVED]

    def values(point: Sequence[float]) -> list[float]:
        shot = reference.Shot(program, tuple(point), lambda: 0.0)
        shot.run(finals=False)
        return [reference.expectation(each, shot.state, 3) for each in parsed]

    return values


def slope(
    function: Callable[[Sequence[float]], list[float]], point: Sequence[float], place: int
) -> list[float]:
    """Central differences of order four."""
    step = 1e-3
    at = [list(point) for _ in range(4)]
    for moved, factor in zip(at, (-2, -1, 1, 2), strict=True):
        moved[place] += factor * step
    far_left, left, right, far_right = (np.array(function(each)) for each in at)
    return list((far_left - 8 * left + 8 * right - far_right) / (12 * step))


GATES = (
    "rx(a) q[0];", "ry(2*a - b) q[1];", "rz(sin(a)*b) q[0];", "p(a/2) q[1];", "u3(a, b, a*b) q[0];",
    "U(b, a, 0.3) q[1];", "crx(a) q[0], q[1];", "cry(b*a) q[1], q[2];", "crz(a) q[2], q[0];",
    "cp(a + b) q[0], q[1];", "cu(a, b, 0.2, b) q[0], q[1];", "ctrl(2) @ ry(a) q[0], q[1], q[2];",
    "negctrl @ rx(b) q[1], q[2];", "ctrl @ gphase(a) q[1];", "gphase(a);", "h q[0];", "h q[1];",
    "cx q[0], q[2];", "rx(a) q[2];", "inv @ ry(a) q[0];", "rz(exp(-a*a)) q[1];",
    "ctrl @ U(a, b, b) q[2], q[1];",
)  # fmt: skip


@settings(deadline=None, max_examples=10)
@given(st.lists(st.sampled_from(GATES), min_size=1, max_size=6))
@example(list(GATES))
def test_a_gradient_is_that_of_finite_differences(gates: list[str]) -> None:
    body = "h q;\nt q[0];\n" + "\n".join(gates)
    shown, _ = answered(asked(body, parameters=POINTS[:1]))
    values = dense(body)
    for item, point in zip(shown.items, POINTS[:1], strict=True):
        where = [point["a"], point["b"]]
        assert [value.value for value in item.values] == pytest.approx(values(where), abs=1e-10)
        for place, name in enumerate("ab"):
            expected = slope(values, where, place)
            assert [each[name] for each in item.gradient] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    "angle",
    ["a*b", "a/b", "b/a", "a**3", "2**b", "(a*a)**(b/9)", "-a", "tan(a)", "arcsin(a/4)", "arccos(b/4)",
     "arctan(a)",
     "log(a)", "sqrt(a)", "cos(a)*sin(b)", "1/(1 + exp(a))", "pi/3 + 0*a"],
)  # fmt: skip
def test_every_expression_is_differentiated_by_the_chain_rule(angle: str) -> None:
    body = f"h q[1]; rx({angle}) q[0]; cx q[0], q[1]; ry({angle}) q[1];"
    shown, _ = answered(asked(body))
    values = dense(body)
    for item, point in zip(shown.items, POINTS, strict=True):
        for place, name in enumerate("ab"):
            expected = slope(values, [point["a"], point["b"]], place)
            assert [each[name] for each in item.gradient] == pytest.approx(expected, abs=1e-7)


def test_a_gradient_is_that_of_qiskits_state_vectors() -> None:
    qiskit = pytest.importorskip("qiskit")
    from qiskit.quantum_info import SparsePauliOp, Statevector  # noqa: PLC0415 - an extra

    names = [f"t{number}" for number in range(4)]
    program = HEAD + "".join(f"input float {name};\n" for name in names) + "qubit[3] q;\n"
    program += (
        "".join(f"ry(t{n}) q[{n}]; " for n in range(3)) + "crx(t3) q[0], q[1]; cx q[1], q[2]; rz(2*t0) q[2];"
    )
    program += " ry(t1) q[2]; cp(t3) q[0], q[2];"
    point = dict(zip(names, (0.4, -0.9, 1.7, 2.2), strict=True))
    request = asked("", program=program, parameters=[point], observables=["XZY", "ZIZ"], gradient=True)
    shown, _ = answered(request)

    def values(angles: Sequence[float]) -> list[float]:
        circuit = qiskit.QuantumCircuit(3)
        for number in range(3):
            circuit.ry(angles[number], number)
        circuit.crx(angles[3], 0, 1)
        circuit.cx(1, 2)
        circuit.rz(2 * angles[0], 2)
        circuit.ry(angles[1], 2)
        circuit.cp(angles[3], 0, 2)
        state = Statevector(circuit)
        return [float(state.expectation_value(SparsePauliOp(label)).real) for label in ("XZY", "ZIZ")]

    for place, name in enumerate(names):
        expected = slope(values, list(point.values()), place)
        assert [each[name] for each in shown.items[0].gradient] == pytest.approx(expected, abs=1e-8)


def test_only_the_inputs_that_were_asked_for_are_differentiated() -> None:
    body = "rx(a) q[0]; ry(b) q[0];"
    shown, job = answered(asked(body, gradient=["b"]))
    assert all(each.keys() == {"b"} for item in shown.items for each in item.gradient)
    assert job.items == 2 * (1 + 2)


def test_an_input_that_is_the_same_at_all_points_is_differentiated_too() -> None:
    shown, job = answered(asked("rx(a) q[0]; ry(b) q[0];", parameters=[{"a": 0.5, "b": 0.1}]))
    assert shown.items[0].gradient[0]["a"] == pytest.approx(-np.sin(0.5) * np.cos(0.1))
    planned = kinds.plan(job, Fleet(1, 1, kinds.rates(job)))
    assert planned.sentences[0] == (
        "Gradient by 2 inputs in 2 angles of gates: the parameter-shift rule takes 5 evaluations "
        "for a point, 5 in all."
    )


def test_clifford_points_stay_clifford_when_they_are_shifted() -> None:
    program = (
        HEAD + "input float a; qubit[80] q;\nh q[0]; for int i in [0:78] { cx q[i], q[i + 1]; } rz(a) q[7];"
    )
    observable = " ".join(f"X{number}" for number in range(80))
    request = asked(
        "", program=program, parameters=[{"a": 0.0}], observables=[observable, "Y0 " + observable[3:]]
    )
    shown, job = answered(request)
    assert job.method == "stabilizer"
    assert shown.items[0].gradient == ({"a": 0.0}, {"a": 1.0})


def test_a_cut_program_has_the_same_gradient() -> None:
    program = (
        HEAD + "input float a; input float b; qubit[6] q;\nh q; rx(a) q[0]; crx(b) q[2], q[3]; ry(a*b) q[5];"
    )
    request = asked("", program=program, parameters=POINTS[:1], observables=["Z0 Z3", "X2 Y3", "Z5"])
    whole, _ = answered(request)
    able = (payloads.Engine("qulacs", "1", ("circuit.expect", "circuit.part")),)
    narrow = msgspec.structs.replace(devices(qubits=4), engines=able, calibrations=())
    cut, job = answered(request, known=submission.Known(classes=(narrow,)))
    assert job.cut is not None
    for one, other in zip(whole.items[0].gradient, cut.items[0].gradient, strict=True):
        assert one == pytest.approx(other, abs=1e-10)


def test_values_without_gradient_have_none() -> None:
    shown, _ = answered(asked("rx(a) q[0];", gradient=False))
    assert shown.items[0].gradient == ()


def test_a_point_is_shown_when_all_its_items_are_there() -> None:
    request = asked("rx(a) q[0]; ry(b) q[0];")
    job = submission.specify(request, 1)
    items = tuple(workload.ExpectValues(n, (workload.Moments(0, 0, (0.0,) * 3),)) for n in range(7))
    counted = [views.Counted(workload.ExpectResult(items), "d", "e", "1", 1.0)]
    shown = kinds.view(views.Heading("j", "running", request), job, counted)
    assert isinstance(shown, api.ExpectResultView)
    assert [item.parameters for item in shown.items] == [POINTS[0]]


@pytest.mark.parametrize(
    ("body", "place", "says"),
    [
        ("rx(a) q[0];\n  pow(0.5) @ ry(b) q[1];", (7, 3), r"pow\(0.5\) of ry has no shift rule"),
        ("rx(floor(a)) q[0];", (6, 1), "an angle of rx has no derivative: 'floor'"),
        ("ry(mod(a, 2.0)) q[0];", (6, 1), "an angle of ry has no derivative: '%'"),
        ("rx(int(a)) q[0];", (6, 1), "an angle of rx has no derivative: a conversion to int"),
        ("rx(a) q[0];\nreset q[0];", (7, 1), "steer the program from here on"),
        ("bit c; c = measure q[0];\nrx(a) q[0];", (7, 1), "steer the program from here on"),
        ("bit c; c = measure q[1];\nif (c) { rx(a) q[0]; }", (7, 1), "steer the program from here on"),
    ],
)
def test_what_has_no_rule_is_refused_at_its_place(body: str, place: tuple[int, int], says: str) -> None:
    with pytest.raises(ProgramRefused, match=says) as caught:
        submission.specify(asked(body), 1)
    assert (caught.value.line, caught.value.column) == place
    assert caught.value.hint


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"gradient": ["aa"]}, "gradient[0]", "did you mean 'a'"),
        ({"program": HEAD + "input int a; input float b; qubit q; rx(b) q;", "gradient": ["b", "a"],
          "parameters": [{"a": 1, "b": 2}]}, "gradient[1]", "no real number"),
        ({"program": HEAD + "qubit[3] q; h q;", "parameters": []}, "gradient", "without inputs"),
        ({"kind": "circuit.sample", "observables": [], "shots": 1}, "gradient", "circuit.sample job"),
        ({"parameters": [{"a": 0.0, "b": 0.0}]}, "parameters[0]", "no finite derivative"),
        ({"kind": "probe.echo", "program": "", "observables": [], "parameters": []}, "gradient",
          "probe.echo"),
    ],
)  # fmt: skip
def test_wrong_requests_are_refused_by_field(changes: dict[str, object], field: str, says: str) -> None:
    with pytest.raises(RequestRefused, match=says) as caught:
        submission.specify(asked("rx(sqrt(a)) q[0];", **changes), 1)
    assert caught.value.field == field


def test_too_many_evaluations_are_refused_with_their_number() -> None:
    points = [{"a": 0.1, "b": 0.01 * number} for number in range(2000)]
    body = "for int i in [1:300] { rx(a) q[0]; }"
    with pytest.raises(RequestRefused, match="takes 1,202,000 evaluations"):
        submission.specify(asked(body, parameters=points), 1)
