"""A submission that is repeated under its key is one job: over HTTP, after a restart, in a race."""

import asyncio
import hashlib
from pathlib import Path

import httpx
import pytest
from tests.integration import site_of_controlplane as sites
from tests.integration.core_fleet import Devices, running
from tests.integration.site_of_controlplane import Site

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.errors import Conflict
from qfleet_controlplane.service.repeats import KEY_LETTERS, Repeats, job_of
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.writer import StoreFailed
from qfleet_wire import api

ECHO = api.JobRequest(kind="probe.echo", items=3)
OTHER = api.JobRequest(kind="probe.echo", items=4)
KEY = "a key/1"


async def submit(site: Site, key: str, **request: object) -> httpx.Response:
    body = {"kind": "probe.echo", "items": 3} | request
    return await site.client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": key})


async def stored(site: Site) -> list[str]:
    return [job["id"] for job in (await site.client.get("/api/v1/jobs")).json()]


def test_one_job_is_stored_for_a_key_also_after_a_restart(tmp_path: Path) -> None:
    sites.initialise(tmp_path)

    async def scenario() -> None:
        async with sites.running(tmp_path) as site:
            answers = await asyncio.gather(*(submit(site, KEY) for _ in range(8)))
            assert {answer.status_code for answer in answers} == {201}
            (job,) = {answer.json()["id"] for answer in answers}
            assert await stored(site) == [job]
            await site.client.post(f"/api/v1/jobs/{job}/cancel")
        async with sites.running(tmp_path) as site:
            again = (await submit(site, KEY)).json()
            assert (again["id"], again["status"]) == (job, "cancelled")
            assert await stored(site) == [job]
            assert (await submit(site, "another")).json()["id"] != job
            assert site.audited().count("job.submit") == 2

    sites.run(scenario)


def test_what_differs_under_a_used_key_is_refused_in_words(tmp_path: Path) -> None:
    sites.initialise(tmp_path)

    async def scenario() -> None:
        async with sites.running(tmp_path) as site:
            job = (await submit(site, KEY)).json()["id"]
            refused = await submit(site, KEY, items=4)
            assert refused.status_code == 409
            assert f"job {job} was submitted under this Idempotency-Key" in refused.json()["message"]
            for wrong in ("", "x" * (KEY_LETTERS + 1), "a\tb"):
                answer = await submit(site, wrong)
                assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key"), wrong
            assert await stored(site) == [job]
            unkeyed = [await site.client.post("/api/v1/jobs", json={"kind": "probe.echo"}) for _ in range(2)]
            assert len({answer.json()["id"] for answer in unkeyed}) == 2

    sites.run(scenario)


def test_of_two_controllers_that_take_it_at_once_one_stores_it(database_url: str) -> None:
    """The second one has looked, found nothing, and is then overtaken."""

    async def scenario(service: Service, first: Database, second: Database) -> None:
        job = job_of(KEY)

        async def overtake() -> api.JobView:
            await Repeats(first).once(job, ECHO, lambda: service.submit(ECHO, job=job))
            raise StoreFailed("UNIQUE constraint failed: jobs.id")

        view = await Repeats(second).once(job, ECHO, overtake)
        assert view.id == job
        with pytest.raises(Conflict, match="something else"):
            await Repeats(second).once(job, OTHER, overtake)
        assert [each.id for each in await service.jobs(10)] == [job]

    async def both() -> None:
        second = Database(database_url)
        try:
            async with running(
                database_url, Devices(), database=(first := Database(database_url))
            ) as service:
                await scenario(service, first, second)
        finally:
            second.close()

    asyncio.run(both())


def test_the_database_takes_no_second_job_of_the_same_key(database_url: str) -> None:
    async def scenario() -> None:
        async with running(database_url, Devices()) as service:
            view = await service.submit(ECHO, job=job_of(KEY))
            with pytest.raises(StoreFailed):
                await service.submit(OTHER, job=job_of(KEY))
            assert (await service.job(job_of(KEY))).job.items == 3
            assert [each.id for each in await service.jobs(10)] == [view.id]

    asyncio.run(scenario())


def test_a_failure_to_store_is_told_when_nothing_stands_under_the_key(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'controlplane.db'}")

    async def fail() -> api.JobView:
        raise StoreFailed("the disk is full")

    async def scenario() -> None:
        async with running("", Devices(), database=database):
            with pytest.raises(StoreFailed, match="disk is full"):
                await Repeats(database).once(job_of(KEY), ECHO, fail)

    asyncio.run(scenario())


def test_a_caller_that_goes_away_leaves_its_submission_to_the_next_one(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'controlplane.db'}")

    async def scenario() -> None:
        async with running("", Devices(), database=database) as service:
            repeats, job, begun, go = Repeats(database), job_of(KEY), asyncio.Event(), asyncio.Event()

            async def take() -> api.JobView:
                begun.set()
                await go.wait()
                return await service.submit(ECHO, job=job)

            gone = asyncio.create_task(repeats.once(job, ECHO, take))
            await begun.wait()
            gone.cancel()
            again = asyncio.create_task(repeats.once(job, ECHO, take))
            go.set()
            assert (await again).id == job
            assert gone.cancelled()
            assert [each.id for each in await service.jobs(10)] == [job]

    asyncio.run(scenario())


def test_a_key_names_its_job() -> None:
    assert job_of("abc") == hashlib.sha256(b"abc").hexdigest()[:16]
    assert job_of("abd") != job_of("abc")
    for wrong in ("", "x" * (KEY_LETTERS + 1), "ä", "a\nb"):
        with pytest.raises(RequestRefused):
            job_of(wrong)
