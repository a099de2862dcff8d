from typing import Any

import msgspec
import pytest

from qfleet_agent.machine import admit
from qfleet_agent.machine.admit import Admitted, Bounds, Load, Refusal
from qfleet_wire import codec
from qfleet_wire.circuit import Gate, Program
from qfleet_wire.names import JobId, Millis, TaskId
from qfleet_wire.payloads import Acknowledge, Assign
from qfleet_wire.workload import CircuitSample, ProbeEcho, SampleItem

MIB = 1024 * 1024
SENT = Millis(1_700_000_000_000)
BOUNDS = Bounds(
    workers=2,
    task_memory_bytes=64 * MIB,
    max_qubits=20,
    max_shots=10_000,
    task_ms=60_000,
    disk_bytes=10 * MIB,
    disk_reserve_bytes=5 * MIB,
    queue_tasks=100,
    queue_bytes=MIB,
    kinds={"circuit.sample": "qulacs", "probe.echo": "echo"},
    temperature_limit_c=80.0,
)


def sample(qubits: int = 3, shots: int = 100) -> bytes:
    program = Program(qubits=qubits, slots=(), parameters=(), body=(Gate("h", (0,)),))
    items = (SampleItem(index=0, parameters=(), first_block=0, shots=shots),)
    return codec.encode(CircuitSample(program=program, seed=7, items=items))


def assign(work: bytes | None = None, **changes: Any) -> Assign:
    base = Assign(
        task=TaskId("t"),
        attempt=1,
        job=JobId("j"),
        work=msgspec.Raw(sample() if work is None else work),
        memory_bytes=MIB,
        result_bytes=1000,
        time_limit_ms=10_000,
    )
    return msgspec.structs.replace(base, **changes)


def refusal(one: Assign, bounds: Bounds = BOUNDS, load: Load | None = None) -> Refusal:
    answer = admit.admit(one, SENT, bounds, load or Load())
    assert isinstance(answer, Refusal)
    return answer


def test_a_task_within_all_bounds_is_admitted_with_room_for_its_result() -> None:
    answer = admit.admit(assign(), SENT, BOUNDS, Load())
    assert answer == Admitted(reserve=1000 + admit.ROW_BYTES, runs_for_ms=None)


def test_the_deadline_counts_from_the_controllers_own_clock() -> None:
    answer = admit.admit(assign(deadline=Millis(SENT + 1500)), SENT, BOUNDS, Load())
    assert isinstance(answer, Admitted)
    assert answer.runs_for_ms == 1500


@pytest.mark.parametrize(
    ("changes", "code", "numbers"),
    [
        ({"memory_bytes": 65 * MIB}, "memory", ("65.0 MiB", "64.0 MiB")),
        ({"work": msgspec.Raw(sample(qubits=21))}, "qubits", ("21", "20")),
        ({"time_limit_ms": 60_001}, "time", ("60.001 s", "60 s")),
        ({"work": msgspec.Raw(sample(shots=10_001))}, "time", ("10001", "10000")),
        ({"deadline": Millis(SENT - 5)}, "time", ("5 ms",)),
        ({"result_bytes": 11 * MIB}, "disk", ("11.0 MiB", "10.0 MiB")),
        ({"attempt": -1}, "invalid", ("-1",)),
        ({"time_limit_ms": 0}, "invalid", ("0",)),
        ({"work": msgspec.Raw(b"\xc1")}, "invalid", ()),
        (
            {"work": msgspec.Raw(codec.encode(Acknowledge(())))},
            "engine",
            ("no engine here runs ack",),
        ),
    ],
)
def test_what_can_never_run_here_is_refused_with_the_numbers(
    changes: dict[str, Any], code: str, numbers: tuple[str, ...]
) -> None:
    answer = refusal(assign(**changes))
    assert answer.code == code
    for number in numbers:
        assert number in answer.text


def test_a_state_vector_larger_than_a_worker_is_refused_whatever_the_assignment_says() -> None:
    tight = msgspec.structs.replace(BOUNDS, task_memory_bytes=8 * MIB)
    answer = refusal(assign(sample(qubits=20), memory_bytes=1), tight)
    assert answer == Refusal("memory", "the task needs 16.0 MiB, a worker here has 8.0 MiB")


def test_a_workload_without_an_engine_is_refused_and_told_what_runs_here() -> None:
    bounds = msgspec.structs.replace(BOUNDS, kinds={"probe.echo": "echo"})
    answer = refusal(assign(), bounds)
    assert answer.code == "engine"
    assert "circuit.sample" in answer.text
    assert "probe.echo" in answer.text


@pytest.mark.parametrize(
    ("load", "code", "numbers"),
    [
        (Load(unfinished=100), "busy", ("100",)),
        (Load(unfinished=1, unfinished_bytes=MIB), "busy", ("1.0 MiB",)),
        (Load(temperature_c=80.0), "busy", ("80.0 °C",)),
        (Load(stored_bytes=6 * MIB, reserved_bytes=4 * MIB), "disk", ("10.0 MiB",)),
        (Load(disk_free_bytes=5 * MIB), "disk", ("5.0 MiB free",)),
        (Load(covered_bytes=0), "disk", ("0.0 MiB could be held",)),
        (
            Load(covered_bytes=2 * MIB, reserved_bytes=MIB, arriving_bytes=MIB),
            "disk",
            ("2.0 MiB could be held", "2.0 MiB are promised"),
        ),
        (Load(stopping=True), "stopping", ()),
    ],
)
def test_what_cannot_run_now_is_refused_with_the_numbers(
    load: Load, code: str, numbers: tuple[str, ...]
) -> None:
    answer = refusal(assign(), load=load)
    assert answer.code == code
    for number in numbers:
        assert number in answer.text


def test_room_that_is_held_counts_as_if_it_were_free() -> None:
    load = Load(disk_free_bytes=5 * MIB, covered_bytes=3 * MIB, reserved_bytes=2 * MIB)
    assert isinstance(admit.admit(assign(), SENT, BOUNDS, load), Admitted)
    load.reserved_bytes = 3 * MIB
    assert refusal(assign(), load=load).code == "disk"
    # What stays free for others is never made up for by what is held.
    load.reserved_bytes, load.disk_free_bytes = 0, 5 * MIB - 1
    assert "6.0 MiB held" in refusal(assign(), load=load).text


def test_what_arrives_needs_room_for_itself_and_its_result_unless_it_never_fits() -> None:
    one = assign(result_bytes=MIB)
    size = len(bytes(one.work)) + MIB + 2 * admit.ROW_BYTES
    items = [one, Acknowledge(()), one, assign(result_bytes=11 * MIB), assign(result_bytes=-MIB)]
    assert admit.arriving(items, BOUNDS, Load()) == 2 * size
    assert admit.arriving(items, BOUNDS, Load(stored_bytes=5 * MIB, reserved_bytes=5 * MIB)) == 0


def test_one_task_larger_than_the_queue_still_runs_when_nothing_waits() -> None:
    work = codec.encode(ProbeEcho(data=b"x" * 2 * MIB))
    assert isinstance(admit.admit(assign(work), SENT, BOUNDS, Load()), Admitted)
