"""Telemetry from a device's journal to an operator's screen, over real processes and a real broker."""

import asyncio
from pathlib import Path

import pytest
from tests.integration.agent_controller import PATIENCE_S, FakeController, configure, echo
from tests.integration.channel_device import Device
from tests.integration.site_of_controlplane import Site, initialise, run, running
from tests.integration.test_agent_daemon import agent, enrol, stop
from tests.integration.test_agent_disk import PROFILE

from qfleet_agent.journal import journal
from qfleet_agent.journal.store import Store
from qfleet_agent.machine import effects
from qfleet_agent.machine.telemetry import BATCH
from qfleet_wire import codec, payloads
from qfleet_wire.names import Millis

NOW = Millis(1_800_000_000_000)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An agent that takes a sample every second."""
    path, profiles = configure(tmp_path), tmp_path / "profiles"
    profiles.mkdir()
    text = PROFILE.read_text() + "telemetry_s = 1\n"
    assert text.rindex("[link]") > text.rfind("\n[security]")
    (profiles / "generic.toml").write_text(text)
    path.write_text(f'profiles_dir = "{profiles}"\n{path.read_text()}')
    return path


def sample(number: int, **changes: int) -> payloads.Sample:
    return payloads.Sample(number, Millis(changes.get("at", NOW)), 0.5, 1 << 30, 1 << 33, 1, 2, 3, 48.5)


def store_of(config: Path) -> Store:
    return Store(journal.path_in(config.parent / "state"))


def test_samples_wait_in_the_journal_and_go_after_the_results(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            store = store_of(config)
            backlog = tuple((number, codec.encode(sample(number))) for number in range(1, 601))
            store.write([effects.SaveTelemetry(1, backlog, drop_to=0, next=601, reserved=601, lost=4)])
            failed = payloads.TaskResult(echo("old").task, 1, "failed", error="x")
            store.write([effects.SaveResult(1, ("old", 1), codec.encode(failed))])  # type: ignore[arg-type]
            store.close()
            async with agent(config) as process:
                first = await controller.item(payloads.Telemetry)
                assert first.lost == 4
                assert first.samples[0] == sample(1)
                kinds = [type(one) for one in controller.items]
                assert kinds.index(payloads.Results) < kinds.index(payloads.Telemetry)
                seen = len(controller.items)
                await controller.send(payloads.TelemetryAcknowledge(first.samples[-1].sequence))
                second = await controller.item(payloads.Telemetry, after=seen)
                assert second.samples[-1].sequence == 600
                await controller.send(payloads.TelemetryAcknowledge(600))
                seen = len(controller.items)
                fresh = await controller.item(payloads.Telemetry, after=seen)
                assert [one.sequence for one in fresh.samples] == [601]
                seen = len(controller.items)
                await controller.send(payloads.TelemetryAcknowledge(601))
                fresh = await controller.item(payloads.Telemetry, after=seen)
                assert [one.sequence for one in fresh.samples] == list(range(602, 602 + BATCH))
                assert await stop(process) == 0
        store = store_of(config)
        stored = store.load().telemetry
        store.close()
        assert stored is not None
        assert stored.runs[0][0] <= 602
        assert stored.next == stored.reserved == stored.runs[-1][1] + 1

    asyncio.run(scenario())


def test_a_sample_is_stored_once_and_only_then_acknowledged(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        device = await site.join("pi-1")
        async with device.online():
            assert await device.hello() is None
            for _ in range(2):
                await device.send(payloads.Telemetry((sample(7), sample(8), sample(11)), lost=2))
                await acknowledged(device, 11)
            # What no database can hold is dropped, and harms nothing else.
            await device.send(payloads.Telemetry((sample(2**63), sample(-1), sample(12))))
            await acknowledged(device, 12)
        answer = await site.client.get("/api/v1/devices/pi-1/telemetry")
        told = answer.json()
        assert [one["sequence"] for one in told["samples"]] == [7, 8, 11, 12]
        assert told["samples"][0]["temperature_c"] == 48.5
        assert told["gaps"] == [{"after": 8, "before": 11}]
        assert (told["device"], told["lost"]) == ("pi-1", 0)
        answer = await site.client.get("/api/v1/devices/pi-1/telemetry?limit=2")
        assert [one["sequence"] for one in answer.json()["samples"]] == [11, 12]
        assert (await site.client.get("/api/v1/devices/pi-1/telemetry?limit=0")).status_code == 400
        assert (await site.client.get("/api/v1/devices/nobody/telemetry")).status_code == 404

    async def whole() -> None:
        initialise(tmp_path / "site")
        async with running(tmp_path / "site") as site:
            await scenario(site)

    run(whole)


async def acknowledged(device: Device, up_to: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while payloads.TelemetryAcknowledge(up_to) not in await device.hear():
            pass


def test_a_journal_that_was_set_aside_is_an_alarm_once(tmp_path: Path) -> None:
    beat = payloads.Heartbeat(NOW, 1, 0.5, 1, 1, 0, 0, 0, journal_set_aside=NOW, journal_damage="malformed")

    async def scenario(site: Site) -> None:
        device = await site.join("pi-1")
        async with device.online():
            assert await device.hello() is None
            for _ in range(3):
                await device.send(beat)
            await device.send(payloads.Telemetry((sample(1),)))
            await acknowledged(device, 1)
        assert site.audited().count("alarm.journal") == 1

    async def whole() -> None:
        initialise(tmp_path / "site")
        async with running(tmp_path / "site") as site:
            await scenario(site)

    run(whole)
