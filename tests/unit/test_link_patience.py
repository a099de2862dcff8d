"""Acknowledgements travel with what goes to their device anyway, and alone only after a moment."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
from tests.unit.test_controlplane_queue import assign

from qfleet_controlplane.link import outbound
from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.link.outbound import Outbound
from qfleet_controlplane.link.peers import Peers
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_controlplane.metrics import Registry
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName, Millis, RegionName, TaskId

D = DeviceName("d")
DONE = payloads.Acknowledge(((TaskId("t"), 1),))
SAMPLED = payloads.TelemetryAcknowledge(7)


class Open:
    """A session that seals nothing."""

    current: Any

    def __init__(self) -> None:
        self.current = self

    def renew_only(self, _now: Millis) -> bool:
        return False

    def seal(self, batch: bytes, **_: object) -> bytes:
        return batch


class Site:
    """Outbound to one device with a session; ``messages`` has the kinds of payloads that were published."""

    def __init__(self) -> None:
        self.messages: list[list[str]] = []
        self.came = asyncio.Event()
        peers = Peers()
        peers.ensure(D).sessions = cast("Any", Open())
        around = Surroundings(RegionName("r"), Counts(Registry()), clock=lambda: Millis(0), random=bytes)
        self.outbound = Outbound(peers, self._publish, around)

    async def _publish(self, _topic: str, plaintext: bytes) -> None:
        _, items = codec.unpack_down(plaintext)
        self.messages.append([type(item).__name__ for item in items])
        self.came.set()


def run(scenario: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        site = Site()
        await scenario(site)
        await site.outbound.drain(0)

    asyncio.run(main())


def test_an_acknowledgement_travels_with_the_next_assignment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "PATIENT_S", 3600.0)

    async def scenario(site: Site) -> None:
        site.outbound.send(D, [DONE])
        site.outbound.send(D, [SAMPLED])
        await asyncio.sleep(0)
        assert site.messages == []
        site.outbound.send(D, [assign(1)])
        await site.came.wait()
        assert site.messages == [["Acknowledge", "TelemetryAcknowledge", "Assign"]]

    run(scenario)


def test_an_acknowledgement_goes_alone_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "PATIENT_S", 0.001)

    async def scenario(site: Site) -> None:
        for _ in range(2):
            site.came.clear()
            site.outbound.send(D, [DONE])
            await site.came.wait()
        assert site.messages == [["Acknowledge"], ["Acknowledge"]]

    run(scenario)


def test_what_waits_is_sent_before_the_link_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "PATIENT_S", 3600.0)

    async def scenario(site: Site) -> None:
        site.outbound.send(D, [DONE])
        await site.outbound.drain(20.0)
        assert site.messages == [["Acknowledge"]]

    run(scenario)
