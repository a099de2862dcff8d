"""Whether a program is cut, and what is said of it: by devices, by paths, by the time that it saves."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.unit.core_cases import KINDS, MIB
from tests.unit.planner_cases import devices, region

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.planning import cost, kinds, needs, placement, plan
from qfleet_controlplane.planning.cuts import choice, forecast
from qfleet_controlplane.planning.plan import PlanRefused
from qfleet_controlplane.planning.regions import DeviceClass
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import submission
from qfleet_wire import api, codec, payloads
from qfleet_wire.noise import GateNoise

PARTS = (*KINDS, "circuit.part")


def fleet(
    qubits: int, *, memory: int = 512 * MIB, abilities: Sequence[str] = PARTS, workers: int = 2
) -> DeviceClass:
    engines = (payloads.Engine("qulacs", "", tuple(abilities)),)
    return msgspec.structs.replace(devices(qubits=qubits, memory=memory, workers=workers), engines=engines)


def layers(qubits: int, depth: int, *, missing: Sequence[int] = ()) -> str:
    """Rotations and a line of CX, ``depth`` times; bonds that are missing are crossed once, at the end."""
    text = [f'OPENQASM 3.0; include "stdgates.inc"; qubit[{qubits}] q;']
    for layer in range(depth):
        text += [f"ry({0.1 * qubit + layer}) q[{qubit}];" for qubit in range(qubits)]
        text += [f"cx q[{at}], q[{at + 1}];" for at in range(qubits - 1) if at not in missing]
    text += [f"cz q[{at}], q[{at + 1}];" for at in missing]
    return "\n".join(text)


def specified(program: str, *classes: DeviceClass, **request: Any) -> Specification:
    asked: dict[str, Any] = {"kind": "circuit.expect", "observables": ("Z0",), "program": program} | request
    return submission.specify(api.JobRequest(**asked), 7, submission.Known(classes))


def test_a_program_wider_than_every_device_is_cut_into_parts_that_fit() -> None:
    job = specified(layers(32, 3), fleet(18), fleet(16))
    assert job.cut is not None
    assert [part.qubits for part in job.cut.parts] == [16, 16]
    assert (job.qubits, job.cut.qubits, job.cut.paths) == (16, 32, 8)
    assert job.capability == "circuit.part"
    assert needs.lacks(needs.requirement(job), fleet(16)) is None
    told = kinds.plan(job, plan.Fleet(1, 2, kinds.rates(job))).sentences
    assert told[0].startswith(
        "Cut into 2 parts of 16 + 16 qubits through 3 gates, 8 paths, put together exactly"
    )
    assert "no device of this fleet takes the program's 32 qubits as a whole (at most 18)" in told[0]
    assert "8 paths of 16 qubits, 8 paths of 16 qubits, about" in told[1]


def test_three_parts_where_two_are_too_wide() -> None:
    job = specified(layers(30, 1), fleet(12))
    assert job.cut is not None
    assert sorted(part.qubits for part in job.cut.parts) == [10, 10, 10]
    assert job.cut.paths == 4


def test_a_program_that_fits_stays_whole_unless_a_cut_saves_at_least_half() -> None:
    small = specified(layers(12, 3, missing=(5,)), fleet(24))
    assert small.cut is None
    assert small.reason == ""
    dear = specified(layers(22, 30), fleet(24))
    assert dear.cut is None
    assert dear.reason.startswith("Not cut: 2 parts would have 2^30 paths")
    cheap = specified(layers(22, 6, missing=(10,)), fleet(24))
    assert cheap.cut is not None
    assert (cheap.cut.paths, cheap.qubits) == (2, 11)
    assert "of one device's time instead of" in cheap.cut.told[0]


def test_the_same_program_is_cut_the_same_way_every_time() -> None:
    program = layers(32, 4)
    first, second = (specified(program, fleet(18)) for _ in range(2))
    assert first == second


def test_a_cut_job_is_stored_and_read_back_as_it_was() -> None:
    job = specified(
        layers(32, 3), fleet(18), kind="circuit.amplitudes", observables=(), bitstrings=("01" * 16,)
    )
    assert codec.decode(codec.encode(job), Specification) == job
    assert msgspec.json.decode(msgspec.json.encode(job), type=Specification) == job


def test_regions_are_judged_by_the_width_of_a_part_and_share_its_tasks() -> None:
    wide, narrow = fleet(18), fleet(14)
    job = specified(layers(32, 3), wide, narrow)
    placed = placement.place(job, [region("wide", wide), region("narrow", narrow)], placement.Wishes())
    assert {share.region for share in placed.shares} == {"wide"}
    assert "narrow is not used: 16 qubits are over its 14." in placed.sentences
    assert placed.specification.cut == job.cut
    assert placed.plan.sentences[0].startswith("Cut into 2 parts")


def test_too_many_paths_are_refused_with_their_number() -> None:
    with pytest.raises(PlanRefused) as refused:
        specified(layers(32, 40), fleet(18))
    assert (
        "cut into 2 parts it has 2^40 paths: 2^40 paths through one part are over the limit of 65,536"
        in str(refused.value)
    )
    assert refused.value.hint
    with pytest.raises(PlanRefused, match="1,048,576 paths through one part"):
        specified(
            layers(32, 20), fleet(18), kind="circuit.amplitudes", observables=(), bitstrings=("0" * 32,)
        )


def test_values_between_all_paths_are_refused_earlier_than_amplitudes_along_each() -> None:
    program = layers(32, 13)
    amplitudes = {"kind": "circuit.amplitudes", "observables": (), "bitstrings": ("0" * 32,)}
    assert specified(program, fleet(18), **amplitudes).cut is not None
    with pytest.raises(PlanRefused, match="67,108,864 multiplications, over the limit of 16,777,216"):
        specified(program, fleet(18))


def test_gates_that_tie_too_many_qubits_together_are_refused() -> None:
    """Five qubits are more than is expanded, and so is a root of a controlled swap."""
    for gate in ("ctrl(4) @ x", "ctrl(3) @ pow(0.5) @ swap"):
        chain = "".join(f"{gate} {', '.join(f'q[{at + place}]' for place in range(5))};" for at in range(26))
        program = f'OPENQASM 3.0; include "stdgates.inc"; qubit[30] q; h q; {chain}'
        with pytest.raises(PlanRefused, match="no cut goes through tie more than 18 of them together"):
            specified(program, fleet(18))


def test_gates_on_three_qubits_are_cut_through_where_they_tie_too_many_together() -> None:
    chain = "".join(f"ccx q[{at}], q[{at + 1}], q[{at + 2}];" for at in range(28))
    job = specified(f'OPENQASM 3.0; include "stdgates.inc"; qubit[30] q; h q; {chain}', fleet(18))
    assert job.cut is not None
    assert [part.qubits for part in job.cut.parts] == [15, 15]
    assert job.cut.paths == 64  # two of them cross, each as three gates on two qubits


def test_what_cannot_be_cut_is_left_to_the_usual_refusal() -> None:
    dynamic = (
        'OPENQASM 3.0; include "stdgates.inc"; qubit[30] q; bit c; h q; c = measure q[0]; if (c) x q[1];'
    )
    assert specified(dynamic, fleet(18), shots=10).cut is None
    assert specified(layers(32, 2), fleet(18, abilities=KINDS)).cut is None
    assert specified(layers(32, 2)).cut is None  # nothing is known of a fleet without devices


def test_a_noisy_program_is_not_cut() -> None:
    noise = api.NoiseRequest(gates=(GateNoise(gate="cx", channel="depolarising", probability=0.01),))
    assert specified(layers(22, 6, missing=(10,)), fleet(24), noise=noise, shots=10).cut is None


def test_a_clifford_program_goes_to_a_tableau_where_there_is_one() -> None:
    ghz = 'OPENQASM 3.0; include "stdgates.inc"; qubit[32] q; h q[0];' + "".join(
        f"cx q[{at}], q[{at + 1}];" for at in range(31)
    )
    assert specified(ghz, fleet(18, abilities=(*PARTS, "circuit.expect/stabilizer"))).cut is None
    assert specified(ghz, fleet(18)).cut is not None


def test_rows_of_matrix_elements_are_bounded_by_the_memory_of_a_task() -> None:
    program = layers(32, 5)
    wide, narrow = (specified(program, fleet(18, memory=size * MIB)) for size in (512, 72))
    assert wide.cut is not None
    assert narrow.cut is not None
    assert [part.rows for part in wide.cut.parts] == [32, 32]
    rows = narrow.cut.parts[0].rows
    assert 1 <= rows < 32
    assert kinds.memory_bytes(narrow) <= 72 * MIB < forecast.part_bytes(narrow.cut.parts[0], rows + 1)


def test_slices_cover_every_path_of_every_part_once() -> None:
    for depth, memory, workers in ((5, 512, 1), (5, 72, 8), (2, 512, 40)):
        job = specified(layers(32, depth), fleet(18, memory=memory * MIB, workers=workers))
        assert job.cut is not None
        planned = kinds.plan(job, plan.Fleet(1, workers, kinds.rates(job)))
        covered = sorted(
            number
            for part in planned.slices
            for number in range(part.first_block, part.first_block + part.shots)
        )
        assert covered == list(range(sum(part.paths for part in job.cut.parts)))


def test_a_task_returns_no_more_values_than_it_may() -> None:
    program = layers(32, 3).replace("qubit[32] q;", "input float a; qubit[32] q; rz(a) q[0];")
    observables = tuple(f"Z{qubit}" for qubit in range(32))
    points = tuple({"a": 0.001 * number} for number in range(900))
    job = specified(program, fleet(18), observables=observables, parameters=points)
    planned = kinds.plan(job, plan.Fleet(1, 1, kinds.rates(job)))
    assert max(kinds.result_bytes(job, part) for part in planned.slices) < 1.1 * forecast.TASK_BYTES
    assert sum(part.items * part.shots for part in planned.slices) == 900 * 16


def test_more_work_is_foretold_to_take_longer() -> None:
    def each_ms(depth: int, observables: tuple[str, ...] = ("Z0",)) -> float:
        job = specified(layers(32, depth), fleet(18), observables=observables)
        assert job.cut is not None
        return forecast.whole_ms(job.cut, cost.DEFAULT)

    assert each_ms(2) < each_ms(3) < each_ms(4)
    assert each_ms(3) < each_ms(3, tuple(f"X{qubit}" for qubit in range(32)))
    job = specified(layers(32, 4), fleet(18))
    assert job.cut is not None
    part = job.cut.parts[0]
    assert forecast.part_ms(part, cost.DEFAULT, 8, 8) < forecast.part_ms(part, cost.DEFAULT, 0, 8)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bitstrings": ()}, "bitstrings"),
        ({"bitstrings": ("01", "0a")}, "bitstrings[1]"),
        ({"bitstrings": ("011",)}, "bitstrings[0]"),
        ({"bitstrings": ("01",), "observables": ("Z0",)}, "observables"),
        ({"bitstrings": ("01",), "shots": 5}, "shots"),
        ({"kind": "circuit.expect", "observables": ("Z0",), "bitstrings": ("01",)}, "bitstrings"),
    ],
)
def test_wrong_questions_about_amplitudes_name_the_field(changes: dict[str, Any], field: str) -> None:
    program = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q;'
    request = {"kind": "circuit.amplitudes", "observables": ()} | changes
    with pytest.raises(RequestRefused) as refused:
        specified(program, fleet(18), **request)
    assert refused.value.field == field
    assert refused.value.hint


def test_amplitudes_of_a_program_that_measures_in_between_are_refused() -> None:
    program = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit c; h q; c = measure q[0]; if (c) x q[1];'
    with pytest.raises(RequestRefused, match="measures or resets in mid-course"):
        specified(program, kind="circuit.amplitudes", observables=(), bitstrings=("01",))


def test_limits_are_what_the_pages_say() -> None:
    assert (choice.MOST_PATHS, choice.MOST_MULTIPLICATIONS, choice.GAIN) == (65_536, 16_777_216, 2.0)
