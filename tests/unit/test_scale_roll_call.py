"""The roll call after a takeover: who has not come is called once, at a bounded pace, in random order."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from qfleet_controlplane.link import roll_call
from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.link.peers import Peers
from qfleet_controlplane.link.roll_call import RollCall
from qfleet_controlplane.store.writer import StoreFailed
from qfleet_wire.channel import frames
from qfleet_wire.names import DeviceName, RegionName
from qfleet_wire.topics import Channel

NAMES = [DeviceName(f"d-{number}") for number in range(100)]


class Fakes:
    """Stands in for the store, the outbound side and the surroundings."""

    region = RegionName("north")

    def __init__(self) -> None:
        self.called: list[DeviceName] = []
        self.at: list[float] = []
        self.broken = False

    async def read(self, _query: Callable[[Any], object]) -> list[DeviceName]:
        if self.broken:
            raise StoreFailed
        return list(NAMES)

    @property
    def database(self) -> "Fakes":
        return self

    def send_frame(self, device: DeviceName, channel: Channel, frame: bytes) -> None:
        assert channel is Channel.DOWN
        frames.read(frame, frames.Call)
        self.called.append(device)
        self.at.append(asyncio.get_running_loop().time())


def run(fakes: Fakes, here: frozenset[DeviceName] = frozenset()) -> None:
    async def main() -> None:
        peers = Peers()
        for device in here:
            peers.ensure(device).sessions.adopt(cast("Any", object()), cast("Any", 0))
        peers.ensure(NAMES[0])  # one whose session nobody has confirmed
        fake = cast("Any", fakes)
        called = RollCall(Parts(fake, peers, fake, fake, fake))
        called.begin()
        called.begin()
        task = called._task
        assert task is not None
        async with asyncio.timeout(20):
            await task
        await called.stop()

    asyncio.run(main())


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call, "_BY_THEMSELVES_S", 0.0)
    monkeypatch.setattr(roll_call, "_ROUND_S", 0.01)


def test_everybody_who_has_no_session_is_called_once_and_in_random_order() -> None:
    fakes, here = Fakes(), frozenset(NAMES[50:])
    run(fakes, here)
    assert sorted(fakes.called) == sorted(NAMES[:50])
    assert fakes.called != NAMES[:50]
    others = Fakes()
    run(others, here)
    assert others.called != fakes.called


def test_calls_are_paced() -> None:
    fakes = Fakes()
    run(fakes)
    assert len(fakes.called) == len(NAMES)
    rounds = len(NAMES) / roll_call._PER_ROUND
    assert fakes.at[-1] - fakes.at[0] >= 0.01 * (rounds - 1) * 0.9


def test_a_store_that_cannot_be_read_calls_nobody(caplog: pytest.LogCaptureFixture) -> None:
    fakes = Fakes()
    fakes.broken = True
    run(fakes)
    assert fakes.called == []
    assert "Nobody is called" in caplog.text
