"""Many agents that hear the same hint in the same instant do not answer in the same instant."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tests.simulation.wire_fleet import REGION

from qfleet_agent.link import hints
from qfleet_agent.link.link import Ears, Link, Rhythm
from qfleet_agent.ways.way import MANNERS
from qfleet_wire.channel import frames
from qfleet_wire.errors import Refused
from qfleet_wire.names import DeviceName
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, topic_for

AGENTS = 400
BASE_S = 5.0
SPREAD_S = BASE_S / 10


class Agents:
    """Real links without broker and journal; each has a session that is old enough."""

    def __init__(self) -> None:
        self.beats: list[float] = []
        rhythm = Rhythm(60, BASE_S, 120.0, 15.0)
        self.links = [
            Link(_helm(), rhythm, _handshakes(number), _any(), self._ears()) for number in range(AGENTS)
        ]
        for each in self.links:
            each.online = True

    def _ears(self) -> Ears:
        return Ears(lambda: 1, lambda _: None, lambda: self.beats.append(asyncio.get_running_loop().time()))

    def hear(self, channel: Channel | None, payload: bytes) -> float:
        """Deliver one message to every agent; return when."""
        for number, each in enumerate(self.links):
            device = DeviceName(f"device-{number}")
            topic = AuthorityTopic(REGION) if channel is None else DeviceTopic(REGION, device, channel)
            each.inbox.deliver(topic_for(topic), payload)
        return asyncio.get_running_loop().time()

    async def reopened(self) -> list[float]:
        """When each began to open another session."""

        async def wait(each: Link) -> float:
            await each._reopen.wait()
            return asyncio.get_running_loop().time()

        async with asyncio.timeout(20):
            return await asyncio.gather(*map(wait, self.links))


def _any(**values: Any) -> Any:
    return SimpleNamespace(**values)


def _helm() -> Any:
    return _any(manner=MANNERS["ethernet"], moved=lambda _: None)


def _handshakes(number: int) -> Any:
    membership = _any(device=DeviceName(f"device-{number}"), region=REGION)
    return _any(membership=membership, clock=_any(now=lambda: 0), refused=lambda _: False)


def shares(times: list[float], start: float, span: float) -> list[int]:
    """How many of these fall into each fifth of the span; what is late counts to the last."""
    found = [0] * 5
    for time in times:
        found[min(4, max(0, int(5 * (time - start) / span)))] += 1
    return found


@pytest.mark.parametrize("hint", ["the authority's record", "a stale session"])
def test_a_fleet_that_hears_of_a_new_controller_comes_bit_by_bit(hint: str) -> None:
    async def main() -> None:
        agents = Agents()
        if hint == "a stale session":
            refusal = frames.refusal(b"x" * 80, Refused("no such session here", code="resumption"))
            start = agents.hear(Channel.DOWN, refusal)
        else:
            start = agents.hear(None, b"record")
        found = shares(await agents.reopened(), start, SPREAD_S)
        assert min(found) > AGENTS / 20, found
        # A second hint right after it changes nothing: one session is enough.
        for each in agents.links:
            each._reopen.clear()
        agents.hear(None, b"record")
        assert not any(each._reopen.is_set() for each in agents.links)

    asyncio.run(main())


def test_a_fleet_that_is_called_answers_bit_by_bit_and_once() -> None:
    async def main() -> None:
        agents = Agents()
        start = agents.hear(Channel.DOWN, frames.call(500))
        agents.hear(Channel.DOWN, frames.call(500))
        async with asyncio.timeout(20):
            while len(agents.beats) < AGENTS:  # noqa: ASYNC110 - a list offers no event
                await asyncio.sleep(0.01)
        assert min(shares(agents.beats, start, 0.5)) > AGENTS / 20
        assert len(agents.beats) == AGENTS

    asyncio.run(main())


@pytest.mark.parametrize("session", ["lives", "is lost"])
def test_a_hint_right_after_a_session_waits_and_is_not_forgotten(
    session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        monkeypatch.setattr(hints, "SOONEST_S", 0.3)
        agents = Agents()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for each in agents.links:
            each._hints.began = began
        agents.hear(None, b"record")
        if session == "lives":
            # The controller says something in the session that was hinted at.
            for each in agents.links:
                each.inbox.opened += 1
            over = asyncio.Event()
            loop.call_later(0.3 + SPREAD_S + 0.05, over.set)
            await over.wait()
            assert not any(each._reopen.is_set() for each in agents.links)
            agents.hear(None, b"record")
        assert min(await agents.reopened()) >= began + 0.3

    asyncio.run(main())


def test_a_hint_that_a_newer_session_has_answered_opens_no_other() -> None:
    async def main() -> None:
        agents = Agents()
        agents.hear(None, b"record")
        loop = asyncio.get_running_loop()
        for each in agents.links:
            each._hints.began = loop.time() + 1e-3
        done = asyncio.Event()
        loop.call_later(SPREAD_S + 0.05, done.set)
        await done.wait()
        assert not any(each._reopen.is_set() for each in agents.links)

    asyncio.run(main())
