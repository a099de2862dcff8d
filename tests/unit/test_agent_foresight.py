"""Results are signed while the journal takes them, and none leaves before it has."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any, cast

import pytest
from tests.unit.test_agent_machine import assign, finished, heard, machine

from qfleet_agent.daemon.performer import Performer
from qfleet_agent.journal.journal import Journal
from qfleet_agent.link.sending import Batches
from qfleet_agent.machine import events
from qfleet_agent.machine.effects import Start, Write
from qfleet_agent.machine.events import Key
from qfleet_wire import codec, payloads
from qfleet_wire.channel import keys
from qfleet_wire.names import Millis, TaskId

OWN = keys.generate(secrets.token_bytes)
A, B = (TaskId("a"), 1), (TaskId("b"), 1)
NO_JOURNAL = cast("Journal", None)


def result(key: Key) -> bytes:
    return codec.encode(payloads.TaskResult(*key, "cancelled"))


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """What is signed, in order."""
    made: list[list[bytes]] = []
    sign = keys.result_signature

    def noted(key: Any, raws: list[bytes]) -> bytes:
        made.append(raws)
        return sign(key, raws)

    monkeypatch.setattr(keys, "result_signature", noted)
    return made


def sent(batches: Batches, key: Any = OWN) -> list[bytes]:
    """The results of the next message, whose signature is good."""
    plaintext = asyncio.run(batches.next(key, lambda: Millis(0)))
    assert plaintext is not None
    _, (item,) = codec.unpack_up(plaintext)
    assert isinstance(item, payloads.Results)
    raws = [bytes(raw) for raw in item.results]
    keys.verify_result_signature(key.public_key(), raws, item.signature)
    return raws


def test_what_was_foreseen_is_signed_once(signed: list[list[bytes]]) -> None:
    batches = Batches(NO_JOURNAL)
    batches.foresee([result(A), result(B)], OWN)
    batches.outgoing.add_result(A, result(A))
    batches.outgoing.add_result(B, result(B))
    assert sent(batches) == [result(A), result(B)]
    assert signed == [[result(A), result(B)]]
    batches.outgoing.add_result(A, result(A))
    assert sent(batches) == [result(A)]
    assert signed[1:] == [[result(A)]], "a signature is for one message"


def test_what_comes_otherwise_than_foreseen_is_signed_as_it_comes(signed: list[list[bytes]]) -> None:
    batches = Batches(NO_JOURNAL)
    batches.foresee([result(A)], OWN)
    batches.outgoing.add_result(B, result(B))
    batches.outgoing.add_result(A, result(A))
    assert sent(batches) == [result(B), result(A)]
    batches.outgoing.add_result(B, result(B))
    batches.foresee([result(A)], OWN)
    assert len(signed) == 2, "nothing is foreseen while results are in line"
    batches.clear()
    batches.foresee([result(A)], OWN)
    renewed = keys.generate(secrets.token_bytes)
    batches.outgoing.add_result(A, result(A))
    assert sent(batches, renewed) == [result(A)]


class Disk:
    """A journal whose writes end when the test lets them."""

    covered = 1 << 40

    def __init__(self, told: list[str]) -> None:
        self._told = told
        self.free = asyncio.Event()

    async def write(self, writes: Sequence[Write]) -> None:
        self._told.append(f"writes {', '.join(type(one).__name__ for one in writes)}")
        await self.free.wait()
        self._told.append("durable")


class Ends:
    """What the performer acts on."""

    def __init__(self, told: list[str]) -> None:
        self._told = told
        self.foreseen = asyncio.Event()
        self.left = asyncio.Event()

    def foresee_results(self, results: Sequence[bytes]) -> None:
        self._told.append(f"foresees {len(results)}")
        self.foreseen.set()

    def send_result(self, key: Key, _result: bytes | None) -> None:
        self._told.append(f"sends {key[0]}")
        self.left.set()

    def send(self, _payload: payloads.Up) -> None:
        return

    def start(self, wanted: Start) -> None:
        self._told.append(f"starts {wanted.key[0]}")


def test_a_result_is_foreseen_while_it_is_written_and_sent_when_it_is_durable() -> None:
    async def scenario() -> None:
        told: list[str] = []
        disk, ends = Disk(told), Ends(told)
        performer = Performer(machine(), cast("Journal", disk))
        performer.connect(cast("Any", ends), cast("Any", ends))
        running = asyncio.create_task(performer.run())
        disk.free.set()
        performer.tell(events.SessionOpened(1))
        performer.tell(heard(assign(), number=2))
        await performer.settle()
        assert told == ["writes SaveTask", "durable", "starts t"]
        told.clear()
        disk.free.clear()
        performer.tell(finished((TaskId("t"), 1), 3))
        await ends.foreseen.wait()
        assert told == ["writes SaveResult", "foresees 1"]
        disk.free.set()
        await ends.left.wait()
        assert told[2:] == ["durable", "sends t"]
        running.cancel()

    asyncio.run(scenario())
