"""Redundant jobs on databases of both dialects: what waits for agreement survives, and who lies is shown."""

import asyncio

import msgspec
import sqlalchemy as sa
from tests.integration.core_fleet import PATIENCE_S, A, B, Devices, finish, join, reconnect, running

from qfleet_controlplane.machine import events
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.store import engines, queries
from qfleet_controlplane.store.tables import work
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.names import DeviceName, JobId

C = DeviceName("c")
PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; c = measure q;'
REQUEST = api.JobRequest(kind="circuit.sample", program=PROGRAM, shots=4096, agree=2, of=3, seed=1)


class Liars(Devices):
    """Devices of which some count every shot as something else than the others do."""

    def __init__(self, *liars: DeviceName) -> None:
        super().__init__()
        self.liars = set(liars)

    def result(self, device: DeviceName, assign: payloads.Assign) -> payloads.TaskResult:
        told = super().result(device, assign)
        if device not in self.liars:
            return told
        answer = codec.decode(told.body, workload.SampleResult)
        false = tuple(msgspec.structs.replace(item, outcomes=b"\3") for item in answer.items)
        return msgspec.structs.replace(told, body=msgspec.Raw(codec.encode(workload.SampleResult(false))))


def rows(url: str, job: str) -> dict[int, str]:
    """Stored results of a job, by position."""
    engine = engines.open_reader(url)
    with engine.connect() as connection:
        query = sa.select(work.results.c.position, work.results.c.device).where(work.results.c.job == job)
        found = {row.position: row.device for row in connection.execute(query)}
    engine.dispose()
    return found


async def answered(service: Service, job: JobId) -> None:
    """Wait until a result waits for another one."""
    seen = 0
    async with asyncio.timeout(PATIENCE_S):
        while not (await service.view(job)).tasks.answered:
            seen = await service.wait_for_change(job, seen, PATIENCE_S)


def test_a_result_that_waits_for_agreement_survives_a_restart(database_url: str) -> None:
    async def before() -> str:
        devices = Liars()
        devices.mute = {B, C}
        async with running(database_url, devices) as service:
            await join(service, A, B)
            view = await service.submit(REQUEST)
            await answered(service, JobId(view.id))
            sent = [item for name, item in devices.got if name == A]
            assert any(isinstance(item, payloads.Acknowledge) for item in sent), (
                "acknowledged once it is stored"
            )
        return view.id

    async def after(job: str) -> None:
        devices = Liars()
        async with running(database_url, devices) as service:
            await reconnect(service, A)
            await reconnect(service, B)
            found = await finish(service, job)
            assert found.job.status == "succeeded"
            assert (found.job.tasks.succeeded, found.job.tasks.dismissed) == (2, 1)
            assert not devices.assigned(A), "its stored result still waits, so it is asked nothing"

    job = asyncio.run(before())
    assert set(rows(database_url, job).values()) == {A}
    asyncio.run(nobody_speaks(database_url, job))
    asyncio.run(after(job))


async def nobody_speaks(url: str, job: str) -> None:
    """A start at which no device speaks changes nothing of what waits."""
    async with running(url, Liars()) as service:
        assert (await service.view(JobId(job))).tasks.answered == 1


def test_a_contradiction_is_decided_by_what_the_store_has(database_url: str) -> None:
    async def scenario() -> None:
        async with running(database_url, Liars(B)) as service:
            await join(service, A, B, C)
            for _ in range(3):
                view = await service.submit(REQUEST)
                found = await finish(service, view.id)
                assert found.job.status == "succeeded"
                result = await service.result(JobId(view.id))
                assert isinstance(result, api.SampleResultView)
                (item,) = result.items
                assert item.counts == {"00": 4096}, "what the liar said is not believed"
            device = await service.device(B)
            assert device.status == "quarantined"
            assert "contradictions" in str(device.reason)
            honest = (await service.device(A)).trust
            assert device.trust is not None
            assert honest is not None
            assert device.trust < 0.2
            assert honest > 0.5

    asyncio.run(scenario())
    engine = engines.open_reader(database_url)
    with engine.connect() as connection:
        audited = list(connection.execute(sa.text("SELECT action FROM audit ORDER BY sequence")).scalars())
    engine.dispose()
    assert audited.count("alarm.quarantine") == audited.count("device.quarantine") == 1
    assert "alarm.disagreement" in audited


def test_the_result_of_a_device_that_is_shut_out_is_asked_of_another(database_url: str) -> None:
    async def scenario() -> None:
        devices = Liars()
        devices.mute = {B}
        async with running(database_url, devices) as service:
            await join(service, A, B)
            view = await service.submit(REQUEST)
            await answered(service, JobId(view.id))
            await service.decide(events.Quarantined(A, "odd", "someone"))
            assert rows(database_url, view.id) == {}
            await join(service, C, DeviceName("d"))
            await service.decide(events.Revoked(B, "gone", "someone"))
            assert (await finish(service, view.id)).job.status == "succeeded"
            assert set(rows(database_url, view.id).values()) == {C, "d"}

    asyncio.run(scenario())


def test_only_one_of_the_results_that_agree_counts(database_url: str) -> None:
    async def scenario() -> str:
        async with running(database_url, Liars()) as service:
            await join(service, A, B)
            view = await service.submit(REQUEST)
            await finish(service, view.id)
            return view.id

    job = asyncio.run(scenario())
    engine = engines.open_reader(database_url)
    with engine.connect() as connection:
        assert [found.position for found in queries.results(connection, JobId(job), 3)] == [0]
        assert len(list(queries.results(connection, JobId(job)))) == 2
    engine.dispose()
