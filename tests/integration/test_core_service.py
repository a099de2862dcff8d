"""The service on real databases: durable submission, restart, a full disk, and reading back."""

import asyncio
import hashlib
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from tests.integration.core_fleet import A, B, Devices, finish, join, reconnect, running, url_of

from qfleet_controlplane.errors import Conflict, InvalidRequest, NotFound, Unavailable
from qfleet_controlplane.machine import events
from qfleet_controlplane.service import kept, submission
from qfleet_controlplane.service.published import LAST_VERSION, MOST_FINISHED
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.store import audit, engines
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import work
from qfleet_wire import api, payloads
from qfleet_wire.names import DeviceName, JobId, TaskId

GHZ = """OPENQASM 3;
include "stdgates.inc";
input float theta;
qubit[2] q;
bit[2] c;
rx(theta) q[0];
cx q[0], q[1];
c = measure q;
"""

EXPECT = GHZ.replace("input float theta;", "").replace("theta", "0.1").replace("c = measure q;", "")


def count(url: str, table: sa.Table) -> int:
    """Rows as another process sees them."""
    engine = engines.open_reader(url)
    with engine.connect() as connection:
        rows = connection.scalar(sa.select(sa.func.count()).select_from(table))
    engine.dispose()
    return rows or 0


def test_a_job_goes_through_and_can_be_read_back(database_url: str) -> None:
    async def scenario() -> None:
        devices = Devices()
        async with running(database_url, devices) as service:
            await join(service, A, B)
            request = api.JobRequest(
                kind="circuit.sample",
                name="ghz",
                program=GHZ,
                shots=100,
                parameters=({"theta": 0.1}, {"theta": 0.2}),
                seed=5,
            )
            view = await service.submit(request, "someone")
            assert count(database_url, work.jobs) == 1, "durable before it returns"
            detail = await finish(service, view.id)
            assert (detail.job.status, detail.job.progress, detail.job.name) == ("succeeded", 1.0, "ghz")
            assert sum(task.items for task in detail.tasks) == 2
            result = await service.result(JobId(view.id))
            assert isinstance(result, api.SampleResultView)
            assert result.items[1] == api.SampleItemView({"theta": 0.2}, 100, {"00": 100})
            assert (result.seed, result.sources[0].engine) == (5, "fake")
            assert [job.id for job in await service.jobs(10)] == [view.id]
            assert await service.jobs(10, "running") == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "request_",
    [
        api.JobRequest(kind="probe.echo", items=7),
        api.JobRequest(kind="circuit.sample", program=GHZ, shots=5000, parameters=({"theta": 0.1},) * 9),
        api.JobRequest(kind="circuit.expect", program=EXPECT, observables=("Z0", "X1 Z0")),
    ],
    ids=lambda request: str(request.kind),
)
def test_a_small_result_is_answered_from_memory_as_the_store_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: api.JobRequest
) -> None:
    async def scenario() -> None:
        url, devices = url_of(tmp_path), Devices()
        async with running(url, devices) as service:
            await join(service, A, B)
            job = JobId((await service.submit(request_)).id)
            with monkeypatch.context() as patch:
                patch.setattr(Database, "read", _no_reads)
                await service.wait_for_end(job, 20.0)
                kept = await service.result(job)
        async with running(url, devices) as service:
            assert await service.result(job) == kept, "and after a restart it comes from the store"
        assert sum(source.tasks for source in kept.sources) >= 1

    asyncio.run(scenario())


async def _no_reads(*_: object) -> None:
    raise AssertionError("the store is read")


@pytest.mark.parametrize("items", [kept.MOST_TASKS + 1, 3])
def test_a_result_that_is_large_or_may_lack_something_is_the_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: int
) -> None:
    monkeypatch.setattr(kept, "MOST_BYTES", kept.MOST_BYTES if items > kept.MOST_TASKS else 100)

    async def scenario() -> None:
        async with running(url_of(tmp_path), Devices()) as service:
            await join(service, A, B)
            job = JobId((await service.submit(api.JobRequest(kind="probe.echo", items=items))).id)
            await finish(service, job)
            assert service._published.result(job) is None
            result = await service.result(job)
            assert isinstance(result, api.EchoResultView)
            assert (result.items, sum(source.tasks for source in result.sources)) == (items, items)

    asyncio.run(scenario())


def test_whoever_waits_for_the_end_is_let_go_by_it_by_the_time_and_by_a_stop(tmp_path: Path) -> None:
    async def scenario() -> None:
        devices = Devices()
        devices.mute.add(A)
        async with running(url_of(tmp_path), devices) as service:
            await join(service, A)
            view = await service.submit(api.JobRequest(kind="probe.echo"))
            job = JobId(view.id)
            await service.wait_for_end(job, 0.01)
            assert (await service.view(job)).status not in api.FINISHED
            waiting = asyncio.create_task(service.wait_for_end(job, 600.0))
            short = asyncio.create_task(service.wait_for_end(job, 0.01))
            await short
            assert not waiting.done(), "each has a time of its own"
            await service.cancel(job, "", "me")
            await waiting
            await service.wait_for_end(job, 600.0)
            other = JobId((await service.submit(api.JobRequest(kind="probe.echo"))).id)
            waiting = asyncio.create_task(service.wait_for_end(other, 600.0))
            await asyncio.sleep(0)
        await waiting

    asyncio.run(scenario())


def test_a_plan_is_what_a_submission_becomes_and_leaves_nothing(database_url: str) -> None:
    async def scenario() -> None:
        async with running(database_url, Devices()) as service:
            await join(service, A, B)
            points = tuple({"theta": 0.01 * number} for number in range(64))
            request = api.JobRequest(
                kind="circuit.sample",
                program=GHZ.replace("[2]", "[18]"),
                shots=20_000,
                parameters=points,
                seed=5,
            )
            await finish(service, (await service.submit(api.JobRequest(kind="probe.echo"), "me")).id)
            event = submission.prepare(request, "someone", bytes)
            told = service.planned(event)
            assert count(database_url, work.jobs) == 1, "the echo alone"
            view = await service.submit(request, "someone")
            detail = await service.job(JobId(view.id))
            assert told.task_count == len(detail.tasks) > 1
            assert (told.sentences, told.items) == (view.plan, 64)
            assert {device.device for device in told.devices} == {A, B}
            assert sum(device.tasks for device in told.devices) == told.task_count
            assert told.finish_ms is not None
            assert 0.0 < told.finish_ms < told.work_ms
            wide = api.JobRequest(kind="circuit.sample", program=GHZ.replace("[2]", "[29]"), shots=1)
            with pytest.raises(InvalidRequest):
                service.planned(submission.prepare(wide, "someone", bytes))

    asyncio.run(scenario())


def test_an_expectation_is_read_back(database_url: str) -> None:
    async def scenario() -> None:
        async with running(database_url, devices := Devices()) as service:
            await join(service, A)
            program = GHZ.replace("input float theta;", "const float theta = 0.5;")
            request = api.JobRequest(kind="circuit.expect", program=program, observables=("Z0 Z1", "X0"))
            view = await service.submit(request)
            await finish(service, view.id)
            result = await service.result(JobId(view.id))
            assert isinstance(result, api.ExpectResultView)
            assert [value.observable for value in result.items[0].values] == ["Z0 Z1", "X0"]
            assert all(value.exact for value in result.items[0].values)
            assert devices.assigned(A)[0].memory_bytes > 0

    asyncio.run(scenario())


def test_a_wrong_program_is_refused_and_leaves_nothing(database_url: str) -> None:
    async def scenario() -> None:
        async with running(database_url, Devices()) as service:
            with pytest.raises(InvalidRequest):
                await service.submit(api.JobRequest(kind="circuit.sample", program="qubit q; h p;", shots=1))
            assert await service.jobs(10) == []

    asyncio.run(scenario())


def test_an_unknown_job_or_device_is_not_found(database_url: str) -> None:
    async def scenario() -> None:
        async with running(database_url, Devices()) as service:
            nothing = JobId("ff")
            for wanted in (service.job(nothing), service.result(nothing), service.cancel(nothing, "x")):
                with pytest.raises(NotFound, match="there is no job 'ff'"):
                    await wanted
            with pytest.raises(NotFound):
                await service.wait_for_change(nothing, 0, 1.0)
            with pytest.raises(NotFound, match="there is no device 'z'"):
                await service.device(DeviceName("z"))
            with pytest.raises(NotFound):
                await service.revoke(DeviceName("z"), "lost", "ops")

    asyncio.run(scenario())


def test_a_restart_goes_on_where_the_store_stands(database_url: str) -> None:
    async def before() -> str:
        devices = Devices()
        devices.mute = {A}
        async with running(database_url, devices) as service:
            await join(service, A)
            view = await service.submit(api.JobRequest(kind="probe.echo", items=3))
            first = devices.assigned(A)[0]
            await service.post(events.HeardBatch(A, (devices.flush([devices.result(A, first)]),)))
            async with asyncio.timeout(10):
                seen = 0
                while (await service.view(JobId(view.id))).tasks.succeeded < 1:
                    seen = await service.wait_for_change(JobId(view.id), seen, 10)
            return view.id

    async def after(job: str) -> None:
        devices = Devices()
        devices.mute = {A}
        async with running(database_url, devices) as service:
            view = await service.view(JobId(job))
            assert (view.status, view.tasks.succeeded, view.tasks.leased) == ("running", 1, 2)
            # The device kept one task, and lost the other with its journal.
            await reconnect(service, A, (f"{job}-1", 1))
            await service.decide(events.Enrolled(B))  # everything before it is handled
            assert [(again.task, again.attempt) for again in devices.assigned(A)] == [(f"{job}-2", 1)]
            one = devices.result(A, devices.assigned(A)[0])
            other = msgspec.structs.replace(one, task=TaskId(f"{job}-1"))
            await service.post(events.HeardBatch(A, (devices.flush([one, other]),)))
            detail = await finish(service, job)
            assert detail.job.status == "succeeded"
            assert count(database_url, work.results) == 3
            assert (await service.result(JobId(job))).status == "succeeded"

    asyncio.run(after(asyncio.run(before())))


def test_a_result_that_comes_again_after_a_restart_counts_once(database_url: str) -> None:
    async def scenario() -> None:
        devices = Devices()
        async with running(database_url, devices) as service:
            await join(service, A)
            view = await service.submit(api.JobRequest(kind="probe.echo"))
            await finish(service, view.id)
        (assign,) = devices.assigned(A)
        again = Devices()
        again.mute = {A, B}
        async with running(database_url, again) as service:
            await reconnect(service, A)
            await service.decide(events.Enrolled(B))
            flush = again.flush([again.result(A, assign)])
            await service.post(events.HeardBatch(A, (flush,)))
            await service.post(events.HeardBatch(B, (flush,)))
            async with asyncio.timeout(10):
                while (await service.device(B)).trust == 0.5:
                    await one_round(service)
            acknowledged = [name for name, item in again.got if isinstance(item, payloads.Acknowledge)]
            assert acknowledged == [A, B]
            assert count(database_url, work.results) == 1
            first, second = await service.device(A), await service.device(B)
            assert first.trust == second.trust, "the other device said the same"

    asyncio.run(scenario())


async def one_round(service: Service) -> None:
    """Come back when the loop has gone round once."""
    await service.decide(events.Invited(DeviceName("bystander"), "ops"))


def full_disk(database: Database, *, full: bool) -> None:
    """Let the database grow no further, or again."""

    def limit(connection: sa.Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() if full else 1_000_000
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    database.writer.transact(limit)


def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    async def scenario() -> None:
        devices = Devices()
        database = Database(url_of(tmp_path))
        async with running(url_of(tmp_path), devices, database=database) as service:
            await join(service, A)
            await finish(service, (await service.submit(api.JobRequest(kind="probe.echo"))).id)
            await asyncio.to_thread(full_disk, database, full=True)
            with pytest.raises(Unavailable, match="database or disk is full"):
                await service.submit(api.JobRequest(kind="probe.echo", items=2_000))
            assert len(await service.jobs(10)) == 1, "nothing of it is seen"
            await asyncio.to_thread(full_disk, database, full=False)
            view = await service.submit(api.JobRequest(kind="probe.echo", items=50))
            assert (await finish(service, view.id)).job.tasks.succeeded == 50
            assert service.unready() == []
            assert service.figures.failed_commits >= 1
            asked = [item.what for _, item in devices.got if isinstance(item, payloads.Ask)]
            assert "inventory" in asked, "devices with live sessions are asked what they hold"

    asyncio.run(scenario())
    assert count(url_of(tmp_path), work.tasks) == 51


def test_an_event_that_breaks_the_machine_harms_no_other(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with running(database_url, Devices()) as service:
            await join(service, A)
            broken = payloads.Inventory(None, None)  # type: ignore[arg-type]  # what no codec lets in
            await service.post(events.Heard(A, broken))
            view = await service.submit(api.JobRequest(kind="probe.echo", items=5))
            assert (await finish(service, view.id)).job.status == "succeeded"
            assert service.figures.reloads == 1

    asyncio.run(scenario())
    assert "An event of type Heard could not be handled" in caplog.text


def test_a_machine_that_is_rebuilt_knows_that_the_broker_is_away(database_url: str) -> None:
    async def scenario() -> None:
        devices = Devices()
        async with running(database_url, devices) as service:
            await join(service, A)
            await service.post(events.LinkChanged(up=False))
            await service.decide(events.Invited(B, "ops"))
            broken = payloads.Inventory(None, None)  # type: ignore[arg-type]  # what no codec lets in
            await service.post(events.Heard(A, broken))
            view = await service.submit(api.JobRequest(kind="probe.echo", items=5))
            await reconnect(service, A)
            await service.decide(events.Invited(B, "ops"))
            assert (await service.view(JobId(view.id))).tasks.pending == 5
            assert service.figures.reloads == 1
            assert not [item for _, item in devices.got if isinstance(item, payloads.Assign)]
            await service.post(events.LinkChanged(up=True))
            assert (await finish(service, view.id)).job.status == "succeeded"

    asyncio.run(scenario())


def test_a_job_is_cancelled_durably_and_only_once(database_url: str) -> None:
    async def scenario() -> None:
        devices = Devices()
        devices.mute = {A}
        async with running(database_url, devices) as service:
            await join(service, A)
            job = JobId((await service.submit(api.JobRequest(kind="probe.echo", items=4))).id)
            with pytest.raises(Conflict, match="its result is there when it is finished"):
                await service.result(job)
            cancelled = await service.cancel(job, "wrong program", "ops")
            assert (cancelled.status, cancelled.tasks.cancelled) == ("cancelled", 4)
            assert cancelled.errors == ("cancelled by ops: wrong program",)
            assert await service.cancel(job, "again", "ops") == cancelled
            result = await service.result(job)
            assert isinstance(result, api.EchoResultView)
            assert (result.items, result.status) == (0, "cancelled")

    asyncio.run(scenario())


def test_a_revoked_device_stays_revoked_after_a_restart(database_url: str) -> None:
    async def scenario() -> None:
        async with running(database_url, Devices()) as service:
            await join(service, A)
            view = await service.revoke(A, "stolen", "ops")
            assert (view.status, view.reason) == ("revoked", "stolen")
        async with running(database_url, Devices()) as service:
            assert service.status_of(A) == "revoked"
            assert service.status_of(DeviceName("z")) is None
            view = await service.decide(events.Enrolled(A))
            assert view.status == "revoked", "a revoked name is spent"
        database = Database(database_url)
        await database.read(audit.verify)
        database.close()

    asyncio.run(scenario())


def test_waiting_returns_on_change_on_time_and_for_finished_jobs(database_url: str) -> None:
    async def scenario() -> None:
        devices = Devices()
        async with running(database_url, devices) as service:
            view = await service.submit(api.JobRequest(kind="probe.echo"))
            job = JobId(view.id)
            version = await service.wait_for_change(job, 0, 10.0)
            assert version >= 1, "seen=0 returns at once"
            assert await service.wait_for_change(job, version, 0.01) == version
            waiting = asyncio.create_task(service.wait_for_change(job, version, 10.0))
            await join(service, A)
            assert await waiting > version
            await finish(service, view.id)
            for _ in range(MOST_FINISHED):
                await finish(service, (await service.submit(api.JobRequest(kind="probe.echo"))).id)
            assert await service.wait_for_change(job, 5, 10.0) == LAST_VERSION
            assert (await service.job(job)).tasks[0].status == "succeeded", "read from the store by now"

    asyncio.run(scenario())


def test_artefacts_are_put_together_and_verified(database_url: str) -> None:
    async def scenario() -> None:
        devices = Devices()
        devices.mute = {A}
        async with running(database_url, devices) as service:
            await join(service, A)
            view = await service.submit(api.JobRequest(kind="probe.echo", items=2))
            for assign, damage in zip(devices.assigned(A), (False, True), strict=True):
                await service.post(events.HeardBatch(A, in_chunks(devices, assign, damage=damage)))
            async with asyncio.timeout(10):
                while len(devices.assigned(A)) < 3:
                    await one_round(service)
            detail = await service.job(JobId(view.id))
            assert [task.status for task in detail.tasks] == ["succeeded", "leased"]
            assert detail.tasks[1].errors == (
                "attempt 1 on a: the result's chunks do not match their digest",
            )
            await service.post(events.HeardBatch(A, in_chunks(devices, devices.assigned(A)[2])))
            assert (await finish(service, view.id)).job.status == "succeeded"
            assert service.figures.alarms == {"artefact": 1}

    asyncio.run(scenario())


def in_chunks(devices: Devices, assign: payloads.Assign, *, damage: bool = False) -> list[payloads.Up]:
    """A result whose body comes in pieces of five bytes, one of them damaged if asked."""
    whole = devices.result(A, assign)
    body = bytes(whole.body)
    digest = hashlib.sha256(body + assign.task.encode() * damage).digest()
    told = payloads.TaskResult(assign.task, assign.attempt, "succeeded", whole.provenance, artefact=digest)
    pieces = [body[start : start + 5] for start in range(0, len(body), 5)]
    chunks = [payloads.Chunk(digest, index, len(pieces), piece) for index, piece in enumerate(pieces)]
    return [*chunks[1:], devices.flush([told]), chunks[0]]


def test_two_thousand_echoes_take_few_commits(database_url: str) -> None:
    async def scenario() -> None:
        async with running(database_url, Devices()) as service:
            await join(service, A, B)
            before = service.figures.commits
            view = await service.submit(api.JobRequest(kind="probe.echo", items=2_000))
            assert (await finish(service, view.id)).job.tasks.succeeded == 2_000
            assert service.figures.commits - before < 100
            assert service.figures.results == 2_000

    asyncio.run(scenario())
