"""Somebody sets the controller's clock back: what waits for a time does not wait for the old one."""

import asyncio
from pathlib import Path

from tests.integration.core_fleet import (
    PATIENCE_S,
    A,
    B,
    Devices,
    Ticks,
    finish,
    join,
    reconnect,
    running,
    url_of,
)

from qfleet_controlplane.machine import events
from qfleet_controlplane.machine.policy import Policy
from qfleet_wire import api

DAY_MS = 86_400_000
SOON = Policy(silence_ms=300)
"""The timers of the loop run on real time, so the wait is short."""


def test_a_silent_device_is_given_up_though_the_clock_was_set_back_by_a_day(tmp_path: Path) -> None:
    async def scenario() -> None:
        devices, clock = Devices(), Ticks()
        async with running(url_of(tmp_path), devices, policy=SOON, clock=clock) as service:
            devices.mute.add(A)
            await join(service, A)
            job = (await service.submit(api.JobRequest(kind="probe.echo", lost_after_s=1.0))).id
            assert devices.assigned(A)
            clock.now -= DAY_MS
            await join(service, B)
            assert service.figures.reloads == 1
            async with asyncio.timeout(PATIENCE_S):
                while not devices.assigned(B):
                    clock.now += 100
                    await service.post(events.Tick())
                    await reconnect(service, B)
                    await asyncio.sleep(0)
            assert (await finish(service, job)).job.status == "succeeded"

    asyncio.run(scenario())
