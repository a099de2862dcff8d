"""Who gets what: capability, estimated finish, room, exclusions, priority and turns."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from tests.unit.core_cases import MIB, announcement

from qfleet_agent.engines import memory
from qfleet_controlplane.planning import cost, demand, kinds, needs, regions, schedule
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import payloads, workload

HEAVY = Specification(kind="circuit.expect", seed=1, items=1, qubits=20, gates=100)
ECHO = Specification(kind="probe.echo", seed=1, items=1)


@dataclass(frozen=True)
class Pending:
    name: str
    barred: tuple[str, ...] = ()


def demanded(
    count: int, *, job: Specification = HEAVY, priority: int = 0, age: int = 0, barred: tuple[str, ...] = ()
) -> demand.Demand:
    requirement = needs.Requirement(job.kind, job.qubits, kinds.memory_bytes(job))
    pending = [Pending(f"{age}-{number}", barred) for number in range(count)]
    return demand.Demand(priority, (age, str(age)), requirement, job, lambda _: (1, 0), pending)


def slot(
    name: str, told: payloads.Announcement | None = None, held: int = 0, backlog: float = 0
) -> demand.Slot:
    return demand.Slot(name, told or announcement(), held=held, backlog_ms=backlog)


def devices_of(choices: list[demand.Choice]) -> Counter[str]:
    return Counter(choice.device for choice in choices)


def names_of(choices: list[demand.Choice]) -> list[str]:
    return [choice.task.name for choice in choices if isinstance(choice.task, Pending)]


def test_what_a_device_lacks_is_said_with_the_numbers() -> None:
    needed = needs.Requirement("circuit.sample", 26, 700 * MIB)
    assert needs.lacks(needed, announcement(engines=())) == "no engine for circuit.sample"
    assert needs.lacks(needed, announcement()) == "26 qubits are over its 24"
    assert needs.lacks(needed, announcement(max_qubits=30)) == "700 MiB are over its 512 MiB per task"
    assert needs.lacks(needed, announcement(max_qubits=30, task_memory_bytes=800 * MIB)) is None


def test_an_agent_that_copies_a_state_needs_the_memory_of_two() -> None:
    job = Specification(kind="circuit.sample", seed=1, items=1, qubits=24, shots=100, gates=100)
    needed = needs.requirement(job)
    room = announcement(max_qubits=30, agent_version="0.2.0", task_memory_bytes=320 * MIB)
    before = announcement(max_qubits=30, agent_version="0.1.0", task_memory_bytes=320 * MIB)
    assert needs.lacks(needed, room) is None
    assert needs.lacks(needed, before) == "560 MiB are over its 320 MiB per task"
    assert regions.kind_of(before) != regions.kind_of(room)
    assert needs.lacks(needed, regions.kind_of(before)) == needs.lacks(needed, before)
    assert needs.lacks(needed, regions.kind_of(room)) is None


@pytest.mark.parametrize(
    "change",
    [{"dynamic": True}, {"kind": "circuit.expect"}, {"noise": workload.NoiseModel()}],
    ids=["mid-circuit", "values", "noise"],
)
def test_what_reads_a_copy_of_the_state_needs_two_everywhere(change: dict[str, Any]) -> None:
    job = Specification(kind="circuit.sample", seed=1, items=1, qubits=24, shots=100, gates=100)
    needed = needs.requirement(msgspec.structs.replace(job, **change))
    told = announcement(max_qubits=30, agent_version="0.2.0", task_memory_bytes=320 * MIB)
    assert needs.lacks(needed, told) == "560 MiB are over its 320 MiB per task"


@pytest.mark.parametrize("qubits", [4, 18, 24, 30])
def test_what_is_planned_for_sampling_is_enough_for_the_engine(qubits: int) -> None:
    job = Specification(kind="circuit.sample", seed=1, items=1, qubits=qubits, shots=100, gates=100)
    assert memory.drawn(qubits) <= kinds.memory_bytes(job) < memory.drawn(qubits) + 32 * MIB
    assert memory.needed(qubits) <= kinds.copying_bytes(job)


def test_only_a_device_that_can_run_it_gets_it() -> None:
    choices = schedule.schedule([demanded(2)], [slot("small", announcement(max_qubits=10)), slot("large")])
    assert devices_of(choices) == {"large": 2}


def test_the_faster_device_gets_more() -> None:
    def speed(nanoseconds: float) -> payloads.Announcement:
        return announcement(calibrations=(payloads.Calibration("qulacs", nanoseconds, 1.0, 1.0),))

    choices = schedule.schedule([demanded(40)], [slot("slow", speed(8.0)), slot("fast", speed(1.0))])
    counts = devices_of(choices)
    assert counts["fast"] >= 4 * counts["slow"]
    assert counts["slow"] >= 2, "a worker that is free is used"


def test_a_device_holds_about_two_seconds_of_work() -> None:
    choices = schedule.schedule([demanded(1000)], [slot("one")])
    in_hand = sum(choice.cost_ms for choice in choices)
    assert 2 * demand.BACKLOG_MS <= in_hand < 2 * demand.BACKLOG_MS + choices[0].cost_ms


def test_light_tasks_are_bounded_by_number() -> None:
    choices = schedule.schedule([demanded(1000, job=ECHO)], [slot("one", held=28)])
    assert len(choices) == 2 * demand.MOST_TASKS_PER_WORKER - 28


def test_every_worker_has_one_task_however_heavy() -> None:
    very = Specification(kind="circuit.expect", seed=1, items=1, qubits=23, gates=10_000)
    told = announcement(task_memory_bytes=4096 * MIB)
    assert len(schedule.schedule([demanded(9, job=very)], [slot("one", told)])) == 2


def test_a_barred_device_is_passed_over() -> None:
    slots = [slot("free"), slot("laden", backlog=1000, held=3)]
    assert devices_of(schedule.schedule([demanded(1, barred=("free",))], slots)) == {"laden": 1}
    assert schedule.schedule([demanded(1, barred=("free", "laden"))], slots) == []


def test_an_excluded_task_does_not_hold_up_the_next_one() -> None:
    mixed = demanded(0)._replace(pending=[Pending("first", ("one",)), Pending("second")])
    assert names_of(schedule.schedule([mixed], [slot("one")])) == ["second"]


def test_priority_goes_first_and_equals_take_turns() -> None:
    room = slot("one", held=2 * demand.MOST_TASKS_PER_WORKER - 5)
    wanted = [
        demanded(9, job=ECHO, age=1),
        demanded(9, job=ECHO, age=2),
        demanded(1, job=ECHO, age=3, priority=5),
    ]
    assert names_of(schedule.schedule(wanted, [room])) == ["3-0", "1-0", "2-0", "1-1", "2-1"]


def test_a_full_fleet_gets_nothing() -> None:
    assert schedule.schedule([demanded(5)], [slot("one", held=2, backlog=9_000)]) == []


def test_the_calibration_of_the_right_engine_counts() -> None:
    told = announcement(
        engines=(payloads.Engine("stim", "1", ("circuit.sample",)), payloads.Engine("qulacs", "1", KIND)),
        calibrations=(
            payloads.Calibration("stim", 0.001, 0.1, 0.1),
            payloads.Calibration("qulacs", 3.0, 1.0, 1.0),
        ),
    )
    assert cost.calibration_of(told, "circuit.expect").amplitude_ns == 3.0
    assert cost.calibration_of(told, "circuit.sample").amplitude_ns == 0.001
    assert cost.calibration_of(None, "circuit.sample") == cost.DEFAULT


KIND = ("circuit.expect",)
