"""A fleet that answers at once, before the machine that judges in service.

The machine leases, groups and judges; what it wants stored stands in a dictionary, and stored results are
compared by the function that compares them in service. Only the engine is made up: it draws an item's
counts from the block's seed, each version of it otherwise, as engines do.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from tests.unit.core_cases import announcement, counted

from qfleet_controlplane.machine import effects, events, state
from qfleet_controlplane.machine.machine import Machine
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import afterwards
from qfleet_controlplane.store.queries import StoredResult
from qfleet_wire import api, circuit, codec, payloads, workload
from qfleet_wire.names import DeviceName, JobId, Millis

SHOTS = 4096
BITS = 3
NAMES = tuple(DeviceName(name) for name in ("a", "b", "c", "d", "e"))
TRUTH = np.array([0.3, 0.05, 0.1, 0.05, 0.1, 0.2, 0.05, 0.15])
LIE = np.array([0.2, 0.05, 0.1, 0.05, 0.1, 0.3, 0.05, 0.15])
"""At a total variation of 0.1 from the truth."""
_WORK: Any = workload.Work
_PROGRAM = codec.encode(circuit.Program(BITS, (), (), ()))


def drawn(work: bytes, version: int, distribution: npt.NDArray[np.float64]) -> bytes:
    """An encoded answer."""
    sample = codec.decode(work, _WORK)
    pieces = []
    for item in sample.items:
        seed = workload.block_seed(sample.seed, item.index, item.first_block)
        numbers = np.random.default_rng([seed, version]).multinomial(item.shots, distribution)
        counts = {outcome: int(number) for outcome, number in enumerate(numbers) if number}
        pieces.append(counted(item.index, item.first_block, counts, BITS))
    return codec.encode(workload.SampleResult(tuple(pieces)))


class Fleet:
    """``lies`` says, of each task that a device is given, whether it lies about it."""

    def __init__(self, versions: Sequence[int], lies: Callable[[DeviceName], bool]) -> None:
        self.machine = Machine()
        self.now = 1_000_000
        self.lies = lies
        self.versions = dict(zip(NAMES, versions, strict=True))
        self.stored: dict[tuple[JobId, int], StoredResult] = {}
        self.false: set[bytes] = set()
        """Bodies that are lies."""
        self.alarms: list[effects.Alarm] = []
        self._given: dict[DeviceName, list[payloads.Assign]] = {}
        for name in NAMES:
            self.handle(events.Enrolled(name))
            self.handle(events.SessionOpened(name))
            self.handle(events.HeardBatch(name, (announcement(), payloads.Inventory((), ()))))

    def handle(self, event: events.Event) -> None:
        """One round: decide, store, send, and what follows from it."""
        self.now += 1
        now = Millis(self.now)
        for effect in (*self.machine.handle(event, now), *self.machine.handle(events.Settle(), now)):
            match effect:
                case effects.SaveResult(task=task, device=device, result=told):
                    job, position = task.split("-")
                    self.stored[JobId(job), int(position)] = StoredResult(
                        int(position), device, told.attempt, told.provenance, bytes(told.body)
                    )
                case effects.DropResult(task=task):
                    job, position = task.split("-")
                    del self.stored[JobId(job), int(position)]
                case effects.Alarm():
                    self.alarms.append(effect)
                case effects.Send(device=device, payload=payloads.Assign() as asked):
                    self._given.setdefault(device, []).append(asked)
                case effects.Weigh():
                    self._weigh(effect)

    def _weigh(self, wanted: effects.Weigh) -> None:
        found = [(copy, self.stored[wanted.job, copy.position]) for copy in wanted.copies]
        relations = tuple(
            afterwards._relation(*one, *other)
            for index, one in enumerate(found)
            for other in found[index + 1 :]
        )
        self.handle(events.Weighed(wanted.job, relations))

    def run(self, items: int, *, agree: int, of: int, seed: int) -> state.Job:
        """A job of so many points, a task each, to its end."""
        name = JobId(f"{seed:016x}")
        request = api.JobRequest(kind="circuit.sample", agree=agree, of=of)
        whole = Specification(
            kind="circuit.sample", seed=seed, items=items, shots=SHOTS, points=((),) * items, bits=BITS,
            program=_PROGRAM,
            registers=(BITS,), qubits=BITS, gates=10_000_000, agree=agree, copies=of,
        )  # fmt: skip
        self.handle(events.JobSubmitted(name, request, whole, "someone"))
        job = self.machine.state.jobs[name]
        while name in self.machine.state.jobs:
            given, self._given = self._given, {}
            for device, asked in given.items():
                self._answer(device, asked)
            if not self._given:
                self.now += 5_000
                self.handle(events.Tick())
        return job

    def _answer(self, device: DeviceName, asked: Sequence[payloads.Assign]) -> None:
        raws = []
        for each in asked:
            false = self.lies(device)
            body = drawn(bytes(each.work), self.versions[device], LIE if false else TRUTH)
            if false:
                self.false.add(body)
            engine = payloads.Provenance(device, "made-up", str(self.versions[device]), 0, 1.0)
            told = payloads.TaskResult(each.task, each.attempt, "succeeded", engine, msgspec.Raw(body))
            raws.append(msgspec.Raw(codec.encode(told)))
        self.handle(events.HeardBatch(device, (payloads.Results(tuple(raws), b"signature"),)))

    def answers(self, job: state.Job) -> list[bytes]:
        """The result that counts of each slice, as the reader of the store takes it."""
        found = []
        for group in job.groups.values():
            good = sorted(task.position for task in group.tasks.values() if task.status == "succeeded")
            found += [self.stored[job.id, good[0]].body] if good else []
        return found
