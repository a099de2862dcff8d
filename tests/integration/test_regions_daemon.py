"""One controller that leads two regions, each with its own broker."""

from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from tests.integration import site_of_controlplane as sites
from tests.integration.channel_device import Device
from tests.integration.site_of_controlplane import Site

from qfleet_controlplane.command import main
from qfleet_controlplane.store import clock, engines
from qfleet_controlplane.store.tables import control
from qfleet_wire import api, door, payloads
from qfleet_wire.channel.frames import Kind
from qfleet_wire.names import Millis

HEARTBEAT = payloads.Heartbeat(Millis(0), 1, 0.0, 1, 1, 0, 0, 0)
TAGS = {"north": '"EU"', "south": '"US"'}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """What ``init`` makes for two regions with embedded brokers, and a tag for each."""
    arguments = ["init", "--directory", str(tmp_path), "--fleet", "home", "--listen", "127.0.0.1:0"]
    for region in TAGS:
        arguments += ["--region", region, "--broker", f"{region}=embedded"]
    assert main(arguments) == 0
    path = tmp_path / "controlplane.toml"
    text = path.read_text()
    for region, tag in TAGS.items():
        table = f'[regions."{region}".broker]'
        text = text.replace(table, f'[regions."{region}"]\nresidency = [{tag}]\n{table}')
    path.write_text(text)
    return tmp_path


async def regions(site: Site) -> dict[str, api.RegionView]:
    answer = await site.client.get("/api/v1/regions")
    assert answer.status_code == 200, answer.text
    views = msgspec.json.decode(answer.content, type=tuple[api.RegionView, ...])
    return {region.name: region for region in views}


async def join(site: Site, name: str, region: str) -> Device:
    answer = await site.client.post("/api/v1/devices", json={"device": name, "region": region})
    assert answer.status_code == 201, answer.text
    device = Device(answer.json()["token"])
    await device.enrol()
    return device


def test_both_regions_are_led_and_devices_join_the_one_they_were_invited_to(directory: Path) -> None:
    async def scenario() -> None:
        async with sites.running(directory) as site:
            led = await regions(site)
            assert {region.controller for region in led.values()} == {"controller"}
            assert led["north"].residency == ("EU",)
            first, second = await join(site, "a", "north"), await join(site, "b", "south")
            assert first.token.broker != second.token.broker
            async with first.online(), second.online():
                assert await first.hello() is None
                assert await second.hello() is None
            listed = (await site.client.get("/api/v1/devices")).json()
            assert [(device["name"], device["region"]) for device in listed] == [
                ("a", "north"),
                ("b", "south"),
            ]

    sites.run(scenario)


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ({"device": "x"}, 422, "name one of north, south"),
        ({"device": "x", "region": "west"}, 422, "'west'"),
        ({"device": "a", "region": "south"}, 409, "belongs to region 'north'"),
    ],
)
def test_an_invitation_names_a_region_that_can_be(
    directory: Path, request_: dict[str, str], status: int, words: str
) -> None:
    async def scenario() -> None:
        async with sites.running(directory) as site:
            await site.client.post("/api/v1/devices", json={"device": "a", "region": "north"})
            answer = await site.client.post("/api/v1/devices", json=request_)
            assert (answer.status_code, words in answer.text) == (status, True), answer.text

    sites.run(scenario)


def test_a_job_goes_only_where_its_data_may_go(directory: Path) -> None:
    async def scenario() -> None:
        async with sites.running(directory) as site:
            job = {"kind": "probe.echo", "items": 2, "residency": ["US"]}
            told = (await site.client.post("/api/v1/plans", json=job)).json()
            assert (await site.client.get("/api/v1/jobs")).json() == []
            assert (told["task_count"], told["finish_ms"], told["devices"]) == (2, None, [])
            placed = (await site.client.post("/api/v1/jobs", json=job)).json()
            assert "to south" in placed["placement"][0], placed
            assert told["placement"] == placed["placement"]
            assert any(sentence.startswith("north") for sentence in placed["placement"]), placed
            shown = (await site.client.get(f"/api/v1/jobs/{placed['id']}")).json()
            assert shown["job"]["placement"] == placed["placement"]
            refused = await site.client.post("/api/v1/jobs", json={**job, "residency": ["JP"]})
            assert refused.status_code == 422, refused.text
            assert "JP" in refused.text
            cancelled = await site.client.post(f"/api/v1/jobs/{placed['id']}/cancel")
            assert cancelled.json()["status"] == "cancelled"

    sites.run(scenario)


def test_a_quarantined_device_comes_back_when_it_is_released(directory: Path) -> None:
    async def scenario() -> None:
        async with sites.running(directory) as site:
            device = await join(site, "a", "north")
            async with device.online():
                await device.hello()
                await device.send(HEARTBEAT)
                await site.until(lambda: _is(site, "a", "online"), "it is online")
                answer = await site.client.post("/api/v1/devices/a/quarantine", json={"reason": "odd"})
                assert answer.json()["status"] == "quarantined"
                again = await site.client.post("/api/v1/devices/a/release")
                assert again.json()["status"] == "enrolled"
                assert (await device.next(door.Frame)).kind is Kind.CALL
                assert (await site.client.post("/api/v1/devices/a/release")).status_code == 409
                await device.hello()
                await device.send(HEARTBEAT)
                await site.until(lambda: _is(site, "a", "online"), "it is back")
            retired = await site.client.post("/api/v1/devices/a/retire", json={"reason": "old"})
            assert retired.json()["status"] == "retired"

    sites.run(scenario)


def test_a_region_whose_lease_is_taken_ends_alone_and_is_taken_back(directory: Path) -> None:
    async def scenario() -> None:
        async with sites.running(directory) as site:
            before = await regions(site)
            _steal(directory, "north", for_ms=2_000)

            async def lost() -> bool:
                return (await regions(site))["north"].controller == "thief"

            await site.until(lost, "north is the thief's")
            other = await site.client.post("/api/v1/devices", json={"device": "b", "region": "south"})
            assert other.status_code == 201

            async def taken_back() -> bool:
                now = (await regions(site))["north"]
                return now.controller == "controller" and now.epoch > before["north"].epoch

            await site.until(taken_back, "north is led again, in a higher epoch")
            assert (await site.client.get("/readyz")).status_code in {200, 503}
            joined = await join(site, "c", "north")
            async with joined.online():
                assert await joined.hello() is None
            assert (await regions(site))["south"].epoch == before["south"].epoch

    sites.run(scenario)


async def _is(site: Site, device: str, status: str) -> bool:
    return await site.status(device) == status


def _steal(directory: Path, region: str, *, for_ms: int) -> None:
    """Take a lease as another process would that had waited for its end."""
    engine = engines.open_writer(f"sqlite:///{directory / 'controlplane.db'}")
    with engine.begin() as connection:
        connection.execute(
            control.regions.update()
            .where(control.regions.c.name == region)
            .values(
                controller="thief",
                epoch=control.regions.c.epoch + 1,
                expires=clock.now() + sa.literal(for_ms),
            )
        )
    engine.dispose()
