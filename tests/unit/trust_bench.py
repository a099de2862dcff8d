"""Redundant jobs on the bench: a sampling job whose answers a test makes up."""

from tests.unit.core_bench import JOB, Bench, result
from tests.unit.core_cases import counted

from qfleet_controlplane.machine import effects, events, state
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.names import DeviceName, JobId

A, B, C, D = (DeviceName(name) for name in "abcd")
SHOTS = 100


def submit(bench: Bench, agree: int, of: int, items: int = 1, **options: object) -> state.Job:
    """A job of ``items`` slices, each an item of one bit."""
    request = api.JobRequest(kind="circuit.sample", agree=agree, of=of, **options)  # type: ignore[arg-type]
    whole = Specification(
        kind="circuit.sample", seed=1, items=items, shots=SHOTS, points=((),) * items, bits=1,
        registers=(1,), qubits=1, gates=20_000, agree=agree, copies=of,
    )  # fmt: skip
    bench.handle(events.JobSubmitted(JOB, request, whole, "someone"))
    return bench.machine.state.jobs[JobId(JOB)]


def body(task: state.Task, ones: int) -> bytes:
    """An answer with so many ones in each item."""
    part = task.slice
    pieces = [
        counted(index, 0, {0: SHOTS - ones, 1: ones}, 1)
        for index in range(part.first_item, part.first_item + part.items)
    ]
    return codec.encode(workload.SampleResult(tuple(pieces)))


def answer(bench: Bench, task: state.Task, ones: int, device: DeviceName | None = None) -> None:
    """Let the task's device answer, and the store compare what is to be compared."""
    bench.hear(device or task.device or A, result(task, task.attempt, body(task, ones)))
    compare(bench)


def compare(bench: Bench) -> None:
    """Compare as the store would: other digests are other answers."""
    seen = list(bench.effects)
    for wanted in bench.of(effects.Weigh):
        found = tuple(
            events.Weighing(
                one.position, other.position, one.digest, other.digest,
                f"{one.position} is not {other.position}",
                exact=bool(one.machine) and one.machine == other.machine,
            )
            for index, one in enumerate(wanted.copies)
            for other in wanted.copies[index + 1 :]
            if one.digest != other.digest
        )  # fmt: skip
        bench.handle(events.Weighed(wanted.job, found))
        seen += bench.effects
    bench.effects = seen


def acknowledged(bench: Bench) -> list[tuple[str, int]]:
    """What was acknowledged by the last event."""
    return [key for told in bench.sent(payloads.Acknowledge) for key in told.tasks]
