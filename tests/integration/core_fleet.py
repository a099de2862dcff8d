"""A service on a real SQLite file, with devices that answer in process."""

import asyncio
import contextlib
import hashlib
import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
from tests.unit.core_cases import announcement

from qfleet_controlplane.machine import events
from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.service.surroundings import Surroundings
from qfleet_controlplane.store.database import Database
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.names import DeviceName, JobId, Millis

A, B = DeviceName("a"), DeviceName("b")
PATIENCE_S = 20.0


class Devices:
    """The carrier and all devices behind it; ``mute`` ones take work in and say nothing."""

    def __init__(self) -> None:
        self.service: Service | None = None
        self.mute: set[DeviceName] = set()
        self.got: list[tuple[DeviceName, payloads.Down]] = []
        self._flush = itertools.count()

    def send(self, device: DeviceName, items: Sequence[payloads.Down]) -> None:
        """Answer soon, as the link would."""
        self.got += [(device, item) for item in items]
        if device not in self.mute:
            asyncio.get_running_loop().call_soon(self._answer, device, items)

    def _answer(self, device: DeviceName, items: Sequence[payloads.Down]) -> None:
        assigned = [item for item in items if isinstance(item, payloads.Assign)]
        if assigned and self.service is not None:
            answers: list[payloads.Up] = [payloads.Accepted(one.task, one.attempt) for one in assigned]
            flush = self.flush([self.result(device, one) for one in assigned])
            self.service.post_nowait(events.HeardBatch(device, [*answers, flush]))

    def flush(self, results: Sequence[payloads.TaskResult]) -> payloads.Results:
        """Results with what stands for a signature."""
        raws = tuple(msgspec.Raw(codec.encode(result)) for result in results)
        return payloads.Results(raws, b"signature %d" % next(self._flush))

    def result(self, device: DeviceName, assign: payloads.Assign) -> payloads.TaskResult:
        """What an honest engine returns: all zeros, and +1 for every observable."""
        body = msgspec.Raw(codec.encode(_answer(codec.decode(assign.work, _WORK))))
        told = payloads.Provenance(device, "fake", "1", 0, 2.0)
        return payloads.TaskResult(assign.task, assign.attempt, "succeeded", told, body)

    def assigned(self, device: DeviceName) -> list[payloads.Assign]:
        """Everything that was assigned to a device."""
        return [item for name, item in self.got if name == device and isinstance(item, payloads.Assign)]


_WORK: type[workload.Work] = workload.Work  # type: ignore[assignment]  # a union is no type to mypy


def _answer(work: workload.Work) -> workload.WorkResult:
    match work:
        case workload.ProbeEcho(data=data):
            return workload.EchoResult(data)
        case workload.CircuitSample(program=program, items=samples):
            bits = program.output_bits
            zero = bytes(-(-bits // 8))
            return workload.SampleResult(
                tuple(
                    workload.SampleCounts(item.index, item.first_block, item.shots, bits, zero, (item.shots,))
                    for item in samples
                )
            )
        case workload.CircuitExpect(observables=observables, items=points):
            ones = (1.0,) * len(observables)
            return workload.ExpectResult(
                tuple(workload.ExpectValues(item.index, (workload.Moments(0, 0, ones),)) for item in points)
            )
        case _:
            raise AssertionError(work)


def url_of(directory: Path) -> str:
    """Where a test's database stands."""
    return f"sqlite:///{directory / 'controlplane.db'}"


@contextlib.asynccontextmanager
async def running(
    url: str,
    devices: Devices,
    *,
    policy: Policy | None = None,
    database: Database | None = None,
    clock: "Ticks | None" = None,
) -> AsyncIterator[Service]:
    """A service from start to stop."""
    opened = database or Database(url)
    around = Surroundings("here", clock or Ticks(), _Bytes(url), policy or Policy())
    service = Service(opened, devices, around)
    devices.service = service
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
        opened.close()


async def join(service: Service, *devices: DeviceName) -> None:
    """Enrol devices and open their sessions."""
    for device in devices:
        await service.decide(events.Enrolled(device))
        await reconnect(service, device)


async def reconnect(service: Service, device: DeviceName, *held: tuple[str, int]) -> None:
    """Open a session of a device that holds these unfinished attempts."""
    await service.post(events.SessionOpened(device))
    inventory = msgspec.convert({"type": "inventory", "unfinished": held, "finished": ()}, payloads.Inventory)
    await service.post(events.HeardBatch(device, (announcement(), inventory)))


async def finish(service: Service, job: str) -> api.JobDetail:
    """Wait until a job is finished."""
    seen = 0
    async with asyncio.timeout(PATIENCE_S):
        while (found := await service.job(JobId(job))).job.status not in api.FINISHED:
            seen = await service.wait_for_change(JobId(job), seen, PATIENCE_S)
    return found


class Ticks:
    """A clock that moves by a millisecond whenever it is read; ``now`` may be set."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> Millis:
        self.now += 1
        return Millis(self.now)


class _Bytes:
    """Different bytes at every call, the same in every run."""

    def __init__(self, url: str) -> None:
        self._seed = url.encode()

    def __call__(self, count: int) -> bytes:
        self._seed = hashlib.sha256(self._seed).digest()
        return self._seed[:count]
