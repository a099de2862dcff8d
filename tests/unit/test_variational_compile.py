"""What a minimisation compiles to, and what is refused with the field that is wrong."""

import math
from typing import Any

import pytest
from tests.unit import variational_cases as cases
from tests.unit import workload_runs
from tests.unit.variational_cases import request

from qfleet_controlplane.compile.errors import ProgramRefused, RequestRefused
from qfleet_wire import api, circuit, codec, workload
from qfleet_wire.workload import PauliTerm

CUT = api.CutCost(edges=(api.Edge(0, 1), api.Edge(1, 2, 2.0)))
QAOA = api.QaoaAnsatz(layers=2)
ROTATION = 'OPENQASM 3; include "stdgates.inc"; input float theta; qubit[2] q; ry(theta) q[0]; cx q[0], q[1];'


def base(asked: api.JobRequest) -> workload.VariationalMinimise:
    """The work that all starts share."""
    return codec.decode(workload_runs.specified(asked).problem, workload.VariationalMinimise)


def test_a_cut_is_a_sum_of_z_products() -> None:
    work = base(request(CUT, QAOA))
    assert work.cost.terms == (
        PauliTerm(-1.5, ()),
        PauliTerm(0.5, (("Z", 0), ("Z", 1))),
        PauliTerm(1.0, (("Z", 1), ("Z", 2))),
    )
    assert (work.qubits, work.layers, work.program) == (3, 2, None)
    assert (work.optimiser, work.evaluations, work.shots, work.best) == ("l-bfgs-b", 500, 1024, 10)


def test_equal_edges_are_added_whatever_their_direction() -> None:
    edges = (api.Edge(0, 1), api.Edge(1, 0, 3.0), api.Edge(1, 2), api.Edge(2, 1, -1.0))
    assert base(request(api.CutCost(edges=edges), QAOA)).cost.terms == (
        PauliTerm(-2.0, ()),
        PauliTerm(2.0, (("Z", 0), ("Z", 1))),
    )


def test_a_hardware_efficient_program_has_a_layer_more_of_rotations_than_of_entanglers() -> None:
    ansatz = api.HardwareEfficientAnsatz(
        rotations=("ry", "rz"), depth=2, entangler="full", gate="cz", qubits=4
    )
    program = base(request(CUT, ansatz)).program
    assert program is not None
    assert program.parameters == tuple(f"theta_{number}" for number in range(24))
    gates = [each for each in program.body if isinstance(each, circuit.Gate)]
    assert sum(gate.name == "z" for gate in gates) == 2 * 6
    assert [gate.arguments for gate in gates if gate.name != "z"] == [
        (circuit.Parameter(number),) for number in range(24)
    ]


@pytest.mark.parametrize(("pattern", "pairs"), [("linear", 2), ("ring", 3), ("full", 3)])
def test_patterns_join_so_many_pairs(pattern: Any, pairs: int) -> None:
    program = base(request(CUT, api.HardwareEfficientAnsatz(entangler=pattern))).program
    assert program is not None
    assert len(program.body) == 6 + pairs


def test_first_points_come_before_those_that_are_drawn() -> None:
    point = {"gamma_1": 0.1, "gamma_2": 0.2, "beta_1": 0.3, "beta_2": 0.4}
    job = workload_runs.specified(request(CUT, QAOA, job={"parameters": (point,)}))
    assert (job.items, job.points) == (4, ((0.1, 0.2, 0.3, 0.4), (), (), ()))
    assert workload_runs.specified(request(CUT, QAOA, starts=7)).items == 7


def test_an_own_program_is_varied_in_what_is_not_fixed() -> None:
    text = ROTATION.replace("qubit[2]", "input int turns; qubit[2]").replace("ry(theta)", "ry(turns*theta)")
    work = base(request(api.PauliCost(sum="ZZ"), fixed={"turns": 3}, job={"program": text}))
    assert work.program is not None
    assert work.program.parameters == ("theta",)


@pytest.mark.parametrize(
    ("argument", "optimiser"),
    [("theta", "l-bfgs-b"), ("2*sin(theta) + 1", "l-bfgs-b"), ("floor(theta)", "cobyla")],
)
def test_gradients_are_chosen_where_there_are_some(argument: str, optimiser: str) -> None:
    text = ROTATION.replace("ry(theta)", f"ry({argument})")
    assert base(request(api.PauliCost(sum="X0"), job={"program": text})).optimiser == optimiser


def test_only_costs_of_z_alone_are_sampled() -> None:
    ansatz = api.HardwareEfficientAnsatz()
    assert base(request(api.PauliCost(sum="X0"), ansatz)).shots == 0
    assert base(request(api.PauliCost(sum="Z0"), ansatz, job={"shots": 7})).shots == 7
    assert base(request(api.PauliCost(sum="Z0"), ansatz, best=0)).shots == 0


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"ansatz": None}, "work.ansatz", "is missing"),
    ({"job": {"program": ROTATION}}, "program", "is given"),
    ({"job": {"observables": ("Z0",)}}, "observables", "is given"),
    ({"job": {"items": 2}}, "items", "is given"),
    ({"job": {"shots": -1}}, "shots", "is -1"),
    ({"job": {"shots": 10_000_000}}, "shots", "is 10000000"),
    ({"job": {"parameters": ({"gamma_1": 0.1},)}}, "parameters[0]", "no value for"),
    ({"job": {"parameters": ({"theta": 0.1},)}}, "parameters[0].theta", "is no input"),
    ({"cost": api.PauliCost(sum="X0 Z1")}, "work.cost", "has X or Y"),
    ({"cost": api.PauliCost(sum="Z0 + ")}, "work.cost.sum", "column 5"),
    ({"cost": api.PauliCost(sum="2.5")}, "work.cost", "is constant"),
    ({"cost": api.PauliCost(sum="1e308*Z0 + 1e308*Z1")}, "work.cost", "add up to no double"),
    ({"cost": api.CutCost(edges=())}, "work.cost", "is constant"),
    ({"cost": api.CutCost(edges=(api.Edge(0, 1), api.Edge(2, 2)))}, "work.cost.edges[1]", "names 2 twice"),
    ({"cost": api.CutCost(edges=(api.Edge(0, -1),))}, "work.cost.edges[0]", "names -1"),
    ({"cost": api.CutCost(edges=(api.Edge(0, 64),))}, "work.cost", "needs 65 qubits"),
    ({"cost": api.CutCost(edges=(api.Edge(0, 1, math.inf),))}, "work.cost.edges[0]", "is inf"),
    ({"cost": api.QuboCost(linear=(api.Field(0, math.nan),))}, "work.cost.linear[0]", "is nan"),
    ({"cost": api.IsingCost(quadratic=(api.Coupling(1, 1, 1.0),))}, "work.cost.quadratic[0]", "1 twice"),
    ({"cost": api.IsingCost(linear=(api.Field(0, 1.0),), offset=math.inf)}, "work.cost.offset", "is inf"),
    ({"ansatz": api.QaoaAnsatz(layers=0)}, "work.ansatz.layers", "is 0"),
    ({"ansatz": api.QaoaAnsatz(layers=501)}, "work.ansatz", "has 1002 parameters"),
    ({"ansatz": api.HardwareEfficientAnsatz(depth=-1)}, "work.ansatz.depth", "is -1"),
    ({"ansatz": api.HardwareEfficientAnsatz(qubits=2)}, "work.ansatz.qubits", "is 2"),
    ({"ansatz": api.HardwareEfficientAnsatz(qubits=65)}, "work.ansatz.qubits", "is 65"),
    ({"ansatz": api.HardwareEfficientAnsatz(rotations=())}, "work.ansatz.rotations", "are none"),
    ({"fixed": {"theta": 1.0}}, "work.fixed", "is given"),
    ({"starts": 0}, "work.starts", "is 0"),
    ({"starts": 10_001}, "work.starts", "is 10001"),
    ({"evaluations": 0}, "work.evaluations", "is 0"),
    ({"tolerance": 0.0}, "work.tolerance", "is 0"),
    ({"best": -1}, "work.best", "is -1"),
]


@pytest.mark.parametrize(("change", "field", "words"), REFUSED, ids=[f"{f}: {w}" for _, f, w in REFUSED])
def test_wrong_requests_are_refused_with_their_field(change: dict[str, Any], field: str, words: str) -> None:
    fields: dict[str, Any] = {"cost": CUT, "ansatz": QAOA}
    with pytest.raises(RequestRefused) as refused:
        workload_runs.specified(request(**(fields | change)))
    assert refused.value.field == field
    assert words in refused.value.message
    assert refused.value.hint


OWN: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, ROTATION.replace("input float theta;", "const float theta = 1;"), "program", "nothing to vary"),
    ({"fixed": {"theta": 1.0}}, ROTATION, "program", "nothing to vary"),
    ({"fixed": {"phi": 1.0}}, ROTATION, "work.fixed.phi", "is no input"),
    ({"fixed": {"theta": math.nan}}, ROTATION, "work.fixed.theta", "is nan"),
    ({}, ROTATION + "reset q[0];", "program", "outcomes that steer it"),
    ({"optimiser": "l-bfgs-b"}, ROTATION.replace("float", "angle[8]"), "work.optimiser", "needs gradients"),
    ({"cost": api.PauliCost(sum="X7")}, ROTATION, "work.cost.sum", "no qubit 7"),
    ({"cost": api.PauliCost(sum="X0"), "job": {"shots": 5}}, ROTATION, "shots", "with X or Y"),
    ({"starts": 1, "job": {"parameters": ({"theta": 1.0},) * 2}}, ROTATION, "work.starts", "is 1 for 2"),
]


@pytest.mark.parametrize(("change", "program", "field", "words"), OWN, ids=[f"{f}: {w}" for *_, f, w in OWN])
def test_wrong_programs_are_refused_with_their_field(
    change: dict[str, Any], program: str, field: str, words: str
) -> None:
    fields: dict[str, Any] = {"cost": api.PauliCost(sum="Z0 Z1")} | change
    fields["job"] = {"program": program} | fields.get("job", {})
    with pytest.raises(RequestRefused) as refused:
        workload_runs.specified(request(**fields))
    assert (refused.value.field, words in refused.value.message) == (field, True)
    assert refused.value.hint


def test_a_program_that_is_none_is_refused_with_its_place() -> None:
    with pytest.raises(ProgramRefused) as refused:
        workload_runs.specified(request(api.PauliCost(sum="Z0"), job={"program": ROTATION + "\nry q[0];"}))
    assert refused.value.line == 2


def test_the_wrong_work_is_refused() -> None:
    asked = api.JobRequest(kind="variational.minimise")
    with pytest.raises(RequestRefused, match="work is missing"):
        workload_runs.specified(asked)


def test_wider_and_longer_costs_more() -> None:
    small, wide, deep = (
        workload_runs.specified(request(cases.ring(nodes), api.QaoaAnsatz(layers=layers))).effort
        for nodes, layers in ((8, 1), (16, 1), (8, 4))
    )
    assert wide.memory_bytes - small.memory_bytes > 4 * 16 * (2**16 - 2**8)
    assert wide.elements == 2**16
    assert deep.item_passes is not None
    assert deep.item_passes > 4 * (small.item_passes or math.inf)
