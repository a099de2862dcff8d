"""Heartbeats are news, not state: shown at once, stored now and then."""

import asyncio
from pathlib import Path

from tests.integration.core_fleet import A, Devices, join, running, url_of

from qfleet_controlplane.machine import effects, events
from qfleet_controlplane.machine.machine import Machine
from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.service.service import Service
from qfleet_wire import payloads
from qfleet_wire.names import Millis

START = 1_700_000_000_000
EVERY_MS = 30_000


def beat(number: int, set_aside: Millis | None = None) -> payloads.Heartbeat:
    return payloads.Heartbeat(Millis(START), number, 0.5, 1, 1, 0, number, 0, journal_set_aside=set_aside)


def test_a_day_of_heartbeats_is_stored_now_and_then_and_always_shown() -> None:
    machine, policy = Machine(), Policy()
    machine.handle(events.Enrolled(A), Millis(START))
    machine.handle(events.SessionOpened(A), Millis(START))
    day = 24 * 3_600_000
    saved = shown = 0
    for number in range(day // EVERY_MS):
        wanted = machine.handle(events.Heard(A, beat(number)), Millis(START + number * EVERY_MS))
        saved += any(isinstance(effect, effects.SaveDevice) for effect in wanted)
        shown += any(isinstance(effect, effects.ShowDevice) for effect in wanted)
    assert saved + shown == day // EVERY_MS
    assert saved <= day / policy.device_store_ms
    device = machine.state.devices[A]
    assert device.heartbeat is not None
    assert device.heartbeat.queued == day // EVERY_MS - 1


def test_what_a_heartbeat_reports_of_a_damaged_journal_is_stored_at_once() -> None:
    machine = Machine()
    machine.handle(events.Enrolled(A), Millis(START))
    machine.handle(events.SessionOpened(A), Millis(START))
    machine.handle(events.Heard(A, beat(1)), Millis(START + 1))
    wanted = machine.handle(events.Heard(A, beat(2, Millis(START))), Millis(START + 2))
    assert {type(effect) for effect in wanted} >= {effects.SaveDevice, effects.Alarm}


def test_a_clock_that_is_set_back_stores_a_heartbeat() -> None:
    machine = Machine()
    machine.handle(events.Enrolled(A), Millis(START))
    machine.handle(events.SessionOpened(A), Millis(START))
    wanted = machine.handle(events.Heard(A, beat(1)), Millis(START - 3_600_000))
    assert any(isinstance(effect, effects.SaveDevice) for effect in wanted)


def test_heartbeats_are_shown_without_a_transaction(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(url_of(tmp_path), Devices()) as service:
            await join(service, A)
            await until_queued(service, 1)
            before = service.figures.commits
            for number in range(2, 50):
                await until_queued(service, number)
            assert service.figures.commits == before
        async with running(url_of(tmp_path), Devices()) as service:
            assert (await service.device(A)).last_seen is not None

    asyncio.run(scenario())


async def until_queued(service: Service, number: int) -> None:
    await service.post(events.Heard(A, beat(number)))
    async with asyncio.timeout(10):
        while (await service.device(A)).queued != number:  # noqa: ASYNC110 - a device has no change to wait for
            await asyncio.sleep(0)
