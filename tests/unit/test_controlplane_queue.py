import msgspec
import pytest

from qfleet_controlplane.link import peers
from qfleet_wire import codec, payloads
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, JobId, TaskId


def assign(size: int) -> payloads.Assign:
    work = msgspec.Raw(msgspec.msgpack.encode(bytes(size)))
    return payloads.Assign(TaskId("t"), 1, JobId("j"), work, 0, 0, 0)


def test_a_message_is_closed_at_its_size_and_keeps_the_order() -> None:
    queue = peers.Queue()
    for size in (300_000, 200_000, 100_000, 10):
        assert queue.add(assign(size))
    sizes = []
    while queue.items:
        taken = queue.take()
        assert sum(memoryview(item).nbytes for item in taken) <= peers.MESSAGE_BYTES
        sizes.append([len(codec.decode(item, payloads.Assign).work) // 100_000 for item in taken])
    assert sizes == [[3, 2], [1, 0]]


def test_one_payload_over_the_size_goes_alone() -> None:
    queue = peers.Queue()
    for size in (peers.MESSAGE_BYTES, 10):
        queue.add(assign(size))
    assert [len(queue.take()), len(queue.take()), len(queue.take())] == [1, 1, 0]


def test_a_message_holds_no_more_than_a_batch_may() -> None:
    queue = peers.Queue()
    for _ in range(LIMITS.batch_items + 1):
        queue.add(payloads.Ask("inventory"))
    assert len(queue.take()) == LIMITS.batch_items


def test_what_could_not_be_sent_comes_first_again() -> None:
    queue = peers.Queue()
    kinds: tuple[payloads.Down, ...] = (payloads.Ask("inventory"), payloads.Ask("announcement"))
    for item in kinds:
        queue.add(item)
    taken = queue.take()
    queue.add(payloads.Acknowledge(()))
    queue.put_back(taken)
    assert [codec.encode(item) for item in (*kinds, payloads.Acknowledge(()))] == [
        bytes(raw) for raw in queue.take()
    ]


def test_a_full_queue_says_so() -> None:
    queue = peers.Queue()
    while queue.add(payloads.Ask("inventory")):
        pass
    assert len(queue.items) == 4 * LIMITS.batch_items


@pytest.mark.parametrize("again", [False, True])
def test_a_device_that_is_shut_out_stays_out(*, again: bool) -> None:
    known = peers.Peers()
    name = DeviceName("d")
    peer = known.ensure(name)
    peer.queue.add(payloads.Ask("inventory"))
    known.shut_out(name)
    if again:
        known.shut_out(name)
    assert known.get(name) is None
    assert known.is_shut_out(name)
    assert known.queued() == 0
    assert not peer.queue.items
