"""What an agent makes of hints: calls are answered seldom, a turn is waited for with the same request."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, cast

import pytest
from tests.simulation.wire_fleet import DEVICE, REGION

from qfleet_agent.link import calls, opening
from qfleet_agent.link.handshakes import Handshakes
from qfleet_agent.ways.backoff import Backoff
from qfleet_wire import door
from qfleet_wire.channel import frames
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.initiator import Established, Standing
from qfleet_wire.errors import Refused
from qfleet_wire.names import Millis
from qfleet_wire.topics import Channel, DeviceTopic

TOPIC = DeviceTopic(REGION, DEVICE, Channel.DOWN)
HELLO = b"a hello"


def chance(share: float) -> Callable[[int], bytes]:
    return lambda count: int(share * (2 ** (8 * count) - 1)).to_bytes(count, "big")


def call(within_ms: int) -> door.Frame:
    return door.Frame(Kind.CALL, TOPIC, frames.call(within_ms))


def test_a_flood_of_calls_is_answered_once_at_a_random_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        answered = asyncio.Event()
        count = 0

        def answer() -> None:
            nonlocal count
            count += 1
            answered.set()

        taker = calls.Calls(answer, chance(0.5))
        started = asyncio.get_running_loop().time()
        for _ in range(1000):
            taker.take(call(200))
        assert count == 0
        await answered.wait()
        assert asyncio.get_running_loop().time() - started >= 0.099
        taker.take(call(0))
        assert count == 1
        monkeypatch.setattr(calls, "SELDOM_S", 0.0)
        answered.clear()
        taker.take(call(0))
        await answered.wait()
        assert count == 2

    asyncio.run(main())


def test_no_call_makes_a_device_wait_longer_than_it_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(calls, "MOST_WITHIN_S", 0.0)
        answered = asyncio.Event()
        calls.Calls(answered.set, chance(0.9)).take(call((1 << 53) - 1))
        async with asyncio.timeout(5):
            await answered.wait()

    asyncio.run(main())


def test_a_malformed_call_is_nothing() -> None:
    async def main() -> None:
        taker = calls.Calls(lambda: pytest.fail("answered"), chance(0.0))
        taker.take(door.Frame(Kind.CALL, TOPIC, b"\x1e\xc0"))
        await asyncio.sleep(0)

    asyncio.run(main())


class FakeHandshakes:
    """One request; ``answer`` is a session."""

    session = Established(cast("Any", None), cast("Any", None), Standing(Millis(0)), Millis(0), None)

    def __init__(self) -> None:
        self.resuming = True
        self.begun = self.given_up = 0

    async def ask(self) -> bytes:
        self.begun += 1
        return HELLO

    def failed(self) -> None:
        self.given_up += 1
        self.resuming = False

    def refused(self, refusal: frames.Refusal) -> bool:
        return refusal.request == frames.frame_hash(HELLO)

    async def finish(self, frame: bytes) -> Established | None:
        return self.session if frame == b"answer" else None


def refusal(code: Any, after_ms: int = 0) -> door.Frame:
    payload = frames.refusal(HELLO, Refused("no", code=code), after_ms=after_ms)
    return door.Frame(Kind.REFUSAL, TOPIC, payload)


ANSWER = door.Frame(Kind.ANSWER, TOPIC, b"answer")


def opened(*script: list[door.Frame]) -> tuple[FakeHandshakes, list[bytes]]:
    """Open a session against a controller that answers each request with the next of these frames."""
    fake, sent, left = FakeHandshakes(), list[bytes](), list(script)

    async def main() -> None:
        backoff = Backoff(0.01, 0.01)
        chosen = opening.Opening(cast("Handshakes", fake), backoff, answer_s=0.2, random=secrets.token_bytes)

        async def send(frame: bytes) -> None:
            sent.append(frame)
            for answer in left.pop(0) if left else [ANSWER]:
                chosen.take(answer)

        async with asyncio.timeout(20):
            assert await chosen.open(send, lambda: None) is fake.session

    asyncio.run(main())
    return fake, sent


def test_a_device_that_is_given_a_turn_comes_again_with_the_same_request() -> None:
    fake, sent = opened(*([refusal("rate", 20)] for _ in range(5)))
    assert sent == [HELLO] * 6
    assert (fake.begun, fake.given_up) == (1, 0)


def test_an_answer_counts_while_a_device_waits_for_its_turn() -> None:
    fake, sent = opened([refusal("rate", 60_000), ANSWER])
    assert (sent, fake.begun) == ([HELLO], 1)


def test_a_rate_that_is_said_for_ever_ends_in_another_way_to_ask() -> None:
    fake, sent = opened(*([refusal("rate", 1)] for _ in range(opening.MOST_TURNS + 3)))
    assert fake.given_up >= 1
    assert len(sent) > opening.MOST_TURNS


def test_another_refusal_ends_the_attempt_at_once() -> None:
    fake, sent = opened([refusal("resumption")])
    assert (fake.begun, fake.given_up, len(sent)) == (2, 1, 2)
